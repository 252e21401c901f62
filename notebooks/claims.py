# ---
# jupyter:
#   datamix:
#     reads: [scores, held_out, composition, corpora, recorded/*/provenance.json]
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
# # Figure 5: the claims, tested
#
# Do the findings of the paper hold in these data?
# The abstract of the paper names three findings.
# Each is turned into a number (the first into two) with an interval, a threshold, and a verdict that can go either way.
# Two more are claims of this book: that a law fitted to some mixtures predicts others, and that what it recommends is worth training ([Figure 7](fig7)).
# The statistics and thresholds are ours, and the same in every profile.
#
# **Input:** per-cell scores of all models (`scores/reconstruction.parquet`), of models trained without one cell type (`scores/held_out/`), and, where the profile has them, of mixtures by shares (`composition/scores.parquet`).
# **Output:** panels 5a and 5b, a table of verdicts (`claims.csv`), and the values that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # which data and settings: demo | mini | paper, or the name of another file in config/

# %%
import pandas as pd

from datamix.figures import claims
from datamix.analysis.claims import CLAIMS, MARGIN, judge
from datamix.analysis.claims_of_shares import CLAIMS as OUR_CLAIMS
from datamix.analysis.claims_of_shares import NO_LOSS, judge_shares
from datamix.analysis.published_numbers import published_claims
from datamix.project.files import replacing
from datamix.analysis.unseen_types import FEWEST_CELLS, FEWEST_TYPES, by_type, trend, with_and_without
from datamix.project.profile_files import read_profile
from datamix.publishing.panels import save_panel
from datamix.figures.labels import label_claims, label_models, mixture_label
from datamix.publishing.recorded import read_record, record_folder
from datamix.publishing.results import Results
from datamix.publishing.website.text import plain, show_table
from datamix.sources.formats.cell_labels import NOT_LABELLED
from datamix.analysis.published_numbers import published_r2
from datamix.publishing.values import record
from datamix.publishing.words import counted, interval_in_words

results = Results(profile, notebook="claims")
baseline = results.baselines[0]
scores = results.scores(baseline)
held_out = results.held_out(baseline)
trained = set(results.corpus_obs(results.profile.baselines[baseline].dataset)["cell_type"].astype(str))

# %%
mixtures = results.mixtures(baseline)
of_paper = judge(
    scores,
    results.profile,
    mixtures,
    trained_types=trained,
    left_out=with_and_without(held_out),
    resamples=2000,
)
composed = results.profile.composition is not None
of_shares = judge_shares(
    results.composition() if composed else None,
    results.second_round() if composed else None,
    results.profile,
    resamples=2000,
)
judged = label_claims(pd.concat([of_paper, of_shares], ignore_index=True), results.profile)
with replacing(results.folder / "claims.csv") as beside:
    judged.drop(columns="about_label").to_csv(beside, index=False, float_format="%.6g", lineterminator="\n")

# %% [markdown]
# ## What is tested
#
# A gain is held against the control of the same size, the baseline with as many more of its own cells, and counts from a difference of {val}`claims.margin` in median R² on: the published control, whose composition is that of its baseline, moves by up to {val}`claims.published_control:.2f` all the same.
# Intervals (95 %) are those of [Methods](../methods): donors, cell types and cells are drawn anew, the same draw for both mixtures, and trainings scatter as those of all mixtures that hold the baseline do.
# A verdict holds the interval against the threshold.
# Were the truth at the threshold, each of the two wrong verdicts would come in 2.5 % of repetitions by construction; simulated, with few seeds and donors, it comes in at most 5 %.
# The second finding looks at several sets, and its interval allows for that: its upper end is corrected for their number, since one of many is low by chance; its lower end speaks of all of them, and need not be.
# Between findings nothing is corrected: each verdict stands for itself.
#
# Of the two claims about mixtures by shares, each looks at several sets too, and is supported only where it holds on all of them.
# The law is held against the average of all other mixtures, which needs no law; its threshold is no difference, so that a law that is merely no worse is left undecided.
# "As good as equal shares" cannot be shown without a margin; it is {val}`claims.no_loss` in median R²: the published control moves by no more on {val}`claims.published_control.within` of {val}`claims.published_control.sets` evaluation sets, without any change of composition.
# The recommended mixtures were chosen on the same evaluation cells that judge them, so that these numbers may promise a little too much.

# %% tags=["hide-input"]
stated = pd.DataFrame([vars(claim) for claim in (CLAIMS | OUR_CLAIMS).values()])
show_table(stated[["finding", "statistic", "rule"]].rename(columns=str.capitalize), index=False)

# %% [markdown]
# ## Verdicts

# %%
titles = {
    "unseen": "1 Unseen types: seen less unseen",
    "left_out": "1 Unseen types: with less without",
    "cancer": "2 Malignant cells: smallest gain",
    "tf_atlas": "3 TF atlas: gain out of distribution",
    "law": "4 Law of mixtures: error saved",
    "recommended": "5 Recommended less equal shares",
}
sources = [judged.assign(source=f"{results.profile.name} (this book)")]
for other in ("demo", "mini", "paper"):
    if other != results.profile.name and record_folder(results.root, other).is_dir():
        recorded = read_record(results.root, other).table("claims")
        recorded = label_claims(recorded, read_profile(other, results.root))
        sources.append(recorded.assign(source=f"{other} (recorded)"))
