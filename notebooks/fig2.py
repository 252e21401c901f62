# ---
# jupyter:
#   datamix:
#     reads: [scores, yardsticks, models, corpora, genes]
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
# # Figure 2: what each training mixture predicts
#
# Does a model that has seen more kinds of cells predict a cell better, and which cells?
# Each model of the first baseline, blood in the paper, is asked to reconstruct cells that no model was trained on.
# A cell counts as well predicted where the predicted expression of its most variable genes correlates with what was measured.
#
# **Input:** per-cell scores of all models (`scores/reconstruction.parquet`), and of simple ones (`scores/yardsticks/`).
# **Output:** panels 2a–2c, and the values that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # which data and settings: demo | mini | paper, or the name of another file in config/

# %%
from datamix.publishing.panels import save_panel
from datamix.publishing.results import Results
from datamix.publishing.website.text import plain, show_table
from datamix.analysis.beside import beside_each
from datamix.analysis.summary import by_cell_type, summarise
from datamix.analysis.published_numbers import published_r2
from datamix.publishing.values import record, record_interval
from datamix.publishing.gain_words import (
    about_donors,
    answer_in_words,
    best_and_worst_in_words,
    furthest_in_words,
    pairs_in_words,
)
from datamix.publishing.words import of_sets, over_seeds, range_in_words
from datamix.figures import labels
from datamix.figures import reconstruction

results = Results(profile, notebook="fig2")
baseline = results.baselines[0]
mixtures = results.mixtures(baseline)
scores = results.scores(baseline)

# %% [markdown]
# ## Mixtures and evaluation sets
#
# The statistic is the median R² over the cells of an evaluation set, {val}`fig2.seeds`.
# Intervals (95 %) are over {val}`fig2.intervals`, paired between mixtures ([Methods](../methods)).
# Where many differences are looked at, and where the largest is quoted, they are simultaneous: wide enough to hold all of them at once.

# %%
summary = labels.label_mixtures(summarise(scores, mixtures), results.profile)
# Sets of one's own cells may have names of the paper's, but are none of its sets.
published_map = published_r2(baseline).head(0 if results.profile.own_datasets else None)
summary = summary.merge(published_map, on=["evaluation", "mixture"], how="left")
summary = summary.merge(beside_each(results.yardsticks(baseline)), on=["evaluation", "mixture"], how="left")

# %%
cells = scores.drop_duplicates(["evaluation", "cell"]).shape[0]
baseline_label = labels.mixture_label(baseline, profile=results.profile)
save_panel(
    reconstruction.heat_map(summary),
    "2a",
    data=summary,
    alt=f"Heat map of the median reconstruction R² of {len(mixtures)} models in columns on "
    f"{summary['evaluation'].nunique()} evaluation sets in rows; colour is the log2 fold change against the baseline. "
    "On the right, without colour: mean profile, PCA and ceiling.",
    caption=f"**Reconstruction R² of the {plain(baseline_label)} Baseline.** Median over cells, {over_seeds(len(results.profile.seeds))}, printed; "
    f"colour: log2 fold change against the baseline. {len(mixtures)} models, {cells:,} evaluation cells. "
    "Grey, beside them: the mean profile and ten principal components of the baseline's training cells, and the ceiling, "
    "what a perfect model could reach on cells of this depth.",
    results=results,
)

# %% [markdown]
# ```{panel} 2a
# ```

# %% tags=["remove-cell"]
for row in summary.itertuples():
    published = None if row.published != row.published else row.published
    record(
        f"fig2.{row.evaluation}.{row.mixture}",
        row.median,
        unit="median R²",
        published=published,
        tolerance=None if published is None else 0.05,
        results=results,
    )
base = summary[summary["group"] == "baseline"].set_index("evaluation")
published_control = next(m.name for m in mixtures if m.is_control)
control = summary[summary["mixture"] == published_control].set_index("evaluation")
additions = summary[summary["mixture"].isin([m.name for m in mixtures if m.is_addition])]
strongest = control["gain"].abs().idxmax()
# Where nothing is added, there is the control to look at: more of the same cells.
best = summary.loc[
    additions["over_control"].idxmax()
    if len(additions)
    else summary.loc[summary["mixture"] == published_control, "gain"].abs().idxmax()
]
record("fig2.baseline", baseline_label, unit="", results=results)
trained = len(results.profile.seeds)
of_seeds = "of one trained seed" if trained == 1 else f"averaged over {trained} trained seeds"
record("fig2.seeds", of_seeds, unit="", results=results)
record("fig2.describes", best_and_worst_in_words(base, spec=".2f"), unit="", results=results)
record("fig2.best.mixture", best["mixture_label"], unit="", results=results)
record("fig2.best.evaluation", best["evaluation_label"], unit="", results=results)
if len(additions):
    record("fig2.best.control", best["control_label"], unit="", results=results)
    key = "fig2.best.over_control"
    record_interval(key, best, "over_control", simultaneous=True, unit="median R²", results=results)
