"""Rows and columns of h5ad files, read piece by piece: X dense or CSR, current and legacy encodings.

Only the wanted rows are read, about `SLAB_BYTES` at a time, so that memory holds the block that is being built and one
slab, however large the file is.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from anndata import AnnData
from anndata.io import read_elem
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.sources.formats.blocks import FETCH_AGAIN, count_blocks, cut, make_block, require_columns

SLAB_BYTES = 32 << 20
"""Bytes of X read at a time."""
NAMES_AT_A_TIME = 1 << 14
"""Rows of a column of text read at a time."""
GAP = 1 << 16
"""CSR entries between two wanted rows that are read through rather than jumped over."""


@dataclass(frozen=True)
class Part:
    """The cells wanted of one h5ad file."""

    path: Path
    rows: np.ndarray
    """Row numbers (n_wanted,), in the order wanted."""
    obs: pd.DataFrame
    """Their columns, a row a wanted cell, indexed by cell name."""


def read_blocks(
    parts: Sequence[Part],
    *,
    var: pd.DataFrame,
    skip: int,
    block_cells: int,
    genes: np.ndarray | None = None,
    raw: bool = True,
) -> Iterator[AnnData]:
    """Yield the wanted cells in blocks; a block never spans two files.

    Parameters
    ----------
    parts
        The files and their cells, in order.
    var
        Indexed by gene name, a row a gene of the block.
    skip
        Blocks to pass over; nothing of them is read.
    block_cells
        Cells of a block at most.
    genes
        Columns of X that make the block (n_genes,); nothing means all.
    raw
        Whether to insist on raw counts.

    Yields
    ------
    AnnData, X = CSR float32.
    """
    cells_in_all = sum(len(part.rows) for part in parts)
    for part in parts:
        blocks = count_blocks(part.rows, block_cells=block_cells)
        if skip >= blocks:
            skip -= blocks
            continue
        with open_h5ad(part.path) as file:
            for piece in cut(part.rows, skip=skip, block_cells=block_cells):
                counts = read_rows(file, part.rows[piece])
                counts = counts if genes is None else counts[:, genes]
                raw_in = f"{part.path}: X" if raw else None
                yield make_block(counts, obs=part.obs.iloc[piece], var=var, raw_in=raw_in, cells_in_all=cells_in_all)
        skip = 0


@contextmanager
def open_h5ad(path: Path) -> Iterator[h5py.File]:
    """Open an h5ad file for reading.

    Raises
    ------
    DatamixError
        If the file is missing, compressed, truncated, no HDF5 file, or breaks while it is read.
    """
    if path.suffix == ".gz":
        msg = f"{path} is compressed; rows of an h5ad file can only be read from the unpacked file."
        raise DatamixError(msg, fix="set `unpack: true` for this file in data_manifest.yaml, or run gunzip on it")
    if not path.is_file():
        msg = f"{path} does not exist."
        raise DatamixError(msg, fix="run `datamix data fetch`")
    with contextlib.suppress(ImportError):
        import hdf5plugin  # noqa: F401 (its import makes zstd, blosc and others known to HDF5)
    try:
        # The cache serves neighbouring rows that share a compressed chunk.
        with h5py.File(path, "r", rdcc_nbytes=SLAB_BYTES) as file:
            yield file
    except OSError as error:
        if re.search(r"can't open directory|not registered|required filter|plugin", str(error)):
            msg = f"{path} is compressed with a filter that HDF5 does not have here, such as zstd or blosc ({error})."
            raise DatamixError(msg, fix="pip install hdf5plugin") from error
        msg = f"{path} cannot be read as an h5ad file: it is truncated or damaged ({error})."
        raise DatamixError(msg, fix=FETCH_AGAIN) from error


def shape_of(file: h5py.Group) -> tuple[int, int]:
    """Return the number of cells and genes.

    Raises
    ------
    DatamixError
        If X, obs or var is missing, X is stored by genes (CSC), or their lengths differ.
    """
    absent = [part for part in ("X", "obs", "var") if part not in file]
    if absent:
        msg = f"{file.file.filename} has no {', '.join(absent)}; it holds {', '.join(file) or 'nothing'}."
        raise DatamixError(msg, fix=FETCH_AGAIN)
    matrix = file["X"]
    if isinstance(matrix, h5py.Dataset):
        n_cells, n_genes = matrix.shape
    else:
        kind = _text(matrix.attrs.get("encoding-type", matrix.attrs.get("h5sparse_format", "csr")))
        if not kind.startswith("csr"):
            msg = f"{file.file.filename}: X is stored as {kind}, by genes; this reader takes CSR."
            raise DatamixError(msg, fix="read it with anndata, convert X to CSR, and write it again")
        n_cells, n_genes = (int(n) for n in matrix.attrs.get("shape", matrix.attrs.get("h5sparse_shape")))
    lengths = {axis: n_rows(file, axis) for axis in ("obs", "var")}
    expected = {"obs": n_cells, "var": n_genes}
    if not isinstance(matrix, h5py.Dataset):
        lengths["X/indptr"], expected["X/indptr"] = matrix["indptr"].shape[0], n_cells + 1
    for name, length in lengths.items():
        if length != expected[name]:
            msg = f"{file.file.filename}: X is {n_cells} × {n_genes}, but {name} has {length} entries."
            raise DatamixError(msg, fix=FETCH_AGAIN)
    return n_cells, n_genes


def n_rows(file: h5py.Group, axis: str) -> int:
    """Return the rows of `obs` or `var`."""
    table = file[axis]
    if isinstance(table, h5py.Dataset):
        return int(table.shape[0])
    index = _index(file, axis)
    for part in ("codes", "values"):
        if isinstance(index, h5py.Group) and part in index:
            index = index[part]
    return int(index.shape[0])


def read_names(file: h5py.Group, axis: str, *, rows: np.ndarray | None = None) -> np.ndarray:
    """Return the index of `obs` or `var` as text: all of it (n,), or some rows, ascending (n_rows,).

    As text, the names of millions of cells take hundreds of megabytes.
    """
    index = _index(file, axis)
    if isinstance(index, h5py.Group):  # text that may be missing, or categories
        names = _as_text(read_elem(index))
        return names if rows is None else names[rows]
    if rows is None:
        return _as_text(index[:])
    if not len(rows):
        return np.empty(0, dtype=object)
    return _as_text(index[int(rows[0]) : int(rows[-1]) + 1][rows - rows[0]])


def column_names(file: h5py.Group, axis: str) -> list[str]:
    """List the columns of `obs` or `var`, its index included."""
    table = file[axis]
    if isinstance(table, h5py.Dataset):  # anndata before 0.7: a compound table
        return list(table.dtype.names)
    return [name for name in table if name != "__categories"]


def read_columns(file: h5py.Group, axis: str, columns: Sequence[str], *, optional: Sequence[str] = ()) -> pd.DataFrame:
    """Read some columns of `obs` or `var`.

    Parameters
    ----------
    axis
        `obs` or `var`.
    columns
        Those that must be there.
    optional
        Those that are read if they are there.

    Returns
    -------
    A row a cell or gene; text as text (missing is the empty string), numbers as numbers.

    Raises
    ------
    DatamixError
        If a column is missing.
    """
    table = file[axis]
    found = column_names(file, axis)
    require_columns(found, columns, where=f"{file.file.filename}: {axis}")
    return pd.DataFrame({name: _column(table, name) for name in (*columns, *optional) if name in found})


def read_rows(file: h5py.Group, rows: np.ndarray, *, place: str = "X") -> sparse.csr_matrix:
    """Read rows of X, or of another matrix (`raw/X`, `layers/counts`).

    Parameters
    ----------
    rows
        Row numbers (n,), in any order, each once.

    Returns
    -------
    float32 CSR (n, n_genes), rows in the order asked for, column numbers sorted, each once.
    """
    matrix = file[place]
    order = np.argsort(rows, kind="stable")
    if isinstance(matrix, h5py.Dataset):
        n_genes = matrix.shape[1]
        pieces = list(_dense_pieces(matrix, rows[order]))
    else:
        n_genes = int(matrix.attrs.get("shape", matrix.attrs.get("h5sparse_shape"))[1])
        pieces = list(csr_pieces(matrix, rows[order], n_genes))
    block = stack(pieces, n_genes)
    return block if (np.diff(order) == 1).all() else block[np.argsort(order)]


def stack(pieces: list[sparse.csr_matrix], n_genes: int) -> sparse.csr_matrix:
    """Stack CSR pieces by rows and empty the list: each is let go once copied, so that memory holds the block once.

    Returns
    -------
    float32 CSR, column numbers sorted; a column that a row names twice, which is legal, has the sum.
    """
    indptr = np.cumsum(np.concatenate([np.zeros(1, np.int64), *(np.diff(p.indptr) for p in pieces)]))
    data, indices = np.empty(indptr[-1], np.float32), np.empty(indptr[-1], np.int32)
    start = 0
    pieces.reverse()
    while pieces:
        piece = pieces.pop()
        data[start : start + piece.nnz], indices[start : start + piece.nnz] = piece.data, piece.indices
        start += piece.nnz
    block = sparse.csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, n_genes))
    block.sum_duplicates()
    return block


def _dense_pieces(matrix: h5py.Dataset, rows: np.ndarray) -> Iterator[sparse.csr_matrix]:
    """Read slabs of whole HDF5 chunks, so that no chunk is decompressed twice, and keep the wanted rows."""
    row_bytes = matrix.shape[1] * matrix.dtype.itemsize
    chunk = matrix.chunks[0] if matrix.chunks else 1
    step = max(1, SLAB_BYTES // (row_bytes * chunk)) * chunk
    for slab in np.unique(rows // step):
        inside = rows[rows // step == slab]
        first, last = int(inside[0]), int(inside[-1]) + 1
        values = matrix[first:last]
        yield _compress(values if len(inside) == last - first else values[inside - first])


def _compress(values: np.ndarray) -> sparse.csr_matrix:
    """Turn a dense slab into CSR, as scipy does but in half the time: it looks for rows and columns of every value."""
    n_rows, n_columns = values.shape
    flat = np.flatnonzero(values)
    indptr = np.searchsorted(flat, np.arange(n_rows + 1) * n_columns)
    columns = flat - np.repeat(np.arange(n_rows) * n_columns, np.diff(indptr))
    return sparse.csr_matrix((values.ravel()[flat], columns.astype(np.int32), indptr), shape=values.shape)


def csr_pieces(group: h5py.Group, rows: np.ndarray, n_genes: int) -> Iterator[sparse.csr_matrix]:
    """Read spans of neighbouring rows (ascending)."""
    if not len(rows):
        return
    # Only the part of indptr that the rows need: it has an entry for every cell of the file.
    indptr = group["indptr"][int(rows[0]) : int(rows[-1]) + 2].astype(np.int64)
    rows = rows - rows[0]
    starts, stops = indptr[rows], indptr[rows + 1]
    limit = SLAB_BYTES // 8
    begin = 0
    for i in range(1, len(rows) + 1):
        if i < len(rows) and starts[i] - stops[i - 1] <= GAP and stops[i] - starts[begin] <= limit:
            continue
        lower, upper = int(starts[begin]), int(stops[i - 1])
        data, indices = group["data"][lower:upper], group["indices"][lower:upper]
        if len(indices) != upper - lower or (indices.size and not 0 <= indices.min() <= indices.max() < n_genes):
            msg = f"{group.file.filename}: X/indices does not fit X/indptr and {n_genes} genes."
            raise DatamixError(msg, fix=FETCH_AGAIN)
        span = indptr[rows[begin] : rows[i - 1] + 2] - lower
        piece = sparse.csr_matrix((data, indices, span), shape=(len(span) - 1, n_genes))
        yield piece if len(span) - 1 == i - begin else piece[rows[begin:i] - rows[begin]]
        begin = i


def _index(file: h5py.Group, axis: str) -> Any:
    table = file[axis]
    if isinstance(table, h5py.Dataset):
        name = next((n for n in ("index", "_index") if n in table.dtype.names), table.dtype.names[0])
        return table.fields(name)
    name = _text(table.attrs.get("_index", "index"))
    require_columns(table, [name], where=f"{file.file.filename}: {axis}")
    return table[name]


def _column(table: h5py.Group | h5py.Dataset, name: str) -> np.ndarray:
    if isinstance(table, h5py.Dataset):
        values = table.fields(name)[:]
        beside = f"uns/{name}_categories"
        if beside in table.parent:
            return _texts_of(values, _as_text(table.parent[beside][:]))
        return values if values.dtype.kind in "biuf" else _as_text(values)
    column = table[name]
    categories = None
    if isinstance(column, h5py.Dataset):
        # Legacy: codes in the column, categories beside, reached by a reference or by name.
        if "categories" in column.attrs:
            categories = table.file[column.attrs["categories"]]
        elif "__categories" in table and name in table["__categories"]:
            categories = table["__categories"][name]
    if categories is not None:
        return _texts_of(column[:], _as_text(categories[:]))
    if isinstance(column, h5py.Dataset) and h5py.check_string_dtype(column.dtype) is not None:
        return _read_repeated(column)
    values = read_elem(column)
    if isinstance(values, pd.api.extensions.ExtensionArray) and not isinstance(values, pd.Categorical):
        # Whole numbers and truth values of which some are missing.
        known = np.asarray(values.isna())
        return _as_text(values) if known.any() else _as_text(values.astype(object))
    return values if isinstance(values, np.ndarray) and values.dtype.kind in "biuf" else _as_text(values)


def _read_repeated(column: h5py.Dataset) -> np.ndarray:
    """Read text of which many rows have the same, piece by piece, each different text once in memory."""
    known: dict[Any, str] = {}
    texts = np.empty(column.shape, dtype=object)
    for start in range(0, len(texts), NAMES_AT_A_TIME):
        piece = column[start : start + NAMES_AT_A_TIME]
        for value in set(piece) - known.keys():
            known[value] = _text(value)
        texts[start : start + len(piece)] = [known[value] for value in piece]
    return texts


def _as_text(values: object) -> np.ndarray:
    if isinstance(values, pd.Categorical):
        names = values.categories.to_numpy()
        if names.dtype.kind == "f" and (names == np.floor(names)).all():
            names = names.astype(np.int64)  # donor 1, not 1.0
        return _texts_of(values.codes, _as_text(names))
    return np.array([_text(v) for v in np.asarray(values, dtype=object)], dtype=object)


def _texts_of(codes: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """Millions of cells share a few categories; code -1, the missing one, takes the last entry."""
    return np.array([*categories, ""], dtype=object)[codes]


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return "" if pd.isna(value) else str(value)
