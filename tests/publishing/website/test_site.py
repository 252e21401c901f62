import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest

import datamix
from datamix.project.errors import DatamixError
from datamix.publishing.values import record
from datamix.publishing.website.site import build_site


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def page(root: Path, name: str) -> str:
    return (root / "results" / "demo" / "site" / f"{name}.html").read_text(encoding="utf-8")


def pages(site: Path) -> list[Path]:
    """Return all pages; the theme keeps templates of its own under _static."""
    return [path for path in site.rglob("*.html") if "_static" not in path.parts]


def test_the_site_is_whole(tiny_book):
    index = build_site("demo", tiny_book)
    assert index == tiny_book / "results" / "demo" / "site" / "index.html"
    panels = tiny_book / "results" / "demo" / "panels"
    for path in panels.iterdir():
        assert (index.parent / "panels" / path.name).read_bytes() == path.read_bytes()
    # Every page and file that a page refers to is there.
    for source in pages(index.parent):
        for target in re.findall(r'(?:href|src)="([^"#?:]+)(?:[?#][^"]*)?"', source.read_text(encoding="utf-8")):
            assert (source.parent / target).exists(), (source.name, target)


def test_the_site_opens_as_a_book_without_the_project(tiny_book, tmp_path_factory):
    """Elsewhere, with nothing above it that names the profile."""
    site = build_site("demo", tiny_book).parent
    elsewhere = shutil.copytree(site, tmp_path_factory.mktemp("elsewhere") / "site")
    book = datamix.open(elsewhere)
    assert book.panels == ["2a"]
    assert book.panel("2a").table()["x"].tolist() == [0.0, 1.0]
    assert dict(book.values) == dict(datamix.open(tiny_book / "results" / "demo").values)
    assert book.profile.title == "Demo profile: simulated cells, a positive control with known truth"


def test_a_link_that_leads_nowhere_stops_the_build(tiny_book):
    index = tiny_book / "book" / "index.md"
    write(index, index.read_text() + '\n<a href="methods.html#gone">gone</a> [paper](https://doi.org/10.1101/1)\n')
    with pytest.raises(DatamixError, match=r"lead nowhere:\n  index.html: methods.html#gone"):
        build_site("demo", tiny_book)
    assert not (tiny_book / "results" / "demo" / "site").exists()
    write(index, index.read_text().replace("#gone", "#methods"))
    build_site("demo", tiny_book)
    listed = (tiny_book / "results" / "demo" / "external_links.csv").read_text()
    assert listed == "address,pages\nhttps://doi.org/10.1101/1,index.html\n"


def test_the_site_is_whole_in_a_folder_with_an_odd_name(tiny_book, tmp_path):
    folder = shutil.move(tiny_book, tmp_path.with_name("a \"quoted\" 'päper' $x"))
    assert build_site("demo", Path(folder)).is_file()


def test_every_page_names_its_profile(tiny_book):
    build_site("demo", tiny_book)
    for name in ("index", "methods", "notebooks/fig2", "search"):
        assert "Demo profile: simulated cells" in page(tiny_book, name)


def test_a_changed_banner_changes_every_page(tiny_book):
    build_site("demo", tiny_book)
    settings = tiny_book / "config" / "demo.yaml"
    write(settings, settings.read_text().replace("simulated cells, a positive control", "made-up cells"))
    build_site("demo", tiny_book)
    for name in ("index", "methods", "notebooks/fig2"):
        assert "Demo profile: made-up cells" in page(tiny_book, name)


def test_code_is_folded_and_a_panel_is_shown_once(tiny_book):
    build_site("demo", tiny_book)
    shown = page(tiny_book, "notebooks/fig2")
    assert re.search(r'(?s)<details class="[^"]*hide.*secret_of_the_code.*</details>', shown)
    assert "printed words" in shown
    (image,) = re.findall(r"<img [^>]*>", shown)
    assert 'src="../panels/fig2a.png"' in image
    assert 'alt="A line &quot;up&quot;"' in image


def test_code_that_only_runs_is_folded_with_what_follows(tiny_book):
    path = tiny_book / "results" / "demo" / "notebooks" / "fig2.ipynb"
    notebook = nbformat.read(path, as_version=4)
    silent = nbformat.v4.new_code_cell
    removed = silent("kept_to_itself = 1", metadata={"tags": ["remove-cell"]})
    notebook.cells[1:1] = [silent("first_step = 1"), silent("second_step = 1"), removed]
    nbformat.write(notebook, path)
    build_site("demo", tiny_book)
    shown = page(tiny_book, "notebooks/fig2")
    folds = re.findall(r'(?s)<details class="[^"]*hide.*?</details>', shown)
    words = [re.findall(r"first_step|second_step|secret_of_the_code|save_panel", fold) for fold in folds]
    assert words == [["first_step", "second_step"], ["secret_of_the_code"], ["save_panel"]]
    assert "kept_to_itself" not in shown


