# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Redraw a figure from its table
#
# The panels of the demo book are kept with the project as tables.
# Here one is drawn again, then with a model of one's own beside ours.
# Neither torch nor scanpy is installed.

# %%
import os

import datamix

os.chdir(os.environ.get("DATAMIX_ROOT", ".."))
book = datamix.open("recorded/demo")
book.panels

# %%
book.panel("2a").table().head()

# %%
figure = book.panel("2a").figure()

# %% [markdown]
# A model of one's own: a median R² a set, made up here. Change them.

# %%
import pandas as pd

mine = pd.DataFrame({"evaluation": ["blood", "aml"], "median": [0.7, 0.4]})
figure = book.panel("2a").with_results(mine, name="Made up").figure()

# %%
print(book.panel("2a").cite())
