"""The logs of runs, of which Snakemake keeps every one."""

from pathlib import Path

KEPT = 10
"""How many stay."""


def forget_old_logs(root: Path) -> None:
    """Remove the logs of all runs but the last ones, so that a folder in which a book is made often does not grow.

    Parameters
    ----------
    root
        The project's folder.
    """
    for log in sorted((root / ".snakemake" / "log").glob("*.snakemake.log"))[:-KEPT]:  # named by their times
        log.unlink(missing_ok=True)