draft = published_r2("blood")
published = published_claims(draft).assign(source="draft heat map", verdict="no interval known")
table = pd.concat([*sources, published], ignore_index=True)
table["title"] = table["claim"].map(titles)
# Earlier records, and the published map, lack some claims; all stand in one order.
table = table.sort_values("claim", key=lambda claims: claims.map(list(titles).index), kind="stable")
columns = ["claim", "title", "source", "about", "value", "low", "high", "threshold", "verdict", "why", "seeds"]
save_panel(
    claims.claims(table),
    "5a",
    data=table[columns],
    alt=f"The statistic of each of {len(titles)} tests with its interval and threshold, for this profile, recorded profiles, and the published heat map.",
    caption="**The claims, three of the paper and two of this book**: statistic with 95 % interval, its threshold dotted, coloured by the verdict. Diamonds: the same statistic from the published draft heat map, against the paper's own control; no interval is known.",
    results=results,
)

# %% [markdown]
# ```{panel} 5a
# ```

# %% tags=["hide-input"]
shown = table.assign(number=[interval_in_words(r.value, r.low, r.high, spec=".3f") for r in table.itertuples()])
shown = shown[["title", "source", "number", "verdict", "about_label", "why"]].fillna("")
shown.columns = ["Claim", "Source", "Statistic", "Verdict", "Measured on", "Note"]
shown = shown.sort_values("Claim", kind="stable")
shown["Claim"] = shown["Claim"].mask(shown["Claim"].duplicated(), "")
show_table(shown, index=False)

# %% tags=["remove-cell"]
said = {
    "unseen": "The difference in median R² between {about} is {number}",
    "left_out": "What the same cells lose against the model that has seen their type: {number}",
    "cancer": "The smallest gain over the control on any cancer set is {number}",
    "tf_atlas": "The gain over the control is {number}",
    "law": "The error that it saves against the average, on the set where that is least: {number}",
    "recommended": "The smallest difference: {number}",
}
if len(results.profile.evaluations) == 1:
    said |= {"law": "The error that it saves against the average: {number}", "recommended": "The difference: {number}"}
names_types = bool(trained - {NOT_LABELLED})
for row in judged.itertuples():
    why = row.why if names_types or row.claim != "left_out" else "the training corpus names no cell types"
    stands_in = f" ({row.why})" if row.why and row.value == row.value else ""
    record(f"claims.{row.claim}.verdict", f"{row.verdict}{stands_in}", unit="", results=results)
    ours = row.value == row.value
    text = interval_in_words(row.value, row.low, row.high, spec=".3f") if ours else why
    record(f"claims.{row.claim}.text", text, unit="difference of median R²", results=results)
    sentence = said[row.claim].format(about=row.about_label, number=text) if ours else f"{why[:1].upper()}{why[1:]}"
    record(f"claims.{row.claim}.said", sentence, unit="", results=results)
    record(f"claims.{row.claim}.about", row.about_label or "–", unit="", results=results)
for row in published.itertuples():
    record(f"claims.{row.claim}.published", row.value, unit="difference of R²", results=results)
record("claims.margin", MARGIN, unit="median R²", results=results)
record("claims.no_loss", NO_LOSS, unit="median R²", results=results)
moved = draft.pivot(index="evaluation", columns="mixture", values="published")
moved = (moved["blood+blood"] - moved["blood"]).abs()
record("claims.published_control", moved.max(), unit="R²", results=results)
within = int((moved.round(2) <= NO_LOSS).sum())
record("claims.published_control.within", within, unit="evaluation sets", results=results)
record("claims.published_control.sets", len(moved), unit="evaluation sets", results=results)
outside = [name for name, e in results.profile.evaluations.items() if e.group == "out of distribution"]
donors = int(scores[scores["evaluation"].isin(outside)]["donor"].nunique())
of_donors = f"the set out of distribution has {counted(donors, 'donor')}"
record(
    "claims.unseen.donors",
    of_donors if outside else "this profile has no set out of distribution",
    unit="",
    results=results,
)
known = "simulated, so that it is the control: what each set holds was put there"
record("claims.cells", known if results.profile.simulated else "real", unit="", results=results)
record("claims.simulated", "simulated" if results.profile.simulated else "real", unit="", results=results)
of_each = f", {counted(len(results.profile.composition.seeds), 'seed')} of each" if composed else ""
record("claims.shares.seeds", of_each, unit="", results=results)
record("claims.seeds", counted(len(results.profile.seeds), "seed"), unit="", results=results)

