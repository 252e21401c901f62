# ---
# jupyter:
#   datamix:
#     reads: [geneformer, scores, corpora]
#     needs: {geneformer: true, added: true}
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
# # Figure S7: Geneformer
#
# Is what training data do to one model also what they do to another?
# The paper's second model family, Geneformer, reads a cell as a list of its genes, the most unusually expressed first, and learns to fill in genes that are hidden from it.
# Here it is pretrained from scratch on the mixtures of [Figure 2](fig2), from the same cells, and asked about cells that it has not seen.
# The profile may leave mixtures out, to train the others longer.
# The number of this figure is ours, and no published values are known for it.
#
# **Input:** per-cell scores of all Geneformer models (`geneformer/scores.parquet`), and those of the LDVAE (`scores/reconstruction.parquet`).
# **Output:** panels S7a–S7d, and the values that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # which data and settings: demo | mini | paper, or the name of another file in config/

# %%
from datamix.figures import labels
from datamix.figures import geneformer
from datamix.analysis.two_families import (
    MEASURES,
    REFERENCES,
    against_chance,
    masked_measures,
    seen_types,
    side_by_side,
    summarise_measure,
    under_published_control,
)
from datamix.geneformer.tables import (
    model_of,
    read_history,
    read_scores,
    settings_of,
    trained_mixtures,
    trained_types,
)
from datamix.geneformer.vocabulary import Vocabulary
from datamix.geneformer.zero_shot import describe
from datamix.publishing.panels import save_panel
from datamix.publishing.results import Results
from datamix.publishing.website.text import plain, show_table
from datamix.analysis.summary import summarise
from datamix.publishing.values import record
from datamix.publishing.gain_words import elsewhere_in_words
from datamix.publishing.words import of_mixtures, over_seeds, range_in_words

results = Results(profile, notebook="geneformer")
settings = settings_of(results.profile)
baseline = settings.baselines[0]
mixtures = trained_mixtures(results.profile, baseline)
scores = read_scores(results.layout, baseline)
summaries = {
    measure: labels.label_mixtures(summarise_measure(scores, mixtures, measure=measure), results.profile)
    for measure in MEASURES
}

# %% [markdown]
# ## The published measure: are the ranks given back?
#
# Each model sees a whole cell, nothing hidden, and names the most probable gene at each rank; the ranks that went in are correlated with those that came out.
# Beside the model stands the mean rank of each gene, which needs no model.
# The published scripts take it from the very cells that are evaluated; taken from the training cells, it knows no more than the model does.

# %%
ranks = summaries["correlation"]
cells = scores.drop_duplicates(["evaluation", "cell"]).shape[0]
save_panel(
    geneformer.by_mixture(
        ranks, results.profile, measure=MEASURES["correlation"], references=REFERENCES["correlation"]
    ),
    "S7a",
    data=ranks,
    alt=f"Median gene-rank correlation of {len(mixtures)} Geneformer models on {ranks['evaluation'].nunique()} "
    "evaluation sets, beside the correlation with the mean rank of each gene.",
    caption=f"**Gene-rank correlation of Geneformer.** Median over cells, {over_seeds(len(settings.seeds))}, with 95 % interval; "
    f"squares and diamonds: the mean rank of each gene in place of a model. {cells:,} evaluation cells.",
    results=results,
    made={"seeds": list(settings.seeds)},
)

# %% [markdown]
# ```{panel} S7a
# ```

# %% tags=["remove-cell"]
models = len(mixtures) * len(settings.seeds)
record("geneformer.models", f"{models:,} model{'s' * (models > 1)}", unit="models", results=results)
every = results.mixtures(baseline)
of_each = of_mixtures(len(mixtures), len(every), each=len(settings.seeds))
record("geneformer.of_each", of_each, unit="", results=results)
record("geneformer.seeds", len(settings.seeds), unit="seeds", results=results)
record("geneformer.baseline", results.profile.baselines[baseline].label, unit="", results=results)
published = {"layers": 6, "heads": 4, "width": 256, "feed_forward": 512, "input_size": 2048, "warmup_steps": 10_000}
for name in (*published, "epochs", "lr", "masked", "evaluation_cells"):
    known = published | {"lr": 1e-3, "masked": 0.15, "evaluation_cells": 500}
    record(f"geneformer.{name}", getattr(settings, name), unit="", published=known.get(name), results=results)
