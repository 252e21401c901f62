"""Molecules held out, and the best score that a cell of some depth allows (ours).

A cell that a model sees and is then compared with carries its own noise into its prediction: an autoencoder that copies
its input has an R² of 1. So each cell is split in two, each molecule to one half or the other by a coin (binomial
thinning): of Poisson counts the halves are independent, given what the cell expresses. A model that is shown one half
and compared with the other can only score by what the cell expresses; one that copies scores no more than the agreement
of the halves.

That agreement, the reliability, also says how well a cell can be predicted at all: by the classical theory of tests,
the squared correlation of a measurement with the truth equals its correlation with a second such measurement. It is
stepped up from halves to the whole cell: noise over signal, 1 / r − 1, is taken to fall by the same factor
from halves to the whole as from quarters to halves, which is measured. Spearman and Brown's factor, one half, holds for
measurements that add up, and log1p counts do not: it makes the ceiling too high by 0.03 in R² and more, on simulated
cells, whose truth is known (`tests/scoring/test_held_out_molecules.py`).

References
----------
Spearman 1910, doi:10.1111/j.2044-8295.1910.tb00206.x; Brown 1910, doi:10.1111/j.2044-8295.1910.tb00207.x. Thinning for
validation: Neufeld et al. 2022, doi:10.1093/biostatistics/kxac047.
"""

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from datamix.corpora.normalise import chunks
from datamix.scoring.correlation import CHUNK_CELLS, correlate, target_of

Halves = tuple[ad.AnnData, ad.AnnData]


def split_molecules(cells: ad.AnnData, *, seed: int) -> Halves:
    """Split each cell in two, each molecule to either half with probability one half.

    Parameters
    ----------
    cells
        Whole-numbered counts, CSR; not changed.
    seed
        Decides the split.

    Returns
    -------
    Two sets of the same cells and genes, CSR float32, whose counts add up to those given.
    """
    counts = sp.csr_matrix(cells.X)
    whole = np.rint(counts.data).astype(np.int64)
    first = np.random.default_rng(seed).binomial(whole, 0.5)
    one, other = (
        ad.AnnData(_without_zeros(counts, data), obs=cells.obs.copy(), var=cells.var.copy())
        for data in (first, whole - first)
    )
    return one, other


def ceilings(cells: ad.AnnData, *, variable: pd.Index, seed: int) -> pd.DataFrame:
    """Estimate how well each cell can be predicted, given its depth.

    Parameters
    ----------
    cells
        Counts, CSR, on the models' genes (`datamix.corpora.normalise.align`).
    variable
        The genes that cells are compared on.
    seed
        Decides the splits.

    Returns
    -------
    Index `cell`, in order: `reliability`, the correlation of the two halves of `split_molecules` with the same seed
    (−1 to 1): the most that a perfect model can have of R² when it is compared with a half, and as r the most that a
    copy of the other half can have; `ceiling`, the R² of a perfect model that is compared with the whole cell (0 to 1).
    NaN where a half does not vary.
    """
    halves = split_molecules(cells, seed=seed)
    quarters = [split_molecules(half, seed=seed + 1 + i) for i, half in enumerate(halves)]
    reliability = agreement(*halves, variable=variable)
    # Quarters of different halves: they have no molecule in common, as those of one half have not.
    of_quarters = (
        agreement(quarters[0][0], quarters[1][0], variable=variable)
        + agreement(quarters[0][1], quarters[1][1], variable=variable)
    ) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        noise, noise_of_quarters = 1 / reliability - 1, 1 / of_quarters - 1
    known = (reliability > 0) & (of_quarters > 0)
    factor = float(np.median(noise[known] / noise_of_quarters[known])) if known.any() else 0.5
    # More molecules never add noise; at best they add up as Spearman and Brown have it.
    factor = min(max(factor, 0.5), 1.0)
    ceiling = np.where(reliability > 0, 1 / (1 + factor * noise), np.where(np.isnan(reliability), np.nan, 0.0))
    return pd.DataFrame({"reliability": reliability, "ceiling": ceiling}, index=cells.obs_names.rename("cell"))


def agreement(one: ad.AnnData, other: ad.AnnData, *, variable: pd.Index) -> np.ndarray:
    """Correlate the log1p counts per 10,000 of each cell in two measurements of it, over some genes: (n_cells,)."""
    chosen = np.flatnonzero(one.var_names.isin(variable))
    r = np.empty(one.n_obs)
    for (rows, counts), (_, others) in zip(chunks(one, CHUNK_CELLS), chunks(other, CHUNK_CELLS), strict=True):
        r[rows] = correlate(target_of(counts, chosen), target_of(others, chosen)).numpy()
    return r


def _without_zeros(pattern: sp.csr_matrix, data: np.ndarray) -> sp.csr_matrix:
    matrix = sp.csr_matrix(
        (data.astype(np.float32), pattern.indices.copy(), pattern.indptr.copy()), shape=pattern.shape
    )
    matrix.eliminate_zeros()
    return matrix
