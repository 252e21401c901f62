"""Cells for Geneformer, a chunk at a time: counts, and the total over all genes of the cell's own source."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from datamix.corpora.corpus import read_obs, read_rows
from datamix.corpora.mixtures import Part
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout
from datamix.sources.formats.raw_counts import require_counts

CELLS_AT_A_TIME = 4_000
OBS = ["cell_type", "donor", "dataset"]


@dataclass(frozen=True)
class Cells:
    """A chunk of cells.

    Raises
    ------
    DatamixError
        If a value is not a whole number from 0 up, or a cell's total is below its counts.
    """

    counts: sparse.csr_matrix
    """Raw counts (n_cells, n_genes)."""
    genes: npt.NDArray[np.object_]
    """Ensembl ids (n_genes,)."""
    totals: npt.NDArray[np.float64]
    """Total counts of each cell (n_cells,), over all genes that were measured."""
    obs: pd.DataFrame
    """`cell_type`, `donor`, `dataset`, indexed by cell name."""

    def __post_init__(self) -> None:
        require_counts(self.counts, cells=self.obs.index, genes=self.genes, where="Cells for Geneformer")
        sums = np.asarray(self.counts.sum(axis=1)).ravel()
        short = np.flatnonzero(self.totals < sums * (1 - 1e-6))
        if short.size:
            row = int(short[0])
            msg = f"Cell '{self.obs.index[row]}' has total_counts {self.totals[row]:g}, but {sums[row]:g} counts."
            raise DatamixError(msg, fix="prepare the corpus again; total_counts is the sum over all genes")

    def per_total(self, target: float) -> sparse.csr_matrix:
        """Return the counts scaled so that each cell's total over all genes is `target`, float64, without zeros."""
        scaled = self.counts.astype(np.float64)
        scaled.eliminate_zeros()
        rows = np.repeat(np.arange(scaled.shape[0]), np.diff(scaled.indptr))
        scaled.data = scaled.data / self.totals[rows] * target
        return scaled


def read_cells(layout: Layout, parts: Sequence[Part], genes: Iterable[str], *, skip: int = 0) -> Iterator[Cells]:
    """Yield the cells of a mixture in chunks of at most `CELLS_AT_A_TIME`, each of one corpus.

    Parameters
    ----------
    layout
        Where the corpora lie.
    parts
        Which rows of which corpora. Rows are read in the order of the file, so that the disk reads forward.
    genes
        Ensembl ids (n_genes,) wanted; one that a corpus does not have counts zero.
    skip
        Chunks to pass over without reading them.
    """
    wanted = np.array(list(genes), dtype=object)
    for part in parts:
        obs = read_obs(layout.corpus(part.dataset))
        rows = np.sort(part.rows)
        for start in range(0, len(rows), CELLS_AT_A_TIME):
            if skip:
                skip -= 1
                continue
            piece = rows[start : start + CELLS_AT_A_TIME]
            counts = read_rows(layout.corpus(part.dataset), piece, wanted)
            chosen = obs.iloc[piece]
            yield Cells(counts, wanted, chosen["total_counts"].to_numpy(dtype=np.float64), chosen[OBS])


def draw_cells(part: Part, n: int, *, seed: int) -> Part:
    """Draw the cells that are evaluated, without replacement.

    The published evaluation draws without a seed, which cannot be repeated (fault 12): under both protocols this draw
    has one.

    Parameters
    ----------
    part
        The cells of an evaluation set.
    n
        How many; all, where there are fewer.
    seed
        Of the draw.

    Returns
    -------
    The corpus and the rows drawn, ascending.
    """
    if len(part.rows) <= n:
        return part
    return Part(part.dataset, np.sort(np.random.default_rng(seed).choice(part.rows, n, replace=False)))
