"""Key genes of mixtures: which gene sets one gains and loses, and which genes a gain in prediction rests on."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from datamix.analysis.enrichment import enrich, strongest
from datamix.corpora.mixtures import Mixture
from datamix.project.errors import DatamixError
from datamix.project.manifest import Manifest, read_manifest
from datamix.project.profile import Profile
from datamix.sources.simulator.reader import programmes_in


def sets_of_mixtures(
    loadings: Mapping[tuple[str, int], pd.DataFrame], gene_sets: pd.DataFrame, mixtures: list[Mixture]
) -> pd.DataFrame:
    """Test every model's factors for every gene set, and compare each mixture with the baseline.

    Parameters
    ----------
    loadings
        (mixture, seed) → genes × factors, the index being symbols.
    gene_sets
        A row a set and gene: `source`, `target`.
    mixtures
        The mixtures on one baseline, the baseline first.

    Returns
    -------
    A row a (mixture, set): `mixture`, `source`, `genes`; `score`, the largest absolute t-value of any factor, averaged
    over seeds, with `score_low`, `score_high` (the smallest and largest of a seed); `found`, the number of seeds whose
    model holds the set (`enrichment.enrich`), of `seeds`; `change` of the score against the baseline, with
    `change_low`, `change_high` over all pairs of a seed of either; and `verdict`: "gained" (found with every seed of
    the mixture, with none of the baseline), "lost" (the reverse), or "" .
    """
    tables = []
    for (mixture, seed), of_model in loadings.items():
        best = strongest(enrich(of_model, gene_sets))
        tables.append(best[["genes", "score", "found"]].assign(mixture=mixture, seed=seed).reset_index())
    scores = pd.concat(tables, ignore_index=True)
    scores["score"] = scores["score"].abs()
    baseline = scores[scores["mixture"] == mixtures[0].name].set_index("source")
    rows = []
    for mixture_name in (m.name for m in mixtures):
        for source, part in scores[scores["mixture"] == mixture_name].groupby("source", sort=False):
            before = baseline.loc[[source]]
            changes = np.subtract.outer(part["score"].to_numpy(), before["score"].to_numpy())
            gained = bool(part["found"].all() and not before["found"].any())
            lost = bool(before["found"].all() and not part["found"].any())
            rows.append(
                {
                    "mixture": mixture_name,
                    "source": source,
                    "genes": part["genes"].iloc[0],
                    "score": part["score"].mean(),
                    "score_low": part["score"].min(),
                    "score_high": part["score"].max(),
                    "found": int(part["found"].sum()),
                    "seeds": len(part),
                    "change": part["score"].mean() - before["score"].mean(),
                    "change_low": changes.min(),
                    "change_high": changes.max(),
                    "verdict": "gained" if gained else "lost" if lost else "",
                }
            )
    return pd.DataFrame(rows)


def gene_gains(gene_scores: pd.DataFrame, *, evaluation: str, mixture: str, reference: str) -> pd.DataFrame:
    """Measure, gene by gene, how much better one mixture predicts an evaluation set than another.

    A gene's mean squared residual is the sum of its residual variance and its squared mean residual. What it falls by,
    from `reference` to `mixture`, is the gene's gain; the gains of all genes add up to the fall of the squared error.
    That is not R², a squared correlation within each cell, but the same prediction measured by gene.

    Parameters
    ----------
    gene_scores
        A row a (seed, mixture, evaluation, gene): `residual_mean`, `residual_variance`.
    evaluation
        The evaluation set.
    mixture, reference
        The mixtures that are compared; the control is the fair reference.

    Returns
    -------
    Index `gene`, the largest gain first; `gain` (squared log1p counts per 10,000), averaged over seeds; `low`, `high`,
    the smallest and largest over all pairs of a seed of either. Where the mixtures do not differ, all pairs of n seeds
    of either agree in sign by chance: in one of `comb(2 * n, n)` genes upwards, and in as many downwards.
    """
    before, after = _errors(gene_scores, evaluation, reference), _errors(gene_scores, evaluation, mixture)
    pairs = (before.to_numpy()[:, :, None] - after.loc[before.index].to_numpy()[:, None, :]).reshape(len(before), -1)
    columns = {"gain": pairs.mean(axis=1), "low": pairs.min(axis=1), "high": pairs.max(axis=1)}
    return pd.DataFrame(columns, index=before.index).sort_values("gain", ascending=False, kind="stable")


def sets_that_gain(
    gene_scores: pd.DataFrame,
    gene_sets: pd.DataFrame,
    symbols: pd.Series,
    *,
    evaluation: str,
    mixture: str,
    reference: str,
) -> list[str]:
    """List gene sets among whose genes the gain of a mixture is concentrated, whichever seed is looked at.

    The test is that of factors (`enrichment.enrich`), on the gain of each seed as on a factor. It permutes genes, and
    knows nothing of how trainings differ; so a set counts only where every seed has it.

    Parameters
    ----------
    gene_scores, evaluation, mixture, reference
        As in `gene_gains`.
    gene_sets
        A row a set and gene: `source`, `target`.
    symbols
        Gene → symbol, as the sets name it.

    Returns
    -------
    The sets, that of the largest smallest score of a seed first.
    """
    before, after = _errors(gene_scores, evaluation, reference), _errors(gene_scores, evaluation, mixture)
    gains = (before - after.loc[before.index]).rename(index=symbols.to_dict()).add_prefix("seed ")
    tested = enrich(gains, gene_sets)
    gained = tested.assign(gained=tested["found"] & (tested["score"] > 0)).groupby("source")
    scores = gained["score"].min()[gained["gained"].all()]
    return list(scores.sort_values(ascending=False).index)


def _errors(gene_scores: pd.DataFrame, evaluation: str, mixture: str) -> pd.DataFrame:
    """Return mean squared residuals, genes × seeds."""
    part = gene_scores[(gene_scores["evaluation"] == evaluation) & (gene_scores["mixture"] == mixture)]
    error = part["residual_mean"] ** 2 + part["residual_variance"]
    return part.assign(error=error).pivot(index="gene", columns="seed", values="error")


def match_factors(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Match the factors of two models one to one, so that the sum of absolute cosines is largest.

    Factors have neither order nor sign: those of a model trained again come in another order.

    Parameters
    ----------
    first, second
        Loadings, genes × factors, the same genes in the same order.

    Returns
    -------
    A row a pair, in the order of `first`: `first`, `second` (factor names), `cosine` (−1 to 1; its sign says whether
    the factors point the same way).

    Raises
    ------
    DatamixError
        If the genes differ.
    """
    if not first.index.equals(second.index):
        msg = f"Factors are matched over the same genes; the first model has {len(first)}, the second {len(second)}."
        raise DatamixError(msg, fix="match models of the same profile, or reindex one by the genes of the other")
    unit = [loadings.to_numpy() / np.linalg.norm(loadings, axis=0).clip(1e-12) for loadings in (first, second)]
    cosine = unit[0].T @ unit[1]
    rows, columns = linear_sum_assignment(-np.abs(cosine))
    return pd.DataFrame(
        {"first": first.columns[rows], "second": second.columns[columns], "cosine": cosine[rows, columns]}
    )


