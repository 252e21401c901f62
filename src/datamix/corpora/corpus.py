"""Corpora as every later step reads them: whole, or some rows and genes of one that is larger than memory."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.sources.formats.h5ad_rows import open_h5ad, read_names, shape_of
from datamix.sources.formats.h5ad_rows import read_rows as read_h5_rows

OBS = ("cell_type", "donor", "dataset", "total_counts", "mito_fraction")
"""The columns that `obs` of every corpus has, first and in this order."""
_ROWS_AT_A_TIME = 4_000
_SMALL = 2_000_000
"""Counts that are not 0 of a corpus that is kept once read: 16 MB."""


def read_corpus(path: Path, *, backed: bool = False) -> ad.AnnData:
    """Read a corpus.

    Parameters
    ----------
    path
        Its h5ad file.
    backed
        Leave X on disk.

    Raises
    ------
    DatamixError
        If the file is missing, is not h5ad, or lacks a column that every corpus has.
    """
    with open_corpus(path) as file:
        absent = [c for c in OBS if c not in file["obs"]] + (["var.symbol"] if "symbol" not in file["var"] else [])
    if absent:
        msg = f"{path} has no {', '.join(absent)}: it is not a corpus as this version writes it."
        raise DatamixError(msg, fix=f"delete it and run: datamix prepare {path.stem}")
    return ad.read_h5ad(path, backed="r" if backed else None)


def read_obs(path: Path) -> pd.DataFrame:
    """Read the annotation of a corpus's cells, and leave its counts on disk."""
    adata = read_corpus(path, backed=True)
    obs = adata.obs
    adata.file.close()
    return obs


def n_cells(path: Path) -> int:
    """Return the number of cells of a corpus without reading them."""
    with open_corpus(path) as file:
        return shape_of(file)[0]


def read_rows(path: Path, rows: npt.ArrayLike, genes: Sequence[str] | npt.NDArray[Any]) -> sparse.csr_matrix:
    """Read some cells of a corpus from disk; memory holds the result and little more.

    Parameters
    ----------
    path
        The corpus.
    rows
        Row numbers (n_rows,), in any order; one may occur again.
    genes
        Ensembl ids (n_wanted,), unique; one that the corpus does not have gives a column of zeros.

    Returns
    -------
    CSR float32 raw counts, shape (n_rows, n_wanted), in the order asked for.

    Raises
    ------
    DatamixError
        If the corpus is missing, or has no such row.
    """
    return read_parts([(path, rows)], genes)


def read_parts(
    parts: Sequence[tuple[Path, npt.ArrayLike]], genes: Sequence[str] | npt.NDArray[Any]
) -> sparse.csr_matrix:
    """Read cells of several corpora, one part below the other, as `read_rows` reads those of one.

    Where a part has many cells it is read twice, first for the number of genes that each cell has: put together from
    pieces, or brought into another order, the counts would be in memory twice.
    """
    names = tuple(genes)
    asked = [(path, *np.unique(np.asarray(rows, dtype=np.int64).ravel(), return_inverse=True)) for path, rows in parts]
    few = [list(_pieces(p, rows, names)) if len(rows) <= _ROWS_AT_A_TIME else None for p, rows, _ in asked]
    sizes = [np.zeros(1, dtype=np.int64)]
    for (path, rows, back), pieces in zip(asked, few, strict=True):
        of_rows = [np.diff(piece.indptr) for piece in pieces or _pieces(path, rows, names)]
        sizes += [np.concatenate(of_rows)[back]] if of_rows else []
    indptr = np.cumsum(np.concatenate(sizes))
    data, indices = np.empty(indptr[-1], np.float32), np.empty(indptr[-1], np.int32)
    before = 0
    for (path, rows, back), pieces in zip(asked, few, strict=True):
        places, start = np.argsort(back, kind="stable"), 0
        for piece in pieces or _pieces(path, rows, names):
            first, last = np.searchsorted(back[places], (start, start + piece.shape[0]))
            of_piece = places[first:last]
            rows_of = back[of_piece] - start
            begin, end = piece.indptr[rows_of].tolist(), piece.indptr[rows_of + 1].tolist()
            for to, i, j in zip(indptr[before + of_piece].tolist(), begin, end, strict=True):
                data[to : to + j - i], indices[to : to + j - i] = piece.data[i:j], piece.indices[i:j]
            start += piece.shape[0]
        before += len(back)
    result = sparse.csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, len(names)))
    result.sum_duplicates()  # brings the genes of each cell into order
    return result


def _pieces(path: Path, rows: npt.NDArray[np.int64], genes: tuple[str, ...]) -> Iterator[sparse.csr_matrix]:
    """Read rows of a corpus, ascending and each once, some thousand at a time."""
    with open_corpus(path) as file:
        n_rows, _ = shape_of(file)
        if len(rows) and not 0 <= rows[0] <= rows[-1] < n_rows:
            msg = f"{path} has {n_rows:,} cells; rows {rows[0]:,} to {rows[-1]:,} were asked for."
            raise DatamixError(msg, fix="draw again from the corpus as it is now")
        stat = path.stat()
        state = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        target = _columns_of(path, state, genes)
        columns = np.flatnonzero(target >= 0)
        small = _whole(path, state) if file["X/data"].size <= _SMALL else None
        for start in range(0, len(rows), _ROWS_AT_A_TIME):
            some = rows[start : start + _ROWS_AT_A_TIME]
            piece = read_h5_rows(file, some) if small is None else small[some]
            piece = piece if len(columns) == len(target) else piece[:, columns]
            placed = (piece.data, target[columns][piece.indices], piece.indptr)
            yield sparse.csr_matrix(placed, shape=(piece.shape[0], len(genes)))


@lru_cache(maxsize=8)
def _whole(path: Path, state: tuple[int, int, int]) -> sparse.csr_matrix:
    """Read a small corpus once for all mixtures: to unpack it again for each takes a tenth of their training."""
    with open_corpus(path) as file:
        return read_h5_rows(file, np.arange(shape_of(file)[0]))


@lru_cache(maxsize=16)
def _columns_of(path: Path, state: tuple[int, int, int], genes: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Return where each gene of a corpus stands among those wanted; −1: it does not.

    Kept as long as the file is in this state, since many mixtures are read from few corpora, with the same genes.
    """
    with open_corpus(path) as file:
        places = pd.Index(genes).get_indexer(pd.Index(read_names(file, "var")))
    places.flags.writeable = False
    return places


def open_corpus(path: Path) -> AbstractContextManager[h5py.File]:
    """Open the h5ad file of a corpus for reading; a missing or damaged one is a `DatamixError`."""
    if not path.is_file():
        msg = f"The corpus {path} does not exist."
        raise DatamixError(msg, fix=f"datamix prepare {path.stem} --profile {path.parent.parent.name}")
    return open_h5ad(path)
