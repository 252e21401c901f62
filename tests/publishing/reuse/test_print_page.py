import pytest
from bs4 import BeautifulSoup

from datamix.project.errors import DatamixError
from datamix.publishing.contents import read_toc
from datamix.publishing.reuse.print_page import compose

TOC = {"root": "index", "parts": [{"caption": "Paper", "chapters": [{"file": "notebooks/fig2"}]}]}

INDEX = """<p>around</p><article class="bd-article"><h1 id="top">A book<a class="headerlink" href="#top">#</a></h1>
<a id="to-page" href="notebooks/fig2.html">page</a> <a id="to-place" href="notebooks/fig2.html#fig-2a">place</a>
<a id="to-file" href="panels/fig2a.csv">table</a> <a id="out" href="https://example.org/x.html">elsewhere</a>
<details><summary>More</summary>folded words</details></article><footer>next</footer>"""

PAGE = """<article class="bd-article"><h1>Figure 2</h1><a id="up" href="../index.html#top">back</a>
<a id="self" href="#fig-2a">below</a>
<div class="cell"><details class="admonition hide above-input">secret_code()</details></div>
<div class="cell"><div class="cell_output"><pre>{'anndata': '0.12',\n 'python': '3.11'}</pre></div></div>
<figure class="panel" id="fig-2a"><a class="panel-image" href="../panels/fig2a.svg"><img src="../panels/fig2a.png"></a>
<p class="panel-reads">Point here</p><details class="panel-numbers"><summary>Numbers</summary>many</details>
<img src="../panels/plain.png"><div class="panel-downloads">Download</div></figure></article>"""


@pytest.fixture
def site(tmp_path):
    for name in ("notebooks", "panels", "_static"):
        (tmp_path / "demo" / "site" / name).mkdir(parents=True)
    folder = tmp_path / "demo" / "site"
    (folder / "index.html").write_text(INDEX)
    (folder / "notebooks" / "fig2.html").write_text(PAGE)
    for name in ("panels/fig2a.svg", "panels/fig2a.png", "panels/plain.png", "_static/print.css"):
        (folder / name).write_text("")
    return folder


def composed(site, **pages):
    text = compose(site, toc=TOC, title="A <title>", facts=["commit 1"], pages=pages)
    return BeautifulSoup(text, "html.parser")


def test_pages_stand_in_order_without_what_a_screen_needs(site):
    page = composed(site)
    assert [chapter["id"] for chapter in page.select("section.chapter")] == ["index", "notebooks-fig2"]
    words = page.body.get_text(" ", strip=True)
    assert "A <title>" in words
    assert "folded words" in words
    assert page.select_one("details").has_attr("open")
    for hidden in ("around", "next", "#", "secret_code", "Download", "3.11", "Point", "many"):
        assert hidden not in words
    assert page.select_one("link[rel=stylesheet]")["href"].endswith("print.css")


def test_links_lead_to_their_place_in_print(site):
    page = composed(site)
    links = {link.get_text(): link["href"] for link in page.select(".chapter a[href]")}
    assert links == {
        "page": "#notebooks-fig2",
        "place": "#notebooks-fig2--fig-2a",
        "elsewhere": "https://example.org/x.html",
        "back": "#index--top",
        "below": "#notebooks-fig2--fig-2a",
    }
    identified = {one["id"] for one in page.select("[id]")}
    assert {link.removeprefix("#") for link in links.values() if link.startswith("#")} <= identified


def test_pictures_are_vectors_where_there_are_any(site):
    assert [picture["src"].rpartition("/")[2] for picture in composed(site).select("img")] == ["fig2a.svg", "plain.png"]


def test_contents_name_the_pages(site):
    listed = composed(site, **{"notebooks-fig2": 7}).select_one("nav.contents")
    assert [item.get_text(" ") for item in listed.select("li")] == ["A book", "Paper", "Figure 2 7"]


def test_a_page_that_was_not_built_is_named(site):
    (site / "notebooks" / "fig2.html").unlink()
    with pytest.raises(DatamixError, match=r"(?s)fig2.html does not exist.*make book PROFILE=demo"):
        composed(site)


def test_the_books_own_contents_are_read(pytestconfig):
    toc = read_toc(pytestconfig.rootpath)
    assert toc["root"] == "index"
    assert {"file": "methods"} in [chapter for part in toc["parts"] for chapter in part["chapters"]]
