# ---
# jupyter:
#   datamix:
#     reads: [scores, models, genes, gene_sets, gene_scores, corpora, data_manifest.yaml]
#     needs: {seeds: 2, added: true, gene_sets: true}
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
# # Figure 4: the genes behind it
#
# Which genes does a mixture teach the model, and, where it predicts cells that it has not seen better, which genes does that rest on?
# The decoder is linear, so that each factor has one loading for each gene, and genes can be ranked.
#
# The paper names "ranked factor loadings" and "enriched gene sets" in its Figure 1D; no published script defines them, and the number of this figure is ours.
#
# **Input:** loadings of all models of the first baseline, gene sets (`corpora/gene_sets.csv`), residuals of genes (`scores/genes/`).
# **Output:** panels 4a–4c, and the values that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # which data and settings: demo | mini | paper, or the name of another file in config/

# %%
from math import comb

from datamix.figures import key_genes
from datamix.analysis.key_genes import gene_gains, sets_of_mixtures, sets_that_gain
from datamix.publishing.panels import save_panel
from datamix.figures.labels import label_models, mixture_label
from datamix.analysis.enrichment import confirm, enrich, precision_recall
from datamix.analysis.key_genes import match_factors, rank_genes, strength
from datamix.publishing.results import Results
from datamix.publishing.website.text import plain, show_table
from datamix.analysis.summary import summarise
from datamix.publishing.values import record, record_interval

results = Results(profile, notebook="fig4")
baseline = results.baselines[0]
mixtures = results.mixtures(baseline)
seeds = results.profile.seeds
baseline_label = mixture_label(baseline, profile=results.profile)
gene_sets = results.gene_sets()
symbols = results.genes().set_index("gene")["symbol"]
loadings = {model: table.rename(index=symbols) for model, table in results.loadings(baseline).items()}

# %% [markdown]
# ## Loadings of the baseline
#
# Factors have neither order nor sign, and a model trained again finds others; each is matched with the most similar one of another seed, by the absolute cosine of their loadings.

# %%
first = loadings[baseline, seeds[0]]
again = match_factors(first, loadings[baseline, seeds[-1]]).set_index("first")["cosine"]
enriched = enrich(first, gene_sets)
held = enriched[enriched["found"]].sort_values("score", key=abs, ascending=False)
named = held.drop_duplicates("factor").set_index("factor")["source"]
ranked = rank_genes(first[strength(first).index], n=8)
ranked = ranked.assign(cosine=ranked["factor"].map(again), set=ranked["factor"].map(named).fillna(""))
save_panel(
    key_genes.loadings(ranked),
    "4a",
    data=ranked,
    alt=f"Bars of the eight strongest loadings of each of {first.shape[1]} factors of the {baseline_label} Baseline.",
    caption=f"**Loadings of the {plain(baseline_label)} Baseline**, one seed, the strongest factor first: the eight genes of largest absolute loading, the gene set that the factor agrees with most, and the cosine with the matched factor of another seed.",
    results=results,
)

# %% [markdown]
# ```{panel} 4a
# ```

# %% tags=["remove-cell"]
second = confirm(first, enriched, gene_sets)
record("fig4.cosine.median", again.abs().median(), unit="absolute cosine", results=results)
record("fig4.cosine.high", again.abs().max(), unit="absolute cosine", results=results)
record("fig4.tests", len(enriched), unit="tests", results=results)
record("fig4.found", int(enriched["found"].sum()), unit="pairs", results=results)
record("fig4.fdr_only", int((enriched["fdr"] < 0.05).sum()), unit="pairs", results=results)
record("fig4.null", enriched["null_high"].iloc[0], unit="|t|", results=results)
record("fig4.confirmed", int(second["confirmed"].sum()), unit="pairs", results=results)

# %% [markdown]
# The median absolute cosine of matched factors is {val}`fig4.cosine.median:.2f`, the largest {val}`fig4.cosine.high:.2f`: where it is low, single factors are not reproducible, and only what the factors hold together can be compared.
# Of {val}`fig4.tests` pairs of a factor and a gene set, {val}`fig4.fdr_only` have a false discovery rate below 5 %; {val}`fig4.found` of these also exceed what permuted genes reach, |t| = {val}`fig4.null:.1f`, and only they count as found.
# gseapy's prerank, which knows nothing of the first test, agrees on {val}`fig4.confirmed` of them.
#
# ## What each mixture gains and loses
#
# The score of a gene set in a model is the largest |t| of any of its factors, so that neither order nor sign of the factors matters.

# %%
table = label_models(sets_of_mixtures(loadings, gene_sets, mixtures), results.profile)
moved = table.groupby("source")["change"].agg(lambda change: change.abs().max()).nlargest(30)
chosen = table[table["source"].isin(moved.index)].copy()
order = chosen[chosen["mixture"] == baseline].sort_values("score", ascending=False)["source"].tolist()
chosen = chosen.sort_values("source", key=lambda s: s.map(order.index), kind="stable")
save_panel(
    key_genes.sets_by_mixture(chosen),
    "4b",
    data=chosen,
    alt=f"Heat map of the scores of {len(order)} gene sets in {len(mixtures)} mixtures; colour is the change against the baseline.",
    caption="**Gene sets in the factors of each mixture**: the largest |t| of any factor, averaged over seeds, printed; colour: change against the baseline. +: found with every seed of the mixture and none of the baseline; −: the reverse. The sets whose score changes most.",
    results=results,
)

