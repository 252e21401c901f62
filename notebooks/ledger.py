# ---
# jupyter:
#   datamix:
#     reads: [scores, yardsticks, corpora, config/paper.yaml]
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
# # Fidelity ledger
#
# Which of the published numbers does this project reproduce?
# Every number of the paper that is known to us stands here, with ours beside it, what difference is tolerated, and a verdict.
#
# **Input:** per-cell scores, those of simple models too, the corpora, and, for the settings, the profile `paper`.
# **Output:** the ledger (`ledger.csv`).

# %% tags=["parameters"]
profile: str = "demo"  # which data and settings: demo | mini | paper, or the name of another file in config/

# %%
from datamix.analysis.beside import beside_each
from datamix.figures import labels
from datamix.project.files import replacing
from datamix.analysis.published_numbers import (
    CELLS_TOLERANCE,
    DOSE_TOLERANCE,
    R2_TOLERANCE,
    carried_over,
    note_yardsticks,
    our_numbers,
    published_numbers,
    write_verdicts,
)
from datamix.project.profile_files import read_profile
from datamix.publishing.results import Results
from datamix.publishing.website.text import show_table
from datamix.analysis.published_numbers import published_r2
from datamix.publishing.values import record
from datamix.publishing.words import over_seeds

results = Results(profile, notebook="ledger")
scores = results.scores(results.baselines[0])
of_models = scores.groupby(["evaluation", "mixture", "seed"], sort=False)["r2"]
medians, means = (table.groupby(["evaluation", "mixture"]).mean() for table in (of_models.median(), of_models.mean()))
cells = {dataset: len(results.corpus_obs(dataset)) for dataset in results.profile.datasets}
published = published_numbers(published_r2("blood"))
ledger, of_means = (
    write_verdicts(published, our_numbers(results.profile, r2=r2.to_dict(), cells=cells)) for r2 in (medians, means)
)
of_r2 = ledger["number"].str.startswith("r2.")
ledger["ours_mean"], ledger["verdict_mean"] = (of_means[c].where(of_r2) for c in ("ours", "verdict"))
beside_r2 = beside_each(results.yardsticks(results.baselines[0]))
ledger = note_yardsticks(ledger, beside_r2)
paper = read_profile("paper", results.root)
settings = carried_over(paper)
with replacing(results.folder / "ledger.csv") as beside:
    ledger.to_csv(beside, index=False, float_format="%.6g", lineterminator="\n")

# %% tags=["remove-cell"]
for name, verdict in (
    ("reproduced", "reproduced"),
    ("within", "within tolerance"),
    ("differs", "differs"),
    ("not_here", "not computable here"),
):
    record(f"ledger.{name}", int((ledger["verdict"] == verdict).sum()), unit="numbers", results=results)
record("ledger.numbers", len(ledger), unit="numbers", results=results)
record("ledger.seeds", over_seeds(len(results.profile.seeds)), unit="", results=results)
record("ledger.profile", results.profile.name, unit="", results=results)
record("ledger.r2_tolerance", R2_TOLERANCE, unit="R²", results=results)
record("ledger.dose_tolerance", DOSE_TOLERANCE, unit="R²", results=results)
record("ledger.cells_tolerance", CELLS_TOLERANCE, unit="of the published number", results=results)
for name in ("reproduced", "within tolerance", "differs"):
    for of, column in (("median", "verdict"), ("mean", "verdict_mean")):
        count = int((ledger.loc[of_r2, column] == name).sum())
        record(f"ledger.r2_{of}.{name.split()[0]}", count, unit="numbers", results=results)
record("ledger.settings", len(settings), unit="settings", results=results)
record("ledger.settings_same", int(settings["same"].sum()), unit="settings", results=results)
record("ledger.r2", int(of_r2.sum()), unit="numbers", results=results)
reasons = "; ".join(dict.fromkeys(why for why in ledger.loc[of_r2, "why"] if why))
record("ledger.r2_why", f" ({reasons})" if reasons else "", unit="", results=results)

# %% [markdown]
# Of {val}`ledger.numbers` published numbers, {val}`ledger.reproduced` are reproduced, {val}`ledger.within` lie within the tolerance, {val}`ledger.differs` differ, and {val}`ledger.not_here` cannot be computed from the profile {val}`ledger.profile`.
#
# Only numbers that are computed are counted; settings, which agree because they were copied, are a list of their own below.
#
# *Reproduced* means equal as printed: to two decimals for R², exactly for counts.
# R² of the draft heat map may differ by {val}`ledger.r2_tolerance`: the paper's own control moves by more on blood, without any change of composition.
# R² of the neighbouring experiment, read off a figure, may differ by {val}`ledger.dose_tolerance`.
# Numbers of evaluation cells may differ by {val}`ledger.cells_tolerance:.0%`.
#
# ## Cells and vocabulary

