# ---
# jupyter:
#   datamix:
#     reads: [composition, yardsticks, geneformer]
#     needs: {composition: true}
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
# # Figure 7: what each training set is worth
#
# Which data should I add?
# The paper adds one set at a time, at twice the cells and twice the steps of its baseline.
# Here every mixture has the same number of cells and of steps, and what differs is the shares of the sets: the corpus of the baseline, and the added ones.
# This figure is ours, and the paper has no numbers to hold it against.
#
# **Input:** per-cell scores of mixtures by shares (`composition/scores.parquet`); for ranks, also those of the mixtures of [Figure 2](fig2) under simple models (`scores/yardsticks/`) and, where the profile trains it, Geneformer.
# **Output:** panels 7a–7e, and the values that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # which data and settings: demo | mini | paper, or the name of another file in config/

# %%
import pandas as pd

from datamix.analysis.claims_of_shares import error_saved, trained_before
from datamix.analysis.share_tables import draw, rank_agreement, recommended, unseen_mixtures
from datamix.analysis.shapley import attribute
from datamix.analysis.two_families import beside_ldvae
from datamix.corpora.shares import coalitions
from datamix.figures import composition
from datamix.figures.labels import evaluation_label
from datamix.geneformer.tables import read_scores
from datamix.publishing.panels import save_panel
from datamix.publishing.results import Results
from datamix.publishing.website.text import show_table
from datamix.publishing.share_words import (
    fitted_in_words,
    law_in_words,
    left_aside,
    recommended_in_words,
    worth_in_words,
)
from datamix.publishing.values import record
from datamix.publishing.words import of_sets, range_in_words

results = Results(profile, notebook="fig7")
settings = results.profile.composition
scores = results.composition()
made = {"seeds": list(settings.seeds)}


def label(evaluation):
    return (
        evaluation_label(evaluation, profile=results.profile)
        if evaluation in results.profile.evaluations
        else "all sets alike"
    )


# %% [markdown]
# ## Every set, in the company of all others
#
# The {val}`fig7.blocks` sets, the corpus of the {val}`fig7.baseline` Baseline among them, are mixed in {val}`fig7.mixtures` ways, of {val}`fig7.cells:,d` cells each; trained seeds of each: {val}`fig7.seeds`.
# {val}`fig7.aside`
# All {val}`fig7.coalitions` combinations of the sets, in equal shares, are among them.
# The **Shapley value** of a set is what it adds to a combination that lacks it, averaged over all of them ([Shapley 1953](https://doi.org/10.1515/9781400881970-018)).
# The values of all sets add up to the median R² of the model that is trained on all.
# No training at all counts as 0, so that a part of each value is what any cells bring: sets are told apart by the differences.
# Below it stands what each set gives alone.

# %%
drawn = draw(scores)
attributed = attribute(drawn, coalitions(results.profile), blocks=results.profile.blocks)
maps = attributed[attributed["quantity"].isin(["shapley", "alone", "left_out"])].drop(columns="other")
save_panel(
    composition.value_maps(maps, results.profile),
    "7a",
    data=maps,
    alt="Three heat maps, training sets in rows and evaluation sets in columns: Shapley value, R² alone, and loss without.",
    caption="**What each training set is worth on each evaluation set**, in median R². "
    "Below each value its 95 % interval, simultaneous over the map. Colours run from the lowest to the highest value of a column.",
    results=results,
    made=made,
)

# %% [markdown]
# ```{panel} 7a
# ```

# %% tags=["remove-cell"]
blocks = results.profile.blocks
record("fig7.cells", settings.cells, unit="cells", results=results)
record("fig7.blocks", len(blocks), unit="sets", results=results)
record("fig7.coalitions", len(coalitions(results.profile)), unit="combinations", results=results)
record(
    "fig7.baseline",
    composition.block_label(results.profile.composed_baseline, results.profile),
    unit="",
    results=results,
)
record("fig7.mixtures", int(scores["mixture"].nunique()), unit="mixtures", results=results)
record("fig7.seeds", len(settings.seeds), unit="seeds", results=results)
record("fig7.aside", left_aside(blocks, results.profile), unit="", results=results)
shapley = attributed[attributed["quantity"] == "shapley"]
record("fig7.best", worth_in_words(shapley, results.profile), unit="", results=results)

