"""The book as a site: stage its source with the executed notebooks, build it strictly, publish it whole."""

import hashlib
import io
import re
import shutil
import time
from html import escape
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import nbformat
import pandas as pd

from datamix.project.errors import DatamixError
from datamix.project.files import read_json, replacing, write_json
from datamix.project.fingerprint import fingerprint
from datamix.project.layout import Layout
from datamix.project.spreadsheets import read_table
from datamix.publishing.contents import list_notebooks
from datamix.publishing.outputs import panels_made
from datamix.publishing.website.carried import carry
from datamix.publishing.website.finish import finish_page, pages_of
from datamix.publishing.website.links import read_links
from datamix.publishing.website.pages import PLACES
from datamix.publishing.website.places import as_script, places

# Jupyter Book's own list without sphinx_thebe and sphinx_comments, which load scripts from other machines.
_EXTENSIONS = ("myst_nb", "sphinx_external_toc", "sphinx_copybutton", "sphinx_design", "sphinxcontrib.bibtex")


def build_site(profile: str, root: Path | None = None) -> Path:
    """Build the book of a profile from its executed notebooks, panels and values.

    Parameters
    ----------
    profile
        `demo`, `mini`, `paper`, or the name of another file in `config/`.
    root
        The project's folder; found from the current folder upwards when not given.

    Returns
    -------
    `results/<profile>/site/index.html`. The site is whole: it replaces the former one at the end.

    Raises
    ------
    DatamixError
        If a notebook is missing or stopped at an error, the build gives a warning, or a link leads nowhere; the former
        site stays.
    """
    layout = Layout.of(profile, root)
    source = _stage(layout)
    cache = layout.folder / "book-cache"
    _build(source, cache, banner=_banner(layout))
    site = layout.folder / "site"
    with replacing(site) as beside:
        # copyfile, so that the site is as new as it is: Snakemake compares times.
        copied: Any = {"copy_function": shutil.copyfile, "ignore": shutil.ignore_patterns(".*")}
        shutil.copytree(cache / "html", beside, **copied)
        (beside / "panels").mkdir()
        for panel in panels_made(layout.folder, list_notebooks(layout.root)):
            for path in (layout.folder / "panels").glob(f"fig{panel}.*"):
                shutil.copyfile(path, beside / "panels" / path.name)
            _write_places(panel, layout, beside / PLACES)
        carry(layout, beside, notebooks=list_notebooks(layout.root))
        (beside / ".nojekyll").touch()  # or GitHub Pages would leave out _static
        for name in list_notebooks(layout.root):
            notebook = nbformat.read(layout.folder / "notebooks" / f"{name}.ipynb", as_version=4)
            nbformat.write(_without_paths(notebook), beside / "notebooks" / f"{name}.ipynb")
        for path in pages_of(beside):
            path.write_text(finish_page(path.read_text(encoding="utf-8")), encoding="utf-8")
        _check_links(beside, layout)
    return site / "index.html"


def _write_places(panel: str, layout: Layout, folder: Path) -> None:
    """Write what can be pointed at in a panel, where there is anything."""
    found = places(panel, read_table(layout.folder / "panels" / f"fig{panel}.csv"), layout.profile)
    if found:
        folder.mkdir(exist_ok=True)
        (folder / f"fig{panel}.js").write_text(as_script(panel, found), encoding="utf-8")


def _check_links(site: Path, layout: Layout) -> None:
    """List the addresses elsewhere that the site names, and stop where a link of its own leads nowhere."""
    links = read_links(site)
    listed = pd.DataFrame(
        [(address, " ".join(pages)) for address, pages in sorted(links.external.items())], columns=["address", "pages"]
    )
    with replacing(layout.folder / "external_links.csv") as beside:
        listed.to_csv(beside, index=False, lineterminator="\n")
    if links.broken:
        msg = "links of the book lead nowhere:\n" + "\n".join(f"  {each}" for each in links.broken)
        raise DatamixError(msg, fix="mend the pages named: prose is in book/, notebooks in notebooks/")