# %% tags=["hide-input"]
shown = ledger.assign(
    ours=[f"{v:,.6g}" if v == v else "–" for v in ledger["ours"]], published=[f"{v:,.6g}" for v in ledger["published"]]
)
shown = shown[~of_r2][["what", "published", "ours", "tolerance", "verdict", "why", "source"]]
shown = shown.rename(columns={"what": "number"}).rename(columns=str.capitalize)
show_table(shown, but={"Tolerance": "{:,.6g}"}, index=False)

# %% [markdown]
# ## The draft heat map
#
# Its {val}`ledger.r2` values of R² on the Blood Baseline.
# Whether they are medians or means over cells is not stated, so that both of ours stand here, the median first; in brackets the published one.
# Behind each of ours is its verdict: ✓ reproduced, ≈ within the tolerance, ✗ differs, – not computable here{val}`ledger.r2_why`.
# The counts above are of medians, of which {val}`ledger.r2_median.reproduced` are reproduced and {val}`ledger.r2_median.within` lie within the tolerance; of means, {val}`ledger.r2_mean.reproduced` and {val}`ledger.r2_mean.within`.

# %% tags=["hide-input"]
marks = {"reproduced": "✓", "within tolerance": "≈", "differs": "✗", "not computable here": "–"}
heat = ledger[of_r2]
heat = heat.assign(
    text=[
        f"{r.ours:.2f} {marks[r.verdict]} {r.ours_mean:.2f} {marks[r.verdict_mean]} ({r.published:.2f})"
        if r.ours == r.ours
        else f"– ({r.published:.2f})"
        for r in heat.itertuples()
    ],
    mixture=heat["number"].str.split(".").str[2],
    evaluation=heat["number"].str.split(".").str[1],
)
heat = heat.pivot(index="mixture", columns="evaluation", values="text").loc[
    heat["mixture"].unique(), heat["evaluation"].unique()
]
heat = heat.rename(index=lambda m: labels.mixture_label(m, profile=paper)).rename(
    columns=lambda e: labels.evaluation_label(e, profile=paper)
)
show_table(heat.rename_axis(index="Mixture", columns=None).reset_index(), index=False)

# %% [markdown]
# ### What an R² is worth
#
# That a number agrees says that two models are alike, not that either is good.
# The column `note` of `ledger.csv` says, wherever an R² of ours stands, what simple models of the same training cells reach, and the ceiling, what a perfect model could.
# In this run, for the baseline (medians over cells, {val}`ledger.seeds`):

# %% tags=["hide-input"]
columns = {
    "ours": "LDVAE, median", "ours_mean": "LDVAE, mean", "simple_mean": "Mean profile", "simple_pca": "PCA", "simple_nmf": "NMF",
    "ceiling": "Ceiling", "share": "LDVAE, part of the ceiling",
}  # fmt: skip
own = beside_r2[beside_r2["mixture"] == results.baselines[0]].set_index("evaluation")
of_baseline = medians.index.get_level_values("mixture") == results.baselines[0]
own["ours"], own["ours_mean"] = (r2[of_baseline].droplevel("mixture") for r2 in (medians, means))
own.index = [results.profile.evaluations[e].label for e in own.index]
show_table(own[list(columns)].rename(columns=columns).rename_axis("Evaluation set"), "{:.2f}")

# %% [markdown]
# A mean lies below the median where some cells are described far worse than most; the simple models and the ceiling are medians.
#
# ## Settings carried over
#
# The profile `paper` has {val}`ledger.settings` settings from the published scripts, of which {val}`ledger.settings_same` are still the same; they were copied, and say nothing of what this project reproduces.

# %% tags=["hide-input"]
carried = settings.assign(same=settings["same"].map({True: "same", False: "changed"}))[
    ["what", "published", "ours", "same"]
]
carried.columns = ["Setting", "Published", "Profile paper", ""]
show_table(carried, but={"Published": "{:,}", "Profile paper": "{:,}"}, index=False)

# %% [markdown]
# A change of a verdict fails a test until the record of verdicts is renewed on purpose.
#
# ## Use it on your own data
#
# ```python
# import pandas as pd
#
# pd.read_csv("results/demo/ledger.csv").query("verdict == 'differs'")
# ```

# %% tags=["hide-input"]
from datamix.project.provenance import versions

versions()