# %% [markdown]
# ```{panel} 4b
# ```

# %% tags=["remove-cell"]
control = next(m.name for m in mixtures if m.is_control)
sets_added = table[table["mixture"].isin([m.name for m in mixtures if m.is_addition])]
record("fig4.sets", table["source"].nunique(), unit="gene sets", results=results)
record("fig4.gained", int((sets_added["verdict"] == "gained").sum()), unit="pairs", results=results)
record("fig4.lost", int((sets_added["verdict"] == "lost").sum()), unit="pairs", results=results)
in_control = table[table["mixture"] == control]["verdict"]
record("fig4.control.gained", int((in_control == "gained").sum()), unit="gene sets", results=results)
record("fig4.control.lost", int((in_control == "lost").sum()), unit="gene sets", results=results)
record("fig4.added", sets_added["mixture"].nunique(), unit="mixtures", results=results)
top = sets_added.loc[sets_added["change"].idxmax()]
record("fig4.top.set", top["source"].replace("_", " "), unit="", results=results)
record("fig4.top.mixture", top["mixture_label"], unit="", results=results)
record("fig4.top.score", top["score"], unit="|t|", results=results)
record_interval("fig4.top.change", top, "change", simultaneous=False, unit="|t|", results=results)
record("fig4.top.of", len(sets_added), unit="pairs", results=results)
in_controls = table[table["mixture"].isin([m.name for m in mixtures if m.is_control])]
record("fig4.control.top", in_controls["change"].max(), unit="|t|", results=results)

# %% [markdown]
# Gene sets gained by mixtures of the baseline and an added set ({val}`fig4.added` in number): {val}`fig4.gained`; lost: {val}`fig4.lost`; the control, more of the same cells, gains {val}`fig4.control.gained` and loses {val}`fig4.control.lost` of {val}`fig4.sets`.
# The largest rise is that of {val}`fig4.top.set` in {val}`fig4.top.mixture`, by {val}`fig4.top.change:.1f` ({val}`fig4.top.change_low:.1f` to {val}`fig4.top.change_high:.1f` over pairs of seeds) to {val}`fig4.top.score:.1f`; it is the largest of {val}`fig4.top.of`, and so large in part by luck, and the largest in a control is {val}`fig4.control.top:.1f`.

# %% [markdown]
# ### Against the truth
#
# Only of cells of this project's simulator it is known which gene programmes a training mixture holds.
# The area under the precision–recall curve says how well the scores tell these from the others; a mixture with other cells has no such truth, and is not in the table.

# %% tags=["hide-input"]
from datamix.analysis.key_genes import programmes_of
from datamix.project.manifest import read_manifest

manifest = read_manifest(results.root, results.profile)
recovered = []
for mixture in mixtures:
    present = programmes_of(mixture, results.profile, manifest)
    if present is None:
        continue
    part = table[table["mixture"] == mixture.name].set_index("source")
    area, chance = precision_recall(part["score"], present)
    is_present, found = part.index.isin(present), part["found"] == part["seeds"]
    recovered.append(
        {
            "Mixture": part["mixture_label"].iloc[0],
            "Area": area,
            "By chance": chance,
            "Present, found": f"{(found & is_present).sum()} of {is_present.sum()}",
            "Absent, found": f"{(found & ~is_present).sum()} of {(~is_present).sum()}",
        }
    )
import pandas as pd

recovered = pd.DataFrame(recovered, columns=["Mixture", "Area", "By chance", "Present, found", "Absent, found"])
for name, column in (("area", "Area"), ("chance", "By chance")):
    text = (
        f"{recovered[column].min():.2f} to {recovered[column].max():.2f}"
        if len(recovered)
        else "not known of these cells"
    )
    record(f"fig4.truth.{name}", text, unit="area under the curve", results=results)
show_table(recovered, but=dict.fromkeys(["Area", "By chance"], "{:.2f}"), index=False)

# %% [markdown]
# The area over these mixtures: {val}`fig4.truth.area`; by chance: {val}`fig4.truth.chance`.
#
# ## Genes behind a gain
#
# Of the added sets, which lifts {val}`fig4.drive.asked` furthest above the control of its size?
# And by how much does each gene's squared residual fall, from that control to that mixture?
# What is called a gain has an interval above zero that allows for all pairs of an added set and an evaluation set, as in [Figure 2](fig2): the largest of many differences is large in part by luck.

