"""Hostile: archives, names, labels and files made to do harm; nothing leaves its place or runs, text stays text."""

import gzip
import io
import json
import os
import pickle
import re
import subprocess
import sys
import tarfile
import zipfile
from html import unescape
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import yaml
from bad_project import give, must_say
from command import datamix, files_below, nothing_left
from foreign_cells import made_up
from project_copy import copy_project
from small_project import cells, write_project

from datamix.corpora import unpacking
from datamix.corpora.genes import read_genes
from datamix.figures import style
from datamix.project.layout import Layout
from datamix.project.spreadsheets import for_spreadsheets
from datamix.publishing.panels import save_panel
from datamix.publishing.results import Results
from datamix.publishing.reuse.book_panel import BookPanel
from datamix.publishing.website.site import build_site
from datamix.publishing.website.text import plain, show_table
from datamix.sources.readers.geneformer_dictionaries import VALUES

ZEROS = bytes(3_000_000)


class Evil:
    """Runs a command where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.command = f"touch {mark}"

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, (self.command,))


def tar_of(*members: tuple[str, dict[str, object], bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, fields, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def zip_of(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tuple[str, dict[str, object], bytes]:
    return name, {"type": kind, "linkname": to}, b""


def header_alone(size: int) -> bytes:
    info = tarfile.TarInfo("a")
    info.size = size
    return info.tobuf() + bytes(1024)


ARCHIVES = {
    "a zip that climbs": zip_of(**{"../../out": b"x"}),
    "a zip with the whole path": zip_of(**{"/tmp/datamix_out": b"x"}),
    "a zip that climbs in the middle": zip_of(**{"a/../../../out": b"x"}),
    "a tar that climbs": tar_of(("../../out", {}, b"x")),
    "a tar with the whole path": tar_of(("/tmp/datamix_out", {}, b"x")),
    "a link to /etc": tar_of(link("etc", "/etc"), ("etc/datamix_out", {}, b"x")),
    "a link that climbs": tar_of(link("up", "../../.."), ("up/out", {}, b"x")),
    "a chain of links": tar_of(link("a", "."), link("a/b", "../.."), ("a/b/out", {}, b"x")),
    "a hard link that climbs": tar_of(link("x", "../../secret", tarfile.LNKTYPE)),
    "a device": tar_of(("zero", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5}, b"")),
    "a disk": tar_of(("disk", {"type": tarfile.BLKTYPE, "devmajor": 8, "devminor": 0}, b"")),
    "a pipe": tar_of(("pipe", {"type": tarfile.FIFOTYPE}, b"")),
    "a bomb as zip": zip_of(a=ZEROS),
    "a bomb of many files": zip_of(**{f"a{i}": ZEROS[:300_000] for i in range(10)}),
    "a bomb as tar": tar_of(("a", {}, ZEROS)),
    "a bomb as gzip": gzip.compress(b"1" + ZEROS),
    "a petabyte, said by a header": header_alone(1 << 50),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_an_archive_made_to_do_harm(bad_project, monkeypatch, case):
    """An archive that would leave its folder, link out of it, make a device, or fill the disk: refused, none left."""
    monkeypatch.setattr(unpacking, "ALWAYS", 1_000_000)
    folder = give(bad_project, "a.gz")
    (folder / "a.gz").write_bytes(ARCHIVES[case])
    path = bad_project / "data_manifest.yaml"
    content = yaml.safe_load(path.read_text())
    content["datasets"]["mine"]["files"][0]["unpack"] = True
    path.write_text(yaml.safe_dump(content))
    around = files_below(bad_project.parent)
    must_say(bad_project, "outside its folder|cannot be unpacked|would become|fit on this disk")
    assert files_below(bad_project.parent) == around
    assert not [p for p in (Path("/tmp/datamix_out"), Path("/etc/datamix_out")) if p.exists()]


@pytest.mark.parametrize("where", ["compressor", "filters"])
@pytest.mark.parametrize("array", ["X/data", "obs/_index", "var/_index"])
def test_a_zarr_store_whose_codec_is_pickle(bad_project, tmp_path, array, where):
    """A zarr store that asks for pieces to be unpickled: refused, nothing is run."""
    store = give(bad_project, "a.zarr").parent / "a.zarr"
    made_up().write_zarr(store)
    (store / ".zmetadata").unlink(missing_ok=True)
    about = json.loads((store / array / ".zarray").read_text())
    codec = {"id": "pickle", "protocol": 4}
    about |= {"compressor": codec} if where == "compressor" else {"compressor": None, "filters": [codec]}
    (store / array / ".zarray").write_text(json.dumps(about))
    for piece in (store / array).iterdir():
        if not piece.name.startswith("."):
            piece.write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    with nothing_left(bad_project):
        said = datamix(bad_project, "inspect", str(store))
    assert said.code == 1
    assert "that datamix does not know" not in said.text
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_dictionary_that_is_a_program(bad_project, tmp_path, name, protocol):
    """A pickle among the dictionaries of Geneformer that would run something: refused, nothing is run."""
    from datamix.project.errors import DatamixError
    from datamix.sources.registry import reader

    path = tmp_path / name
    path.write_bytes(pickle.dumps({"a": Evil(tmp_path / "ran")}, protocol=protocol))
    with pytest.raises(DatamixError, match="asks to import"):
        reader("geneformer_dictionaries", options={}, dataset_id="d")({name: path})
    assert not (tmp_path / "ran").exists()


WORDS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</td></table><h1>x",
    "**bold** and _slanted_",
    "{val}`fig2.cells`",
    "{cite}`nobody`",
    "a | b | c",
    "$x^2$ and $\\frac{1$",
    "`code`",
    "[x](javascript:alert(1))",
    "&lt;b&gt; &amp;",
    "```{panel} 2a",
    ":::{note}",
    "(label)=",
    "% x",
    "# x",
    "- x",
    "1. x",
    "{{ title }}",
    "{% raw %}",
    "$(touch ran)",
    "; touch ran",
]
"""What a title, label or cell type may hold; no quotes, which pages turn round."""


@pytest.fixture(scope="module")
def hostile_site(tiny_book_once, tmp_path_factory):
    """Return the text and the HTML of a tiny book in which every word of other people is hostile."""
    root = tmp_path_factory.mktemp("hostile")
    subprocess.run(["cp", "-a", f"{tiny_book_once}/.", str(root)], check=True)
    words = iter(WORDS * 20)
    manifest = yaml.safe_load((root / "data_manifest.yaml").read_text())
    profile = yaml.safe_load((root / "config" / "demo.yaml").read_text())
    used = {d for part in ("baselines", "evaluations") for d in [e["dataset"] for e in profile[part].values()]}
    for name in sorted(used | {d for a in profile["added"].values() for d in a["datasets"]}):
        of = manifest["datasets"][name]
        of |= {"title": next(words), "licence": next(words), "citation": {"text": next(words), "doi": "10.1000/x)<b>"}}
        of |= {"access": "open", "reader": "file", "options": {}}
        names = [next(words).translate({ord("/"): "∕", ord("\\"): "∖"}) for _ in range(2)]
        of["files"] = [{"name": names[0], "url": "https://x.org/a) <script>alert(1)</script>"},
                       {"name": f"{names[1]} 2", "url": "javascript:alert(1)"}]  # fmt: skip
    (root / "data_manifest.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    profile |= {
        "title": " ".join(WORDS),
        "about": " ".join(WORDS),
        "missing": dict(zip(WORDS, WORDS[::-1], strict=True)),
    }
    for part in ("baselines", "added", "evaluations"):
        for of in profile[part].values():
            of["label"] = next(words)
    (root / "config" / "demo.yaml").write_text(yaml.safe_dump(profile, sort_keys=False))
    page = "# Methods\n\n```{datasets}\n```\n\n```{missing}\n```\n\n```{front_maps}\n```\n".replace(
        "```{front_maps}\n```\n", ""
    )
    page += "".join(f"* {plain(word)}\n" for word in WORDS)
    (root / "book" / "methods.md").write_text(page)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATAMIX_ROOT", str(root))
        html = (build_site("demo", root).parent / "methods.html").read_text()
    article = html.split("<article", 1)[1].split("</article>", 1)[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split()), html, article


@pytest.mark.parametrize("word", WORDS)
def test_words_in_titles_and_labels_are_shown_as_text(hostile_site, word):
    """Tags, Markdown, roles, bars and mathematics in titles, licences, file names and reasons: shown as they are."""
    text, _, article = hostile_site
    assert text.count(word) >= 4  # in the banner twice, in a reason, on the page
    assert word in unescape(re.sub(r"<[^>]+>", "", article))


def test_no_tag_of_other_people_is_in_a_page(hostile_site):
    """No script, handler, heading or address of theirs is part of the page."""
    _, html, article = hostile_site
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert not re.search(r"<[^>]*\sonerror=", html)
    assert not re.search(r'(?i)href="\s*javascript:', html)
    assert article.count("<h1") == 1
    assert "1,234" not in article  # no {val} was looked up
    assert "<strong>bold" not in article


def test_words_in_tables_of_notebooks_are_text():
    """Labels and cell types in the tables that notebooks show: text, in cells, rows and columns."""
    table = pd.DataFrame({word: [1.0] * len(WORDS) for word in WORDS[:3]} | {"type": WORDS}, index=pd.Index(WORDS))
    html = show_table(table, "{:.2f}").to_html()
    for word in WORDS[:3]:
        assert word not in html
    assert sum(unescape(cell) in WORDS for cell in re.findall(r">([^<]+)<", html)) == 2 * len(WORDS) + 3


@pytest.mark.parametrize("word", WORDS)
def test_words_in_figures_are_text(run, word):
    """Labels and cell types in a figure and its caption: drawn as they are, and harmless in its SVG, JSON and CSV."""
    fig, axes = style.figure(width=89, height=40)
    axes.plot([0, 1], [0, 1], label=word)
    axes.set_title(word)
    axes.set_xticks([0, 1], [word, "x"])
    axes.set_yscale("log")
    axes.legend()
    panel = save_panel(
        fig, "2a", data=pd.DataFrame({"x": [1.0], "type": [word]}), alt=word, caption=plain(word), results=run
    )
    svg = panel.path("svg").read_text()
    drawn = [unescape(text).strip() for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]
    assert drawn.count(" ".join(word.split())) >= 3
    assert "<script" not in svg
    assert json.loads(panel.path("json").read_text())["alt"] == word
    assert pd.read_csv(panel.path("csv"))["type"][0] == word
    plt.close(fig)


FORMULAS = ["=1+1", "@SUM(A1)", '+HYPERLINK("http://x")', "-2+3+cmd|' /C calc'!A0", "\t=1", '=cmd|"/C calc"!A0', "\r=1"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_cell_type_that_is_a_formula(run, formula):
    """A cell type that a spreadsheet would run: in the source data behind an apostrophe, in the book as it was."""
    fig, axes = style.figure(width=89, height=40)
    axes.plot([0, 1], [0, 1])
    panel = save_panel(
        fig, "2a", data=pd.DataFrame({"x": [1.0], "type": [formula]}), alt="A line", caption="A line.", results=run
    )
    text = panel.path("csv").read_bytes().decode()
    fields = text.split("\n", 1)[1].split(",", 1)[1].lstrip('"')
    assert fields.startswith("'")
    book = BookPanel("2a", run.folder / "panels", {}, profile=lambda name: run.profile, software=lambda: None)
    assert book.table()["type"][0].strip() == formula.strip()


@pytest.mark.parametrize("formula", [*FORMULAS, "NA"])
def test_a_gene_whose_symbol_is_a_formula(tmp_path, formula):
    """A symbol of a gene, or a gene set, that a spreadsheet would run: behind an apostrophe, and read as it was."""
    written = cells(30)
    written.var["symbol"] = [formula, *written.var["symbol"].iloc[1:]]
    root = write_project(tmp_path, {"a": written}, gene_ids="ensembl")
    for command in (["prepare", "a"], ["genes"]):
        said = datamix(root, *command, "--profile", "tiny")
        assert said.code == 0, said.text
    layout = Layout.of("tiny", root)
    shown = layout.genes.read_bytes().decode()
    assert ("," + formula not in shown and ',"' + formula not in shown) == (formula != "NA")
    first = written.var_names[0]
    assert read_genes(layout).set_index("gene")["symbol"][first].strip() == formula.strip()

    sets = pd.DataFrame({"source": [formula, "ONE"], "target": ["GENE1", formula]})
    for_spreadsheets(sets).to_csv(layout.gene_sets, index=False)
    found = Results("tiny", notebook="n", root=root).gene_sets()
    pd.testing.assert_frame_equal(found.map(str.strip), sets.map(str.strip))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("project"), profile="demo")


@pytest.mark.parametrize("name", ["x; touch ran", "$(touch ran)", "`touch ran`", "a'b\"c", "a\nb", "../demo"])
def test_a_profile_whose_path_is_a_command(project, name):
    """A folder of profiles whose name is a command: the workflow quotes it, or refuses it; nothing is run."""
    folder = project.folder / name
    folder.mkdir(exist_ok=True)
    text = (project.folder / "config" / "demo.yaml").read_text()
    (folder / "odd.yaml").write_text(text.replace("name: demo", "name: odd"))
    asked = ["--config", f"profile={name}/odd.yaml", "--", "results/odd/corpora/gene_sets.csv"]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", "-p", *asked],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert not list(project.folder.rglob("ran"))
    assert done.returncode == 0 or "Error" in done.stderr


@pytest.mark.parametrize("name", ["$(touch ran)", "a; touch ran", '"; touch ran; "', "../../x", "a b"])
def test_a_notebook_whose_name_is_a_command(project, name):
    """`datamix notebook` with a command for a name: there is no such notebook, and nothing is run."""
    said = datamix(project.folder, "notebook", name)
    said.must_be_one_clear_error()
    assert not list(project.folder.rglob("ran"))
