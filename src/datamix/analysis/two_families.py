"""Geneformer's scores brought together, and the two model families side by side."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from datamix.analysis.summary import summarise
from datamix.corpora.mixtures import Mixture
from datamix.scoring.kinds import LDVAE

MEASURES = {
    "correlation": "Gene-rank correlation",
    "log_probability": "Log probability of a hidden gene, nats",
}
"""Both are better the higher they are."""
REFERENCES = {
    "correlation": {"published": "Mean rank, evaluation cells", "corrected": "Mean rank, training cells"},
    "log_probability": {"unigram_log_probability": "Frequencies of genes in training"},
}
"""Measure → what stands beside it, which needs no model: column and label."""


def with_log_probabilities(scores: pd.DataFrame) -> pd.DataFrame:
    """Add `log_probability` and `unigram_log_probability`, the losses with their sign turned, nats a hidden gene."""
    return scores.assign(log_probability=-scores["loss"], unigram_log_probability=-scores["unigram_loss"])


def summarise_measure(scores: pd.DataFrame, mixtures: list[Mixture], *, measure: str) -> pd.DataFrame:
    """Summarise a measure, and what stands beside it, for each evaluation set and mixture.

    Parameters
    ----------
    scores
        As `datamix.geneformer.tables.read_scores` gives them.
    mixtures
        In the order of the result.
    measure
        A key of `MEASURES`.

    Returns
    -------
    As `summary.summarise` gives it (medians over cells, averaged over seeds, with intervals), and a column of
    medians for each of `REFERENCES[measure]`.
    """
    table = with_log_probabilities(scores)
    result = summarise(table, mixtures, measure=measure)
    per_seed = table.groupby(["evaluation", "mixture", "seed"], sort=False)[list(REFERENCES[measure])].median()
    references = per_seed.groupby(["evaluation", "mixture"], sort=False).mean().reset_index()
    return result.merge(references, on=["evaluation", "mixture"], how="left", validate="one_to_one")


def under_published_control(mixtures: Sequence[Mixture]) -> list[Mixture]:
    """Return the mixtures, the gain of each held against the published control, whatever the size of the added set."""
    return [replace(mixture, control=None) for mixture in mixtures]


def masked_measures(scores: pd.DataFrame) -> pd.DataFrame:
    """Pool the hidden genes of all cells of an evaluation set.

    Returns
    -------
    A row a (evaluation, mixture): `perplexity` and `unigram_perplexity` (exp of the mean loss over hidden genes, the
    seeds pooled), `accuracy` (share of hidden genes that the model names first, 0 to 1), `masked` (hidden genes).
    """
    known = scores[scores["masked"] > 0]
    weighted = known[["evaluation", "mixture", "masked", "correct"]].assign(
        loss=known["loss"] * known["masked"], unigram_loss=known["unigram_loss"] * known["masked"]
    )
    total = weighted.groupby(["evaluation", "mixture"], sort=False).sum()
    return pd.DataFrame(
        {
            "perplexity": np.exp(total["loss"] / total["masked"]),
            "unigram_perplexity": np.exp(total["unigram_loss"] / total["masked"]),
            "accuracy": total["correct"] / total["masked"],
            "masked": total["masked"],
        }
    ).reset_index()


def against_chance(
    pooled: pd.DataFrame, *, genes: Mapping[str, int], seen: Collection[tuple[str, str]]
) -> pd.DataFrame:
    """Hold perplexities against those of models that have learned nothing, or frequencies alone.

    Parameters
    ----------
    pooled
        As `masked_measures` gives it.
    genes
        Mixture → genes in its vocabulary: the perplexity of a model that gives every gene the same probability.
    seen
        (evaluation, mixture) where every cell type of the evaluation set is among the training cells, as `seen_types`
        gives them.

    Returns
    -------
    `pooled` and, a row a (evaluation, mixture): `genes`, `below_chance` (perplexity below `genes`), `of_unigram`
    (perplexity / that of the unigram model), `seen`.
    """
    pairs = zip(pooled["evaluation"], pooled["mixture"], strict=True)
    result = pooled.assign(genes=pooled["mixture"].map(genes), seen=[pair in seen for pair in pairs])
    return result.assign(
        below_chance=result["perplexity"] < result["genes"],
        of_unigram=result["perplexity"] / result["unigram_perplexity"],
    )


def seen_types(scores: pd.DataFrame, trained: Mapping[str, Collection[str]]) -> set[tuple[str, str]]:
    """List the (evaluation, mixture) whose cells are all of types that are among the training cells.

    Parameters
    ----------
    scores
        With `evaluation`, `mixture` and `cell_type`.
    trained
        Mixture → the cell types of its training cells.
    """
    types = scores.groupby(["evaluation", "mixture"])["cell_type"].unique().rename("types").reset_index()
    rows = zip(types["evaluation"].astype(str), types["mixture"].astype(str), types["types"], strict=True)
    return {(evaluation, mixture) for evaluation, mixture, of_set in rows if set(of_set) <= set(trained[mixture])}


def side_by_side(families: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Put what an added set brings under one model family beside what it brings under another.

    Parameters
    ----------
    families
        Name of a measure → its summary, as `datamix.analysis.summary.summarise` gives it.

    Returns
    -------
    A row a (measure, evaluation, mixture) of the additions, the control left out: `added`, `over_control`,
    `over_control_low`, `over_control_high` (the difference from the baseline with more of its own cells; its units are
    the measure's).
    """
    columns = ["evaluation", "mixture", "added", "over_control", "over_control_low", "over_control_high"]
    tables = []
    for name, summary in families.items():
        baseline = summary.loc[summary["group"] == "baseline", "mixture"].iloc[0]
        additions = summary[(summary["group"] == "added") & (summary["added"] != baseline)]
        tables.append(additions[columns].assign(measure=name))
    return pd.concat(tables, ignore_index=True)[["measure", *columns]]


def beside_ldvae(scores: pd.DataFrame, yardsticks: pd.DataFrame) -> pd.DataFrame:
    """Put Geneformer beside the LDVAEs of the same mixtures, for `share_tables.rank_agreement`, which asks for ranks.

    Parameters
    ----------
    scores
        As `datamix.geneformer.tables.read_scores` gives them.
    yardsticks
        Those of the same baseline, as `Results.yardsticks` gives them.

    Returns
    -------
    A row a (model, mixture, seed, evaluation, cell): `r2` is R² under the model `ldvae`, and the log probability of a
    hidden gene under `geneformer`.
    """
    columns = ["model", "mixture", "seed", "evaluation", "cell", "r2"]
    ranked = with_log_probabilities(scores).assign(model="geneformer").rename(columns={"log_probability": "r2"})
    return pd.concat([yardsticks.loc[yardsticks["model"] == LDVAE, columns], ranked[columns]], ignore_index=True)
