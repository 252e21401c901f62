"""What a rehearsal of the paper's run, at a part of its size, says of the whole: memory and time at full size."""

import pandas as pd

MEMORY_GB = 24
"""Memory that must do for every step that needs no GPU."""


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