def rank_genes(loadings: pd.DataFrame, *, n: int = 5) -> pd.DataFrame:
    """List the genes with the strongest loadings of each factor.

    Parameters
    ----------
    loadings
        Genes × factors; the index names the genes.
    n
        Genes a factor, by absolute loading.

    Returns
    -------
    A row a (factor, rank), the strongest first: `factor`, `rank` (1 …), `gene`, `loading`.
    """
    tables = []
    for factor in map(str, loadings.columns):
        strongest = loadings[factor].sort_values(key=np.abs, ascending=False, kind="stable").head(n)
        table = pd.DataFrame({"gene": strongest.index, "loading": strongest.to_numpy()})
        tables.append(table.assign(factor=factor, rank=np.arange(1, len(table) + 1)))
    return pd.concat(tables, ignore_index=True)[["factor", "rank", "gene", "loading"]]


def strength(loadings: pd.DataFrame) -> pd.Series:
    """Give the share of each factor in the summed squared loadings, centred over genes; the largest first."""
    squares = ((loadings - loadings.mean()) ** 2).sum()
    return (squares / squares.sum()).sort_values(ascending=False)


def programmes_of(mixture: Mixture, profile: Profile, manifest: Manifest | None = None) -> set[str] | None:
    """Return the simulated programmes that are active in the training cells of a mixture.

    Parameters
    ----------
    mixture
        One of the profile's.
    profile
        The profile.
    manifest
        Says which simulated corpus each dataset is, and which programmes are switched off in it; that of the project
        when not given.

    Returns
    -------
    Their names; None where a dataset of the mixture is not of this project's simulator, so that the truth is not known.
    """
    manifest = manifest or read_manifest(profile=profile)
    datasets = {profile.baselines[mixture.baseline].dataset} if mixture.group != "alone" else set()
    if mixture.added in profile.added:
        datasets |= set(profile.added[mixture.added].datasets)
    present: set[str] = set()
    for dataset in datasets:
        entry = manifest.dataset(dataset)
        if entry.reader != "simulated":
            return None
        options = entry.options
        present |= programmes_in(options["corpus"]) - set(options.get("without", ()))
    return present