length = f"{settings.steps:,} steps on every mixture" if settings.steps else f"{settings.epochs} epochs"
record("geneformer.length", length, unit="", results=results)
start = "with attention to the ranks near by" if settings.local_start else "at random"
record("geneformer.start", start, unit="", results=results)
order = "of similar lengths" if settings.similar_lengths else "drawn at random"
record("geneformer.order", order, unit="", results=results)
beaten = {name: int((ranks["median"] < ranks[name]).sum()) for name in REFERENCES["correlation"]}
record("geneformer.pairs", len(ranks), unit="pairs", results=results)
for name, count in beaten.items():
    record(f"geneformer.beaten_by.{name}", count, unit="pairs", results=results)
    record(f"geneformer.mean_rank.{name}", ranks[name].mean(), unit="correlation", results=results)
record("geneformer.correlation.mean", ranks["median"].mean(), unit="correlation", results=results)
best = ranks.loc[ranks["median"].idxmax()]
record("geneformer.correlation.best", best["median"], unit="correlation", results=results)
record("geneformer.correlation.mixture", best["mixture_label"], unit="", results=results)
record("geneformer.correlation.evaluation", best["evaluation_label"], unit="", results=results)
record("geneformer.without_value", int(scores["correlation"].isna().sum()), unit="cells", results=results)

# %% [markdown]
# The {val}`geneformer.models`, {val}`geneformer.of_each` of the {val}`geneformer.baseline` Baseline, read at most {val}`geneformer.input_size:,d` genes of a cell (the paper: {val}`geneformer.input_size|published:,d`); layers: {val}`geneformer.layers` (the paper: {val}`geneformer.layers|published`), heads: {val}`geneformer.heads` ({val}`geneformer.heads|published`), units: {val}`geneformer.width` ({val}`geneformer.width|published`).
# Where a mixture has a single model, intervals hold the spread of cells alone, not that of training.
#
# In {val}`geneformer.beaten_by.published` of {val}`geneformer.pairs` pairs of a mixture and an evaluation set, the published mean rank correlates better with a cell than the model does; its mean over the pairs is {val}`geneformer.mean_rank.published:.2f`, that of the models {val}`geneformer.correlation.mean:.2f`.
# Taken from the training cells, the mean rank has {val}`geneformer.mean_rank.corrected:.2f`, and is better in {val}`geneformer.beaten_by.corrected` pairs.
# The difference between the two is what the published baseline gains from having seen the cells that it is asked about.
# Highest stands {val}`geneformer.correlation.mixture` on {val}`geneformer.correlation.evaluation`, with {val}`geneformer.correlation.best:.2f`.
# Cells without a value, those of a single gene say: {val}`geneformer.without_value:,d`.
#
# The measure does not test what was trained.
# Nine tenths of the tokens that a model learns from are hidden or swapped, so that giving back what it sees is little of what it learns.
# The tenth that stays as it is teaches it to copy; a model that has been trained too little for that names the same few genes at every rank, and can have a negative correlation, since the genes that it names are mostly not those of the cell.
#
# As the published scripts report it, for the baseline alone:

# %% tags=["hide-input"]
alone = scores[scores["mixture"] == baseline]
tables = {
    results.profile.evaluations[str(name)].label: describe(part, ["correlation", "published", "corrected"])
    for name, part in alone.groupby("evaluation", sort=False)
}
import pandas as pd

show_table(pd.concat(tables, names=["Evaluation set", "Ranks"]), "{:.2f}", but={"count": "{:.0f}"})

# %% [markdown]
# ## What was trained: are hidden genes filled in?
#
# Of each evaluation cell, the same share of genes is hidden as in training, and the model asked for the probability of each.
# Beside it stands the unigram model, the frequencies of genes among the training cells, which does not look at the cell at all.

# %%
hidden = summaries["log_probability"]
save_panel(
    geneformer.by_mixture(
        hidden, results.profile, measure=MEASURES["log_probability"], references=REFERENCES["log_probability"]
    ),
    "S7b",
    data=hidden,
    alt=f"Median log probability of a hidden gene under {len(mixtures)} Geneformer models on "
    f"{hidden['evaluation'].nunique()} evaluation sets, beside that under the frequencies of genes in training.",
    caption="**Log probability of a hidden gene.** Mean over the hidden genes of a cell; median over cells, "
    f"{over_seeds(len(settings.seeds))}, with 95 % interval; higher is better. Squares: the frequencies of genes in training.",
    results=results,
    made={"seeds": list(settings.seeds)},
)

# %% [markdown]
# ```{panel} S7b
# ```