record("fig2.furthest", furthest_in_words(additions, base["median"]), unit="", results=results)
record("fig2.furthest.short", furthest_in_words(additions), unit="", results=results)
record("fig2.answer", answer_in_words(additions, control), unit="", results=results)
record("fig2.control.evaluation", control.loc[strongest, "evaluation_label"], unit="", results=results)
record_interval(
    "fig2.control.gain", control.loc[strongest], "gain", simultaneous=True, unit="median R²", results=results
)
clear = additions[(additions["over_control_low_all"] > 0) | (additions["over_control_high_all"] < 0)]
several = bool(base["training_degrees"].min())
intervals = (
    "trainings, donors, cell types and cells" if several else "donors, cell types and cells only: there is one seed"
)
record("fig2.intervals", intervals, unit="", results=results)
record("fig2.clear.up", int((clear["over_control"] > 0).sum()), unit="pairs", results=results)
record("fig2.clear.down", int((clear["over_control"] < 0).sum()), unit="pairs", results=results)
record("fig2.best.donors", about_donors(additions, results.profile), unit="", results=results)
others = [f"“{label}”" for label in summary.loc[summary["group"] == "control", "mixture_label"].unique()]
record(
    "fig2.control.others",
    f" (that one, or, for sets of another size, {', '.join(others)})" if others else "",
    unit="",
    results=results,
)
record("fig2.counted", f"{pairs_in_words(additions)} " if len(additions) else "", unit="", results=results)
record("fig2.pairs", len(additions), unit="pairs", results=results)
for name in ("pca", "mean"):
    below = int((base["median"] < base[f"simple_{name}"]).sum())
    record(f"fig2.beside.{name}", below, unit="evaluation sets", results=results)
    record(f"fig2.beside.{name}.on", of_sets(below, len(base)), unit="", results=results)
of_draft = (
    "A draft of the paper's heat map prints these values; whether they are medians or means over cells is not stated, "
    "so that both of ours stand beside them. They come from other cells than ours unless the profile is “paper”: "
    "compare the pattern, not the numbers."
    if len(published_map)
    else "The paper has no numbers of this baseline's cells, so that ours stand alone."
)
record("fig2.beside.published", of_draft, unit="", results=results)
record("fig2.beside.sets", len(base), unit="evaluation sets", results=results)
record(
    "fig2.beside.range", range_in_words(base["share"].min(), base["share"].max(), spec=".0%"), unit="", results=results
)
for name, share in (("least", base["share"].min()), ("most", base["share"].max())):
    record(f"fig2.beside.{name}", share, unit="share of the ceiling", results=results)

# %% [markdown]
# The baseline {val}`fig2.describes`.
#
# How much of a change is only more cells and more training steps?
# The control adds the second half of the baseline's own cells; its largest change, on {val}`fig2.control.evaluation`, is {val}`fig2.control.gain:.3f` ({val}`fig2.control.gain_low:.3f` to {val}`fig2.control.gain_high:.3f`).
# A gain over the baseline that is no larger says nothing about composition, so each added set is held against a control of its size{val}`fig2.control.others`; [Training](training) lists which.
#
# {val}`fig2.counted`{val}`fig2.furthest`{val}`fig2.best.donors`
#
# How good are these numbers?
# The baseline's R² is below that of ten principal components of the same training cells on {val}`fig2.beside.pca.on`, and below that of their mean profile on {val}`fig2.beside.mean.on`; it reaches {val}`fig2.beside.range` of what the depth of the cells allows.
# [Figure S9](figS9) has the same of every mixture, and on molecules that no model was shown.
#
# ### Beside the published values
#
# {val}`fig2.beside.published`

# %% tags=["hide-input"]
beside = summary.assign(
    both=[
        f"{m:.2f} / {mean:.2f} ({p:.2f})" if p == p else f"{m:.2f} / {mean:.2f} (–)"
        for m, mean, p in zip(summary["median"], summary["mean"], summary["published"], strict=True)
    ]
)
beside = beside.pivot(index="mixture_label", columns="evaluation_label", values="both")
beside = beside.reindex(index=summary["mixture_label"].unique(), columns=summary["evaluation_label"].unique())
heading = "our median / mean (published)" if len(published_map) else "our median / mean (nothing is published)"
beside.rename_axis(index=None, columns=heading)

