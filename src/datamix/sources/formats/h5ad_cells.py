"""Cells of an h5ad or h5mu file: in X, `raw` or a layer, stored by cells (CSR), by genes (CSC) or dense.

Layouts: https://anndata.readthedocs.io/en/latest/fileformat-prose.html, and that of anndata before 0.7; h5mu holds an
h5ad in `mod/<modality>`.
"""

from collections.abc import Callable, Iterator
from functools import partial

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.sources.formats.cell_file import CellFile, choose_matrix, layers_in_order, looks_like_counts
from datamix.sources.formats.gene_side import has_genes
from datamix.sources.formats.h5ad_rows import (
    SLAB_BYTES,
    column_names,
    csr_pieces,
    n_rows,
    read_columns,
    read_names,
    read_rows,
    stack,
)
from datamix.sources.formats.spool import Entries, Spool

_RNA = {"rna", "gex", "gene_expression", "gene expression"}
_DENSE_BY_GENES = 8 * SLAB_BYTES  # a row of chunks of a dense matrix that is larger is read by genes
_SAMPLED = 1 << 16
_MOST_GENES = 200_000  # a file of more rows than that has cells in them


def open_h5ad_cells(file: h5py.File, *, matrix: str | None = None, modality: str | None = None) -> CellFile:
    """Read what an h5ad or h5mu file is, and choose the matrix with raw counts.

    Parameters
    ----------
    file
        From `h5ad_rows.open_h5ad`; it must stay open while rows are read.
    matrix
        Where the counts are: `X`, `raw`, `layers/counts`; nothing means that they are looked for.
    modality
        Of an h5mu file; nothing means `rna` or `gex`, or the only one.

    Raises
    ------
    DatamixError
        If the file is no h5ad, its parts do not fit each other, or it holds no raw counts.
    """
    kind, group = _modality(file, modality)
    where = str(file.filename)
    absent = [part for part in ("obs", "var") if part not in group]
    if absent:
        msg = f"{where} has no {', '.join(absent)}; it holds {', '.join(group) or 'nothing'}. It is no h5ad file."
        raise DatamixError(msg, fix="take an h5ad file as anndata writes it")
    places = _places(group)
    sampled = {place: _sample(group[place]) for place in places}
    counts = {place: looks_like_counts(values) for place, values in sampled.items()}
    # Whether a gene is seen is no count of it: such a matrix is taken where there is no other.
    sizes = {p: _shape(group[p])[1] for p in sorted(places, key=lambda p: sampled[p].max(initial=0) <= 1)}
    place = choose_matrix(sizes, counts, wanted=matrix, where=where)
    shape, var_at = _shape(group[place]), "raw/var" if place.startswith("raw/") else "var"
    n_cells, n_genes = n_rows(group, "obs"), n_rows(group, var_at)
    if shape != (n_cells, n_genes):
        msg = f"{where}: {place} is {shape[0]} × {shape[1]}, but obs has {n_cells} rows and {var_at} {n_genes}."
        raise DatamixError(msg, fix="take a whole file: this one does not fit itself")
    names = read_names(group, var_at)
    turned = not has_genes(names) and n_cells <= _MOST_GENES and has_genes(read_names(group, "obs"))
    notes = []
    cells_at, genes_at = "obs", var_at
    if turned:
        shape, n_cells = (n_genes, n_cells), n_genes
        cells_at, genes_at = var_at, "obs"
        names = read_names(group, genes_at)
        notes.append("cells and genes stand in each other's place (obs are named like genes): read the other way round")
    var = read_columns(group, genes_at, [], optional=column_names(group, genes_at))
    var.index = pd.Index(names, dtype=object)
    if matrix is None and place != places[0]:
        notes.append(
            f"raw counts are taken from {place}: {places[0]} holds {_other(counts[places[0]], sizes, places[0])}"
        )
    return CellFile(
        kind=kind,
        where=where,
        matrix=place,
        var=var.astype(str),
        n_cells=n_cells,
        columns=tuple(name for name in column_names(group, cells_at) if name != "_index"),
        read_obs=lambda columns: read_columns(group, cells_at, list(columns)),
        read_names=lambda chosen: read_names(group, cells_at, rows=chosen),
        read_rows=_rows_turned(group[place], shape) if turned else _rows(group, place, shape),
        places=counts,
        notes=tuple(notes),
    )


def _other(counts: bool, sizes: dict[str, int], place: str) -> str:  # noqa: FBT001
    return f"{sizes[place]:,} genes only" if counts else "no raw counts"