# %% tags=["remove-cell"]
pooled = labels.label_mixtures(masked_measures(scores), results.profile)
folders = {m.name: model_of(results.layout, baseline, settings.seeds[0], m.name) for m in mixtures}
genes = {name: len(Vocabulary.load(folder / "vocabulary.json").genes) for name, folder in folders.items()}
known = seen_types(scores, trained_types(results.layout, baseline))
pooled = against_chance(pooled, genes=genes, seen=known)
better = (pooled["of_unigram"] < 1).sum()
record("geneformer.better_than_unigram", int(better), unit="pairs", results=results)
base = pooled[pooled["mixture"] == baseline].set_index("evaluation")
record("geneformer.genes", genes[baseline], unit="genes", results=results)
record("geneformer.worse_than_chance", int((~pooled["below_chance"]).sum()), unit="pairs", results=results)
record("geneformer.seen_pairs", int(pooled["seen"].sum()), unit="pairs", results=results)
record("geneformer.half_of_unigram", int((pooled["of_unigram"] < 0.5).sum()), unit="pairs", results=results)
for name, part in (("seen", pooled[pooled["seen"]]), ("unseen", pooled[~pooled["seen"]])):
    record(f"geneformer.of_unigram.{name}", part["of_unigram"].mean(), unit="of the unigram's", results=results)
easiest, hardest = base["perplexity"].idxmin(), base["perplexity"].idxmax()
for name, where in (("easiest", easiest), ("hardest", hardest)):
    record(f"geneformer.{name}.label", base.loc[where, "evaluation_label"], unit="", results=results)
    for column in ("perplexity", "unigram_perplexity", "accuracy"):
        record(f"geneformer.{name}.{column}", base.loc[where, column], unit=column, results=results)

# %% [markdown]
# The models give a hidden gene more probability than the unigram model in {val}`geneformer.better_than_unigram` of {val}`geneformer.pairs` pairs.
# The baseline finds {val}`geneformer.easiest.label` easiest, with a perplexity of {val}`geneformer.easiest.perplexity:,.0f` (unigram: {val}`geneformer.easiest.unigram_perplexity:,.0f`) and {val}`geneformer.easiest.accuracy:.1%` of hidden genes named first, and {val}`geneformer.hardest.label` hardest, with {val}`geneformer.hardest.perplexity:,.0f` ({val}`geneformer.hardest.unigram_perplexity:,.0f`) and {val}`geneformer.hardest.accuracy:.1%`.
# Perplexity is the number of equally probable genes among which a model is still undecided.
# A model that knows nothing, and gives every gene the same probability, has the size of the vocabulary: {val}`geneformer.genes:,d` genes in that of the baseline; {val}`geneformer.worse_than_chance` of the pairs lie at or above it.
# In {val}`geneformer.seen_pairs` pairs every cell type of the evaluation set is among the training cells; there the perplexity is on average {val}`geneformer.of_unigram.seen:.2f` of the unigram model's, in the other pairs {val}`geneformer.of_unigram.unseen:.2f`; it is below half of it in {val}`geneformer.half_of_unigram` pairs.
#
# A model can come this far without knowing cell types.
# Among the genes of a cell that have the same count, the ranking is that of their medians, in every cell; who knows this order can tell from its neighbours which genes a hidden one may be, in cells of unseen types as well.
# The unigram model looks at no neighbour: to lie below it shows that something was learned, not that it was the type.
# The vocabulary of each mixture holds the genes that its own cells have, unless the profile uses the published one.

# %% tags=["hide-input"]
# A row a pair, so that the table is narrow enough for a telephone.
names = {
    "mixture_label": "Model",
    "evaluation_label": "Evaluation set",
    "perplexity": "Perplexity",
    "unigram_perplexity": "Unigram",
    "genes": "Vocabulary",
    "accuracy": "Named first",
}
shape = pooled.rename(columns=names)[list(names.values())].set_index(["Model", "Evaluation set"])
show_table(shape, "{:,.0f}", but={"Named first": "{:.1%}"})

# %% [markdown]
# ## Training

# %%
history = labels.label_mixtures(read_history(results.layout, baseline), results.profile)
save_panel(
    geneformer.curves(history, results.profile),
    "S7c",
    data=history,
    alt="Masked loss of every Geneformer model against training steps.",
    caption="**Pretraining of Geneformer.** Masked loss, running mean of five records. "
    "Solid: a set alone; dashed: baseline + added set.",
    results=results,
    made={"seeds": list(settings.seeds)},
)

# %% [markdown]
# ```{panel} S7c
# ```

