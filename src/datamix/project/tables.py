"""Tables as files: text that repeats is stored once."""

from pathlib import Path

import pandas as pd

from datamix.project.files import replacing


def as_categories(table: pd.DataFrame) -> pd.DataFrame:
    """Store text that repeats (all but the names of cells) once."""
    text = [c for c in table.columns if table[c].dtype == object and c != "cell"]
    return table.astype(dict.fromkeys(text, "category"))


def write_table(table: pd.DataFrame, path: Path) -> Path:
    """Write a table as parquet, text that repeats as categories; the file appears whole or not at all."""
    with replacing(path) as beside:
        as_categories(table).to_parquet(beside, index=False)
    return path
