# ---
# jupyter:
#   datamix:
#     reads: [latents, corpora]
#     needs: {seeds: 2, added: true}
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
# # Figure 3: what is new in each latent space
#
# Does a model that has seen more kinds of cells place cells differently, or does it hold the same information in other coordinates?
# Each model of the first baseline, blood in the paper, places the same evaluation cells in its own latent space; what one space holds and another does not predict is its *uniqueness*.
#
# The paper names "embedding uniqueness" in its Figure 1D; no published script defines it, and the number of this figure is ours.
# [Methods](../methods) gives the definition used here.
#
# **Input:** the posterior mean of every evaluation cell under every model (`latents/`).
# **Output:** panels 3a–3d, and the values that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # which data and settings: demo | mini | paper, or the name of another file in config/

# %%
import pandas as pd

from datamix.corpora.mixtures import controls_of
from datamix.figures import labels
from datamix.figures import latent_spaces
from datamix.analysis.likeness import similarity, umap_positions
from datamix.analysis.uniqueness import FEWEST, compare_mixtures, leave_out_small_sets, what_is_added
from datamix.publishing.panels import save_panel
from datamix.publishing.results import Results
from datamix.publishing.website.text import show_table
from datamix.publishing.values import record, record_interval
from datamix.publishing.words import interval_in_words, of_sets

results = Results(profile, notebook="fig3")
baseline = results.baselines[0]
mixtures = results.mixtures(baseline)
latents, small = leave_out_small_sets(results.latents(baseline))

# %%
comparison = compare_mixtures(latents, controls=controls_of(mixtures))
added = what_is_added(comparison, mixtures)

# %% [markdown]
# ## A first look
#
# Evaluation cells as a few models place them: the baseline, the control (the baseline with more of its own cells), and the added sets that bring most, two at most.
# UMAP bends distances; the numbers below do not depend on it.{val}`fig3.left_out`

# %%
control = next(m.name for m in mixtures if m.is_control)
gained = added[(added["direction"] == "gained") & (added["mixture"] != control)]
most = gained.groupby("mixture", sort=False)["over_control"].max().nlargest(2)
first = latents[latents["seed"] == results.profile.seeds[0]]
few = [baseline, control, *most.index]
positions = umap_positions(first, few)
save_panel(
    latent_spaces.umaps(labels.label_models(positions, results.profile), results.profile),
    "3a",
    data=labels.label_models(positions, results.profile),
    alt=f"UMAP layouts of evaluation cells in the latent spaces of {len(few)} models, coloured by {positions['evaluation'].nunique()} evaluation sets.",
    caption=f"**Evaluation cells in {len(few)} latent spaces**, laid out by UMAP, one trained seed: the baseline, the control, and the added sets, two at most, whose uniqueness lies furthest above the control's.",
    results=results,
    made={"seeds": list(results.profile.seeds[:1])},
)

# %% [markdown]
# ```{panel} 3a
# ```
#
# Each evaluation set on its own, in the same spaces, shows whether its cell types keep apart.

# %%
by_set = [umap_positions(part, few, cells=300) for _, part in first.groupby("evaluation", sort=False)]
by_set = labels.label_models(pd.concat(by_set), results.profile)
save_panel(
    latent_spaces.umaps_by_set(by_set),
    "3b",
    data=by_set,
    alt=f"UMAP layouts of {by_set['evaluation'].nunique()} evaluation sets, one a row, in the latent spaces of {len(few)} models, coloured by cell type.",
    caption=f"**Each evaluation set in {len(few)} latent spaces**, laid out by UMAP on its own, coloured by cell type (the eight most frequent ones; others grey); at most 300 cells a set, one trained seed.",
    results=results,
    made={"seeds": list(results.profile.seeds[:1])},
)

# %% [markdown]
# ```{panel} 3b
# ```
#
# ## How much of one space another predicts
#
# A ridge regression predicts the latent space in the column from that in the row, on cells held out of the fit.
# The colour is what it does not predict: 0 means that the row's model holds all of it, 1 that it holds nothing of it.
# The diagonal is a mixture against itself, trained again with another seed; other fields also compare different seeds only.

# %%
matrices = labels.label_models(comparison, results.profile)
save_panel(
    latent_spaces.uniqueness_matrices(matrices),
    "3c",
    data=matrices,
    alt=f"Matrices of {len(mixtures)} by {len(mixtures)} mixtures, one for each evaluation set; colour is the uniqueness of the column's latent space given the row's.",
    caption="**Uniqueness of every mixture given every other**, averaged over pairs of seeds. Dots: more than another training of the column's mixture leaves, by intervals that hold for all fields of all matrices at once.",
    results=results,
)

