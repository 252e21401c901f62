# ---
# jupyter:
#   datamix:
#     reads: [scores]
#     needs: {baselines: 2, seeds: 2}
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
# # Figure S6: one seed against another, Atlas Baseline
#
# The same question as in Figure S2, asked of the models that start from all normal tissues.
# Every model of the second baseline, the atlas in the paper, was trained once for each seed, on cells drawn with that seed.
# If a cell's R² depended on the mixture alone, the points would lie on the identity line.
#
# **Input:** per-cell scores (`scores/reconstruction.parquet`).
# **Output:** panels S6a and S6b, and the values that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # which data and settings: demo | mini | paper, or the name of another file in config/

# %%
from datamix.figures import labels
from datamix.figures import reconstruction
from datamix.publishing.panels import save_panel
from datamix.publishing.results import Results
from datamix.analysis.summary import seed_medians, seed_pairs
from datamix.publishing.values import record
from datamix.publishing.seed_words import agreement_in_words, seed_spread_in_words

results = Results(profile, notebook="figS6")
baseline = results.baselines[1]

# %%
scores = results.scores(baseline)
pairs = labels.label_mixtures(seed_pairs(scores), results.profile)
save_panel(
    reconstruction.seed_scatter(pairs, results.profile),
    "S6a",
    data=pairs,
    alt="Scatters of the R² of each cell under two models that differ by seed: a row an evaluation set, a column a mixture.",
    caption="**R² of each cell under two trained models**, first seed against second: a row an evaluation set, a column a mixture. "
    "Dotted: identity.",
    results=results,
)

# %% [markdown]
# ```{panel} S6a
# ```

# %%
medians = labels.label_mixtures(seed_medians(scores), results.profile)
save_panel(
    reconstruction.seed_medians(medians, results.profile),
    "S6b",
    data=medians,
    alt="Median R² of every trained model; the seeds of a mixture are joined by a line.",
    caption="**Median R² of every trained model.** A line joins the seeds of a mixture.",
    results=results,
)

# %% [markdown]
# ```{panel} S6b
# ```
#
# {val}`figS6.correlation`
# {val}`figS6.spread`
#
# In the published scripts the second seed's scores come from the first seed's model, so that they differ only by the posterior sample.
# Here each seed has a model of its own.

# %% tags=["remove-cell"]
record("figS6.correlation", agreement_in_words(pairs), unit="", results=results)
spread = seed_spread_in_words(medians, baseline=baseline, intervals="Figure S4" if results.profile.added else "")
record("figS6.spread", spread, unit="", results=results)

# %% [markdown]
# ## Use it on your own data
#
# `make figure FIG=figS6 PROFILE=yours`, where the profile names at least two seeds; or draw it from the source data:
#
# ```python
# import pandas as pd
# from datamix.figures.reconstruction import seed_scatter
# from datamix.project.profile_files import read_profile
#
# table = pd.read_csv("results/demo/panels/figS6a.csv")
# seed_scatter(table, read_profile("demo")).savefig("figS6a.svg")
# ```

# %% tags=["hide-input"]
from datamix.project.provenance import versions

versions()
