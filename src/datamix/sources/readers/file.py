"""Counts of cells from one's own files, whatever their format: the reader that a user's entry names."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from datamix.project.errors import DatamixError
from datamix.sources.formats.blocks import count_blocks, cut, require_columns
from datamix.sources.formats.cell_file import CellFile
from datamix.sources.formats.cell_labels import labels
from datamix.sources.formats.missing import as_labels
from datamix.sources.formats.open_cells import open_cells
from datamix.sources.formats.r_objects import as_table

_ID = r"^(?:\w+_)?ENSG(?:R0|\d\d)\d{9}"
SYMBOLS = (
    "feature_name", "gene_name", "gene_names", "gene_symbols", "gene_symbol", "symbol", "symbols", "Symbol", "SYMBOL",
    "hgnc_symbol", "gene_short_name", "GeneName", "Gene", "name",
)  # fmt: skip
"""Columns in which files keep the symbols of genes that they name by Ensembl id."""
Rule = str | Mapping[str, Any]
"""A column of the file's table of cells, or a rule of `formats.cell_labels` for labels that stand elsewhere."""


def read_file(
    files: Mapping[str, Path],
    *,
    skip: int = 0,
    block_cells: int = 20_000,
    counts: str | list[str] | None = None,
    matrix: str | None = None,
    modality: str | None = None,
    cell_type: Rule | None = None,
    donor: Rule | None = None,
    study: Rule | None = None,
    symbol: str | None = None,
    ensembl: str | None = None,
    cells: str | None = None,
    name_with: str | list[str] | None = None,
    keep: Mapping[str, str | int | float | bool | list[str | int | float | bool]] | None = None,
) -> Iterator[AnnData]:
    """Read counts from files of any format that `formats.open_cells` knows.

    Parameters
    ----------
    files
        The dataset's files by name. Several with counts are samples of one dataset: their cells are stacked, over the
        genes that all have, each named by its file (`s1:AAAC-1`), which is also the donor where none is given.
    skip
        Blocks to pass over.
    block_cells
        Cells in a block.
    counts
        The files that hold counts; nothing means all that no rule names.
    matrix
        Where in each file the counts are: `X`, `raw` or `layers/counts` of an h5ad, `assays/RNA/counts` of an R object,
        the genome of a 10x file; nothing means the matrix that holds raw counts, the widest where there are several.
    modality
        Of an h5mu file; nothing means `rna`.
    cell_type, donor, study
        A column of the file's table of cells; or a rule for labels beside the counts, such as
        `{rule: column, file: meta.csv, column: label}`; `donor: {rule: constant, value: D1}` where it is one.
    symbol
        The column of the table of genes with their symbols, where they are named by Ensembl id; nothing means one of
        the usual names.
    ensembl
        The column with their Ensembl ids, where they are named by symbol; nothing means any column that holds ids.
    cells
        The file with a table of cells that stands beside the counts, its first column their names: its columns count
        as the counts' own. Each cell of the counts must be in it.
    name_with
        Columns that are put before the names of cells, where samples that were put together share barcodes.
    keep
        For columns of the table of cells, or for `donor`, `cell_type`, where a rule gives it, the value or values to
        keep; a cell is kept where all agree.

    Yields
    ------
    Blocks with X = CSR float32 raw counts, `obs.cell_type`, `donor`, `dataset` as far as they are asked for, and
    `var.ensembl` or `symbol` where the file has them.

    Raises
    ------
    DatamixError
        If a file cannot be read, a column or file is missing, or files of one dataset name genes differently.
    """
    rules = {"cell_type": cell_type, "donor": donor, "dataset": study}
    named = {name: rule for name, rule in rules.items() if rule is not None}
    chosen = _files_with_counts(files, counts, named, cells)
    beside = _table_beside(files, cells)
    with ExitStack() as opened:
        samples = open_cells(chosen, opened, matrix=matrix, modality=modality)
        genes, columns, notes = genes_in_all(samples, symbol=symbol, ensembl=ensembl)
        tables = [
            _cells(sample, file, files, named, keep or {}, name_with, beside, of=len(samples))
            for sample, file in samples
        ]
        in_all = sum(len(rows) for rows, _ in tables)
        for (_, file), (rows, obs), own in zip(samples, tables, columns, strict=True):
            blocks = count_blocks(rows, block_cells=block_cells)
            if skip >= blocks:
                skip -= blocks
                continue
            for piece in cut(rows, skip=skip, block_cells=block_cells):
                block = file.read_rows(rows[piece])
                table = obs.iloc[piece].copy()
                table.index = pd.Index(_names(table.pop("_prefix"), file.read_names(rows[piece])), dtype=object)
                found = AnnData(block if own is None else block[:, own], obs=table, var=genes.copy())
                found.uns |= {"notes": notes, "cells_in_all": in_all}
                yield found
            skip = 0