# %%
evaluations = results.profile.evaluations
outside = next((e for e, of in evaluations.items() if of.group == "out of distribution"), None)
summary = summarise(results.scores(baseline), mixtures)
candidates = summary[summary["mixture"].isin([m.name for m in mixtures if m.is_addition])]
# Where no set is called out of distribution, every one is asked.
asked_of = candidates[candidates["evaluation"].isin(evaluations if outside is None else [outside])]
furthest = candidates.loc[asked_of["over_control"].idxmax()]
evaluation = furthest["evaluation"]
gained = furthest["over_control_low_all"] > 0
compared = {"evaluation": evaluation, "mixture": furthest["mixture"], "reference": furthest["control"]}
gains = gene_gains(results.gene_scores(baseline), **compared)
member = gene_sets.groupby("target")["source"].agg(", ".join)
gains = gains.assign(symbol=symbols.loc[gains.index].to_numpy())
gains["sets"] = gains["symbol"].map(member).fillna("")
drawn = label_models(gains.assign(mixture=furthest["mixture"], evaluation=evaluation).reset_index(), results.profile)
names = {
    "mixture": drawn["mixture_label"].iloc[0],
    "control": mixture_label(furthest["control"], profile=results.profile),
    "evaluation": drawn["evaluation_label"].iloc[0],
}
if gained:
    title = "Genes behind the gain"
    which, shown = "whose mean squared residual falls most", drawn.head(20)
else:
    title = "Genes that change most, where there is no gain"
    which, shown = "whose mean squared residual changes most", drawn[drawn["gain"].abs().rank(ascending=False) <= 20]
save_panel(
    key_genes.changed_genes(shown, results.profile, mixture=furthest["mixture"]),
    "4c",
    data=drawn,
    alt=f"Bars of the twenty genes {which}, with their range over seeds and the gene sets they are in.",
    caption=f"**{title}**: {plain(names['mixture'])} against {plain(names['control'])} on {plain(names['evaluation'])}, the twenty genes {which}; lines: range over pairs of seeds; right: gene sets the gene is in. The source data hold all genes.",
    results=results,
)

# %% [markdown]
# ```{panel} 4c
# ```

# %% tags=["remove-cell"]
for name, label in names.items():
    record(f"fig4.drive.{name}", label, unit="", results=results)
record_interval(
    "fig4.drive.over_control", furthest, "over_control", simultaneous=True, unit="median R²", results=results
)
named_group = "an evaluation set" if outside is None else "the set out of distribution"
record("fig4.drive.asked", named_group, unit="", results=results)
record("fig4.drive.compared", furthest["compared"], unit="pairs", results=results)
if gained:
    driving = sets_that_gain(results.gene_scores(baseline), gene_sets, symbols, **compared)
    named = ", ".join(s.replace("_", " ") for s in driving[:3]) or "none"
    reading = "the interval lies above zero: there is a gain, and these are the genes behind it"
    concentrated = f"Gene sets among whose genes the gain is concentrated, with every seed: {named}"
else:
    reading = "the interval does not lie above zero: no gain is there to explain, and the panel shows what changes"
    concentrated = "Without a gain, no gene set is asked whether it holds one"
record("fig4.drive.reading", reading, unit="", results=results)
record("fig4.drive.sets", concentrated, unit="", results=results)
record("fig4.drive.genes", len(gains), unit="genes", results=results)
record("fig4.drive.better", (gains["low"] > 0).mean(), unit="share of genes", results=results)
record("fig4.drive.worse", (gains["high"] < 0).mean(), unit="share of genes", results=results)
record("fig4.drive.by_chance", 1 / comb(2 * len(seeds), len(seeds)), unit="share of genes", results=results)

# %% [markdown]
# Furthest above its control, {val}`fig4.drive.control`, lies {val}`fig4.drive.mixture` on {val}`fig4.drive.evaluation`, by {val}`fig4.drive.over_control:.3f` in median R² ({val}`fig4.drive.over_control_low:.3f` to {val}`fig4.drive.over_control_high:.3f`, which allows for all pairs, {val}`fig4.drive.compared` in number); {val}`fig4.drive.reading`.
# Of the {val}`fig4.drive.genes:,d` genes compared, {val}`fig4.drive.better:.0%` are predicted better than by the control with every pair of seeds, and {val}`fig4.drive.worse:.0%` worse; between trainings of one mixture it would be {val}`fig4.drive.by_chance:.0%` either way.
# {val}`fig4.drive.sets`.
# A squared residual also counts the level of a gene, which R², a correlation within each cell, does not; the two need not agree on single genes.
#
# ## Use it on your own data
#
# Any table of genes × factors, and any gene sets as rows of `source` and `target`:
#
# ```python
# import pandas as pd
# from datamix.analysis.enrichment import enrich
#
# loadings = pd.read_parquet("results/demo/models/blood/seed0/blood/loadings.parquet")
# genes = pd.read_csv("results/demo/corpora/genes.csv", index_col="gene")["symbol"]
# enrich(loadings.rename(index=genes), pd.read_csv("results/demo/corpora/gene_sets.csv"))
# ```

# %% tags=["hide-input"]
from datamix.project.provenance import versions

versions()