# %% tags=["remove-cell"]
steps = history.groupby(["mixture", "seed"])["step"].max()
rates = history.groupby(["mixture", "seed"])["learning_rate"].max()
passes = history.groupby(["mixture", "seed"])["epoch"].max()
record("geneformer.steps", int(steps.min()), unit="steps", results=results)
record("geneformer.most_steps", int(steps.max()), unit="steps", results=results)
record("geneformer.passes", range_in_words(passes.min(), passes.max(), spec=".1f"), unit="epochs", results=results)
record("geneformer.peak", rates.max() / settings.lr, unit="of the learning rate set", results=results)

# %% [markdown]
# Each model is trained for {val}`geneformer.length`; the shortest training has {val}`geneformer.steps:,d` steps, the longest {val}`geneformer.most_steps:,d`, which pass over the cells {val}`geneformer.passes` times.
# The learning rate rises over {val}`geneformer.warmup_steps:,d` steps (the paper: {val}`geneformer.warmup_steps|published:,d`) and reaches {val}`geneformer.peak:.0%` of what is set, then falls evenly to zero.
# Where warm-up is longer than training, as with the published setting and one block of cells, the rate never reaches its peak.
#
# A mixture has more cells than its baseline, and with a number of epochs that is set also more steps, so that each added set is held against a control, the baseline with more of its own cells.
# Both families are held against the published control here, whatever the size of the added set: Geneformer is not trained on controls of other sizes{val}`geneformer.sizes`.
#
# ## The same question, asked of both families

# %%
trained = [m.added for m in mixtures if m.group == "alone"]
asked = "tf_atlas" if "tf_atlas" in trained else trained[-1]
# The scatter between trainings is pooled over all mixtures of the LDVAE, as in Figure 5; then those of Geneformer are kept.
ldvae = summarise(results.scores(baseline), under_published_control(every))
families = {"LDVAE, R²": ldvae[ldvae["mixture"].isin([m.name for m in mixtures])]}
families["Geneformer, log probability"] = summarise_measure(scores, mixtures, measure="log_probability")
families["Geneformer, rank correlation"] = summarise_measure(scores, mixtures, measure="correlation")
both = labels.label_mixtures(side_by_side(families), results.profile)
label = results.profile.added[asked].label
save_panel(
    geneformer.additions(both, results.profile, asked=asked),
    "S7d",
    data=both,
    alt=f"What each added set brings over the control on each evaluation set, under LDVAE and under Geneformer; {label} "
    "is drawn large.",
    caption=f"**Does adding {plain(label)} help?** Median over cells of baseline + added set, minus that of the control, "
    f"{over_seeds(len(results.profile.seeds))} (LDVAE) and {over_seeds(len(settings.seeds))} (Geneformer), each with its own 95 % interval. Each part has the units of its measure; higher is better.",
    results=results,
)

# %% [markdown]
# ```{panel} S7d
# ```

# %% tags=["remove-cell"]
sets = results.profile.evaluations
far = next((name for name, e in sets.items() if e.group == "out of distribution"), list(sets)[-1])
names = [m.name for m in mixtures]
adds = [m.cells - every[0].cells for m in every if m.is_addition and m.name in names]
published_adds = next(m.cells for m in every if m.is_control) - every[0].cells
sizes = (
    f", and that one adds {published_adds:,} cells, where the sets trained with here add {range_in_words(min(adds), max(adds), spec=',')}; Figure 2 holds each against a control of its own size"
    if set(adds) != {published_adds}
    else ""
)
record("geneformer.sizes", sizes, unit="", results=results)
record("geneformer.asked", label, unit="", results=results)
record("geneformer.far", f"{sets[far].label} ({sets[far].group})", unit="", results=results)
of_asked = both[both["added"] == asked]
of_set = of_asked[of_asked["evaluation"] == far].set_index("measure")
others = of_asked[of_asked["evaluation"] != far]
for key, name in zip(("ldvae", "hidden", "rank"), families, strict=True):
    row = of_set.loc[name, ["over_control", "over_control_low", "over_control_high"]]
    for column, value in row.items():
        record(f"geneformer.{key}.{column}", value, unit=name, results=results)
    verdict = "helps" if row.iloc[1] > 0 else "harms" if row.iloc[2] < 0 else "makes no clear difference"
    record(f"geneformer.{key}.verdict", verdict, unit="", results=results)
    elsewhere = elsewhere_in_words(others[others["measure"] == name])
    record(f"geneformer.{key}.elsewhere", elsewhere, unit="", results=results)

