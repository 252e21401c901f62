"""The book as a typeset PDF, for paper: printed by a Chromium without a window, from the pages of the site."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import yaml
from pypdf import PdfReader

from datamix.project.errors import DatamixError
from datamix.project.files import replacing
from datamix.project.layout import Layout
from datamix.project.provenance import short_commit
from datamix.publishing.contents import read_toc
from datamix.publishing.reuse.book import Book, require_site
from datamix.publishing.reuse.print_page import compose
from datamix.publishing.website.citation import author_name, read_citation

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MINUTES = 5
"""Longest time that a browser may take to print."""


def write_pdf(profile: str, root: Path | None = None) -> Path:
    """Print the book of a profile.

    It is printed twice: the first time says on which page each chapter begins, for the contents.

    Parameters
    ----------
    profile
        Its name; its book must have been made.
    root
        The project's folder; found from the current folder upwards when not given.

    Returns
    -------
    `results/<profile>/datamix-<profile>.pdf`.

    Raises
    ------
    DatamixError
        If the book has not been made, or there is no Chromium.
    """
    layout = Layout.of(profile, root)
    site = require_site(layout)
    toc = read_toc(layout.root)
    settings = yaml.safe_load((layout.root / "book" / "_config.yml").read_text(encoding="utf-8"))
    facts = _facts(layout)
    target = layout.folder / f"datamix-{profile}.pdf"
    with tempfile.TemporaryDirectory(prefix="datamix-") as folder:
        page, printed = Path(folder) / "book.html", Path(folder) / "book.pdf"
        pages: dict[str, int] = {}
        for _ in range(2):
            text = compose(site, toc=toc, title=str(settings["title"]), facts=facts, pages=pages)
            page.write_text(text, encoding="utf-8")
            print_page(page, printed)
            pages = first_pages(PdfReader(printed))
        with replacing(target) as beside:
            shutil.copyfile(printed, beside)
    return target


def print_page(page: Path, target: Path) -> None:
    """Print a page of HTML to PDF.

    Raises
    ------
    DatamixError
        If there is no Chromium, or it prints nothing.
    """
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        msg = f"There is no Chromium here, which prints the book (looked for {', '.join(BROWSERS)})."
        raise DatamixError(msg, fix="install chromium (or Chrome), then make pdf")
    with tempfile.TemporaryDirectory(prefix="datamix-browser-") as own:
        command = [
            browser, "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            f"--user-data-dir={own}", "--no-pdf-header-footer", "--generate-pdf-document-outline",
            f"--print-to-pdf={target}", page.resolve().as_uri(),
        ]  # fmt: skip
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # Chromium refuses to run as root with it
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60 * MINUTES, check=False)
            said = done.stderr.strip().splitlines()[-3:]
        except subprocess.TimeoutExpired:
            said = [f"it had not finished after {MINUTES} minutes"]
    if not target.is_file():
        msg = f"{browser} printed nothing: {' '.join(said)}"
        raise DatamixError(msg, fix="make pdf again; a Chromium from 131 on is needed")


def first_pages(reader: PdfReader) -> dict[str, int]:
    """Return on which page, from 1, each anchor that is linked stands."""
    found = {}
    for name, destination in reader.named_destinations.items():
        number = reader.get_destination_page_number(destination)
        if number is not None:
            found[name.removeprefix("/")] = number + 1
    return found


def _facts(layout: Layout) -> list[str]:
    made = Book(layout.folder, root=layout.root).provenance
    software = read_citation(layout.root) or {}
    cells = ", simulated cells" if layout.profile.simulated else ""
    return [
        ", ".join(map(author_name, software.get("authors", []))),
        f"Version {software.get('version', 'unknown')}, commit {short_commit(str(made['commit']))}, "
        f"profile {layout.profile.name}{cells}, {made['protocol']} protocol",
        f"{layout.profile.title}. {layout.profile.about}",
        ", ".join(f"{name} {number}" for name, number in made["versions"].items()),
    ]
