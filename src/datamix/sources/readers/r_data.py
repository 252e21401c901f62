"""Counts in R data files (.rda, .rds), read without R."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.sources.formats.cell_file import CellFile
from datamix.sources.formats.cell_labels import NOT_LABELLED, cell_types, labels
from datamix.sources.formats.missing import as_labels
from datamix.sources.formats.r_cells import open_r
from datamix.sources.formats.r_objects import NamedMatrix, r_object
from datamix.sources.readers.file import describe_genes


def read_r_data(
    files: Mapping[str, Path],
    *,
    skip: int = 0,
    block_cells: int = 20_000,
    counts: str | list[str] | None = None,
    matrix: str | None = None,
    ensembl: str | None = None,
    donor: str | Mapping[str, Any] | None = None,
    cell_type: str | Mapping[str, Any] | None = None,
) -> Iterator[ad.AnnData]:
    """Read a count matrix: `dgCMatrix`, plain matrix or data frame, genes × cells or cells × genes.

    Which dimension holds the genes is told by their names, never by its size.

    Parameters
    ----------
    files
        The dataset's files by name.
    skip
        Blocks to pass over.
    block_cells
        Cells in a block. R files can only be read whole, so this bounds what comes after, not the reading.
    counts
        The files that hold counts; nothing means the first. Several are versions of one file: their genes must be the
        same, a cell that occurs again is taken once and its counts must not differ.
    matrix
        The matrix in each file (`raw/counts`); nothing means the one that holds raw counts.
    ensembl
        Where each file keeps the genes' Ensembl ids, in the order of the matrix (`raw/row_info/ensembl_gene_id`).
        They become the gene names, and the matrix's own names the symbols.
    donor
        The donor of all cells, where there is one; or a rule, as for `cell_type`.
    cell_type
        `rule` and its options, see `formats.cell_labels`; or a column of the object's own table of cells; nothing means
        that the cells are not labelled.

    Yields
    ------
    Blocks with X = CSR raw counts, `obs.cell_type`, and `obs.donor` where it is known.

    Raises
    ------
    DatamixError
        If a file is not a named matrix of genes, or two versions disagree.
    """
    beside = {rule.get("file") for rule in (cell_type, donor) if isinstance(rule, Mapping)}
    first = next((name for name in files if name not in beside), next(iter(files)))
    names = [counts] if isinstance(counts, str) else counts or [first]
    read = [_read_one(files, name, matrix) for name in names]
    parts = [_whole(file) for file in read]
    genes = parts[0].columns
    for name, part in zip(names, parts, strict=True):
        if not np.array_equal(part.columns, genes):
            msg = f"{name} has other genes than {names[0]}: they are not versions of one file."
            raise DatamixError(msg, fix="make them datasets of their own in data_manifest.yaml")
    union = _union(parts, names)
    cells = pd.Index(union.rows, dtype=object)
    var = describe_genes(read[0], symbol=None, ensembl=None)
    if ensembl is not None:
        ids = np.asarray(r_object(files[names[0]], ensembl)).astype(str)
        var = pd.DataFrame({"symbol": genes}, index=pd.Index(ids, dtype=object))
    obs = pd.DataFrame(index=cells)
    if isinstance(cell_type, str):
        tables = [file.obs([cell_type]).set_axis(part.rows) for file, part in zip(read, parts, strict=True)]
        found = pd.concat(tables)[cell_type]
        obs["cell_type"] = as_labels(found[~found.index.duplicated()].reindex(cells), missing=NOT_LABELLED)
    else:
        obs["cell_type"] = cell_types(cells, files, **cell_type) if cell_type else NOT_LABELLED
    if donor is not None:
        obs["donor"] = donor if isinstance(donor, str) else labels(cells, files, what="donor", missing="", **donor)
    for start in range(skip * block_cells, len(cells), block_cells):
        rows = slice(start, start + block_cells)
        block = ad.AnnData(union.values[rows], obs=obs.iloc[rows].copy(), var=var.copy())
        block.uns["notes"] = list(read[0].notes)
        yield block


def _read_one(files: Mapping[str, Path], name: str, place: str | None) -> CellFile:
    if name not in files:
        msg = f"counts: the dataset has no file '{name}', only {', '.join(files)}."
        raise DatamixError(msg, fix="edit the dataset's options in data_manifest.yaml")
    return open_r(files[name], matrix=place)


def _whole(file: CellFile) -> NamedMatrix:
    """Return the matrix of one file as cells × genes."""
    every = np.arange(file.n_cells)
    return NamedMatrix(file.read_rows(every), file.read_names(every), file.var.index.to_numpy(dtype=object))


def _union(parts: list[NamedMatrix], names: list[str]) -> NamedMatrix:
    """Stack versions of one file, a cell once."""
    rows = np.concatenate([part.rows for part in parts])
    values = sparse.vstack([part.values for part in parts], format="csr")
    if len(parts) == 1:
        return NamedMatrix(values, rows, parts[0].columns)
    # Names that repeat inside one file are left for the corpus to refuse; here only versions are united.
    file_of = np.repeat(np.arange(len(parts)), [len(part.rows) for part in parts])
    first_file = pd.Series(file_of).groupby(rows).transform("min").to_numpy()
    again = file_of > first_file
    first = pd.Series(np.arange(len(rows))).groupby(rows).transform("min").to_numpy()
    differing = np.flatnonzero(again)[np.diff((values[again] != values[first[again]]).tocsr().indptr) > 0]
    if len(differing):
        msg = f"Cell '{rows[differing[0]]}' has other counts in {names[file_of[differing[0]]]} than before."
        raise DatamixError(msg, fix="make the files datasets of their own in data_manifest.yaml")
    return NamedMatrix(values[~again], rows[~again], parts[0].columns)
