"""The list of what a site carries for `datamix.open`: each file with its size and checksum, and what made them."""

import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from datamix.project.errors import DatamixError
from datamix.project.files import read_json

INDEX = "book.json"
"""Its file, at the top of the site."""

SCORES = "scores_by_type.csv"
"""Quartiles of R² by cell type; scores of single cells are too large for a site, and for a record."""

_PART = r"[A-Za-z0-9_+-][A-Za-z0-9_+.-]*"
_SAID = ("profile", "protocol", "simulated", "commit", "datasets", "seeds", "versions")


def _is_plain(name: str) -> str:
    if re.fullmatch(rf"{_PART}(/{_PART})*", name) is None:
        msg = f"{name[:100]!r} is no name of a file within the site"
        raise ValueError(msg)
    return name


class Listed(BaseModel):
    """A file of the site."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Index(BaseModel):
    """What a site carries."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    provenance: dict[str, Any]
    """As `provenance_of_panels` returns it."""
    files: dict[Annotated[str, AfterValidator(_is_plain)], Listed]
    """Path within the site → what it must be when it arrives."""


def provenance_of_panels(folder: Path) -> dict[str, Any]:
    """Return what most panels of a folder say of the run that made them.

    Parameters
    ----------
    folder
        `results/<profile>`, or a site.

    Raises
    ------
    DatamixError
        If no panel says anything.
    """
    of_panels = [read_json(path) for path in sorted((folder / "panels").glob("*.json"))]
    if not of_panels:
        msg = f"{folder} does not say what made it: there is neither a provenance.json nor a panel's json."
        raise DatamixError(msg, fix="make book, or make record")
    said = [{key: made[key] for key in _SAID} for made in of_panels]
    most, _ = Counter(repr(one) for one in said).most_common(1)[0]
    return next(one for one in said if repr(one) == most)