# %% [markdown]
# These cells are {val}`claims.simulated`, and models of {val}`claims.seeds` were trained.
# On simulated cells a verdict says whether the analysis finds what was put in; on small sets of real cells, what it says of these sets; neither says whether the paper is right.
#
# 1. **Unseen cell types** are modelled poorly: {val}`claims.unseen.verdict`. {val}`claims.unseen.said`; in the draft heat map, between blood and neurons, {val}`claims.unseen.published:.2f`.
#    With one cell type left out of training: {val}`claims.left_out.verdict`. {val}`claims.left_out.said`.
# 2. **Malignant cells** in training do not necessarily help with unseen malignant cells: {val}`claims.cancer.verdict`. {val}`claims.cancer.said`; in the draft heat map {val}`claims.cancer.published:.2f`. Supported means that at least one set gains less than {val}`claims.margin`, not that malignant cells help nowhere.
# 3. **The transcription-factor atlas** helps out of distribution: {val}`claims.tf_atlas.verdict`. {val}`claims.tf_atlas.said`; in the draft heat map {val}`claims.tf_atlas.published:.2f`.
#
# Two claims of this book, which the paper does not make, on mixtures by shares{val}`claims.shares.seeds`:
#
# 4. **The law of mixtures** predicts mixtures that it was not fitted to: {val}`claims.law.verdict`. {val}`claims.law.said`.
# 5. **Recommended mixtures** are at least as good as equal shares: {val}`claims.recommended.verdict`. {val}`claims.recommended.said`.
#
# ```{claims} 5a
# ```
#
# The first test compares cells of different types, often of other studies and technologies, which differ in more than in having been seen; the second compares the same cells under two models of equal size.
# Of a set of one donor an interval speaks of that donor's cells only; {val}`claims.unseen.donors`.
#
# ## Unseen cell types
#
# Is a cell type predicted worse the further it lies from what the model was trained on?
# What leaving a type out costs is tested above; distance cannot be set by hand, and goes along with other things, depth and study among them.
# Distance is that of the mean of the type from the mean of the nearest type in training, in principal components that were fitted on training cells only.
# Open points are types that were left out of training, and replaced by cells of other types from the second half of the corpus; dotted lines lead to the same cells under the whole baseline.

# %%
types = label_models(by_type(held_out), results.profile)
save_panel(
    claims.distance(types, results.profile),
    "5b",
    data=types,
    alt="Median R² of each cell type of each evaluation set against its distance from the nearest training type; types left out of training are open points, joined to filled ones by dotted lines.",
    caption=f"**Unseen cell types.** Median R² of each cell type under the {plain(mixture_label(baseline, profile=results.profile))} Baseline (filled), and under a model trained without it (open), against the distance to the nearest type in training; lines: range of the seeds.",
    results=results,
)

# %% [markdown]
# ```{panel} 5b
# ```

# %% tags=["remove-cell"]
found = trend(types)
in_sets = "that of too few types to test"
if found.within == found.within:
    in_sets = f"{found.within:.2f} (p = {found.p:.2g} over permutations of the types)".replace("-", "−")
overall = f"{found.overall:.2f}".replace("-", "−") if found.overall == found.overall else "none, of too few types"
record("claims.trend", overall, unit="Spearman's ρ", results=results)
record("claims.trend.within", in_sets, unit="rank correlation", results=results)
record("claims.trend.types", found.types, unit="cell types", results=results)
left_out = types[types["seen"] == "left out"]
n_trained, n_left_out = len(trained - {NOT_LABELLED}), left_out["cell_type"].nunique()
names = (
    f"The training corpus names {counted(n_trained, 'cell type')}; its cells without a label count as a type of their own."
    if n_trained
    else "The training corpus names no cell types, so that all its cells count as one."
)
record("claims.trained", names, unit="", results=results)
in_turn = (
    f"Types were left out of training in turn, the most frequent that have a name, {n_left_out} in number."
    if n_left_out
    else "No type was left out of training."
)
record("claims.in_turn", in_turn, unit="", results=results)
as_trained = types[types["seen"] == "as trained"]
record(
    "claims.types", counted(len(as_trained), "pair"), unit="pairs of a cell type and an evaluation set", results=results
)
record("claims.types.distinct", counted(as_trained["cell_type"].nunique(), "cell type"), unit="", results=results)
record("claims.types.fewest", FEWEST_CELLS, unit="cells", results=results)
record("claims.trend.fewest", FEWEST_TYPES, unit="cell types", results=results)

# %% [markdown]
# Over {val}`claims.types` of a cell type and an evaluation set with {val}`claims.types.fewest` cells or more, {val}`claims.types.distinct` in all, R² and distance have a rank correlation of {val}`claims.trend`.
# That compares one study with another as well, and has no interval, since the types of a set are no sample of all types.
# Within sets that have {val}`claims.trend.fewest` named types or more, each type counted once ({val}`claims.trend.types` in number), the correlation of ranks is {val}`claims.trend.within`.
# {val}`claims.trained`
# {val}`claims.in_turn`
#
# ## Use it on your own data
#
# ```python
# from datamix.analysis.claims import judge
# from datamix.publishing.results import Results
#
# results = Results("demo", notebook="mine")
# scores = results.scores("blood")
# judge(scores, results.profile, results.mixtures("blood"), trained_types={"monocyte", "B cell"}, resamples=2000)
# ```

# %% tags=["hide-input"]
from datamix.project.provenance import versions

versions()
