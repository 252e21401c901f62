# ---
# jupyter:
#   datamix:
#     reads: [recorded/*/provenance.json, config/mini.yaml]
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
# # Figure 6: the same questions, asked of real cells
#
# Does the analysis say anything sensible of real cells?
# The profile `mini` runs the whole way from file to figure on small public sets of real cells; its small tables are kept with the project, and shown here whatever profile made this book.
# The sets are one to three orders of magnitude smaller than the paper's, come from one or few donors each, and only stand in for the paper's: what follows neither confirms nor refutes the paper.
#
# **Input:** `recorded/mini/`, which `make record PROFILE=mini` renews.
# **Output:** panels 6a and 6b, and the values that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # only names where the panels are filed: the tables are those of the profile mini

# %%
import pandas as pd

from datamix.figures import reconstruction
from datamix.figures import latent_spaces
from datamix.publishing.panels import save_panel
from datamix.project.profile import read_profile
from datamix.project.provenance import short_commit
from datamix.publishing.recorded import read_record
from datamix.publishing.results import Results
from datamix.publishing.values import record
from datamix.publishing.words import counted, interval_in_words

results = Results(profile, notebook="real_cells", reads=[])
mini = read_profile("mini", results.root)
kept = read_record(results.root, "mini")
values = kept.values

# %% tags=["remove-cell"]
record("real.commit", short_commit(kept.provenance["commit"]), unit="", results=results)
record("real.seeds", counted(len(kept.provenance["seeds"]), "seed"), unit="", results=results)
record("real.models", values["framework.models"].value, unit="models", results=results)
record("real.genes", values["datasets.genes"].value, unit="genes", results=results)
names = {
    "seen": ("label", "median", "low", "high"),
    "unseen": ("label", "median", "low", "high"),
    "best": ("mixture", "evaluation", "control", "over_control", "over_control_low", "over_control_high"),
    "clear": ("up", "down"),
}
for row, columns in names.items():
    for column in columns:
        found = values[f"fig2.{row}.{column}"]
        record(f"real.{row}.{column}", found.value, unit=found.unit, results=results)
record("real.best.donors", values["fig2.best.donors"].value, unit="", results=results)
record("real.pairs", values["fig2.pairs"].value, unit="pairs", results=results)
for name in ("clear", "pairs", "control.differs", "control.sets"):
    record(f"real.latent.{name}", values[f"fig3.{name}"].value, unit="", results=results)

# %% [markdown]
# ## What each mixture predicts

# %%
heat = kept.table("panels/fig2a")
save_panel(
    reconstruction.heat_map(heat),
    "6a",
    data=heat,
    alt=f"Heat map of the median R² of {heat['mixture_label'].nunique()} mixtures of real cells on {heat['evaluation_label'].nunique()} evaluation sets.",
    caption="**Reconstruction R² on real cells** (profile `mini`, recorded), drawn as [Figure 2a](fig2): median over cells, averaged over seeds; colour: log2 fold change against the baseline.",
    results=results,
    made=kept.described,
)

# %% [markdown]
# ```{panel} 6a
# ```
#
# The {val}`real.models` models, {val}`real.seeds` of each mixture, were trained on {val}`real.genes:,d` genes at commit {val}`real.commit`.
# The baseline, blood of one donor, predicts {val}`real.seen.label` best, with a median R² of {val}`real.seen.median:.2f` ({val}`real.seen.low:.2f` to {val}`real.seen.high:.2f`), and {val}`real.unseen.label` worst, with {val}`real.unseen.median:.2f` ({val}`real.unseen.low:.2f` to {val}`real.unseen.high:.2f`).
# Pairs of an added set and an evaluation set: {val}`real.pairs`; above their control, the baseline with as many more of its own cells, by more than their simultaneous interval: {val}`real.clear.up`; below it: {val}`real.clear.down`. Furthest above lies {val}`real.best.mixture` on {val}`real.best.evaluation`, by {val}`real.best.over_control:.2f` ({val}`real.best.over_control_low:.2f` to {val}`real.best.over_control_high:.2f`) over “{val}`real.best.control`”.{val}`real.best.donors`
#
# ## The claims

# %% tags=["hide-input"]
claims = kept.table("claims")
claims = claims.assign(
    text=[interval_in_words(r.value, r.low, r.high, spec=".2f") for r in claims.itertuples()],
    threshold=[f"{t:g}" if t == t else "–" for t in claims["threshold"]],
)
claims = claims[["finding", "about", "text", "threshold", "verdict", "why"]].fillna("")
claims.columns = ["Finding", "Measured on", "Difference of median R²", "Threshold", "Verdict", "Note"]
claims.style.hide()

# %% [markdown]
# Statistics and thresholds are those of [Figure 5](claims).
#
# ## What is new in each latent space

# %%
added = kept.table("panels/fig3d")
save_panel(
    latent_spaces.what_is_added(added, mini),
    "6b",
    data=added,
    alt="Uniqueness with intervals for baseline plus each added set of real cells against the baseline, in both directions, one part an evaluation set; grey bands are the range between seeds.",
    caption="**What each added set brings and takes, real cells** (profile `mini`, recorded), drawn as [Figure 3d](fig3); intervals that leave the axis are cut off: sets of a few dozen cells cannot tell.",
    results=results,
    made=kept.described,
)

# %% [markdown]
# ```{panel} 6b
# ```
#
# Pairs of an added set and an evaluation set: {val}`real.latent.pairs`; bringing more than another training leaves, and more than their control, by simultaneous intervals: {val}`real.latent.clear`; the published control itself does the former on {val}`real.latent.control.differs` of {val}`real.latent.control.sets` sets.
#
# ## What this profile lacks

# %% tags=["hide-input"]
lacking = [{"Part of the paper": part.replace("_", " "), "Why": why} for part, why in mini.missing.items()]
pd.DataFrame(lacking).style.hide()

# %% [markdown]
# ## Use it on your own data
#
# Everything above, and the rest of the figures, on these cells and then on yours:
#
# ```bash
# make book PROFILE=mini
# ```

# %% tags=["hide-input"]
kept.provenance["versions"]