# %% [markdown]
# ## Cell by cell type
#
# A median over a set hides which cells it stands for.
# For each cell type: the baseline in grey, and {val}`fig2.shown`.

# %%
highest = additions.groupby("mixture", sort=False)["over_control"].max().nlargest(2)
shown = [baseline, *(highest.index if len(highest) else [published_control])]
words = {0: "the control", 1: "the mixture of an added set"}
which = words.get(len(highest), "the two mixtures that lie furthest above their control on any evaluation set")
record("fig2.shown", which, unit="", results=results)
types = by_cell_type(scores[scores["mixture"].isin(shown)])
types = labels.label_mixtures(types, results.profile)
save_panel(
    reconstruction.cell_types(types, results.profile, shown=shown),
    "2b",
    data=types,
    alt="Median and quartiles of the R² of cells of each cell type, one column an evaluation set, "
    f"for {', '.join(shown)}.",
    caption="**Reconstruction R² of each cell type** (number of cells in brackets): "
    "median and quartiles over cells and seeds, types sorted by the baseline.",
    results=results,
)

# %% [markdown]
# ```{panel} 2b
# ```
#
# ## One cell, gene by gene
#
# What does such an R² look like?
# The cell below is the one of median R² in {val}`fig2.best.evaluation` under {val}`fig2.best.mixture`.

# %%
from datamix.scoring.score import predict_cell

chosen = scores[(scores["evaluation"] == best["evaluation"]) & (scores["mixture"] == best["mixture"])]
chosen = chosen[chosen["seed"] == results.profile.seeds[0]].sort_values("r2")
cell = chosen["cell"].iloc[len(chosen) // 2]
genes = predict_cell(
    results.layout, baseline, seed=results.profile.seeds[0], evaluation=best["evaluation"], cell=cell,
    mixtures=[baseline, best["mixture"]],
)  # fmt: skip
genes = labels.label_mixtures(genes, results.profile)
save_panel(
    reconstruction.reconstruction_scatter(genes, results.profile),
    "2c",
    data=genes,
    alt="Predicted against observed expression of the most variable genes of one cell, under two models.",
    caption=f"**Reconstruction of one cell** of {plain(best['evaluation_label'])} "
    f"({plain(chosen.iloc[len(chosen) // 2]['cell_type'])}): "
    "each point is one of the most variable genes; dotted: identity.",
    results=results,
    made={"seeds": list(results.profile.seeds[:1])},
)

# %% [markdown]
# ```{panel} 2c
# ```
#
# R² here is a squared correlation: it does not ask whether the prediction is on the right scale, and it loses the sign.
# The source data of every panel, and the scores of every cell, also hold the correlation with its sign, the same from the posterior mean, and the correlation of each cell with nothing more than the mean profile of the training cells:

# %% tags=["hide-input"]
simple = scores.assign(r2_profile=scores["r_profile"] ** 2).groupby(["evaluation", "mixture"], sort=False)
columns = {"r2": "R², posterior sample", "r2_mean": "R², posterior mean", "r": "r", "r2_profile": "R², mean profile"}
table = simple[list(columns)].median().rename(columns=columns).loc[lambda t: t.index.get_level_values(1) == baseline]
table = table.droplevel(1).rename(index=lambda e: results.profile.evaluations[e].label)
for label, row in zip(scores["evaluation"].unique(), table.itertuples(index=False), strict=True):
    record(f"fig2.simple.{label}", row[3], unit="median R² of the mean profile", results=results)
above = int((table["R², mean profile"] >= table["R², posterior sample"]).sum())
record("fig2.simple.above", above, unit="evaluation sets", results=results)
record("fig2.simple.on", of_sets(above, len(table)), unit="", results=results)
record("fig2.simple.sets", len(table), unit="evaluation sets", results=results)
show_table(table.rename_axis("Evaluation set"), "{:.2f}")

# %% [markdown]
# On {val}`fig2.simple.on` the mean profile alone, no model at all, correlates as well as the baseline model's prediction or better: a high R² is no sign that a model tells cells apart.

# %% [markdown]
# ## Use it on your own data
#
# `datamix new` writes a profile for [your own cells](../your_cells); then `make figure FIG=fig2 PROFILE=yours`.
# To draw the heat map from a table of your own:
#
# ```python
# import pandas as pd
# from datamix.figures.reconstruction import heat_map
#
# table = pd.read_csv("results/demo/panels/fig2a.csv")
# heat_map(table).savefig("fig2a.svg")
# ```

# %% tags=["hide-input"]
from datamix.project.provenance import versions

versions()