# %% [markdown]
# ```{panel} 3c
# ```
#
# ## What each added set brings
#
# From the baseline to baseline + added set: what the mixture holds and the baseline has not (filled), and what it no longer holds (open).

# %%
table = labels.label_models(added, results.profile)
save_panel(
    latent_spaces.what_is_added(table, results.profile),
    "3d",
    data=table,
    alt="Uniqueness with intervals for baseline plus each added set against the baseline, in both directions, one part an evaluation set; grey bands are the range between seeds of the predicted mixture.",
    caption="**What each added set brings and takes.** Uniqueness with 95 % intervals over trainings and cells, each on its own; grey: the smallest to the largest uniqueness between two seeds of the model that is predicted.",
    results=results,
)

# %% [markdown]
# ```{panel} 3d
# ```

# %% tags=["remove-cell"]
gained = table[(table["direction"] == "gained") & (table["mixture"] != control)]
clear = gained[gained["differs"] & (gained["over_control_low_all"] > 1)]
best = gained.loc[gained["over_control"].idxmax()]
least = gained.loc[gained["over_control"].idxmin()]
held = table[(table["direction"] == "gained") & (table["mixture"] == control)]
same = comparison[comparison["known"] == comparison["new"]]
left_out = ", ".join(labels.evaluation_label(name, profile=results.profile) for name in small)
note = f" Left out of this page for having fewer than {FEWEST} cells: {left_out}." if small else ""
record("fig3.left_out", note, unit="", results=results)
record("fig3.band.low", same["band_low"].min(), unit="uniqueness", results=results)
record("fig3.band.high", same["band_high"].max(), unit="uniqueness", results=results)
record("fig3.pairs", len(gained), unit="pairs", results=results)
record("fig3.clear", len(clear), unit="pairs", results=results)
record("fig3.control.differs", int(held["differs"].sum()), unit="evaluation sets", results=results)
record("fig3.control.sets", len(held), unit="evaluation sets", results=results)
record("fig3.control.on", of_sets(int(held["differs"].sum()), len(held)), unit="", results=results)
record("fig3.control.most", held["excess"].max(), unit="times", results=results)
record("fig3.compared", int(comparison["compared"].iloc[0]), unit="comparisons", results=results)
for name, row in (("best", best), ("least", least)):
    record(f"fig3.{name}.mixture", row["mixture_label"], unit="", results=results)
    record(f"fig3.{name}.evaluation", row["evaluation_label"], unit="", results=results)
    against = labels.mixture_label(row["control"], profile=results.profile)
    record(f"fig3.{name}.control", against, unit="", results=results)
    record(f"fig3.{name}.uniqueness", row["uniqueness"], unit="uniqueness", results=results)
    record(f"fig3.{name}.itself", row["uniqueness"] / row["excess"], unit="uniqueness", results=results)
    for column in ("excess", "over_control"):
        record_interval(f"fig3.{name}.{column}", row, column, simultaneous=True, unit="times", results=results)
back = table[
    (table["direction"] == "lost") & (table["mixture"] == best["mixture"]) & (table["evaluation"] == best["evaluation"])
]
record("fig3.best.lost", back["uniqueness"].iloc[0], unit="uniqueness", results=results)
one = len(gained) == 1
lead = "The one pair is" if one else "Most, against its control, is brought by"
record("fig3.best.lead", lead, unit="", results=results)
by = interval_in_words(least["over_control"], least["over_control_low_all"], least["over_control_high_all"], spec=".1f")
of_least = (
    f"Least, against its control ({labels.mixture_label(least['control'], profile=results.profile)}), is brought by "
    f"{least['mixture_label']} on {least['evaluation_label']}, in times the control's: {by}."
)
record("fig3.least.said", "" if one else of_least, unit="", results=results)

