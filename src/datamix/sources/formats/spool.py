"""Matrices that are stored by genes, read by cells: entries in any order go to a temporary file, sorted into buckets.

One pass over the source, whatever its size; memory holds one piece of it, or the cells that are asked for.
"""

import tempfile
from collections.abc import Iterable

import numpy as np
from scipy import sparse

from datamix.sources.formats.h5ad_rows import stack

BUCKET = 1024
"""Cells whose entries are kept together."""
_ENTRY = np.dtype([("row", np.int32), ("column", np.int32), ("value", np.float32)])
Entries = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Cells, genes (both from 0) and counts."""


class Spool:
    """The entries of a matrix of cells × genes.

    Parameters
    ----------
    pieces
        Entries, in any order; those of one cell and gene are summed. They are written to a file in the folder for
        temporary files (TMPDIR), 12 bytes each, which vanishes with the spool.
    shape
        Cells and genes.
    """

    def __init__(self, pieces: Iterable[Entries], *, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the spool)
        self._bounds: list[np.ndarray] = []
        n_buckets = -(-shape[0] // BUCKET)
        start = 0
        for row, column, value in pieces:
            bucket = (row // BUCKET).astype(np.uint16 if n_buckets < 1 << 16 else np.int64)  # short ones sort faster
            order = np.argsort(bucket, kind="stable")
            entries = np.empty(len(row), _ENTRY)
            entries["row"], entries["column"], entries["value"] = row[order], column[order], value[order]
            self._bounds.append(start + np.searchsorted(bucket[order], np.arange(n_buckets + 1)))
            entries.tofile(self._file)
            start += len(row)
        self._file.flush()

    def __del__(self) -> None:
        self._file.close()

    def read(self, rows: np.ndarray) -> sparse.csr_matrix:
        """Return cells by row number (ascending) as float32 CSR."""
        pieces = []
        for bucket in np.unique(rows // BUCKET):
            parts = [self._part(bounds[bucket], bounds[bucket + 1]) for bounds in self._bounds]
            entries = np.concatenate([np.empty(0, _ENTRY), *parts])
            first = int(bucket) * BUCKET
            size = (min(BUCKET, self.shape[0] - first), self.shape[1])
            piece = sparse.csr_matrix((entries["value"], (entries["row"] - first, entries["column"])), shape=size)
            pieces.append(piece[rows[rows // BUCKET == bucket] - first])
        return stack(pieces, self.shape[1])

    def _part(self, start: int, stop: int) -> np.ndarray:
        if start == stop:
            return np.empty(0, _ENTRY)
        self._file.seek(int(start) * _ENTRY.itemsize)
        return np.fromfile(self._file, _ENTRY, int(stop - start))
