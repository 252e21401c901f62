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
from IPython.display import Markdown

from datamix.analysis.claims import CLAIMS
from datamix.analysis.claims_of_shares import CLAIMS as OUR_CLAIMS
from datamix.figures import composition
from datamix.figures import reconstruction
from datamix.figures import latent_spaces
from datamix.figures.labels import label_claims
from datamix.publishing.panels import save_panel
from datamix.project.profile_files import read_profile
from datamix.project.provenance import short_commit
from datamix.publishing.recorded import NOT_RECORDED, quote_record, read_record
from datamix.publishing.results import Results
from datamix.publishing.website.text import show_table
from datamix.publishing.share_words import apart_in_words, mixed_in_words, worth_in_words
from datamix.publishing.values import record
from datamix.publishing.gain_words import about_donors, findings_in_words, furthest_in_words
from datamix.publishing.words import counted, interval_in_words

results = Results(profile, notebook="real_cells", reads=[])
# Other pages quote these, so that they are there whatever the record lacks.
lacks = f"{{}} on these cells: {NOT_RECORDED}."
for name, key, what in (
    ("simple", "figS9.plainly", "Simple models"), ("ranks", "fig7.ranks", "Ranks of mixtures under other models"),
):  # fmt: skip
    said = quote_record(results.root, "mini", key, otherwise=lacks.format(what))
    record(f"real.{name}", said, unit="", results=results)
for claim in (*CLAIMS, *OUR_CLAIMS):
    for part in ("verdict", "text"):
        record(
            f"real.{claim}.{part}",
            quote_record(results.root, "mini", f"claims.{claim}.{part}"),
            unit="",
            results=results,
        )
mini = read_profile("mini", results.root)
kept = read_record(results.root, "mini")
values = kept.values
worth = kept.table_if_kept("panels/fig7a")
shapley = None if worth is None else worth[worth["quantity"] == "shapley"]
of_sets = (
    dict.fromkeys(("worth", "worth.first", "worth.short"), lacks.format("What each set is worth")) | {"mixed": ""}
    if shapley is None
    else {
        "worth": worth_in_words(shapley, mini),
        "worth.first": apart_in_words(shapley, mini),
        "worth.short": apart_in_words(shapley, mini, which=False),
        "mixed": mixed_in_words(list(dict.fromkeys(shapley["block"])), mini),
    }
)
heat = kept.table("panels/fig2a")
additions = heat[(heat["group"] == "added") & heat["added"].isin(mini.added)]
said = of_sets | {
    "findings.unseen": findings_in_words(["unseen", "left_out"], kept.table("claims")),
    "findings.added": findings_in_words(["cancer", "tf_atlas"], kept.table("claims")),
    "furthest.short": furthest_in_words(additions),
    "best.donors": about_donors(additions, mini),
}
for name, words in said.items():
    record(f"real.{name}", words, unit="", results=results)

# %% tags=["remove-cell"]
record("real.commit", short_commit(kept.provenance["commit"]), unit="", results=results)
record("real.seeds", counted(len(kept.provenance["seeds"]), "seed"), unit="", results=results)
record("real.models", values["framework.models"].value, unit="models", results=results)
record("real.genes", values["datasets.genes"].value, unit="genes", results=results)
for name in ("describes", "clear.up", "clear.down", "pairs"):
    found = values[f"fig2.{name}"]
    record(f"real.{name}", found.value, unit=found.unit, results=results)
for name in ("clear", "pairs", "control.differs", "control.sets"):
    record(f"real.latent.{name}", values[f"fig3.{name}"].value, unit="", results=results)

# %% [markdown]
# ## What each mixture predicts

# %%
save_panel(
    reconstruction.heat_map(heat),
    "6a",
    data=heat,
    alt=f"Heat map of the median R² of {heat['mixture_label'].nunique()} mixtures of real cells on {heat['evaluation_label'].nunique()} evaluation sets.",
    caption="**Reconstruction R² on real cells** (profile `mini`, recorded), drawn as Figure 2a: median over cells, averaged over seeds; colour: log2 fold change against the baseline.",
    results=results,
    made=kept.described,
)

# %% [markdown]
# ```{panel} 6a
# ```
#
# The {val}`real.models` models, {val}`real.seeds` of each mixture, were trained on {val}`real.genes:,d` genes at commit {val}`real.commit`.
# The baseline, blood of one donor, {val}`real.describes`.
# Pairs of an added set and an evaluation set: {val}`real.pairs`; above their control, the baseline with as many more of its own cells, by more than their simultaneous interval: {val}`real.clear.up`; below it: {val}`real.clear.down`. {val}`real.furthest.short`{val}`real.best.donors`
#
# ## The claims

