"""What a rehearsal of the paper's run, at a part of its size, says of the whole: memory and time at full size."""

import pandas as pd

from datamix.analysis.published_numbers import EVALUATION_CELLS

MEMORY_GB = 24
"""Memory that must do for every step that needs no GPU."""


def with_scoring_in_full(rehearsed: pd.DataFrame) -> pd.DataFrame:
    """Bring scoring to the paper's largest evaluation set, where a rehearsal took it no further than it was measured.

    Such a rehearsal gives no line through two sizes, so that time and memory grow in proportion to the cells.

    Parameters
    ----------
    rehearsed
        As in `fits`, with `cells`, `cells_in_full`, `seconds` and `peak_mb`.

    Returns
    -------
    The same, with another `cells_in_full`, `seconds_in_full` and `peak_mb_in_full` where `_too_small`.
    """
    largest, short = max(EVALUATION_CELLS.values()), _too_small(rehearsed)
    times = largest / rehearsed["cells"]
    full = rehearsed.assign(cells_in_full=rehearsed["cells_in_full"].mask(short, largest))
    for what in ("seconds", "peak_mb"):
        full[f"{what}_in_full"] = full[f"{what}_in_full"].mask(short, (rehearsed[what] * times).round().astype(int))
    return full


def scoring_in_words(rehearsed: pd.DataFrame | None) -> str:
    """Say how scoring was brought to full size, where that was not by a line through two sizes."""
    if rehearsed is None or not _too_small(rehearsed).any():
        return ""
    largest = max(EVALUATION_CELLS, key=lambda name: EVALUATION_CELLS[name])
    return (
        f"Scoring is known from {rehearsed.loc[_too_small(rehearsed), 'cells'].max():,} cells a set only; the paper's "
        f"largest evaluation set, {largest.replace('_', ' ')}, has {EVALUATION_CELLS[largest]:,}, and time and memory "
        "are taken to grow in proportion to the cells."
    )


def _too_small(rehearsed: pd.DataFrame) -> pd.Series:
    """Tell the scoring that stands at fewer cells than the paper's largest evaluation set has."""
    return (rehearsed["kind"] == "score") & (rehearsed["cells_in_full"] < max(EVALUATION_CELLS.values()))


def fits(rehearsed: pd.DataFrame | None) -> str:
    """Say whether the steps stay within `MEMORY_GB` at full size, which needs most, and how long preparation takes.

    Parameters
    ----------
    rehearsed
        A row a step: `step`, `kind` (its first word), `seconds_in_full`, `peak_mb_in_full`; None: not measured.
    """
    if rehearsed is None:
        return "Not measured so far: make rehearse."
    most = rehearsed.sort_values("peak_mb_in_full").iloc[-1]
    above = rehearsed.loc[rehearsed["peak_mb_in_full"] > 1000 * MEMORY_GB, "step"].map(_named)
    verdict = (
        f"{len(above)} of the {len(rehearsed)} steps need more than {MEMORY_GB} GB: {', '.join(above)}"
        if len(above)
        else f"each of the {len(rehearsed)} steps stays within {MEMORY_GB} GB"
    )
    hours = rehearsed.loc[rehearsed["kind"] == "prepare", "seconds_in_full"].sum() / 3600
    return (
        f"At full size {verdict}; most memory, {most['peak_mb_in_full'] / 1000:.1f} GB, "
        f"is taken by “{_named(most['step'])}”. "
        f"All preparations together take {hours:.1f} hours on one core."
    )


def steps_in_words(rehearsed: pd.DataFrame) -> pd.DataFrame:
    """Return the steps as a page shows them: what was measured, and what it comes to at full size."""
    rows = [
        {
            "Step": _named(row["step"]),
            "Cells": f"{row['cells']:,}",
            "Measured": f"{row['seconds']:,.0f} s, {row['peak_mb']:,.0f} MB",
            "Cells in full": f"{row['cells_in_full']:,}",
            "In full, calculated": f"{_lasting(row['seconds_in_full'])}, {row['peak_mb_in_full'] / 1000:.1f} GB",
        }
        for row in rehearsed.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _named(step: str) -> str:
    """Leave the options of a command out."""
    return step.partition(" --")[0]


def _lasting(seconds: float) -> str:
    number, unit = (seconds, "s") if seconds < 90 else (seconds / 60, "min")
    return f"{number:,.0f} {unit}"
