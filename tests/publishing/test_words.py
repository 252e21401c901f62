import numpy as np
import pandas as pd
import pytest

from datamix.publishing.words import best_and_worst_in_words, counted, furthest_in_words, interval_in_words


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


def additions(*over_control):
    rows = [
        {
            "evaluation": f"e{i}", "evaluation_label": f"E{i}", "mixture_label": f"+ M{i}", "control_label": "+ own",
            "median": 0.5, "over_control": d, "over_control_low_all": d - 0.1, "over_control_high_all": d + 0.1,
        }
        for i, d in enumerate(over_control)
    ]  # fmt: skip
    return pd.DataFrame(
        rows, columns=list(rows[0]) if rows else ["evaluation", "over_control"], index=range(5, 5 + len(rows))
    )


def test_the_furthest_of_none_of_one_and_of_several():
    medians = pd.Series({"e0": 0.3, "e1": 0.4})
    assert furthest_in_words(additions(), medians) == furthest_in_words(additions()) == "This profile adds no set."
    one = furthest_in_words(additions(0.2), medians)
    assert one.startswith(
        "Furthest above lies + M0 on E0: the baseline has 0.30, this mixture 0.50, and the difference"
    )
    assert "Furthest below" not in one
    both = furthest_in_words(additions(-0.3, 0.2), medians)
    assert "above lies + M1 on E1: the baseline has 0.40" in both
    assert both.endswith("below lies + M0 on E0, held against “+ own”, with −0.300 (−0.400 to −0.200).")
    short = "Furthest above lies “+ M1” on E1, held against “+ own”, by 0.20 (0.10 to 0.30)."
    assert furthest_in_words(additions(-0.3, 0.2)) == short


def test_one_evaluation_set_is_neither_best_nor_worst():
    table = pd.DataFrame({"evaluation_label": ["A", "B"], "median": [0.2, 0.6], "low": [0.1, 0.5], "high": [0.3, 0.7]})
    two = "describes B best, with a median R² of 0.6 (0.5 to 0.7), and A worst, with 0.2 (0.1 to 0.3)"
    assert best_and_worst_in_words(table, spec=".1f") == two
    assert best_and_worst_in_words(table[:1], spec=".1f") == "describes A with a median R² of 0.2 (0.1 to 0.3)"