def _names(prefix: pd.Series, names: np.ndarray) -> list[str]:
    return [f"{before}:{name}" if before else str(name) for before, name in zip(prefix, names, strict=True)]


def _files_with_counts(
    files: Mapping[str, Path], counts: str | list[str] | None, rules: Mapping[str, Rule], cells: str | None
) -> dict[str, Path]:
    wanted = [counts] if isinstance(counts, str) else counts
    if wanted is None:
        beside = {cells, *(rule.get("file") for rule in rules.values() if isinstance(rule, Mapping))}
        # A table may stand in the object that holds the counts.
        return {name: path for name, path in files.items() if name not in beside} or dict(files)
    for name in wanted:
        if name not in files:
            msg = f"counts: the dataset has no file '{name}', only {', '.join(files)}."
            raise DatamixError(msg, fix="edit the dataset's options in data_manifest.yaml")
    return {name: files[name] for name in wanted}


def _table_beside(files: Mapping[str, Path], name: str | None) -> pd.DataFrame | None:
    if name is None:
        return None
    if name not in files:
        msg = f"cells: the dataset has no file '{name}', only {', '.join(files)}."
        raise DatamixError(msg, fix="edit the dataset's options in data_manifest.yaml")
    return as_table(files[name])


def _about_cells(file: CellFile, columns: list[str], beside: pd.DataFrame | None) -> pd.DataFrame:
    """Return columns of what is known of a file's cells: by the file itself, or by the table beside it."""
    if beside is None:
        return file.obs(columns)
    require_columns([*file.columns, *beside.columns], columns, where=f"{file.where}: obs, with the table beside it")
    names = pd.Index(file.read_names(np.arange(file.n_cells)).astype(str))
    absent, twice = names[~names.isin(beside.index)], beside.index[beside.index.duplicated()]
    if len(absent) or len(twice):
        what = f"has no cell '{absent[0]}' of {file.where}" if len(absent) else f"has cell '{twice[0]}' twice"
        msg = f"cells: the table beside the counts {what}."
        raise DatamixError(msg, fix="take the table that was made with these counts, a row a cell")
    own = file.obs([column for column in columns if column in file.columns]).reset_index(drop=True)
    return own.join(beside.loc[names, [c for c in columns if c not in file.columns]].reset_index(drop=True))


