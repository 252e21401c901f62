import re
from pathlib import Path

import pytest

from datamix.project.errors import DatamixError
from datamix.publishing.website.site import build_site


@pytest.fixture
def built(tiny_book):
    """Return a function that builds the tiny book with another methods page, and returns that page's article."""

    def build(markdown: str) -> str:
        (tiny_book / "book" / "methods.md").write_text(markdown, encoding="utf-8")
        site = build_site("demo", tiny_book).parent
        html = (site / "methods.html").read_text(encoding="utf-8")
        return html.split("<article", 1)[1].split("</article>", 1)[0]

    return build


def text(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html)


def test_values_stand_in_prose_headings_tables_and_captions(built):
    article = built(
        "# Methods for {val}`fig2.cells:,d` cells\n\n"
        "Ours is {val}`fig2.aml.blood:.2f`, theirs {val}`fig2.aml.blood|published:.2f` "
        "({val}`fig2.aml.blood|unit`).\n\n"
        "| set | R² |\n|---|---|\n| AML | {val}`fig2.aml.blood:.3f` |\n\n"
        "```{panel} 2a\n```\n"
    )
    assert "Methods for 1,234 cells" in text(article)
    assert "Ours is 0.39, theirs 0.33 (median R²)." in text(article)
    assert re.search(r"<td>\s*<p>0.391</p>\s*</td>", re.sub(r"</?span[^>]*>", "", article))
    assert "It holds 1,234 cells." in text(article)


def test_the_first_place_of_a_value_can_be_linked(built):
    article = built(
        "# Methods for {val}`fig2.cells:,d`\n\n{val}`fig2.cells`, {val}`fig2.cells:,d`, "
        "{val}`fig2.aml.blood|published`\n"
    )
    ids = re.findall(r'<span class="value" id="([^"]*)"', article)
    assert ids == ["value-fig2.cells", "value-fig2.aml.blood"]
    assert re.search(r'id="value-fig2.cells">1234</span>, <span class="value">1,234<', article)


def test_a_heading_with_a_value_is_in_every_sidebar(built, tiny_book):
    built("# Methods for {val}`fig2.cells:,d` cells\n")
    index = (tiny_book / "results" / "demo" / "site" / "index.html").read_text()
    assert "Methods for 1,234 cells" in text(index)


def test_what_cannot_be_shown_fails_the_build(built):
    wrong = {
        "{val}`fig2.aml.blod:.2f`": "no value 'fig2.aml.blod' .*near keys: fig2.aml.blood",
        "{val}`fig2.aml.blood:.2q`": "format '.2q' does not fit 0.3912",
        "{val}`fig2.cells|published`": "'fig2.cells' has no published value",
        "```{panel} 7x\n```": "made panel 7x; they made: 2a",
        "$\\nosuchcommand$": "command .*nosuchcommand has no MathML",
        "$$\\left( x$$": "cannot be converted to MathML",
        "{cite}`nobody2020`": "nobody2020",
        "{nosuchrole}`x`": "nosuchrole",
    }
    with pytest.raises(DatamixError, match="did not build without warnings") as raised:
        built("# Methods\n\n" + "\n\n".join(wrong))
    for message in wrong.values():
        assert re.search(rf"methods\.md:\d+: WARNING: .*{message}", str(raised.value)), message


def test_a_panel_is_a_figure_with_anchor_and_bold_caption(built):
    article = built("# Methods\n\n```{panel} 2a\n```\n")
    assert re.search(r'<figure class="panel panel-narrow" id="fig-2a">', article)
    assert "<strong>A line.</strong> It holds" in article


def test_code_says_on_a_page_what_it_offers(built):
    article = built("# Methods\n\n```{docstrings} datamix.publishing.reuse.book:Book\n```\n")
    assert article.count("<dt>") == article.count("<dd>") > 10
    assert ".model(mixture, *, seed=0, baseline=None)" in text(article)
    with pytest.raises(DatamixError, match="no datamix:close to describe"):
        built("# Methods\n\n```{docstrings} datamix:close\n```\n")


@pytest.mark.parametrize("shown", ["", "```{panel} 2a\n```\n\n"])
def test_links_lead_to_a_panel_on_its_own_page(built, shown):
    article = built(f"# Methods\n\n{shown}See {{ref}}`fig-2a` and [it](#fig-2a).\n")
    assert article.count('href="notebooks/fig2.html#fig-2a"') == 2
    assert "See Figure 2a and it." in text(article)


def test_mathematics_is_mathml_and_no_script(built, tiny_book):
    article = built("# Methods\n\nInline $R^2$, and\n\n$$\na = b\n$$ (eq)\n\nas {eq}`eq` says.\n")
    assert article.count("<math ") == 2
    assert re.search(r'<a [^>]*href="#equation-eq">\(1\)</a>', article)
    assert 'id="equation-eq"' in article
    site = tiny_book / "results" / "demo" / "site"
    assert "mathjax@" not in (site / "methods.html").read_text().lower()


def test_datasets_and_what_is_missing_come_from_manifest_and_profile(built, run):
    article = built("# Methods\n\n```{datasets}\n```\n\n```{missing}\n```\n")
    for dataset in run.profile.datasets:
        assert dataset in text(article)
    assert "every part of the paper has a counterpart" in text(article)


def test_an_edited_manifest_changes_the_table(built, tiny_book):
    markdown = "# Methods\n\n```{datasets}\n```\n"
    built(markdown)
    manifest = Path(tiny_book / "data_manifest.yaml")
    title = re.search(r"sim_blood:\n\s+title: (.*)\n", manifest.read_text())
    assert title is not None
    manifest.write_text(manifest.read_text().replace(title[1], '"Blood of another title"'))
    assert "Blood of another title" in text(built(markdown))
