import re
from pathlib import Path

import pandas as pd
import pytest

from datamix.publishing.website.alt_text import SEEN, in_numbers

PANELS = Path(__file__).parents[3] / "recorded" / "demo" / "panels"
TABLE = pd.DataFrame(
    {"evaluation_label": ["A", "B", "C"], "mixture_label": ["m", "m", "n"], "median": [0.5, -0.004, 0.25], "x": 1}
)


def test_the_ends_and_the_middle_of_the_numbers_are_told():
    assert in_numbers("2a", TABLE) == "Median R² (3 numbers): from 0.00 (m, B) to 0.50 (m, A); half lie below 0.25."
    assert in_numbers("2a", TABLE.assign(median=-1.0)) == "Median R²: −1.00 throughout."
    assert in_numbers("2a", TABLE.assign(median=float("nan"))) == ""


def test_rows_are_chosen_where_a_table_holds_several_quantities():
    table = TABLE.assign(uniqueness=[0.1, 0.2, 0.3], direction=["gained", "gained", "lost"])
    assert in_numbers("3d", table) == (
        "New in the mixture (2 numbers): from 0.10 (m, A) to 0.20 (m, B). Lost from the baseline: 0.30 throughout."
    )


def test_a_number_that_rows_repeat_counts_once():
    of_genes = pd.DataFrame({"mixture_label": ["m", "m", "n", "n"], "r2": [0.1, 0.1, 0.2, 0.2], "gene": list("abab")})
    assert in_numbers("2c", of_genes) == "R² of the cell (2 numbers): from 0.10 (m) to 0.20 (n)."


def test_verdicts_and_cells_are_told_where_there_are_no_ends():
    verdicts = pd.DataFrame(
        {"claim": "a", "title": ["1 A", "1 A"], "source": ["here", "there"], "value": [-0.1, 1], "verdict": "supported"}
    )
    assert in_numbers("5a", verdicts) == "here: 1 A: −0.100, supported."
    layout = TABLE.assign(y=1, cell=["a", "b", "c"], mixture="m")
    assert in_numbers("3a", layout) == "Cells: A 1, B 1, C 1."


def test_another_table_is_told_nothing_of():
    assert in_numbers("2a", pd.DataFrame({"x": [0.0, 1.0]})) == ""
    assert in_numbers("1a", TABLE) == ""


@pytest.mark.parametrize("path", sorted(PANELS.glob("*.csv")), ids=lambda path: path.stem)
def test_every_panel_of_the_book_with_numbers_tells_them(path):
    name = path.stem.removeprefix("fig")
    told = in_numbers(name, pd.read_csv(path))
    assert not re.search(r"\bnan\b", told)
    if not re.match("1[a-d]", name):
        assert re.search(r"\d", told)
        assert name == "5a" or told.count(":") >= len(SEEN[name])
