# ---
# jupyter:
#   datamix:
#     reads: [composition]
#     needs: {composition: true, doses: true}
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
# # Figure 8: how much of it
#
# How many cells of a set does it take?
# Cells of the baseline's corpus are replaced by as many of an added set, so that all mixtures have the same number of cells: a curve shows the exchange, not more data.
# This figure is ours.
#
# **Input:** per-cell scores of mixtures by shares (`composition/scores.parquet`).
# **Output:** panels 8a and 8b, and the values that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # which data and settings: demo | mini | paper, or the name of another file in config/

# %%
import pandas as pd

from datamix.analysis.share_tables import dose_response, draw, half_gain, thinned_doses, worth_of_added
from datamix.figures import composition
from datamix.project.mixture_names import read_depth
from datamix.publishing.panels import save_panel
from datamix.publishing.results import Results
from datamix.publishing.values import record
from datamix.publishing.share_words import chosen_in_words, halves_in_words, thinned_in_words

results = Results(profile, notebook="fig8")
settings = results.profile.composition
plan = results.second_round()
drawn = draw(results.composition())
curves, thinned = (of(plan, results.profile, drawn=drawn) for of in (dose_response, thinned_doses))
both = pd.concat(
    [curves.assign(thinned=False), thinned.assign(thinned=True)] if len(thinned) else [curves.assign(thinned=False)]
)

# %%
save_panel(
    composition.dose_curves(both, results.profile),
    "8a",
    data=both,
    alt="Median R² against the number of cells of a set that take the place of the baseline's, one panel an evaluation set.",
    caption="**Dose and response.** Median R² with 95 % interval; all mixtures have the same number of cells. "
    "The axis is linear up to the smallest dose, logarithmic beyond."
    + (" Open: the largest dose, its cells thinned to the depth of the baseline's." if len(thinned) else ""),
    results=results,
    made={"seeds": list(settings.seeds)},
)

# %% [markdown]
# ```{panel} 8a
# ```

# %% tags=["remove-cell"]
labels = [composition.block_label(block, results.profile) for block in plan["dosed"]]
baseline = composition.block_label(results.profile.composed_baseline, results.profile)
record("fig8.baseline", baseline, unit="", results=results)
record("fig8.sets", " or ".join(labels), unit="", results=results)
record("fig8.cells", settings.cells, unit="cells", results=results)
record(
    "fig8.chosen",
    chosen_in_words(results.profile, worth_of_added(drawn, results.profile), dosed=len(labels)),
    unit="",
    results=results,
)
halves = half_gain(curves)
gained = halves.dropna(subset=["half_dose"])
record("fig8.pairs", len(halves), unit="pairs", results=results)
record("fig8.gained", len(gained), unit="pairs", results=results)
record("fig8.lost", int((halves["gain_high"] < 0).sum()), unit="pairs", results=results)
record("fig8.largest", max(settings.doses), unit="cells", results=results)
record("fig8.halves", halves_in_words(curves, halves, results.profile), unit="", results=results)
depth = read_depth(thinned["mixture"].iloc[0]) if len(thinned) else None
record("fig8.thinned", thinned_in_words(thinned, halves, results.profile, depth=depth), unit="", results=results)

# %% [markdown]
# Of {val}`fig8.cells:,d` cells of {val}`fig8.baseline`, some are replaced by cells of {val}`fig8.sets`.
# {val}`fig8.chosen`
# At the largest dose, {val}`fig8.largest` cells, R² is higher than without, beyond the 95 % interval of each alone, in {val}`fig8.gained` of {val}`fig8.pairs` pairs of a set and an evaluation set, and lower in {val}`fig8.lost`.
# {val}`fig8.halves`
# Half of a gain is read off straight lines between doses, and is no more exact than these are dense.
#
# ## Cells, or counts?
#
# A set may be sequenced deeper than the baseline, and then its cells bring more counts as well as other cells.
# {val}`fig8.thinned`
#
# ## A published dose and response
#
# A neighbouring experiment on the paper's own files ([Navidi et al.](https://github.com/microsoft/sc-AR)) replaces cells of blood by cells of all tissues, at 100,000 cells in all.
# Its model is another (scVI, 64 dimensions), it gives means over cells, and two things change with the dose beside the cells: the genes on which R² is computed are chosen anew for each mixture, and 10,000 blood cells are set aside for validation.
# Its points are read off a figure, to about a hundredth.

# %%
from datamix.analysis.published_numbers import published_doses

doses = published_doses()
save_panel(
    composition.published_doses(doses),
    "8b",
    data=doses,
    alt="Published R² on neurons, kidney and heart against the number of atlas cells among 100,000, standard and adaptive sampling.",
    caption="**Published dose and response to atlas cells**, of another model and on other genes at each dose: mean R² over cells, five seeds.",
    results=results,
    made={"seeds": [], "datasets": []},
)

# %% [markdown]
# ```{panel} 8b
# ```
#
# ## Use it on your own data
#
# `composition: {cells: …, doses: […]}` in a profile, then `make figure FIG=fig8 PROFILE=yours`; or draw it from the source data:
#
# ```python
# import pandas as pd
# from datamix.figures.composition import dose_curves
# from datamix.project.profile_files import read_profile
#
# table = pd.read_csv("results/demo/panels/fig8a.csv")
# dose_curves(table, read_profile("demo")).savefig("fig8a.svg")
# ```

# %% tags=["hide-input"]
from datamix.project.provenance import versions

versions()
