"""Cells of an R file: a matrix, a data frame, a Seurat object (versions 3 to 5) or a SingleCellExperiment, without R.

Layouts: the slots of Matrix's dgCMatrix, dgTMatrix, dgRMatrix and dgeMatrix; SeuratObject's Assay (`counts`) and Assay5
(`layers`, names in `cells` and `features`); SummarizedExperiment's `assays`, `colData` and `rowData`.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.sources.formats.cell_file import CellFile, choose_matrix, in_memory, looks_like_counts
from datamix.sources.formats.gene_side import genes_are_rows
from datamix.sources.formats.r_objects import (
    NamedMatrix,
    as_frame,
    as_matrix,
    is_matrix,
    members,
    r_class,
    r_kind,
    r_object,
    require_in_memory,
)
from datamix.sources.formats.text_tables import split_frame

_DEPTH = 4


def open_r(path: Path, *, matrix: str | None = None) -> CellFile:
    """Read what an R file holds, and choose the matrix with raw counts.

    Parameters
    ----------
    path
        An .rds or .RData file, whatever its name.
    matrix
        Where the matrix is, names and slots separated by `/` (`assays/RNA/counts`); nothing means that it is looked
        for, that of a Seurat object's active assay first.

    Raises
    ------
    DatamixError
        If the file cannot be read without R, or holds no matrix of raw counts with the names of genes.
    """
    content = r_object(path, "")
    if isinstance(content, dict) and len(content) == 1 and matrix is None:
        (content,) = content.values()  # the only object of an .RData file
    where = f"{path}"
    found = dict(_matrices(content, ""))
    if matrix is not None and matrix not in found:
        fits = [place for place in found if place.endswith(f"/{matrix}") or place.startswith(f"{matrix}/")]
        if len(fits) == 1:
            matrix = fits[0]
        elif not fits:
            found[matrix] = r_object(path, matrix)
    for place, value in found.items():
        require_in_memory(value, where=f"{where}: {place or 'its object'}")
    if not found:
        kind = r_kind(content)
        listed = ", ".join(members(content)) or "nothing"
        msg = f"{where}: its object is not a matrix but {kind}, and holds none ({listed})."
        raise DatamixError(msg, fix="save the matrix of counts from R: saveRDS(counts, 'counts.rds')")
    sizes = {place: _n_genes(value) for place, value in found.items()}
    counts = {place: looks_like_counts(_values(value)) for place, value in found.items()}
    place = choose_matrix(sizes, counts, wanted=matrix, where=where)
    layers = [p for p in found if _is_split(p) and counts[p]] if _is_split(place) and matrix is None else [place]
    sides = [_by_cells(content, p, found[p], where=f"{where}: {p or 'its object'}") for p in layers]
    named, rows, by_genes = (_joined([one for one, _, _ in sides]), *sides[0][1:])
    about_genes, about_cells = _tables(content)
    if rows is not None:
        about_genes, about_cells = (rows, about_cells) if by_genes else (about_genes, rows)
    var = pd.DataFrame(index=pd.Index(named.columns, dtype=object))
    if about_genes is not None and len(about_genes) == len(var):
        var = about_genes.set_axis(var.index).astype(str)
    obs = None
    if about_cells is not None:
        about_cells = about_cells.set_axis(about_cells.index.astype(str))
        obs = about_cells.reindex(named.rows) if not set(named.rows).isdisjoint(about_cells.index) else None
    first = next(iter(found))
    return in_memory(
        named.values,
        kind=f"R, {r_class(content) or 'data frame' if not isinstance(content, dict) else 'several objects'}",
        where=where,
        matrix=place,
        cells=named.rows,
        var=var,
        obs=obs,
        places=counts,
        notes=_notes(layers, first=first, asked=matrix is not None),
    )


def _is_split(place: str) -> bool:
    """Tell whether a place is one sample's layer of a Seurat object, as `split` leaves them: counts.s1, counts.s2."""
    return re.search(r"/layers/counts\.[^/]+$", place) is not None


def _by_cells(content: Any, place: str, value: Any, *, where: str) -> tuple[NamedMatrix, pd.DataFrame | None, bool]:
    named, rows = _named(content, place, value, where=where)
    by_genes = genes_are_rows(named.rows, named.columns, where=where)
    return (named.transposed() if by_genes else named), rows, by_genes


def _joined(layers: Sequence[NamedMatrix]) -> NamedMatrix:
    """Stack the cells of layers, over the genes that all have."""
    if len(layers) == 1:
        return layers[0]
    common = set(layers[0].columns).intersection(*(one.columns for one in layers[1:]))
    genes = [gene for gene in layers[0].columns if gene in common]
    values = [one.values[:, pd.Index(one.columns).get_indexer(genes)] for one in layers]
    cells = np.concatenate([one.rows for one in layers])
    return NamedMatrix(sparse.vstack(values).tocsr(), cells, np.asarray(genes, dtype=object))