# %% [markdown]
# {val}`fig7.best`
#
# ## Pairs that bring the same, and pairs that need each other
#
# The interaction of two sets is what both together add beyond the sum of what each adds, averaged over combinations of the others ([Grabisch & Roubens 1999](https://doi.org/10.1007/s001820050125)).
# It is negative where the two bring the same.
# Since no training counts as 0 and any cells bring something, most interactions are negative: a pair stands out against the other pairs, not against zero.

# %%
pairs = attributed[attributed["quantity"] == "interaction"]
save_panel(
    composition.interactions(pairs, results.profile),
    "7b",
    data=pairs,
    alt="Interaction of each pair of training sets on each evaluation set, with intervals.",
    caption="**Interactions of pairs**, in median R², with simultaneous 95 % intervals.",
    results=results,
    made=made,
)

# %% [markdown]
# ```{panel} 7b
# ```
#
# ## A law that can be wrong
#
# If R² follows the shares smoothly, mixtures that nobody trained can be predicted.
# A quadratic polynomial of the shares is fitted to the combinations and to two thirds of the mixtures of random shares, and predicts the last third; in three turns every mixture of random shares is predicted once.

# %%
points, accuracy = unseen_mixtures(scores, results.profile)
save_panel(
    composition.predicted_and_found(points, results.profile),
    "7c",
    data=points,
    alt="Median R² of mixtures that the law was not fitted to: predicted against found, one panel an evaluation set.",
    caption="**Mixtures that the law has not seen**: median R², predicted and found (mean over seeds); dotted: identity.",
    results=results,
    made=made,
)

# %% [markdown]
# ```{panel} 7c
# ```

# %% tags=["hide-input"]
table = accuracy.assign(evaluation=[label(e) for e in accuracy["evaluation"]]).rename(
    columns={
        "evaluation": "Evaluation set", "mixtures": "mixtures", "rank_correlation": "rank correlation", "error": "mean error",
        "error_of_average": "error of the average", "seed_distance": "distance of two seeds",
    }
)  # fmt: skip
but = {"mixtures": "{:.0f}", "rank correlation": "{:.2f}"}
show_table(table.set_index("Evaluation set"), "{:.4f}", but=but, missing="–")

# %% tags=["remove-cell"]
clear = error_saved(points)[-1] if len(points) else 0
record("fig7.law", law_in_words(accuracy, clear=clear), unit="", results=results)

# %% [markdown]
# {val}`fig7.law`
# Where the law's error is not smaller than the average's beyond its interval, the law cannot be told from no law.
#
# ## The mixtures that it recommends, trained
#
# For each evaluation set, and where there are several for all alike, the shares at which the law promises most were trained on as any other mixture.

# %%
advised = recommended(scores, results.second_round(), results.profile, drawn=drawn)
if len(results.profile.evaluations) == 1:  # what all sets alike ask, it asks
    advised = advised[advised["asked"].isin(results.profile.evaluations)]
save_panel(
    composition.recommended(advised, results.profile),
    "7d",
    data=advised,
    alt="Median R² of the recommended mixture, of equal shares and of the best set alone, found and predicted, for each evaluation set.",
    caption="**Recommended mixtures.** Median R² found, with 95 % interval, beside equal shares and the best set alone; crosses: predicted.",
    results=results,
    made=made,
)

# %% [markdown]
# ```{panel} 7d
# ```

# %% tags=["remove-cell"]
best = advised[advised["kind"] == "recommended"]
record("fig7.recommended", recommended_in_words(best), unit="", results=results)
fitted = fitted_in_words(trained_before(results.second_round(), results.profile), len(best))
record("fig7.fitted", fitted, unit="", results=results)

# %% [markdown]
# {val}`fig7.recommended`
# {val}`fig7.fitted`
# Whether the law predicts, and whether what it recommends is at least as good as equal shares, is tested over all sets at once in [Figure 5](claims).
#
# ## May a cheap model choose the data for a dear one?
#
# If simple models, or Geneformer, put the mixtures in the same order as the LDVAE does, a cheap one can choose the data for a dear one.
# Kendall's τ is 1 where two orders are the same, −1 where one is the reverse of the other.

