"""Any h5ad file with raw counts in X, read block by block."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from datamix.project.errors import DatamixError
from datamix.sources.formats.h5ad_rows import open_h5ad, read_columns, read_names, read_rows, shape_of


def read_h5ad(
    files: Mapping[str, Path],
    *,
    skip: int = 0,
    block_cells: int = 20_000,
    cell_type: str | None = None,
    donor: str | None = None,
    study: str | None = None,
    symbol: str | None = None,
    keep: Mapping[str, list[str]] | None = None,
) -> Iterator[AnnData]:
    """Read counts from an h5ad file, CSR or dense.

    Parameters
    ----------
    files
        One file.
    skip
        Blocks to pass over.
    block_cells
        Cells in a block.
    cell_type, donor, study
        The columns of `obs` with the cell type, the donor and the study.
    symbol
        The column of `var` with the gene symbols, where the genes are named by Ensembl id.
    keep
        For columns of `obs`, the values to keep; a cell is kept where all agree.

    Yields
    ------
    Blocks with X = CSR float32, and `obs.cell_type`, `donor`, `dataset` as far as their columns are named.

    Raises
    ------
    DatamixError
        If the file is not a whole h5ad file, lacks a column, or stores X by genes (CSC).
    """
    if len(files) != 1:
        msg = f"The reader 'h5ad' takes one file, the manifest entry lists {', '.join(files) or 'none'}."
        raise DatamixError(msg, fix="make the files datasets of their own in data_manifest.yaml")
    (path,) = files.values()
    columns = {"cell_type": cell_type, "donor": donor, "dataset": study}
    named = {new: old for new, old in columns.items() if old is not None}
    with open_h5ad(path) as file:
        n_cells, _ = shape_of(file)
        wanted = list(dict.fromkeys([*named.values(), *(keep or {})]))
        table = read_columns(file, "obs", wanted).astype(str)
        kept = np.ones(n_cells, dtype=bool)
        for column, values in (keep or {}).items():
            kept &= table[column].isin([str(value) for value in values]).to_numpy()
        obs = pd.DataFrame({new: table[old] for new, old in named.items()}, index=pd.RangeIndex(n_cells))
        var = pd.DataFrame(index=read_names(file, "var"))
        if symbol is not None:
            var["symbol"] = read_columns(file, "var", [symbol])[symbol].astype(str).to_numpy()
        wanted_rows = np.flatnonzero(kept)
        for start in range(skip * block_cells, len(wanted_rows), block_cells):
            rows = wanted_rows[start : start + block_cells]
            names = read_names(file, "obs", rows=rows)  # of one block: those of all cells would take most of the memory
            yield AnnData(read_rows(file, rows), obs=obs.iloc[rows].set_axis(names), var=var.copy())
