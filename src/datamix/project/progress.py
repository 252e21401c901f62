"""Progress of long work: a bar on a terminal, elsewhere (a log file, a cluster's job) a line now and then."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

EVERY = 60.0
"""Seconds between two lines where there is no terminal."""


@contextmanager
def progress(
    what: str, *, unit: str, done: int = 0, say: Callable[[str], None] = print
) -> Iterator[Callable[[int, int | None], None]]:
    """Show how far work has come, how fast it goes, and how long it will still take.

    Parameters
    ----------
    what
        What is worked on.
    unit
        What is counted: `cells`, say.
    done
        How many an earlier, interrupted run had done; they do not count in the rate.
    say
        Called with a line every minute where standard error is no terminal; work that takes less is silent.

    Yields
    ------
    A function to call with how many more are done, and how many there are in all (None where that is not known).
    """
    with tqdm(
        desc=what, unit=f" {unit}", initial=done, unit_scale=True, disable=not sys.stderr.isatty(), leave=False
    ) as bar:
        count, began = done, time.monotonic()
        said = began

        def advance(more: int, total: int | None) -> None:
            nonlocal count, said
            count += more
            bar.total = total
            bar.update(more)
            now = time.monotonic()
            if bar.disable and now - said >= EVERY:
                said = now
                line = tqdm.format_meter(
                    count, total, now - began, prefix=what, unit=f" {unit}", unit_scale=True, initial=done, ncols=0
                )
                say(line.strip())

        yield advance
