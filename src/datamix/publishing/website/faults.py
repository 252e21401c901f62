"""What the campaign of faults tried and what held, as `make test-faults` left it, for the page that shows it."""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from datamix.project.errors import DatamixError
from datamix.project.files import read_json
from datamix.publishing.website.text import plain

FAULTS = Path("recorded", "faults.json")
"""Where it is kept, from the project's folder on."""


def faults_shown(path: Path, *, as_: str) -> list[str]:
    """Return the campaign's outcome as lines of Markdown.

    Parameters
    ----------
    path
        The record: `sections`, each with a name, what it is `about`, and what was `tried`: in words (`what`), how many
        `times`, and how many of them `held`.
    as_
        `summary`, a sentence; `table`, a table a section; or `pins`, how old the pinned packages are, which
        `pins.csv` beside it lists.

    Raises
    ------
    DatamixError
        If there is no record, or it cannot be shown so.
    """
    if not path.is_file():
        msg = f"{path} does not exist: the campaign of faults has not been run so far."
        raise DatamixError(msg, fix="make test-faults")
    sections = read_json(path)["sections"]
    if as_ == "summary":
        return [_summary([tried for section in sections for tried in section["tried"]])]
    if as_ == "table":
        return [line for section in sections for line in _table(section)]
    if as_ == "pins":
        return [_ages(pd.read_csv(path.with_name("pins.csv"), dtype=str))]
    msg = f"The campaign cannot be shown as {as_!r}."
    raise DatamixError(msg, fix="write summary, table or pins")


def _summary(tried: list[dict[str, Any]]) -> str:
    times, held = (sum(one[key] for one in tried) for key in ("times", "held"))
    others = "all of them held" if held == times else f"{held:,} held, and {times - held:,} did not"
    return f"{times:,} faults of {len(tried):,} kinds were tried: {others}."


def _ages(pins: pd.DataFrame) -> str:
    pins = pins.sort_values("released", kind="stable")
    days, oldest = pins["released"].tolist(), pins["package"].iloc[0]
    return (
        f"{len(pins)} packages are pinned, with hashes: the oldest release is of {days[0]} ({oldest}), the newest of "
        f"{days[-1]}, and half are of {days[len(days) // 2]} or later."
    )


def _table(section: dict[str, Any]) -> list[str]:
    about = section["about"]
    head = f"**{plain(section['section'])}**: {plain(about[:1].lower() + about[1:])}"
    rows = [f"| {_with_code(one['what'])} | {one['times']:,} | {one['held']:,} |" for one in section["tried"]]
    return [head, "", "| Tried | Times | Held |", "|---|---:|---:|", *rows, ""]


def _with_code(text: str) -> str:
    """Return text as it is, but what stands between backticks as code."""
    pieces = re.split(r"(`[^`]*`|\s+)", text)
    return "".join(_code(piece) if piece.startswith("`") or piece.isspace() else plain(piece) for piece in pieces)


def _code(piece: str) -> str:
    return piece.replace("|", r"\|")
