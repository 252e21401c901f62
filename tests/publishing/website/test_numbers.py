from pathlib import Path

import pandas as pd

from datamix.publishing.website.numbers import numbers_html

PANELS = Path(__file__).parents[3] / "recorded" / "demo" / "panels"


def test_a_heat_map_unfolds_as_a_table_with_the_published_numbers():
    table = pd.read_csv(PANELS / "fig2a.csv")
    html = numbers_html("2a", table.assign(mixture_label="<b>"))
    assert html.count("<tr") == len(table) + 1
    assert "the published beside ours" in html
    assert "&lt;b&gt;" in html
    row = table.iloc[0]
    assert f"<td>{row['median']:.2f} ({row['low']:.2f} to {row['high']:.2f})</td>" in html
    assert f"<td>{row['published']:.2f}</td>" in html
    gains = table[(table["mixture"] != table["control"]) & table["over_control_low_all"].notna()]
    assert len(gains) == 20
    assert html.count("<td>–</td>") == len(table) - len(gains)


def test_nothing_is_said_of_published_numbers_where_there_are_none():
    table = pd.read_csv(PANELS / "figS4a.csv").assign(published=float("nan"))
    assert "ublished" not in numbers_html("S4a", table)


def test_what_is_no_heat_map_has_no_table():
    assert numbers_html("2b", pd.read_csv(PANELS / "fig2b.csv")) == ""
    assert numbers_html("2a", pd.DataFrame({"x": [1]})) == ""
