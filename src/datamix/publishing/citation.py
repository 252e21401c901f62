"""How a figure of the book is cited: the software with its version, and what made the figure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

FILE = "CITATION.cff"


def read_citation(root: Path) -> dict[str, Any] | None:
    """Read the project's CITATION.cff; None where there is none."""
    path = root / FILE
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None


def cite(panel: Mapping[str, Any], software: Mapping[str, Any]) -> str:
    """Cite a panel in a sentence.

    Parameters
    ----------
    panel
        Its provenance: `panel`, `profile`, `simulated`, `protocol`, `commit`.
    software
        As `read_citation` returns it.
    """
    return f"{_authors(software)}. {software['title']}, version {software['version']}. {_what(panel)}."


def bibtex(panel: Mapping[str, Any], software: Mapping[str, Any]) -> str:
    """Cite a panel as an entry of BibTeX, `@software`, as biblatex has it."""
    commit = str(panel["commit"]).partition(" ")[0]
    fields = {
        "author": f"{{{_authors(software)}}}",
        "title": f"{{{software['title']}}}",
        "version": str(software["version"]),
        "note": _what(panel),
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@software{{datamix_fig{panel['panel']}_{commit[:8]},", *lines, "}"])


def _authors(software: Mapping[str, Any]) -> str:
    names = [a.get("name") or f"{a.get('given-names', '')} {a['family-names']}".strip() for a in software["authors"]]
    return " and ".join(names)


def _what(panel: Mapping[str, Any]) -> str:
    cells = " of simulated cells" if panel["simulated"] else ""
    return (
        f"Figure {panel['panel']}, profile {panel['profile']}{cells}, {panel['protocol']} protocol, "
        f"commit {panel['commit']}"
    )