def test_nothing_is_loaded_from_another_machine(tiny_book):
    site = build_site("demo", tiny_book).parent
    for path in pages(site):
        html = path.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]*\ssrc="([^"]+)"', html)
        loaded += re.findall(r'<link[^>]*\shref="([^"]+)"', html)
        assert loaded
        assert not [address for address in loaded if "//" in address], path.name


def test_the_published_notebook_tells_no_path_of_this_machine(tiny_book):
    site = build_site("demo", tiny_book).parent
    published = (site / "notebooks" / "fig2.ipynb").read_text()
    assert "/home/someone" not in published
    assert "printed words" in published


def test_a_changed_value_changes_its_page(tiny_book, run):
    build_site("demo", tiny_book)
    assert re.search(r'AML: <span class="value"[^>]*>0.39</span>', page(tiny_book, "notebooks/fig2"))
    record("fig2.aml.blood", 0.52, unit="median R²", results=run)
    build_site("demo", tiny_book)
    assert re.search(r'AML: <span class="value"[^>]*>0.52</span>', page(tiny_book, "notebooks/fig2"))


def test_a_changed_title_changes_every_sidebar(tiny_book):
    build_site("demo", tiny_book)
    write(tiny_book / "book" / "methods.md", "# What was done\n")
    build_site("demo", tiny_book)
    assert "What was done" in page(tiny_book, "notebooks/fig2")


def test_a_panel_that_is_gone_is_gone_from_the_site(tiny_book):
    stale = tiny_book / "results" / "demo" / "panels" / "fig9.csv"
    write(stale, "x\n")
    build_site("demo", tiny_book)
    stale.unlink()
    site = build_site("demo", tiny_book).parent
    assert not (site / "panels" / "fig9.csv").exists()


def test_a_warning_fails_every_time_and_keeps_the_former_site(tiny_book):
    build_site("demo", tiny_book)
    before = page(tiny_book, "methods")
    write(tiny_book / "book" / "methods.md", "# Methods\n\nAs in [](#nowhere).\n")
    for _ in range(2):
        with pytest.raises(DatamixError, match=r"(?s)without warnings:.*methods.md:3: WARNING:.*nowhere"):
            build_site("demo", tiny_book)
        assert page(tiny_book, "methods") == before
    write(tiny_book / "book" / "methods.md", "# Methods, mended\n")
    build_site("demo", tiny_book)
    assert "Methods, mended" in page(tiny_book, "methods")
    leftovers = [p.name for p in (tiny_book / "results" / "demo").iterdir() if p.name.startswith(".")]
    assert not leftovers


def test_a_warning_in_a_notebook_names_the_cell(tiny_book):
    path = tiny_book / "results" / "demo" / "notebooks" / "fig2.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[3].source = "Two lines:\n\n{val}`fig2.nothing`"
    nbformat.write(notebook, path)
    with pytest.raises(
        DatamixError, match=r"notebooks/fig2\.ipynb, cell 4, line \d: WARNING: .*no value 'fig2.nothing'"
    ):
        build_site("demo", tiny_book)


def test_after_an_interrupted_build_everything_is_built_again(tiny_book):
    site = build_site("demo", tiny_book).parent
    cache = tiny_book / "results" / "demo" / "book-cache"
    # What a build killed while it was writing leaves behind.
    (cache / "trusted.json").unlink()
    write(cache / "html" / "methods.html", "<html>half a pa")
    build_site("demo", tiny_book)
    assert "squared correlation" in (site / "methods.html").read_text()


def test_a_missing_notebook_is_named_with_the_command(tiny_book):
    (tiny_book / "results" / "demo" / "notebooks" / "fig2.ipynb").unlink()
    with pytest.raises(DatamixError, match=r"(?s)fig2.ipynb does not exist.*make figure FIG=fig2 PROFILE=demo"):
        build_site("demo", tiny_book)


def test_a_notebook_that_stopped_is_refused(tiny_book):
    path = tiny_book / "results" / "demo" / "notebooks" / "fig2.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["papermill"]["exception"] = True
    nbformat.write(notebook, path)
    with pytest.raises(DatamixError, match=r"fig2\.ipynb stopped at an error"):
        build_site("demo", tiny_book)


def test_the_search_index_holds_the_numbers(tiny_book):
    site = build_site("demo", tiny_book).parent
    index = (site / "searchindex.js").read_text()
    terms = json.loads(index.removeprefix("Search.setIndex(").rstrip(")\n;"))
    assert "notebooks/fig2" in terms["docnames"]
    assert "correl" in terms["terms"]  # the stem of 'correlation', on the methods page
