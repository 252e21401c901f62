"""Cell types that a source keeps apart from its counts: in a table, a mean, marker proteins or the cells' names."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datamix.project.errors import DatamixError
from datamix.sources.formats.r_objects import as_table

NOT_LABELLED = "not labelled"


def cell_types(cells: pd.Index, files: Mapping[str, Path], *, rule: str, **options: Any) -> np.ndarray:
    """Give each cell a type.

    Parameters
    ----------
    cells
        Cell names, as the counts have them.
    files
        The dataset's files by name.
    rule
        `column`, `mean`, `markers` or `name`; the functions below say what each takes.
    **options
        The arguments of that rule.

    Returns
    -------
    Text, shape (n_cells,); `not labelled` where the rule has nothing to say.

    Raises
    ------
    DatamixError
        If the rule, a file or a column does not exist, or no cell is found in the table.
    """
    if rule not in _RULES:
        msg = f"cell_type: the rule '{rule}' does not exist."
        raise DatamixError(msg, fix=f"choose one of {', '.join(_RULES)} in data_manifest.yaml")
    try:
        found = _RULES[rule](cells, files, **options)
    except TypeError as error:
        msg = f"cell_type: the rule '{rule}' does not take these options: {error}."
        raise DatamixError(msg, fix="edit the dataset's options in data_manifest.yaml") from error
    twice = found.index[found.index.duplicated()]
    if len(twice) and not found.index.equals(cells):
        msg = f"cell_type: cell '{twice[0]}' stands twice in the label file, so its label is not known."
        raise DatamixError(msg, fix="use the rule 'mean', or another file")
    found = found.astype(object) if found.index.equals(cells) else found.astype(object).reindex(cells)
    if found.isna().all():
        example = cells[0] if len(cells) else ""
        msg = f"cell_type: none of the {len(cells)} cells (such as '{example}') has a label by the rule '{rule}'."
        raise DatamixError(msg, fix="check how the label file names its cells, and the options in data_manifest.yaml")
    return found.fillna(NOT_LABELLED).astype(str).to_numpy(dtype=object)


def _from_column(
    cells: pd.Index, files: Mapping[str, Path], *, file: str, column: str, table: str | None = None, suffix: str = ""
) -> pd.Series:
    """Take a column of a table of cells; `suffix` is what the counts' cell names have beyond the table's."""
    values = _column(_table(files, file, table), column, file)
    return values.set_axis([f"{i}{suffix}" for i in values.index]).where(lambda s: s.notna() & (s != ""))


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
}


def _table(files: Mapping[str, Path], file: str, name: str | None) -> pd.DataFrame:
    if file not in files:
        msg = f"cell_type: the dataset has no file '{file}', only {', '.join(files)}."
        raise DatamixError(msg, fix="edit the dataset's options in data_manifest.yaml")
    return as_table(files[file], name)


def _column(table: pd.DataFrame, column: str, file: str) -> pd.Series:
    if column not in table.columns:
        msg = f"{file} has no column '{column}'; it has {', '.join(map(str, table.columns[:20]))}."
        raise DatamixError(msg, fix="edit the dataset's options in data_manifest.yaml")
    return table[column]
