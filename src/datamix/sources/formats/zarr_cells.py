"""Cells of a zarr store as anndata writes it, read through anndata."""

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.sources.formats.cell_file import CellFile, choose_matrix, layers_in_order, looks_like_counts
from datamix.sources.formats.gene_side import has_genes
from datamix.sources.formats.h5ad_rows import SLAB_BYTES, stack
from datamix.sources.formats.spool import Spool

_SAMPLED = 200_000


def is_zarr(folder: Path) -> bool:
    """Tell whether a folder is a zarr store."""
    return any((folder / name).exists() for name in (".zgroup", "zarr.json", ".zattrs", ".zmetadata"))


def open_zarr(folder: Path, *, matrix: str | None = None) -> CellFile:
    """Read what a store is, and choose the matrix with raw counts, as `open_h5ad_cells` does.

    Raises
    ------
    DatamixError
        If the store is no AnnData, or holds no raw counts.
    """
    import zarr

    group: Any = zarr.open_group(folder, mode="r")
    absent = [part for part in ("obs", "var") if part not in group]
    if absent:
        msg = f"{folder} is a zarr store without {', '.join(absent)}: it is not one that anndata wrote."
        raise DatamixError(msg, fix="take a store written by AnnData.write_zarr")
    layers = layers_in_order(group.get("layers", []))
    places = [p for p in ("X", "raw/X", *(f"layers/{name}" for name in layers)) if p in group]
    matrices: dict[str, Any] = {
        p: ad.io.sparse_dataset(group[p]) if isinstance(group[p], zarr.Group) else group[p] for p in places
    }
    counts = {place: looks_like_counts(_sample(group[place])) for place in places}
    place = choose_matrix({p: m.shape[1] for p, m in matrices.items()}, counts, wanted=matrix, where=str(folder))
    obs = ad.io.read_elem(group["obs"])
    var = ad.io.read_elem(group["raw/var" if place.startswith("raw/") else "var"])
    if has_genes(obs.index) and not has_genes(var.index):
        msg = f"{folder} has genes in place of its cells: obs are named {', '.join(map(str, obs.index[:3]))} …"
        raise DatamixError(msg, fix="write it again the other way round: adata.T.write_zarr(…)")
    names, source = obs.index.astype(str).to_numpy(dtype=object), matrices[place]
    if getattr(source, "format", "") == "csc":
        entries = (_entries(source[:, start : start + 256], start) for start in range(0, source.shape[1], 256))
        read_rows = Spool(entries, shape=source.shape).read
    else:
        read_rows = lambda rows: _rows(source, rows)  # noqa: E731
    note = f"raw counts are taken from {place}: {places[0]} holds none, or fewer genes"
    return CellFile(
        kind="zarr (anndata)",
        where=str(folder),
        matrix=place,
        var=var.set_axis(var.index.astype(str)).astype(str),
        n_cells=len(obs),
        columns=tuple(map(str, obs.columns)),
        read_obs=lambda columns: obs[list(columns)].reset_index(drop=True),
        read_names=lambda rows: names[rows],
        read_rows=read_rows,
        places=counts,
        notes=() if matrix or place == places[0] else (note,),
    )


def _sample(matrix: Any) -> np.ndarray:
    if hasattr(matrix, "shape"):
        return np.asarray(matrix[:20]).ravel()
    return np.asarray(matrix["data"][:_SAMPLED])


def _entries(columns: sparse.spmatrix, start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found = sparse.coo_matrix(columns)
    return found.row, found.col + start, found.data


def _rows(source: Any, rows: np.ndarray) -> sparse.csr_matrix:
    """Read rows (ascending), a slab of neighbouring ones at a time."""
    n_genes = source.shape[1]
    step = max(1, SLAB_BYTES // (4 * n_genes))
    pieces = []
    for slab in np.unique(rows // step):
        inside = rows[rows // step == slab]
        values = source[int(inside[0]) : int(inside[-1]) + 1]
        pieces.append(sparse.csr_matrix(values, dtype=np.float32)[inside - inside[0]])
    return stack(pieces, n_genes)
