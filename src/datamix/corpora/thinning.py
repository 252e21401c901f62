"""Cells thinned to a depth: fewer molecules of the same cell, so that sets differ by their cells and not by depth.

Each molecule is kept with one probability, as if the library had been sequenced less (binomial thinning): a cell with
more counts than the depth has as many in expectation, and one with fewer stays whole. Nothing is written: cells are
thinned when they are read, and a cell is thinned alike wherever the same seed draws it.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse

from datamix.corpora.genes import counts_of_cells, read_genes
from datamix.project.layout import Layout


@dataclass(frozen=True)
class Thinning:
    """How cells are thinned."""

    depth: int
    """Counts in the shared genes that a cell has left, in expectation."""
    seed: int


def baseline_depth(layout: Layout) -> int:
    """Return the median counts, in the shared genes, of the cells that mixtures by shares take as their baseline.

    Those of all cells of the corpus that have any; a piece of it is in memory at a time.
    """
    profile = layout.profile
    corpus: Path = layout.corpus(profile.baselines[profile.composed_baseline].dataset)
    counts = counts_of_cells(corpus, read_genes(layout)["gene"].to_numpy())
    return round(float(np.median(counts[counts > 0])))


def thin(
    counts: sparse.csr_matrix, thinning: Thinning, *, dataset: str, rows: npt.NDArray[np.int64]
) -> sparse.csr_matrix:
    """Thin cells.

    Parameters
    ----------
    counts
        Whole-numbered counts of the shared genes, CSR, (n_cells, n_genes); not changed.
    thinning
        To what depth, and by which seed.
    dataset, rows
        Where the cells are from, (n_cells,): each has a random stream of its own.

    Returns
    -------
    CSR float32, the same cells and genes in order.
    """
    totals = np.asarray(counts.sum(axis=1)).ravel()
    data = counts.data.astype(np.float32)
    for cell in np.flatnonzero(totals > thinning.depth):
        of = slice(counts.indptr[cell], counts.indptr[cell + 1])
        # Not hash(): that differs from process to process.
        generator = np.random.default_rng((thinning.seed, zlib.crc32(dataset.encode()), int(rows[cell])))
        data[of] = generator.binomial(np.rint(counts.data[of]).astype(np.int64), thinning.depth / totals[cell])
    thinned = sparse.csr_matrix((data, counts.indices.copy(), counts.indptr.copy()), shape=counts.shape)
    thinned.eliminate_zeros()
    return thinned