# %% [markdown]
# Two trainings of the same mixture leave {val}`fig3.band.low:.2f` to {val}`fig3.band.high:.2f` of each other's latent space unpredicted, depending on mixture and evaluation set.
# What another mixture leaves unpredicted is therefore given as a multiple of what another training of the same mixture leaves; once is no difference.
# Figure 3c makes {val}`fig3.compared` comparisons; an interval here allows for all of them: made so that in a table without any difference one is found once in twenty tables at most. How often it is found is measured below.
# Pairs of an added set and an evaluation set: {val}`fig3.pairs`; above once for the baseline, and above the same multiple of their control: {val}`fig3.clear`.
# The interval of the published control lies above once on {val}`fig3.control.on`; its largest value is {val}`fig3.control.most:.1f` times.
#
# {val}`fig3.best.lead` {val}`fig3.best.mixture`, on {val}`fig3.best.evaluation`: {val}`fig3.best.uniqueness:.3f` of its latent space is not predicted from the baseline's, where another training of it leaves {val}`fig3.best.itself:.3f`.
# That is {val}`fig3.best.excess:.1f` times as much (simultaneous interval {val}`fig3.best.excess_low:.1f` to {val}`fig3.best.excess_high:.1f`), and {val}`fig3.best.over_control:.1f` times ({val}`fig3.best.over_control_low:.1f` to {val}`fig3.best.over_control_high:.1f`) that of its control, {val}`fig3.best.control`.
# In the other direction, {val}`fig3.best.lost:.3f` of the baseline's space is not predicted from the mixture's.
# {val}`fig3.least.said`
#
# ## How often that is wrong
#
# Seeds of one mixture, dealt into two sets as if they were two mixtures, should not be called different.
# In {val}`speed.calibration.tables` tables dealt from {val}`speed.calibration.trainings` trainings on simulated cells, with {val}`speed.calibration.compared` such comparisons each, at least one was called different in {val}`speed.calibration.rate.now.2:.0%` with two seeds a mixture, {val}`speed.calibration.rate.now.3:.0%` with three and {val}`speed.calibration.rate.now.5:.0%` with five.
# {val}`speed.calibration.compatible` The tables share trainings, so these rates are known less well than that.
# An earlier rule of this book, beyond the largest pair of seeds, did so in {val}`speed.calibration.rate.before.2:.0%`, {val}`speed.calibration.rate.before.3:.0%` and {val}`speed.calibration.rate.before.5:.0%`.
# What the transcription-factor atlas brings for neurons was found in {val}`speed.calibration.power.now.2:.0%`, {val}`speed.calibration.power.now.3:.0%` and {val}`speed.calibration.power.now.5:.0%` of the tables.
#
# ## By other measures
#
# Three measures of likeness that treat both spaces alike, between the baseline and each mixture: linear CKA (1: the same up to rotation and scale), what is left after the best rotation (Procrustes, 0: the same), and the share of nearest neighbours in common.
# The baseline's own row is its seed-to-seed value.

# %% tags=["hide-input"]
alike = labels.label_models(similarity(latents, mixtures), results.profile)
record("fig3.neighbours.k", int(alike["k"].max()), unit="neighbours", results=results)
record("fig3.neighbours.chance", alike["neighbours_chance"].max(), unit="share", results=results)
record("fig3.neighbours.null", alike["neighbours_null_high"].max(), unit="share", results=results)
measures = {"cka": "CKA", "procrustes": "Procrustes", "neighbours": "Neighbours"}
beside = alike.rename(columns=measures).melt(
    ["evaluation_label", "mixture_label"], list(measures.values()), var_name="Measure"
)
beside = beside.pivot(index=["evaluation_label", "Measure"], columns="mixture_label", values="value")
beside = beside.reindex(
    [(e, v) for e in alike["evaluation_label"].unique() for v in measures.values()],
    columns=alike["mixture_label"].unique(),
)
show_table(
    beside.rename_axis(index=["Evaluation set", "Measure"], columns=None).reset_index(), precision=2, index=False
)

# %% [markdown]
# Of {val}`fig3.neighbours.k` neighbours, {val}`fig3.neighbours.chance:.3f` would agree by chance at most; the largest share among shuffled cells is {val}`fig3.neighbours.null:.3f`.
#
# ## Use it on your own data
#
# Any two matrices of cells × dimensions can be compared, from whatever model:
#
# ```python
# import pandas as pd
# from datamix.analysis.latent_spaces import uniqueness
#
# latents = pd.read_parquet("results/demo/latents/blood-seed0.parquet")
# aml = latents[latents["evaluation"] == "aml"]
# blood = aml[aml["mixture"] == "blood"].filter(like="z_")
# with_atlas = aml[aml["mixture"] == "blood+tf_atlas"].filter(like="z_")
# uniqueness(blood.to_numpy(), with_atlas.to_numpy())
# ```

# %% tags=["hide-input"]
from datamix.project.provenance import versions

versions()