def _cells(
    sample: str,
    file: CellFile,
    files: Mapping[str, Path],
    rules: Mapping[str, Rule],
    keep: Mapping[str, Any],
    name_with: str | list[str] | None,
    beside: pd.DataFrame | None,
    *,
    of: int,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the rows of a file that are wanted, and a table of them: its columns, and `_prefix` of their names."""
    before = [name_with] if isinstance(name_with, str) else list(name_with or [])
    columns = [rule for rule in rules.values() if isinstance(rule, str)]
    # What a rule gives may be asked for, too, where the file has no column of that name.
    known = [*file.columns, *([] if beside is None else beside.columns)]
    ruled = [c for c in keep if c not in known and isinstance(rules.get(c), Mapping)]
    table = _about_cells(file, list(dict.fromkeys([*columns, *(c for c in keep if c not in ruled), *before])), beside)
    text = {str(column): as_labels(table[column], missing="") for column in table.columns}
    every = pd.Index(file.read_names(np.arange(file.n_cells)), dtype=object) if ruled else pd.Index([])
    text |= {c: labels(every, files, what=c, missing="", **rules[c]) for c in ruled}  # type: ignore[arg-type]
    kept = np.ones(file.n_cells, dtype=bool)
    for column, values in keep.items():
        listed = values if isinstance(values, Sequence) and not isinstance(values, str) else [values]
        kept &= np.isin(text[column].astype(str), [str(value) for value in listed])
        if not kept.any():
            there = ", ".join(sorted({value or "(missing)" for value in text[column]})[:10])
            asked = ", ".join(map(str, listed))
            msg = f"{file.where}: keep leaves no cell: '{column}' is none of {asked}; it has {there}."
            raise DatamixError(msg, fix="correct `keep` in the dataset's options in data_manifest.yaml")
    rows = np.flatnonzero(kept)
    obs = pd.DataFrame(index=pd.RangeIndex(len(rows)))
    for name, rule in rules.items():
        if isinstance(rule, str):
            obs[name] = text[rule][rows]
        else:
            cells = pd.Index(file.read_names(rows), dtype=object)
            obs[name] = labels(cells, files, what=name, missing="", **rule)
    if of > 1 and "donor" not in obs:
        obs["donor"] = sample
    parts = [*([[sample] * len(rows)] if of > 1 else []), *(text[column][rows] for column in before)]
    obs["_prefix"] = [":".join(values) for values in zip(*parts, strict=True)] if parts else ""
    return rows, obs


def describe_genes(file: CellFile, *, symbol: str | None, ensembl: str | None) -> pd.DataFrame:
    """Return the names of a file's genes, with `ensembl` or `symbol` where it has them in a column.

    Raises
    ------
    DatamixError
        If a column that is named does not exist.
    """
    var, columns = file.var, [c for c in (symbol, ensembl) if c is not None]
    absent = [c for c in columns if c not in var.columns]
    if absent:
        msg = f"{file.where}: var has no column '{absent[0]}'; it has {', '.join(var.columns) or 'none'}."
        raise DatamixError(msg, fix="name the column in the dataset's options in data_manifest.yaml")
    if len(var) and all(re.fullmatch(r"\d+", str(name)) for name in var.index[:50]):
        usual = next((c for c in (*SYMBOLS, *var.columns) if c in var.columns), None)
        var = var.set_axis(var[usual].astype(str)) if usual else var  # rows are numbered, names stand in a column
    by_id = is_ensembl(var.index)
    if symbol is None and by_id:
        symbol = next((c for c in SYMBOLS if c in var.columns), None)
    if ensembl is None and not by_id:
        ensembl = next((c for c in var.columns if var[c].astype(str).str.match(_ID).mean() > 0.5), None)
    found = pd.DataFrame(index=pd.Index(var.index.astype(str), dtype=object, name=None))
    for name, column in (("symbol", symbol), ("ensembl", ensembl)):
        if column is not None:
            found[name] = var[column].astype(str).to_numpy()
    return found


def is_ensembl(names: pd.Index) -> bool:
    """Tell whether most of these names are human Ensembl ids."""
    return len(names) > 0 and bool(names.astype(str).str.match(_ID).mean() > 0.5)


def genes_in_all(
    samples: Sequence[tuple[str, CellFile]], *, symbol: str | None, ensembl: str | None
) -> tuple[pd.DataFrame, list[np.ndarray | None], list[str]]:
    """Return the genes that all files have, their columns in each (None: all), and what is to be said."""
    genes = [describe_genes(file, symbol=symbol, ensembl=ensembl) for _, file in samples]
    notes = list(dict.fromkeys(note for _, file in samples for note in file.notes))
    if ensembl is None and "ensembl" in genes[0].columns:
        notes.append("Ensembl ids are taken from a column of its table of genes, beside their names")
    if all(table.index.equals(genes[0].index) for table in genes):
        return genes[0], [None] * len(genes), notes
    common = set(genes[0].index).intersection(*(table.index for table in genes[1:]))
    smallest = min(len(table) for table in genes)
    if len(common) < smallest / 2:
        listed = "; ".join(f"{name}: {', '.join(t.index[:2])} …" for (name, _), t in zip(samples, genes, strict=True))
        msg = f"The files of one dataset share {len(common):,} genes, of {smallest:,} and more: {listed}."
        raise DatamixError(msg, fix="make the files datasets of their own, or name their genes alike")
    shared = genes[0][genes[0].index.isin(common) & ~genes[0].index.duplicated()]
    columns: list[np.ndarray | None] = []
    for table in genes:
        first = table[~table.index.duplicated()]
        columns.append(np.flatnonzero(~table.index.duplicated())[first.index.get_indexer(shared.index)])
    sizes = ", ".join(f"{len(table):,}" for table in genes)
    return shared, columns, [*notes, f"of {sizes} genes the {len(shared):,} that all files have are read"]