# %%
grid = results.yardsticks(results.baselines[0])
agreements = [
    rank_agreement(scores).assign(over="mixtures of equal size"),
    rank_agreement(grid).assign(over="mixtures of Figure 2"),
]
geneformer = results.profile.geneformer
if geneformer is not None and results.baselines[0] in geneformer.baselines:
    both = beside_ldvae(read_scores(results.layout, results.baselines[0]), grid)
    agreements.append(rank_agreement(both).assign(over="mixtures of Figure 2"))
agreement = pd.concat(agreements, ignore_index=True)
save_panel(
    composition.rank_agreement(agreement, results.profile),
    "7e",
    data=agreement,
    alt="Kendall's τ between the ranks of mixtures under the LDVAE and under each other model, a point an evaluation set; grey: where unrelated rankings lie.",
    caption="**Do other models rank the mixtures alike?** Kendall's τ of median R² (Geneformer: log probability of a hidden gene), an evaluation set a point; open: between two seeds of the LDVAE; grey: 95 % of unrelated rankings of so many mixtures.",
    results=results,
)

# %% [markdown]
# ```{panel} 7e
# ```

# %% tags=["hide-input"]
rows = [
    {
        "Model": composition.FAMILIES[model],
        "Ranked": f"{part['mixtures'].iloc[0]} {over}",
        "τ with the LDVAE": range_in_words(part["tau"].min(), part["tau"].max(), spec=".2f"),
        "Unrelated, 95 %": f"up to {part['chance'].iloc[0]:.2f}",
        "Sets above that": f"{(part['tau'] > part['chance']).sum()} of {len(part)}",
    }
    for (over, model), part in agreement.groupby(["over", "model"], sort=False)
]
show_table(pd.DataFrame(rows), index=False)

# %% tags=["remove-cell"]
said = [
    f"{composition.FAMILIES[model]}, over {part['mixtures'].iloc[0]} {over}: τ of {range_in_words(part['tau'].min(), part['tau'].max(), spec='.2f')}, "
    f"above what unrelated rankings reach ({part['chance'].iloc[0]:.2f}) on {of_sets(int((part['tau'] > part['chance']).sum()), len(part))}."
    for (over, model), part in agreement.groupby(["over", "model"], sort=False)
]
record("fig7.ranks", " ".join(said).replace("-", "−"), unit="", results=results)
seeds = agreement.drop_duplicates(["over", "mixtures", "evaluation"])["tau_of_seeds"].dropna()
of_seeds = f"Between two seeds of the LDVAE, τ is {range_in_words(seeds.min(), seeds.max(), spec='.2f') if len(seeds) else ''}; the other models are compared with the mean over seeds, which is steadier."
record("fig7.ranks.seeds", of_seeds.replace("-", "−") if len(seeds) else "", unit="", results=results)
few = agreement[agreement["chance"] >= 1]["mixtures"]
no_use = (
    f" Of {few.max()} mixtures even full agreement would be no surprise among unrelated rankings, so that these points say nothing by themselves."
    if len(few)
    else ""
)
record("fig7.ranks.few", no_use, unit="", results=results)

# %% [markdown]
# {val}`fig7.ranks.seeds`{val}`fig7.ranks.few`
# The mixtures of Figure 2 differ in size as well, a sum of two sets having more cells than either, so that an agreement over them may be one on size.
#
# ## Use it on your own data
#
# A section `composition:` in a profile, then `make figure FIG=fig7 PROFILE=yours`; `datamix advise --profile yours` prints the same as a few lines.
# Shares and scores of all mixtures stand in `composition/mixtures.csv`, to fit a law of your own.
#
# ```python
# import pandas as pd
# from datamix.figures.composition import predicted_and_found
# from datamix.project.profile_files import read_profile
#
# table = pd.read_csv("results/demo/panels/fig7c.csv")
# predicted_and_found(table, read_profile("demo")).savefig("fig7c.svg")
# ```

# %% tags=["hide-input"]
from datamix.project.provenance import versions

versions()
