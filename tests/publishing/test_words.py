import numpy as np
import pytest

from datamix.publishing.words import counted, interval_in_words, of_mixtures, of_sets, over_seeds, range_in_words


@pytest.mark.parametrize(
    ("number", "expected"), [(1, "one seed"), (0, "0 seeds"), (3, "3 seeds"), (1200, "1,200 seeds")]
)
def test_one_is_singular(number, expected):
    assert counted(number, "seed") == expected


@pytest.mark.parametrize(
    ("number", "total", "expected"),
    [
        (2, 5, "2 of 5 evaluation sets"),
        (0, 5, "no evaluation set"),
        (0, 1, "no evaluation set"),
        (1, 1, "the one evaluation set"),
    ],
)
def test_how_many_of_all(number, total, expected):
    assert of_sets(number, total) == expected


@pytest.mark.parametrize(
    ("number", "each", "expected"),
    [(10, 3, "3 for each mixture"), (6, 1, "one for each of 6 of the 10 mixtures")],
)
def test_mixtures_left_out_are_said(number, each, expected):
    assert of_mixtures(number, 10, each=each) == expected


def test_one_seed_is_no_average():
    assert [over_seeds(number) for number in (1, 3)] == ["of one seed", "averaged over seeds"]


def test_a_range_of_one_number_is_that_number():
    assert range_in_words(0.601, 0.604, spec=".0%") == "60%"
    assert range_in_words(-0.2, 0.604, spec=".2f") == "−0.20 to 0.60"


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((0.1234, -0.01, 0.25), "0.12 (−0.01 to 0.25)"),
        ((-0.5, np.nan, np.nan), "−0.50"),
        ((-0.0004, -0.01, 0.002), "0.00 (−0.01 to 0.00)"),
        ((np.nan, np.nan, np.nan), "–"),
        ((0.0, 0.0, 0.0), "0.00 (0.00 to 0.00)"),
        ((0.000258, -0.000997, 0.00206), "0.0003 (−0.0010 to 0.0021)"),
        ((0.002, np.nan, np.nan), "0.0020"),
        ((1e-17, -1e-17, 1e-17), "0.00 (0.00 to 0.00)"),
    ],
)
def test_an_interval_says_what_is_known(interval, expected):
    assert interval_in_words(*interval, spec=".2f") == expected