# %% tags=["hide-input"]
claims = label_claims(kept.table("claims"), mini)
claims = claims.assign(
    text=[interval_in_words(r.value, r.low, r.high, spec=".3f") for r in claims.itertuples()],
    threshold=[f"{t:g}".replace("-", "−") if t == t else "–" for t in claims["threshold"]],
)
claims = claims[["finding", "about_label", "text", "threshold", "verdict", "why"]].fillna("")
claims.columns = ["Finding", "Measured on", "Difference of median R²", "Threshold", "Verdict", "Note"]
show_table(claims, index=False)

# %% [markdown]
# Statistics and thresholds are those of [Figure 5](claims).
#
# ## How good is an R² of these cells?
#
# Beside the LDVAE of the baseline stand simple models of the same training cells, and the ceiling, what a perfect model could reach on cells of their depth ([Figure S9](figS9)); the last column is the part of it that the LDVAE reaches.

# %% tags=["hide-input"]
yardsticks = kept.table_if_kept("panels/figS9a")


def beside(table):
    models = {model: label for model, (label, _, _) in composition.MODELS.items()}
    own = table[table["mixture"] == next(iter(mini.baselines))]
    shown = own.pivot(index="evaluation_label", columns="model", values="r2")[list(models)].rename(columns=models)
    of_cells = own[own["model"] == "ldvae"].set_index("evaluation_label")
    shown = shown.assign(Ceiling=of_cells["ceiling"], Share=of_cells["share"]).loc[of_cells.index]
    return show_table(shown.rename_axis(index="Evaluation set", columns=None), "{:.2f}", but={"Share": "{:.0%}"})


Markdown(NOT_RECORDED) if yardsticks is None else beside(yardsticks)

# %% [markdown]
# {val}`real.simple`
#
# ## Which of these sets should one add?
#
# Mixtures of as many cells each, in other shares of the sets, as in [Figure 7](fig7): the Shapley value of each set on each evaluation set, its part of the R² of all sets together, with simultaneous 95 % intervals.
# {val}`real.mixed`

# %% tags=["hide-input"]


def values_of_sets(table):
    names = {name: of.label for name, of in (mini.baselines | mini.added).items()}
    names |= {f"on {name}": of.label for name, of in mini.evaluations.items()}
    of = table[table["quantity"] == "shapley"]
    of = of.assign(
        text=[interval_in_words(r.value, r.low_all, r.high_all, spec=".3f") for r in of.itertuples()],
        set=[names.get(block, block) for block in of["block"]],
        evaluated=[names.get(f"on {e}", e) for e in of["evaluation"]],
    )
    wide = of.pivot(index="evaluated", columns="set", values="text")
    return wide.loc[of["evaluated"].unique(), of["set"].unique()].rename_axis(index="Evaluation set", columns=None)


Markdown(NOT_RECORDED) if worth is None else values_of_sets(worth)

# %% [markdown]
# {val}`real.worth`
#
# That a law fitted to some of the mixtures predicts others is {val}`real.law.verdict`; the error that it saves against the average, on the set where that is least: {val}`real.law.text`.
# That what it recommends is at least as good as equal shares is {val}`real.recommended.verdict`; the smallest difference: {val}`real.recommended.text`.

# %% tags=["hide-input"]
advised = kept.table_if_kept("panels/fig7d")


def recommendations(table):
    of = table[table["kind"] == "recommended"]
    sets = {name: e.label for name, e in mini.evaluations.items()}
    recommended = pd.DataFrame(
        {
            "For": [sets.get(name, "all sets alike") for name in of["asked"]],
            "Recommended": [composition.shares_label(name, mini) for name in of["mixture"]],
            "Predicted": [f"{value:.3f}" for value in of["predicted"]],
            "Found": [interval_in_words(r.found, r.low, r.high, spec=".3f") for r in of.itertuples()],
            "Over equal shares": [
                interval_in_words(r.over_uniform, r.over_uniform_low, r.over_uniform_high, spec=".3f")
                for r in of.itertuples()
            ],
        }
    )
    return show_table(recommended, index=False)


Markdown(NOT_RECORDED) if advised is None else recommendations(advised)

# %% [markdown]
# May a cheap model choose for a dear one? {val}`real.ranks`
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
show_table(pd.DataFrame(lacking), index=False)

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
