"""What sources write where they do not know, and this project too: no donor, no type."""

import numpy as np
import pandas as pd

MISSING = frozenset(
    {
        "", "na", "n/a", "nan", "<na>", "none", "null", "unknown", "unspecified", "not available", "-", ".",
        "unassigned", "unlabelled", "unlabeled", "unannotated", "not labelled", "not recorded",
    }
)  # fmt: skip
"""In lower case; the last two are what a corpus of this project has, which may be a file that it reads."""


def as_labels(values: pd.Series | np.ndarray | pd.Categorical, *, missing: str) -> np.ndarray:
    """Return labels as text, with one word for all that is missing.

    Parameters
    ----------
    values
        Text, numbers, categories (n,). Whole numbers that a missing one turned into fractions are whole again: donor 1,
        not 1.0.
    missing
        The word for what is missing: not there, or one of `MISSING`.

    Returns
    -------
    Text (n,).
    """
    series = pd.Series(values).reset_index(drop=True)
    if isinstance(series.dtype, pd.CategoricalDtype):
        names = as_labels(series.cat.categories.to_series(), missing=missing)
        return np.array([*names, missing], dtype=object)[series.cat.codes.to_numpy()]
    if pd.api.types.is_float_dtype(series.dtype):
        numbers = series.dropna().to_numpy(dtype=float)
        if np.isfinite(numbers).all() and (numbers == np.floor(numbers)).all():
            series = series.astype("Int64")
    distinct = series.astype(object)
    words = {value: str(value) for value in distinct.dropna().unique()}
    known = {value: word for value, word in words.items() if word.strip().lower() not in MISSING}
    return distinct.map(known).fillna(missing).to_numpy(dtype=object)
