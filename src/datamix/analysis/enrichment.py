"""Key genes: the factors of a linear decoder, matched between models, ranked, and compared with known gene sets.

The paper's Figure 1D names "ranked factor loadings" and "enriched gene sets" (doi:10.1101/2025.02.19.639127); no
published script defines them, and what is here is ours.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import false_discovery_control, t

from datamix.project.errors import DatamixError

LEAST_GENES = 5
"""Gene sets with fewer genes in the model are left out."""

PERMUTATIONS = 100
"""How often genes are permuted, all factors alike, for what scores reach by chance."""

SEED = 0
"""Decides the permutations, ours and gseapy's."""


def enrich(loadings: pd.DataFrame, gene_sets: pd.DataFrame) -> pd.DataFrame:
    """Test every factor for every gene set: whether its genes have other loadings than the rest of the model's.

    decoupler's univariate linear model: the t-value of the regression of a factor's loadings on membership. The
    background is the genes of the model. False discovery rates (Benjamini–Hochberg) are over factors × sets. Since
    genes of a set go together for more reasons than the set (how strongly they are expressed, say), p-values alone are
    too kind; a set counts as found only where its t-value also exceeds what permuted genes give.

    Parameters
    ----------
    loadings
        Genes × factors; the index names genes as the sets do, by symbol.
    gene_sets
        A row a set and gene: `source`, `target`.

    Returns
    -------
    A row a (factor, set): `factor`, `source`, `genes` (of the set in the model), `score` (t), `p`, `fdr`, `null_high`
    (the 95th percentile, over permutations, of the largest absolute score of any factor and set), `found` (`fdr` below
    0.05 and the score beyond `null_high`). The sign of a factor, and so of a score, is arbitrary.

    Raises
    ------
    DatamixError
        If no gene set has five genes in the model.

    References
    ----------
    Badia-i-Mompel et al. 2022, doi:10.1093/bioadv/vbac016.
    """
    import decoupler

    loadings = loadings[~loadings.index.duplicated()].rename_axis(None)
    sets = gene_sets[gene_sets["target"].isin(loadings.index)].drop_duplicates(["source", "target"])
    sizes = sets["source"].value_counts()
    sizes = sizes[sizes >= LEAST_GENES]
    if sizes.empty:
        msg = f"No gene set has {LEAST_GENES} genes or more among the model's {len(loadings)} ({loadings.index[0]} …)."
        raise DatamixError(msg, fix="name genes by the same symbols in both")
    generator = np.random.default_rng(SEED)
    values = loadings.to_numpy().T
    permuted = [values[:, generator.permutation(len(loadings))] for _ in range(PERMUTATIONS)]
    names = [*loadings.columns, *(f"{i}" for i in range(PERMUTATIONS * len(values)))]
    data = pd.DataFrame(np.vstack([values, *permuted]), index=names, columns=loadings.index)
    scores, _ = decoupler.mt.ulm(data, sets.assign(weight=1.0), tmin=LEAST_GENES)
    scores = scores.loc[names, sizes.index]
    null = scores.iloc[len(values) :].abs().max(axis=1).to_numpy().reshape(PERMUTATIONS, -1).max(axis=1)
    found = scores.iloc[: len(values)].rename_axis(index="factor", columns="source").stack().rename("score")
    table = found.reset_index()
    table["genes"] = table["source"].map(sizes)
    table["p"] = 2 * t.sf(table["score"].abs(), len(loadings) - 2)
    table["fdr"] = false_discovery_control(table["p"])
    table["null_high"] = np.quantile(null, 0.95)
    table["found"] = (table["fdr"] < 0.05) & (table["score"].abs() > table["null_high"])
    return table[["factor", "source", "genes", "score", "p", "fdr", "null_high", "found"]]


def strongest(enrichment: pd.DataFrame) -> pd.DataFrame:
    """Keep, for each set, the factor whose score is furthest from zero: index `source`, the columns of `enrich`."""
    order = enrichment["score"].abs().sort_values(ascending=False, kind="stable").index
    return enrichment.loc[order].drop_duplicates("source").set_index("source")


def confirm(loadings: pd.DataFrame, enrichment: pd.DataFrame, gene_sets: pd.DataFrame) -> pd.DataFrame:
    """Ask a second method, gene set enrichment by running sums (gseapy prerank), about what `enrich` found.

    Parameters
    ----------
    loadings
        As in `enrich`.
    enrichment
        What `enrich` returned; the factors with a set that was found are asked again, all sets of them.
    gene_sets
        As in `enrich`.

    Returns
    -------
    The rows of `enrichment` that were found, with `nes` (normalised enrichment score), `prerank_fdr`, and `confirmed`
    (the same sign, and `prerank_fdr` below 0.25, that method's usual limit).

    References
    ----------
    Subramanian et al. 2005, doi:10.1073/pnas.0506580102; Fang et al. 2023, doi:10.1093/bioinformatics/btac757.
    """
    import gseapy

    found = enrichment[enrichment["found"]]
    loadings = loadings[~loadings.index.duplicated()]
    sets = gene_sets.groupby("source")["target"].apply(list).to_dict()
    tables = []
    for factor in found["factor"].unique():
        ranked = loadings[factor].sort_values(ascending=False)
        result = gseapy.prerank(
            rnk=ranked, gene_sets=sets, min_size=LEAST_GENES, max_size=len(ranked), permutation_num=200, seed=SEED,
            threads=1, outdir=None, no_plot=True,
        ).res2d  # fmt: skip
        renamed = result.rename(columns={"Term": "source", "NES": "nes", "FDR q-val": "prerank_fdr"})
        tables.append(renamed[["source", "nes", "prerank_fdr"]].assign(factor=factor))
    if not tables:
        return found.assign(nes=np.nan, prerank_fdr=np.nan, confirmed=False)
    asked = pd.concat(tables).astype({"nes": float, "prerank_fdr": float})
    table = found.merge(asked, on=["factor", "source"], how="left", validate="one_to_one")
    table["confirmed"] = (np.sign(table["nes"]) == np.sign(table["score"])) & (table["prerank_fdr"] < 0.25)
    return table


def precision_recall(scores: pd.Series, present: set[str]) -> tuple[float, float]:
    """Measure how well scores tell sets that are present from those that are not.

    Parameters
    ----------
    scores
        Set → score; higher means rather present.
    present
        The sets that are.

    Returns
    -------
    The area under the precision–recall curve (average precision), and its value by chance, the share of sets that are
    present; both 0 to 1.
    """
    from sklearn.metrics import average_precision_score

    truth: npt.NDArray[np.bool_] = scores.index.isin(present)
    return float(average_precision_score(truth, scores)), float(truth.mean())
