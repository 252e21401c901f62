# ---
# jupyter:
#   datamix:
#     reads: [yardsticks, corpora]
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figure S9: simple models, held-out molecules, and the ceiling
#
# How good is an R² of some size?
# Beside each LDVAE of the {val}`figS9.baseline` Baseline stand simple models of the same training cells: ten principal components, ten non-negative factors, the nearest training cell, and the mean of all.
# A cell of few molecules cannot be predicted well by any model: the dashed line is what a perfect one could reach, estimated from how far two halves of a cell's molecules agree ([Methods](../methods)).
# This figure is ours.
#
# **Input:** per-cell scores of all kinds of model (`scores/yardsticks/`).
# **Output:** panels S9a and S9b, and the values that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # which data and settings: demo | mini | paper, or the name of another file in config/

# %%
from datamix.analysis.beside import simple_models_in_words, summarise_yardsticks
from datamix.figures import composition, labels
from datamix.publishing.panels import save_panel
from datamix.publishing.results import Results
from datamix.publishing.values import record
from datamix.publishing.words import over_seeds

results = Results(profile, notebook="figS9")
baseline = results.baselines[0]
table = labels.label_mixtures(summarise_yardsticks(results.yardsticks(baseline)), results.profile)

# %% [markdown]
# ## The published measure: a cell predicted from itself
#
# Whole cells go in, and are compared with what comes out.

# %%
save_panel(
    composition.yardsticks(table, results.profile, measure="r2"),
    "S9a",
    data=table,
    alt="Median R² of LDVAE, PCA, NMF, nearest training cell and mean profile for each mixture, one panel an evaluation set; the ceiling is a dashed line.",
    caption=f"**Simple models of the same training cells**, median R² over cells, {over_seeds(len(results.profile.seeds))}; dashed: the ceiling.",
    results=results,
)

# %% [markdown]
# ```{panel} S9a
# ```
#
# ## Molecules that the model has not seen
#
# A model that is shown a cell and asked for the same cell can score by copying its noise.
# So each molecule of a cell goes to one half or the other by a coin; models are shown one half and compared with the other.
# A model that copies what it sees reaches {val}`figS9.copy:.2f` in the median over all cells, a perfect one {val}`figS9.perfect:.2f`.

# %%
save_panel(
    composition.yardsticks(table, results.profile, measure="r2_held_out"),
    "S9b",
    data=table,
    alt="The same on held-out molecules: one half of each cell's molecules predicted from the other half.",
    caption="**Held-out molecules**: median R² of one half of a cell's molecules, predicted from the other; dashed: the ceiling of a half.",
    results=results,
)

# %% [markdown]
# ```{panel} S9b
# ```

# %% tags=["remove-cell"]
cells = results.yardsticks(baseline).drop_duplicates(["evaluation", "cell", "seed"])
record("figS9.baseline", results.profile.baselines[baseline].label, unit="", results=results)
record("figS9.copy", (cells["reliability"] ** 2).median(), unit="median R²", results=results)
record("figS9.perfect", cells["reliability"].median(), unit="median R²", results=results)
own = table[table["model"] == "ldvae"].set_index(["evaluation", "mixture"])
record("figS9.pairs", len(own), unit="pairs", results=results)
record("figS9.plainly", simple_models_in_words(table), unit="", results=results)
for model in composition.MODELS:
    other = table[table["model"] == model].set_index(["evaluation", "mixture"]).loc[own.index]
    if model != "ldvae":
        record(f"figS9.above.{model}", int((other["r2"] > own["r2"]).sum()), unit="pairs", results=results)
        held_out = int((other["r2_held_out"] > own["r2_held_out"]).sum())
        record(f"figS9.above_held_out.{model}", held_out, unit="pairs", results=results)
alone = own.xs(baseline, level="mixture")
part = {}
for name, where in (("most", alone["share"].idxmax()), ("least", alone["share"].idxmin())):
    part[name] = (
        f"on {alone.loc[where, 'evaluation_label']}, {alone.loc[where, 'share']:.0%} of {alone.loc[where, 'ceiling']:.2f}"
    )
    record(f"figS9.{name}.evaluation", alone.loc[where, "evaluation_label"], unit="", results=results)
    record(f"figS9.{name}.share", alone.loc[where, "share"], unit="share of the ceiling", results=results)
    record(f"figS9.{name}.ceiling", alone.loc[where, "ceiling"], unit="median R²", results=results)
reaches = (
    f"The baseline model reaches the largest part of its ceiling {part['most']}, and the smallest {part['least']}."
    if len(alone) > 1
    else "On {}, the baseline model reaches {:.0%} of its ceiling, {:.2f}.".format(
        *alone[["evaluation_label", "share", "ceiling"]].iloc[0]
    )
)
record("figS9.reaches", reaches, unit="", results=results)

# %% [markdown]
# {val}`figS9.plainly`
#
# In full: of {val}`figS9.pairs` pairs of a mixture and an evaluation set, PCA has a higher R² than the LDVAE in {val}`figS9.above.pca`, NMF in {val}`figS9.above.nmf`, the nearest training cell in {val}`figS9.above.nearest` and the mean profile in {val}`figS9.above.mean`; on held-out molecules it is {val}`figS9.above_held_out.pca`, {val}`figS9.above_held_out.nmf`, {val}`figS9.above_held_out.nearest` and {val}`figS9.above_held_out.mean`.
#
# {val}`figS9.reaches`
# The ceiling takes counts as Poisson around what the cell expresses, and a perfect model as one that knows this expression, bursts of genes included; a model that can only know the mean of cells alike stays below it.
#
# ## Use it on your own data
#
# `make figure FIG=figS9 PROFILE=yours`; or draw it from the source data:
#
# ```python
# import pandas as pd
# from datamix.figures.composition import yardsticks
# from datamix.project.profile_files import read_profile
#
# table = pd.read_csv("results/demo/panels/figS9a.csv")
# yardsticks(table, read_profile("demo"), measure="r2").savefig("figS9a.svg")
# ```

# %% tags=["hide-input"]
from datamix.project.provenance import versions

versions()
