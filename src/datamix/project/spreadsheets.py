"""Text in csv files that a spreadsheet would take for a formula, and run: written so that none does, and read back.

Labels, cell types, names of genes and of gene sets come from files that people give.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

# A label of ours may begin with a plus, and say a number of cells.
_OURS = re.compile(r" \(\d[\d,]* cells\)$")


def for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before text that a spreadsheet would take for a formula, and run; `as_written` takes it off.

    A carriage return, which would begin a new row in some readers of csv, becomes a blank.
    """

    def change(text: str) -> str:
        return f"'{text}" if _is_formula(text.lstrip("'")) else text

    return _text_changed(table, lambda text: change(text.replace("\r", " ")))


def read_table(path: Path) -> pd.DataFrame:
    """Read a table that `for_spreadsheets` was written of: a panel's source data, say."""
    return as_written(pd.read_csv(path))


def as_written(table: pd.DataFrame) -> pd.DataFrame:
    """Undo what `for_spreadsheets` did."""
    return _text_changed(table, lambda text: text[1:] if text[:1] == "'" and _is_formula(text.lstrip("'")) else text)


def _is_formula(text: str) -> bool:
    if text[:1] in {"\t", "\n"} or text.lstrip()[:1] in {"=", "@"}:
        return True
    return text[:1] in {"+", "-"} and re.search(r"[(|!=]", _OURS.sub("", text)) is not None


def _text_changed(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    changed = {}
    for column in table.columns:
        values = table[column]
        if isinstance(values.dtype, pd.CategoricalDtype):
            values = values.astype(object)
        if values.dtype == object:
            new = values.map(lambda value: change(value) if isinstance(value, str) else value)
            if not new.equals(values):
                changed[column] = new
    return table.assign(**changed) if changed else table
