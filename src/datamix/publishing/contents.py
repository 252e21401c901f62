"""The book's table of contents, and the notebooks in it."""

from collections.abc import Iterator
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from datamix.project.profile_files import project_root


def read_toc(root: Path) -> dict[str, Any]:
    """Read the book's table of contents, `book/_toc.yml`."""
    return deepcopy(_parsed((root / "book" / "_toc.yml").read_text(encoding="utf-8")))


@lru_cache(maxsize=4)
def _parsed(text: str) -> dict[str, Any]:
    """Parse it once: each of the book's numbers asks for it."""
    return dict(yaml.safe_load(text))


def list_notebooks(root: Path | None = None) -> list[str]:
    """Return the names of the notebooks in the book, in its order: the entries `notebooks/<name>` of `book/_toc.yml`.

    Parameters
    ----------
    root
        The project's folder; found from the current folder upwards when not given.
    """
    table = read_toc(root or project_root())
    return [entry.removeprefix("notebooks/") for entry in _entries(table) if entry.startswith("notebooks/")]


def _entries(table: Any) -> Iterator[str]:
    if isinstance(table, list):
        for part in table:
            yield from _entries(part)
    elif isinstance(table, dict):
        for key, value in table.items():
            if key in {"root", "file"}:
                yield str(value)
            else:
                yield from _entries(value)
