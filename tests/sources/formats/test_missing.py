import numpy as np
import pandas as pd
import pytest

from datamix.sources.formats.missing import as_labels


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pd.Series([1.0, np.nan, 2.0]), ["1", "?", "2"]),
        (pd.Series([1.5, np.nan]), ["1.5", "?"]),
        (pd.Series(["B", "nan", "NA", "", "Unknown", None, " n/a ", "T"]), ["B", *["?"] * 6, "T"]),
        (pd.Series(["not labelled", "not recorded", "Unassigned", "Unlabeled", "labelled"]), [*["?"] * 4, "labelled"]),
        (pd.Series(pd.Categorical(["a", None, "unknown"])), ["a", "?", "?"]),
        (pd.Series([1, None], dtype="Int64"), ["1", "?"]),
        (pd.Series([True, False]), ["True", "False"]),
        (np.array(["Natural killer", "none"], dtype=object), ["Natural killer", "?"]),
        (pd.Series([], dtype=float), []),
    ],
)
def test_missing_values_have_one_word(values, expected):
    assert as_labels(values, missing="?").tolist() == expected