def _notes(layers: Sequence[str], *, first: str, asked: bool) -> tuple[str, ...]:
    if len(layers) > 1:
        return (f"the layers of {len(layers)} samples are joined: {', '.join(p.rpartition('/')[2] for p in layers)}",)
    return () if asked or layers[0] == first else (f"raw counts are taken from {layers[0]}, not from {first}",)


def _matrices(content: Any, place: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Find matrices, those of the active assay and those called counts first."""
    if is_matrix(content):
        yield place, content
        return
    if depth > _DEPTH or isinstance(content, pd.DataFrame):
        return
    parts = members(content)
    if "assays" in parts:  # of a Seurat object or an experiment: nothing else in it holds counts
        parts = {"assays": parts["assays"]}
        active = str(np.ravel(members(content).get("active.assay", [""]))[0])
        if active in members(parts["assays"]):
            below = members(parts["assays"])
            parts = {f"assays/{name}": below[name] for name in sorted(below, key=lambda n: n != active)}
    for name in sorted(
        parts, key=lambda n: n.rpartition("/")[2].lower() not in {"counts", "raw", "layers", "listdata"}
    ):
        if name in {"Dimnames", "reductions", "graphs", "images", "scale.data"}:
            continue
        yield from _matrices(parts[name], f"{place}/{name}" if place else name, depth + 1)


def _n_genes(value: Any) -> int:
    # Which side holds the genes is not known yet; matrices of one object have the same cells.
    shape = members(value).get("Dim")
    return int(np.max(shape)) if shape is not None else int(max(np.shape(value)))


def _values(value: Any) -> np.ndarray:
    if isinstance(value, pd.DataFrame):
        numbers = value.select_dtypes("number")
        return numbers.to_numpy(dtype=float, na_value=np.nan).ravel()
    if "x" in members(value) and not hasattr(value, "coords"):
        return np.asarray(members(value)["x"], dtype=float)
    return np.asarray(getattr(value, "values", value), dtype=float).ravel()


def _named(content: Any, place: str, value: Any, *, where: str) -> tuple[NamedMatrix, pd.DataFrame | None]:
    """Return the matrix with names, which newer objects keep elsewhere, and what a data frame says beside counts."""
    if isinstance(value, pd.DataFrame):
        numbers, others = split_frame(value, where=where)
        return as_matrix(numbers, where=where), others
    names = _names_elsewhere(content, place)
    if names is None:
        return as_matrix(value, where=where), None
    return as_matrix(value, where=where, names=names), None


def _names_elsewhere(content: Any, place: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Find the names that an Assay5 keeps in its LogMaps, and an experiment in its tables."""
    parts = place.split("/")
    if parts[:1] != ["assays"]:
        return None
    assays = members(members(content)["assays"])
    assay = members(assays.get(parts[1])) if len(parts) > 1 and parts[1] in assays else {}
    if "layers" in assay and "features" in assay:
        sides = [_of_logmap(assay[side], parts[-1]) for side in ("features", "cells")]
        return (sides[0], sides[1]) if all(side is not None for side in sides) else None  # type: ignore[return-value]
    whole = members(content)
    cells = members(whole.get("colData")).get("rownames")
    genes = whole.get("NAMES")
    if genes is None:
        genes = members(whole.get("elementMetadata")).get("rownames")
    if genes is None:
        genes = members(
            members(whole.get("rowRanges")).get("ranges") or members(whole.get("rowRanges")).get("partitioning")
        ).get("NAMES")
    if cells is None or genes is None:
        return None
    return np.asarray(genes), np.asarray(cells)


def _of_logmap(table: Any, layer: str) -> np.ndarray | None:
    """Return the names that a LogMap, a table of truth values by name and layer, marks for a layer."""
    if not hasattr(table, "dims"):
        table = members(table).get(".Data", table)
    if not hasattr(table, "coords") or table.dims[0] not in table.coords:
        return None
    names = np.asarray(table.coords[table.dims[0]].values)
    marks = np.asarray(table.values).astype(bool)
    layers = [str(n) for n in table.coords[table.dims[1]].values] if table.dims[1] in table.coords else []
    return names[marks[:, layers.index(layer)]] if layer in layers else names


def _tables(content: Any) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Return what an object knows of its genes and of its cells."""
    parts = members(content)
    cells = parts.get("meta.data", parts.get("colData"))
    genes = parts.get("elementMetadata")
    if genes is None or not members(genes).get("listData"):
        genes = members(parts.get("rowRanges")).get("elementMetadata")
    return (as_frame(genes) if genes is not None else None), (as_frame(cells) if cells is not None else None)
