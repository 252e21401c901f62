import numpy as np
import pytest

from datamix.publishing.words import counted, interval_in_words


@pytest.mark.parametrize(
    ("number", "expected"), [(1, "one seed"), (0, "0 seeds"), (3, "3 seeds"), (1200, "1,200 seeds")]
)
def test_one_is_singular(number, expected):
    assert counted(number, "seed") == expected


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((0.1234, -0.01, 0.25), "0.12 (−0.01 to 0.25)"),
        ((-0.5, np.nan, np.nan), "−0.50"),
        ((-0.0004, -0.01, 0.002), "0.00 (−0.01 to 0.00)"),
        ((np.nan, np.nan, np.nan), "–"),
    ],
)
def test_an_interval_says_what_is_known(interval, expected):
    assert interval_in_words(*interval, spec=".2f") == expected
