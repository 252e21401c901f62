"""The demo's book on paper, as `make pdf` prints it."""

import os
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from pypdf import PdfReader

from datamix.project.errors import DatamixError
from datamix.publishing.contents import read_toc
from datamix.publishing.reuse import pdf
from datamix.publishing.reuse.print_page import anchor, compose

PROJECT = Path(__file__).parents[2]
SITE = PROJECT / "results" / "demo" / "site"
MM = 72 / 25.4


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Print the demo's book, in a project that is this one but for what is written."""
    if not (SITE / "index.html").is_file():
        pytest.skip("no demo book: make book")
    root = tmp_path_factory.mktemp("paper")
    results = root / "results" / "demo"
    results.mkdir(parents=True)
    for name in ("book", "config", "CITATION.cff", "data_manifest.yaml"):
        (root / name).symlink_to(PROJECT / name)
    for name in ("site", "panels"):
        (results / name).symlink_to(SITE.parent / name)
    return PdfReader(pdf.write_pdf("demo", root))


@pytest.fixture(scope="module")
def texts(demo):
    """Read what stands on each page; once, since it takes longer than printing."""
    return [page.extract_text() for page in demo.pages]


def words(text):
    """Letters and digits alone: a page breaks lines and sets ligatures as it likes."""
    return re.sub(r"\W+", "", unicodedata.normalize("NFKC", text))


def article(name):
    return BeautifulSoup((SITE / f"{name}.html").read_text(encoding="utf-8"), "html.parser").select_one("article")


def chapters():
    toc = read_toc(PROJECT)
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


def test_each_chapter_begins_where_the_contents_say(demo, texts):
    pages = pdf.first_pages(demo)
    contents = words(texts[1])
    begins = [pages[anchor(name)] for name in chapters()]
    assert begins == sorted(begins)
    assert len(demo.pages) > len(begins) + 1
    for name, number in zip(chapters(), begins, strict=True):
        heading = article(name).find("h1")
        heading.select_one("a.headerlink").decompose()
        title = words(heading.get_text())
        assert words(texts[number - 1]).startswith(f"{number}{title}"), name
        assert f"{title}{number}" in contents, name


def test_quoted_numbers_and_captions_are_in_print(texts):
    # A sentence may go over to the next page, whose text begins with its number.
    later = (text.lstrip().removeprefix(str(number)) for number, text in enumerate(texts[1:], start=2))
    printed = words("".join([texts[0], *later]))
    for name in ("abstract", "notebooks/fig2", "notebooks/claims"):
        found = article(name).select(".value, .panel-caption")
        assert found
        for one in found:
            assert words(one.get_text()) in printed, one.get_text()


def test_pages_are_numbered_and_of_one_size(demo, texts):
    sizes = {tuple(round(float(side) / MM) for side in page.mediabox[2:]) for page in demo.pages}
    assert sizes == {(210, 297)}
    for number, text in enumerate(texts[1:], start=2):
        assert text.split()[0] == str(number)


def test_every_font_is_embedded_and_figures_are_vectors(demo):
    fonts, pictures = {}, []
    for page in demo.pages:
        collect(page["/Resources"], fonts, pictures)
    assert any("DejaVuSans" in name for name in fonts), "the figures' letters"
    assert not [name for name, embedded in fonts.items() if not embedded]
    # A colour bar is a picture of dots; a panel's png would have more than a thousand in a row.
    assert max((int(one["/Width"]) for one in pictures), default=0) < 1000


def collect(resources, fonts, pictures):
    """Collect fonts (name → whether its letters are in the file) and pictures of dots, through forms."""
    resources = resources.get_object()
    for font in (one.get_object() for one in resources.get("/Font", {}).values()):
        inner = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
        descriptor = inner.get("/FontDescriptor", {})
        embedded = font["/Subtype"] == "/Type3" or any(key.startswith("/FontFile") for key in descriptor)
        fonts[str(font.get("/BaseFont", font["/Subtype"]))] = embedded
    for thing in (one.get_object() for one in resources.get("/XObject", {}).values()):
        if thing["/Subtype"] == "/Form" and "/Resources" in thing:
            collect(thing["/Resources"], fonts, pictures)
        elif thing["/Subtype"] == "/Image":
            pictures.append(thing)


def test_links_lead_within_the_book_or_to_the_web(demo):
    addresses = set()
    for page in demo.pages:
        for note in (one.get_object() for one in page.get("/Annots", [])):
            action = note.get("/A", {}).get_object() if "/A" in note else {}
            if "/URI" in action:
                addresses.add(str(action["/URI"]))
    assert any(address.startswith("https://doi.org/") for address in addresses)
    assert not [address for address in addresses if not address.startswith(("https://", "http://"))]


WIDER = """<script>addEventListener("load", () => {
  const wide = [...document.querySelectorAll("body *")].filter(box => {
    const size = box.getBoundingClientRect();
    return size.width && (size.right > document.documentElement.clientWidth + 1 || size.left < -1
      || (box.matches("td, th, pre") && box.scrollWidth > box.clientWidth + 1));
  });
  document.title = `wide: ${wide.length} ${wide.slice(0, 5).map(one => one.outerHTML.slice(0, 80)).join(" ")}`;
})</script>"""
"""Counts what reaches beyond the width between the margins, or spills over its cell."""


def wide(html, folder):
    """Return how many things are too wide on a page of HTML between the margins of the paper, and some of them."""
    (folder / "book.html").write_text(html.replace("</body>", f"{WIDER}</body>"), encoding="utf-8")
    browser = next(filter(None, map(shutil.which, pdf.BROWSERS)))
    between = int((210 - 2 * 14) / 25.4 * 96)
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'browser'}",
        "--hide-scrollbars", f"--window-size={between},1000", "--dump-dom", (folder / "book.html").as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    found = re.search(r"<title>wide: (\d+) (.*?)</title>", done.stdout, flags=re.DOTALL)
    assert found is not None
    return int(found[1]), found[2]


def test_nothing_is_wider_than_the_paper(demo, tmp_path):
    text = compose(SITE, toc=read_toc(PROJECT), title="A book", facts=[], pages={})
    assert wide(text, tmp_path) == (0, "")
    # What it is to find is found, in the same clothes.
    head = text[: text.index("<body")]
    count, _ = wide(
        f"{head}<body><table><tr><td><div style='width: 300mm'>wide</div></td></tr></table></body>", tmp_path
    )
    assert count > 0


def test_without_a_browser_or_a_book_it_says_what_to_do(run, tmp_path, monkeypatch):
    with pytest.raises(DatamixError, match=r"(?s)has not been made so far.*make book PROFILE=demo"):
        pdf.write_pdf("demo", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DatamixError, match=r"(?s)no Chromium here.*install chromium"):
        pdf.print_page(tmp_path / "book.html", tmp_path / "book.pdf")


def test_a_browser_that_prints_nothing_is_named(tmp_path, monkeypatch):
    (tmp_path / "chromium").write_text("#!/bin/sh\necho cannot open display >&2\n")
    (tmp_path / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(DatamixError, match=r"printed nothing: cannot open display"):
        pdf.print_page(tmp_path / "book.html", tmp_path / "book.pdf")
