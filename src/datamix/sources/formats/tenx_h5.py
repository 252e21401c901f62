"""Cells of 10x Genomics' HDF5 files: Cell Ranger 3 and later (`matrix`), and 2 (a group a genome).

Layout: https://www.10xgenomics.com/support/software/cell-ranger/latest/analysis/outputs/cr-outputs-h5-matrices.
"""

from functools import partial

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.sources.formats.cell_file import CellFile, only_genes
from datamix.sources.formats.h5ad_rows import csr_pieces, stack

_OF_FEATURE = {"name": "symbol", "feature_type": "feature_types", "genome": "genome"}


def is_tenx_h5(file: h5py.File) -> bool:
    """Tell whether an HDF5 file has the layout of either version."""
    return bool(_genomes(file))


def open_tenx_h5(file: h5py.File, *, matrix: str | None = None) -> CellFile:
    """Read what a file is; `matrix` names the genome where a file of version 2 has several.

    Raises
    ------
    DatamixError
        If the file has several genomes and none is named.
    """
    where = str(file.filename)
    genomes = _genomes(file)
    if (matrix is None and len(genomes) > 1) or (matrix is not None and matrix not in genomes):
        msg = f"{where} holds counts of the genomes {', '.join(genomes)}; expected {matrix or 'one of them, named'}."
        raise DatamixError(msg, fix="name the human one in the dataset's options in data_manifest.yaml (matrix: …)")
    group = file[matrix or genomes[0]]
    n_genes, n_cells = (int(n) for n in group["shape"][:])
    if "features" in group:
        features = group["features"]
        names = _text(features["id"])
        known = {new: _text(features[old]) for old, new in _OF_FEATURE.items() if old in features}
    else:
        names, known = _text(group["genes"]), {"symbol": _text(group["gene_names"])} if "gene_names" in group else {}
    barcodes = _text(group["barcodes"])
    return only_genes(
        CellFile(
            kind="10x HDF5, Cell Ranger 3 or later" if "features" in group else "10x HDF5, Cell Ranger 2",
            where=where,
            matrix=group.name.strip("/"),
            var=pd.DataFrame(known, index=pd.Index(names, dtype=object)),
            n_cells=n_cells,
            columns=(),
            read_obs=lambda _: pd.DataFrame(index=range(n_cells)),
            read_names=lambda rows: barcodes[rows],
            read_rows=partial(_rows, group, n_genes),
        )
    )


def _rows(group: h5py.Group, n_genes: int, rows: np.ndarray) -> sparse.csr_matrix:
    # Stored by barcode: columns of genes × barcodes are rows of cells × genes.
    return stack(list(csr_pieces(group, rows, n_genes)), n_genes)


def _genomes(file: h5py.File) -> list[str]:
    parts = {"data", "indices", "indptr", "shape", "barcodes"}
    return [name for name in file if isinstance(file[name], h5py.Group) and parts <= set(file[name])]


def _text(column: h5py.Dataset) -> np.ndarray:
    return np.array([v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in column[:]], dtype=object)
