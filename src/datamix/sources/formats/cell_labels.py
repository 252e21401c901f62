"""Cell types that a source keeps apart from its counts: in a table, a mean, marker proteins or the cells' names."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datamix.project.errors import DatamixError
from datamix.sources.formats.blocks import nearest
from datamix.sources.formats.missing import as_labels
from datamix.sources.formats.r_objects import as_table

NOT_LABELLED = "not labelled"
_LANE = r"-\d+$"  # 10x appends -1 to barcodes; tables often leave it out


def cell_types(cells: pd.Index, files: Mapping[str, Path], *, rule: str, **options: Any) -> np.ndarray:
    """Give each cell a type, as `labels` does; `not labelled` where the rule has nothing to say."""
    return labels(cells, files, what="cell_type", missing=NOT_LABELLED, rule=rule, **options)


def labels(
    cells: pd.Index,
    files: Mapping[str, Path],
    *,
    what: str,
    missing: str,
    rule: str = "",
    names: Mapping[str, str] | None = None,
    **options: Any,
) -> np.ndarray:
    """Give each cell a label: a type, a donor, a study.

    Parameters
    ----------
    cells
        Cell names, as the counts have them.
    files
        The dataset's files by name.
    what
        The option that asks, for messages.
    missing
        The word where the rule has nothing to say, or says that nothing is known (`missing.MISSING`).
    rule
        `column`, `mean`, `markers`, `name` or `constant`; the functions below say what each takes.
    names
        What labels are called here, where a source has other words for them: its label → ours. Others stay.
    **options
        The arguments of that rule.

    Returns
    -------
    Text, shape (n_cells,).

    Raises
    ------
    DatamixError
        If the rule, a file or a column does not exist, no cell is found in the table, or none has a label of `names`.
    """
    if rule not in _RULES:
        msg = (
            f"{what}: the rule '{rule}' does not exist."
            if rule
            else f"{what}: a rule is a mapping with the key 'rule'."
        )
        raise DatamixError(msg, fix=f"choose one of {', '.join(_RULES)} in data_manifest.yaml")
    try:
        found = _RULES[rule](cells, files, **options)
    except TypeError as error:
        msg = f"{what}: the rule '{rule}' does not take these options: {error}."
        raise DatamixError(msg, fix="edit the dataset's options in data_manifest.yaml") from error
    twice = found.index[found.index.duplicated()]
    if len(twice) and not found.index.equals(cells):
        msg = f"{what}: cell '{twice[0]}' stands twice in the label file, so its label is not known."
        raise DatamixError(msg, fix="use the rule 'mean', or another file")
    found = found.astype(object) if found.index.equals(cells) else found.astype(object).reindex(cells)
    if found.isna().all():
        example = cells[0] if len(cells) else ""
        msg = f"{what}: none of the {len(cells)} cells (such as '{example}') has a label by the rule '{rule}'."
        raise DatamixError(msg, fix="check how the label file names its cells, and the options in data_manifest.yaml")
    if names is not None:
        absent = [label for label in names if not (found.astype(str) == label).any()]
        if absent:
            there = ", ".join(sorted(found.dropna().astype(str).unique())[:20])
            msg = f"{what}: names has '{absent[0]}', which no cell is labelled; there are {there}."
            raise DatamixError(msg, fix="correct `names` in the dataset's options in data_manifest.yaml")
        found = found.map(lambda label: names.get(str(label), label))
    return as_labels(found, missing=missing)


def _from_column(
    cells: pd.Index,
    files: Mapping[str, Path],
    *,
    file: str,
    column: str | None = None,
    table: str | None = None,
    suffix: str = "",
    cell: str | None = None,
) -> pd.Series:
    """Take a column of a table of cells.

    `cell` is the column that names them; nothing means the row names, or, where no cell is among them, the column that
    has most cells. `suffix` is what the counts' cell names have beyond the table's; without one, names that differ by
    the lane that 10x appends (`-1`) are the same, where no two cells become one by it. A table of one column, as a
    named vector is, needs no `column`.
    """
    values = _table(files, file, table)
    if (column is None and len(values.columns) == 1) or list(values.columns) == ["value"]:
        column = str(values.columns[0])
    if column is None:
        msg = f"{file} has the columns {', '.join(map(str, values.columns[:20]))}; the rule 'column' needs one of them."
        raise DatamixError(msg, fix="name it in the dataset's options in data_manifest.yaml (column: …)")
    chosen = _column(values, column, file)
    if suffix:
        chosen = chosen.set_axis([f"{i}{suffix}" for i in chosen.index])
    elif cell is not None:
        chosen = _aligned(chosen, _column(values, cell, file), cells)
    else:
        names = [pd.Series(values.index, index=values.index), *(values[c] for c in values.columns if c != column)]
        chosen = max((_aligned(chosen, of, cells) for of in names), key=lambda s: s.index.isin(cells).sum())
    return chosen.where(lambda s: s.notna() & (s.astype(str) != ""))


def named_cells(table: pd.DataFrame, cells: pd.Index) -> pd.Index:
    """Say which cells a table names, as the rule `column` finds them: by its row names or a column, lane or not."""
    rows = pd.Series(0, index=table.index)
    names = [pd.Series(table.index, index=table.index), *(table[column] for column in table.columns)]
    found = (cells[cells.isin(_aligned(rows, of, cells).index)] for of in names)
    return max(found, key=len)


def _aligned(values: pd.Series, names: pd.Series, cells: pd.Index) -> pd.Series:
    """Name labels as the counts name their cells, with or without the lane."""
    text = pd.Index(names.astype(str), dtype=object)
    if text.isin(cells).any():
        return values.set_axis(text)
    plain, short = text.str.replace(_LANE, "", regex=True), cells.astype(str).str.replace(_LANE, "", regex=True)
    if short.has_duplicates:
        return values.set_axis(text)
    at = short.get_indexer(plain)
    return values[at >= 0].set_axis(cells[at[at >= 0]])


def _constant(cells: pd.Index, files: Mapping[str, Path], *, value: str | int) -> pd.Series:
    """Give every cell the same label."""
    return pd.Series([str(value)] * len(cells), index=cells, dtype=object)


def _from_mean(
    cells: pd.Index,
    files: Mapping[str, Path],
    *,
    file: str,
    cell: str,
    column: str,
    threshold: float,
    above: str,
    below: str,
    table: str | None = None,
) -> pd.Series:
    """Average a number over a cell's rows; call the cell `above` where the mean exceeds `threshold`, else `below`."""
    values = _table(files, file, table)
    numbers = pd.to_numeric(_column(values, column, file))
    means = numbers.groupby(_column(values, cell, file).astype(str).to_numpy()).mean()
    return pd.Series(np.where(means > threshold, above, below), index=means.index).where(means.notna())


