"""Tables of labels that lie beside a file of counts: found by what they name, the cells of that file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd

from datamix.corpora.likely_columns import Column, likely_cell_types, likely_donors
from datamix.project.errors import DatamixError
from datamix.sources.formats.archives import Member, open_member
from datamix.sources.formats.cell_labels import labels, named_cells
from datamix.sources.formats.r_objects import as_table, is_r
from datamix.sources.formats.text_tables import separator

LARGEST = 50_000_000
"""Bytes of a table at most: of counts that lie beside counts, most are larger, and reading them would take minutes."""
NAMED = 0.5
"""A table is one of these cells where it names at least so many of them."""
_TABLE = r"(?i)\.(?:csv|tsv|txt|rds|rda|rdata)(?:\.gz)?$"
_OF_MATRIX = r"(?i)(?:^|[_.-])(?:matrix|features?|genes?|barcodes?|peaks)\."
_WIDEST = 300  # columns; what has more are counts
_FEW = 20  # tables that are looked into
_NARROWER = 10


@dataclass(frozen=True)
class Beside:
    """What a table beside the counts says of their cells."""

    path: Path
    cells: int
    """Cells that it names."""
    cell_type: Column | None
    donor: Column | None


def tables_beside(path: Path) -> tuple[Path, ...]:
    """List the tables that lie beside a file, or in a folder, of counts, those called after it first."""
    stem = re.sub(r"\..*$", "", path.name).lower()
    inside = list(path.iterdir()) if path.is_dir() and not re.search(r"(?i)\.zarr$", path.name) else []
    beside = [p for p in path.parent.iterdir() if p != path]
    found = [
        p
        for p in (*sorted(inside), *sorted(beside, key=lambda p: (not p.name.lower().startswith(stem), p.name)))
        if p.is_file() and re.search(_TABLE, p.name) and not re.search(_OF_MATRIX, p.name)
        if not p.name.startswith(".") and p.stat().st_size <= LARGEST
    ]
    return tuple(found[:_FEW])


def find_labels(
    tables: Sequence[Path], cells: Sequence[pd.Index], *, stem: str
) -> tuple[Beside | None, tuple[Path, ...]]:
    """Find the table that names these cells, by its row names or a column, with or without the lane (`-1`).

    Parameters
    ----------
    tables
        As `tables_beside` lists them, without those that hold the counts.
    cells
        Names of cells, for each sample.
    stem
        What the file of counts is called, without its ending: a table called after it goes before others.

    Returns
    -------
    The table, or None; and those between which nothing decides: then none is taken.
    """
    found: list[Beside] = []
    for path in tables:
        beside = _read(path, cells)
        if beside is not None and (beside.cell_type is not None or beside.donor is not None):
            found.append(beside)
    named = [b for b in found if b.path.name.lower().startswith(stem.lower())] if stem else []
    chosen = named if len(named) == 1 else found
    return (chosen[0], ()) if len(chosen) == 1 else (None, tuple(b.path for b in chosen))


def _read(path: Path, cells: Sequence[pd.Index]) -> Beside | None:
    """Return what a table says of cells; None where it is none, or not of these."""
    try:
        if not is_r(path) and _n_columns(path) > _WIDEST:
            return None
        table = as_table(path)
        if len(table.columns) > _WIDEST or not table.columns.is_unique:
            return None
        names = [named_cells(table, own) for own in cells]
    except (DatamixError, ValueError, UnicodeDecodeError):  # whatever it is, it is no table of labels
        return None
    n_cells, matched = sum(map(len, cells)), sum(map(len, names))
    if matched < NAMED * n_cells:
        return None
    columns = [str(c) for c in table.columns]

    def column(name: str) -> pd.Series:
        files = {path.name: path}
        of_file = partial(labels, files=files, what="", missing="", rule="column", file=path.name, column=name)
        return pd.concat([pd.Series(of_file(own)) for own in cells])

    def read(name: str) -> pd.Series:
        try:
            return column(name).reset_index(drop=True)
        except DatamixError:  # names that stand twice, or no label at all
            return pd.Series([""] * n_cells, dtype=object)

    types = likely_cell_types(columns, read, n_cells=n_cells)
    if types is None and len(columns) == 1:
        # A named vector, or a table of names and one column: it is there for its labels.
        types = likely_cell_types(["label"], lambda _: read(columns[0]), n_cells=n_cells)
        types = None if types is None else replace(types, name=columns[0])
    donors = likely_donors(columns, read, n_cells=n_cells)
    return Beside(
        path,
        matched,
        None if types is None else replace(types, file=path.name),
        None if donors is None else replace(donors, file=path.name),
    )


def wide_tables(tables: Mapping[str, Path]) -> dict[str, Path]:
    """Leave out, of tables in a folder, those that are far narrower than the widest: labels beside counts."""
    widths = {name: _n_columns(path) for name, path in tables.items()}
    return {name: tables[name] for name, width in widths.items() if width >= max(widths.values()) / _NARROWER}


def _n_columns(path: Path) -> int:
    """Count the columns of a table of text by its first line."""
    with open_member(Member(path, path.name)) as stream:
        line = stream.readline()
    return len(re.split(separator(line), line.decode("utf-8", "replace")))


def without_counts(tables: Sequence[Path], files: Mapping[str, Path]) -> tuple[Path, ...]:
    """Leave out the files that hold the counts."""
    counts = {path.resolve() for path in files.values()}
    return tuple(path for path in tables if path.resolve() not in counts)
