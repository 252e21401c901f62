"""How a figure, a claim or a number of the book is cited: the software with its version, and what made it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from datamix.publishing.website import swhid

FILE = "CITATION.cff"


def read_citation(root: Path) -> dict[str, Any] | None:
    """Read the project's CITATION.cff; None where there is none."""
    path = root / FILE
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None


def cite(panel: Mapping[str, Any], software: Mapping[str, Any]) -> str:
    """Cite a panel, a claim that it shows, or a number, in a sentence.

    Parameters
    ----------
    panel
        Its provenance: `panel`, `profile`, `simulated`, `protocol`, `commit`; of a claim, its name in `claim`, too; of
        a number, its key in `value`, in place of the panel; and, where known, `swhid`, the identifier of its source
        data, as `datamix.publishing.website.swhid` makes it.
    software
        As `read_citation` returns it.
    """
    return f"{_authors(software)}. {software['title']}, version {software['version']}. {_what(panel)}."


def bibtex(panel: Mapping[str, Any], software: Mapping[str, Any]) -> str:
    """Cite what `cite` cites as BibTeX's `@software` (biblatex-software); `swhid` is the code's."""
    commit = str(panel["commit"]).partition(" ")[0]
    fields = {
        "author": f"{{{_authors(software)}}}",
        "title": f"{{{software['title']}}}",
        "version": str(software["version"]),
        "note": _what(panel),
    }
    code = swhid.of_commit(str(panel["commit"]))
    if code is not None:
        fields["swhid"] = code
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    of = f"claim_{panel['claim']}" if "claim" in panel else f"fig{panel.get('panel')}"
    if "value" in panel:
        of = re.sub(r"\W+", "_", f"value_{panel['value']}")
    return "\n".join([f"@software{{datamix_{of}_{commit[:8]},", *lines, "}"])


def author_name(author: Mapping[str, str]) -> str:
    """Return the name of an author of CITATION.cff: an entity's, or a person's with the given names first."""
    return author.get("name") or f"{author.get('given-names', '')} {author['family-names']}".strip()


def _authors(software: Mapping[str, Any]) -> str:
    return " and ".join(map(author_name, software["authors"]))


def _what(panel: Mapping[str, Any]) -> str:
    cells = " of simulated cells" if panel["simulated"] else ""
    data = f"; source data {panel['swhid']}" if "swhid" in panel else ""
    what = f"Number “{panel['value']}”" if "value" in panel else f"Figure {panel['panel']}"
    claim = f"Claim “{panel['claim']}”, " if "claim" in panel else ""
    return (
        f"{claim}{what}, profile {panel['profile']}{cells}, {panel['protocol']} protocol, "
        f"commit {panel['commit']}{data}"
    )
