# ---
# jupyter:
#   datamix:
#     reads: [scores, corpora, config/paper.yaml]
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
# **Input:** per-cell scores, the corpora, and the settings of the profile `paper`.
# **Output:** the ledger (`ledger.csv`).

# %% tags=["parameters"]
profile: str = "demo"  # which data and settings: demo | mini | paper, or the name of another file in config/

# %%
from datamix.figures import labels
from datamix.project.files import replacing
from datamix.analysis.published_numbers import (
    CELLS_TOLERANCE,
    R2_TOLERANCE,
    our_numbers,
    published_numbers,
    write_verdicts,
)
from datamix.project.profile import read_profile
from datamix.publishing.results import Results
from datamix.analysis.published_numbers import published_r2
from datamix.analysis.summary import seed_medians
from datamix.publishing.values import record

results = Results(profile, notebook="ledger")
scores = results.scores(results.baselines[0])
medians = seed_medians(scores).groupby(["evaluation", "mixture"], sort=False)["median"].mean().to_dict()
cells = {dataset: len(results.corpus_obs(dataset)) for dataset in results.profile.datasets}
paper = read_profile("paper", results.root)
ledger = write_verdicts(
    published_numbers(published_r2("blood")), our_numbers(results.profile, paper, medians=medians, cells=cells)
)
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
record("ledger.profile", results.profile.name, unit="", results=results)
of_r2 = ledger["number"].str.startswith("r2.")
record("ledger.r2_tolerance", R2_TOLERANCE, unit="R²", results=results)
record("ledger.cells_tolerance", CELLS_TOLERANCE, unit="of the published number", results=results)
record("ledger.r2", int(of_r2.sum()), unit="numbers", results=results)
reasons = "; ".join(dict.fromkeys(why for why in ledger.loc[of_r2, "why"] if why))
record("ledger.r2_why", f" ({reasons})" if reasons else "", unit="", results=results)

# %% [markdown]
# Of {val}`ledger.numbers` published numbers, {val}`ledger.reproduced` are reproduced, {val}`ledger.within` lie within the tolerance, {val}`ledger.differs` differ, and {val}`ledger.not_here` cannot be computed from the profile {val}`ledger.profile`.
#
# *Reproduced* means equal as printed: to two decimals for R², exactly for counts and settings.
# R² may differ by {val}`ledger.r2_tolerance`: the paper's own control moves by more on blood, without any change of composition.
# Numbers of evaluation cells may differ by {val}`ledger.cells_tolerance:.0%`.
# Settings and draws need no data: those are checked in every profile.
# Whether the published heat map shows means or medians over cells is not stated; ours are medians.
#
# ## Cells, draws and settings

# %% tags=["hide-input"]
shown = ledger.assign(
    ours=[f"{v:,.6g}" if v == v else "–" for v in ledger["ours"]], published=[f"{v:,.6g}" for v in ledger["published"]]
)
shown = shown[~of_r2][["what", "published", "ours", "tolerance", "verdict", "why", "source"]]
shown.rename(columns={"what": "number"}).rename(columns=str.capitalize).style.format({"Tolerance": "{:,.6g}"}).hide()

# %% [markdown]
# ## The draft heat map
#
# Its {val}`ledger.r2` values of R² on the Blood Baseline: ours, in brackets the published one, and the verdict: ✓ reproduced, ≈ within the tolerance, ✗ differs, – not computable here{val}`ledger.r2_why`.

# %% tags=["hide-input"]
marks = {"reproduced": "✓", "within tolerance": "≈", "differs": "✗", "not computable here": "–"}
heat = ledger[of_r2]
heat = heat.assign(
    text=[
        (f"{r.ours:.2f} " if r.ours == r.ours else "") + f"({r.published:.2f}) {marks[r.verdict]}"
        for r in heat.itertuples()
    ],
    mixture=heat["number"].str.split(".").str[2],
    evaluation=heat["number"].str.split(".").str[1],
)
heat = heat.pivot(index="mixture", columns="evaluation", values="text").loc[
    heat["mixture"].unique(), heat["evaluation"].unique()
]
heat.rename(index=lambda m: labels.mixture_label(m, profile=paper)).rename(
    columns=lambda e: labels.evaluation_label(e, profile=paper)
).rename_axis(index="Mixture", columns=None).reset_index().style.hide()

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