def _stage(layout: Layout) -> Path:
    """Lay out the source of the book; files that are the same keep their time, so that Sphinx rereads only changes."""
    staged = layout.folder / "book-source"
    book = layout.root / "book"
    wanted = {
        path.relative_to(book): path.read_bytes()
        for path in sorted(book.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    for name in list_notebooks(layout.root):
        wanted[Path("notebooks") / f"{name}.ipynb"] = _page(layout, name)
    for path in staged.rglob("*"):
        if path.is_file() and path.relative_to(staged) not in wanted:
            path.unlink()
    for relative, content in wanted.items():
        path = staged / relative
        if not path.is_file() or path.read_bytes() != content:
            with replacing(path) as beside:
                beside.write_bytes(content)
    return staged


def _page(layout: Layout, name: str) -> bytes:
    """Return an executed notebook as the book shows it: code folded, and no panels, since `{panel}` shows them."""
    path = layout.folder / "notebooks" / f"{name}.ipynb"
    command = f"make figure FIG={name} PROFILE={layout.profile.name}"
    if not path.is_file():
        msg = f"{path} does not exist, but book/_toc.yml lists notebooks/{name}."
        raise DatamixError(msg, fix=command)
    notebook = nbformat.read(path, as_version=4)
    if notebook.metadata.get("papermill", {}).get("exception"):
        msg = f"{path} stopped at an error."
        raise DatamixError(msg, fix=f"read the error in it, mend notebooks/{name}.py, then: {command}")
    # The rerun notebook tells what papermill put in; a reader sees it in the banner.
    notebook.cells = [c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.metadata = {"tags": sorted({"hide-input", *cell.metadata.get("tags", [])})}
            cell.outputs = [out for out in cell.outputs if "datamix" not in out.get("metadata", {})]
    for cell, following in pairwise(notebook.cells):
        if _only_runs(cell) and following.cell_type == "code" and "remove-cell" not in following.metadata.tags:
            # One fold for a step. The emptied cell stays, so that warnings count cells as the notebook does.
            following.source = f"{cell.source}\n\n{following.source}"
            cell.metadata.tags.append("remove-cell")
    return nbformat.writes(notebook).encode()


def _only_runs(cell: nbformat.NotebookNode) -> bool:
    return cell.cell_type == "code" and not cell.outputs and "remove-cell" not in cell.metadata.tags


def _banner(layout: Layout) -> str:
    """Return the line at the head of every page, which says what made it."""
    profile = layout.profile
    return f"<strong>{escape(profile.title)}.</strong> {escape(profile.about)}"


def _without_paths(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Take out what tells of this machine: where papermill read and wrote, and warnings, which name files."""
    for path in ("input_path", "output_path"):
        notebook.metadata.get("papermill", {}).pop(path, None)
    # The rerun notebook tells what papermill put in; a reader sees it in the banner.
    notebook.cells = [c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return notebook


def _build(source: Path, cache: Path, *, banner: str) -> None:
    """Run Sphinx on what changed since the last good build, or on everything where that cannot be trusted."""
    from jupyter_book.config import get_final_config
    from sphinx.application import Sphinx
    from sphinx.errors import SphinxError
    from sphinx.util.console import nocolor
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    # Written at the end of a good build only: after a failed or interrupted one, Sphinx would skip the pages that it
    # had read, and their warnings with them. Nor is one trusted that was made at a time yet to come: Sphinx compares
    # times, and would skip what changes until then.
    trusted = cache / "trusted.json"
    made_by = {"files": _hash(source)} | {name: version(name) for name in ("sphinx", "sphinx-book-theme", "myst-nb")}
    if not trusted.is_file() or read_json(trusted) != made_by or trusted.stat().st_mtime > time.time():
        shutil.rmtree(cache, ignore_errors=True)
    trusted.unlink(missing_ok=True)

    settings, _ = get_final_config(
        user_yaml=source / "_config.yml", cli_config={"latex_individualpages": False}, sourcedir=source
    )
    for key in ("comments_config", "use_jupyterbook_latex"):  # of extensions that are left out
        settings.pop(key, None)
    settings["html_theme_options"]["announcement"] = banner
    settings.update(extensions=[*_EXTENSIONS, "datamix_book"], nitpicky=True)
    warnings = io.StringIO()
    nocolor()
    with patch_docutils(), docutils_namespace(), catch_warnings():
        simplefilter("ignore", FutureWarning)  # of torch, where it is loaded: sphinx-external-toc looks at all objects
        try:
            app = Sphinx(
                srcdir=source,
                confdir=None,
                outdir=cache / "html",
                doctreedir=cache / "doctrees",
                buildername="html",
                confoverrides=settings,
                status=None,
                warning=warnings,
                warningiserror=True,
                keep_going=True,
            )
            app.build()
        except SphinxError as error:
            msg = f"the book did not build: {error}"
            raise DatamixError(msg, fix=f"mend the page named, under book/ (staged in {source})") from error
    if app.statuscode:
        msg = f"the book did not build without warnings:\n{_readable(warnings.getvalue(), source)}"
        raise DatamixError(msg, fix="mend the pages named: prose is in book/, notebooks in notebooks/")
    write_json(trusted, made_by)


def _readable(warnings: str, source: Path) -> str:
    """Name pages from the staged source on, and cells as such: MyST-NB gives line 3 of the second cell as 20003."""
    text = warnings.replace(f"{source}/", "")
    text = re.sub(r"\.ipynb:(\d+)(\d{4}):", lambda m: f".ipynb, cell {m[1]}, line {int(m[2])}:", text)
    return "\n".join(f"  {line}" for line in text.splitlines() if line)


def _hash(source: Path) -> str:
    """Hash what shapes every page: settings, extension, looks, and this package's part in them."""
    files = [source / "_config.yml", source / "_toc.yml"]
    files += sorted(p for folder in ("_static", "_templates") for p in (source / folder).rglob("*.*"))
    code = fingerprint("datamix.publishing.website.site:build_site", *sorted((source / "_ext").glob("*.py")))
    return hashlib.sha256(b"".join([*(path.read_bytes() for path in files), code.encode()])).hexdigest()