def _modality(file: h5py.File, wanted: str | None) -> tuple[str, h5py.Group]:
    if "mod" not in file:
        return "h5ad (anndata)", file
    found = list(file["mod"])
    likely = [name for name in found if name.lower() in _RNA]
    chosen = wanted or (likely[0] if len(likely) == 1 else found[0] if len(found) == 1 else None)
    if chosen not in found:
        msg = f"{file.filename} holds the modalities {', '.join(found)}, and none is chosen as gene expression."
        raise DatamixError(msg, fix="name it in the dataset's options in data_manifest.yaml (modality: …)")
    return f"h5mu (mudata), modality {chosen}", file["mod"][chosen]


def _places(group: h5py.Group) -> list[str]:
    layers = layers_in_order(group.get("layers", {}))
    raw = ["raw/X"] if isinstance(group.get("raw"), h5py.Group) and "X" in group["raw"] else []
    found = [*(["X"] if "X" in group else []), *raw, *(f"layers/{name}" for name in layers)]
    return [place for place in found if _layout(group[place]) != "none"]


def _layout(matrix: h5py.Group | h5py.Dataset) -> str:
    if isinstance(matrix, h5py.Dataset):
        if matrix.ndim != 2:
            return "none"
        by_genes = (
            matrix.chunks is not None and matrix.chunks[0] * matrix.shape[1] * matrix.dtype.itemsize > _DENSE_BY_GENES
        )
        return "dense" if by_genes else "csr"
    kind = matrix.attrs.get("encoding-type", matrix.attrs.get("h5sparse_format", ""))
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    return next((layout for layout in ("csr", "csc") if kind.startswith(layout)), "none")


def _shape(matrix: h5py.Group | h5py.Dataset) -> tuple[int, int]:
    shape = (
        matrix.shape
        if isinstance(matrix, h5py.Dataset)
        else matrix.attrs.get("shape", matrix.attrs.get("h5sparse_shape"))
    )
    return int(shape[0]), int(shape[1])


def _sample(matrix: h5py.Group | h5py.Dataset) -> np.ndarray:
    """Read values of three places of a matrix: a piece of raw counts in front does not make it one."""
    if isinstance(matrix, h5py.Group):
        data = matrix["data"]
        starts = np.linspace(0, max(0, len(data) - _SAMPLED), 3).astype(int)
        return np.concatenate([data[start : start + _SAMPLED] for start in np.unique(starts)])
    n_rows = max(1, _SAMPLED // max(1, matrix.shape[1]))
    starts = np.linspace(0, max(0, matrix.shape[0] - n_rows), 3).astype(int)
    return np.concatenate([matrix[start : start + n_rows].ravel() for start in np.unique(starts)])


def _rows(group: h5py.Group, place: str, shape: tuple[int, int]) -> Callable[[np.ndarray], sparse.csr_matrix]:
    layout = _layout(group[place])
    if layout == "csr":
        return partial(read_rows, group, place=place)
    return Spool(_by_genes(group[place], layout), shape=shape).read


def _rows_turned(
    matrix: h5py.Group | h5py.Dataset, shape: tuple[int, int]
) -> Callable[[np.ndarray], sparse.csr_matrix]:
    """Read cells of a matrix of genes × cells, `shape` being cells × genes. CSC lists, there, what each cell holds."""
    if isinstance(matrix, h5py.Dataset):
        return Spool(_slabs_of_genes(matrix), shape=shape).read
    if _layout(matrix) == "csc":
        return lambda rows: stack(list(csr_pieces(matrix, rows, shape[1])), shape[1])
    return Spool(_by_genes(matrix, "csc"), shape=shape).read


def _slabs_of_genes(matrix: h5py.Dataset) -> Iterator[Entries]:
    chunk = matrix.chunks[0] if matrix.chunks else 1
    step = max(1, SLAB_BYTES // (matrix.shape[1] * matrix.dtype.itemsize) // chunk) * chunk
    for start in range(0, matrix.shape[0], step):
        slab = matrix[start : start + step]
        gene, cell = np.nonzero(slab)
        yield cell, gene + start, slab[gene, cell]


def _by_genes(matrix: h5py.Group | h5py.Dataset, layout: str) -> Iterator[Entries]:
    """Read a matrix from its first gene to its last, a slab at a time."""
    if layout == "dense":
        n_cells, n_genes = matrix.shape
        step = max(1, SLAB_BYTES // (n_cells * matrix.dtype.itemsize) // matrix.chunks[1]) * matrix.chunks[1]
        for start in range(0, n_genes, step):
            slab = matrix[:, start : start + step]
            row, column = np.nonzero(slab)
            yield row, column + start, slab[row, column]
        return
    indptr = matrix["indptr"][:].astype(np.int64)
    step = SLAB_BYTES // 8
    for start in range(0, int(indptr[-1]), step):
        stop = min(start + step, int(indptr[-1]))
        column = np.searchsorted(indptr, np.arange(start, stop), side="right") - 1
        yield matrix["indices"][start:stop], column, matrix["data"][start:stop]