# %% [markdown]
# Does adding {val}`geneformer.asked` help on {val}`geneformer.far`?
#
# * LDVAE, reconstruction R²: it {val}`geneformer.ldvae.verdict`, {val}`geneformer.ldvae.over_control:+.3f` over the control ({val}`geneformer.ldvae.over_control_low:+.3f` to {val}`geneformer.ldvae.over_control_high:+.3f`).{val}`geneformer.ldvae.elsewhere`
# * Geneformer, log probability of a hidden gene: it {val}`geneformer.hidden.verdict`, {val}`geneformer.hidden.over_control:+.2f` nats ({val}`geneformer.hidden.over_control_low:+.2f` to {val}`geneformer.hidden.over_control_high:+.2f`).{val}`geneformer.hidden.elsewhere`
# * Geneformer, gene-rank correlation: it {val}`geneformer.rank.verdict`, {val}`geneformer.rank.over_control:+.2f` ({val}`geneformer.rank.over_control_low:+.2f` to {val}`geneformer.rank.over_control_high:+.2f`).{val}`geneformer.rank.elsewhere`
#
# Each interval is for its pair alone: those of [Figure 2](fig2) are wider, since they allow for all pairs; those of [Figure 5](claims) come from other random draws.
#
# Models for each mixture: {val}`framework.seeds` of the LDVAE, {val}`geneformer.seeds` of Geneformer; what another seed would give is not in the interval where there is one.
#
# ## How it is done
#
# *Tokens.* The value of a gene in a cell is its count, divided by the cell's total counts over all genes, times 10,000, divided by the median of the gene's values above zero {cite}`theodoris2023`.
# Zeros are dropped, genes are sorted by falling value, and the list is cut at the input size; equal values stand in the order of the vocabulary.
# The medians are the published ones where the profile names them, and otherwise those of the training mixture itself.
#
# *Pretraining.* A BERT masked language model from scratch: {val}`geneformer.masked:.0%` of the tokens are chosen (the paper: {val}`geneformer.masked|published:.0%`), of which 80 % are hidden, 10 % swapped for a random gene and 10 % left; AdamW, the learning rate ({val}`geneformer.lr:g`; the paper: {val}`geneformer.lr|published:g`) rising and then falling evenly; {val}`geneformer.length`.
# How many epochs the paper ran, and on which mixtures, is not known.
# Two settings, and the spread of the first weights, are ours, for small models on few cells.
# Models start {val}`geneformer.start` (the paper: at random): position embeddings as sinusoids {cite}`vaswani2017`, and queries and keys as the same multiple of what they are made from {cite}`trockman2023`, let each rank attend to its neighbours from the first step on; all of it is learned further.
# The cells of a step are {val}`geneformer.order` (the paper: of similar lengths); where steps go from long cells to short ones and again, a small model follows them to and fro.
# What is hidden in a cell depends on seed, epoch and cell alone, so that a run that was stopped goes on exactly as if it had not been.
#
# *Gene-rank correlation.* At position $p = 0, 1, …$ of a cell of $L$ tokens the score is $s = (L - 1 - p)/(L - 1)$; in the output, a gene that is named several times gets the mean of its scores.
# Over the genes that were given or named, one that is missing counting 0, the correlation is Pearson's, of the scores given with those named, or with the mean over cells of each gene's positive scores {cite}`kedzierska2023`.
# A cell of one token gives it the score 1; where a side does not vary there is no value.
# At most {val}`geneformer.evaluation_cells` cells of each evaluation set are drawn, with the seed (the published draw has none).
#
# *Hidden genes* (ours). All tokens that are chosen become the mask; the unigram model adds one to each gene's count.
# The embedding of a cell, kept beside the scores, is the mean over its tokens of the second-to-last layer.
#
# ## Use it on your own data
#
# `geneformer:` in a profile sets the size of the model, the baselines and the seeds; `make figure FIG=geneformer PROFILE=yours` trains and draws.
# One model by hand, on one device or on several:
#
# ```bash
# datamix geneformer run blood blood+tf_atlas --seed 0 --profile demo
# torchrun --nproc-per-node 8 -m datamix geneformer run blood blood+tf_atlas --seed 0 --profile paper
# ```
#
# Every model opens with transformers:
#
# ```python
# from transformers import BertForMaskedLM
#
# BertForMaskedLM.from_pretrained("results/demo/geneformer/models/blood/seed0/blood+tf_atlas")
# ```

# %% tags=["hide-input"]
from datamix.project.provenance import versions

versions()
