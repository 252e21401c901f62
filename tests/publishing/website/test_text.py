from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from datamix.publishing.website.text import link, plain, show_table

HOSTILE = [
    "<script>alert(1)</script>",
    "**bold**",
    "{val}`x`",
    "a|b",
    "$x$",
    "&lt;b&gt;",
    "[a](b)",
    "# a",
    "`x`",
    "a\nb",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_shown_as_it_is(text):
    html = MarkdownIt().enable("table").renderInline(plain(text))
    escaped = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert html == escaped.replace('"', "&quot;")


def test_only_addresses_of_the_web_are_links():
    assert link("a_b", "https://x.org/a_b") == r"[a\_b](https://x.org/a_b)"
    assert link("a", "javascript:alert(1)") == "a"
    assert link("a", "") == "a"
    html = MarkdownIt().renderInline(link("a", 'https://x.org/") onload="x" <script>(b)'))
    assert "<script>" not in html
    assert html.count("<a ") == 1
    assert 'onload="' not in html


def test_tables_show_text_and_no_tags():
    table = pd.DataFrame({"<i>": [1.0], "b": ["<script>"]}, index=pd.Index(["<b>"], name="x"))
    html = show_table(table, "{:.2f}", missing="–").to_html()
    assert "1.00" in html
    for tag in ("<i>", "<b>", "<script>"):
        assert tag not in html
        assert tag.replace("<", "&lt;").replace(">", "&gt;") in html
    assert "&lt;b&gt;" not in show_table(table, index=False).to_html()


def test_notebooks_show_tables_so():
    notebooks = (Path(__file__).parents[3] / "notebooks").glob("*.py")
    assert [path.name for path in notebooks if ".style." in path.read_text()] == []
