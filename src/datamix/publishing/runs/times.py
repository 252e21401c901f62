"""Times that are yet to come: what a clock that was wrong has left, by which a run would make things again for ever."""

import os
import time
from collections.abc import Callable, Iterable, Sequence

from datamix.project.layout import Layout
from datamix.project.locks import is_free
from datamix.publishing.runs.made import jobs_of, only_looks

LENIENCY = 60
"""Seconds by which the clocks of machines that share a disk may differ."""


def settle_times(layout: Layout, notebooks: Iterable[str], *, asked: Sequence[str], say: Callable[[str], None]) -> None:
    """Before a run: let results whose times are yet to come be older than all others.

    Snakemake compares times. A result of tomorrow would have all that is made from it made again in each run until
    then; one that was made tomorrow, from files that have changed since, would pass for fresh. Among themselves they
    keep their order. At worst, what was made of the present is older than it should be seen, and is made again once.

    Parameters
    ----------
    layout, notebooks, asked, say
        As in `datamix.publishing.runs.made.remove_damaged`; `say` gets one line, where there is such a file.
    """
    if only_looks(asked) or not is_free(layout.lock("run")):
        return
    made = {path for makes in jobs_of(layout, notebooks).values() for path in makes.of_rule if path.is_file()}
    times = {path: path.stat().st_mtime_ns for path in sorted(made)}
    now = time.time_ns()
    to_come = {path: ns for path, ns in times.items() if ns > now + LENIENCY * 1_000_000_000}
    if not to_come:
        return
    others = [ns for path, ns in times.items() if path not in to_come]
    back = max(to_come.values()) - min([now, *others]) + 1_000_000_000
    for path, ns in to_come.items():
        os.utime(path, ns=(ns - back, ns - back))
    say(
        f"The clock has been wrong: {len(to_come)} results have times that are yet to come. "
        "They are taken for older than all others."
    )