def _from_markers(
    cells: pd.Index,
    files: Mapping[str, Path],
    *,
    file: str,
    markers: Mapping[str, str],
    at_least: float,
    table: str | None = None,
) -> pd.Series:
    """Name each cell by its most abundant marker protein, if it has `at_least` so many counts of it."""
    values = _table(files, file, table)
    numbers = pd.DataFrame({name: pd.to_numeric(_column(values, m, file)) for name, m in markers.items()})
    return numbers.idxmax(axis=1).where(numbers.max(axis=1) >= at_least)


def _from_name(cells: pd.Index, files: Mapping[str, Path], *, pattern: str) -> pd.Series:
    """Take the first group of a regular expression that matches the whole cell name."""
    matches = [re.fullmatch(pattern, cell) for cell in cells]
    return pd.Series([m.group(1) if m else None for m in matches], index=cells, dtype=object)


_RULES: dict[str, Callable[..., pd.Series]] = {
    "column": _from_column,
    "mean": _from_mean,
    "markers": _from_markers,
    "name": _from_name,
    "constant": _constant,
}


def _table(files: Mapping[str, Path], file: str, name: str | None) -> pd.DataFrame:
    if file not in files:
        msg = f"the dataset has no file '{file}', only {', '.join(files)}."
        raise DatamixError(msg, fix="edit the dataset's options in data_manifest.yaml")
    return as_table(files[file], name)


def _column(table: pd.DataFrame, column: str, file: str) -> pd.Series:
    if column not in table.columns:
        if column == table.index.name:
            return pd.Series(table.index, index=table.index)
        there = [*([table.index.name] if table.index.name else []), *table.columns]
        near = nearest(column, map(str, there))
        msg = f"{file} has no column '{column}'; it has {', '.join(map(str, there[:20]))}."
        fix = "edit the dataset's options in data_manifest.yaml"
        raise DatamixError(msg, fix=f"{fix}: did you mean '{near}'?" if near else fix)
    return table[column]
