"""How a process ends: what was registered for its end runs, but no library is taken apart.

That takes a second where scvi-tools is loaded, and HDF5 crashes over a file that a full disk had no room for.
"""

import atexit
import os
import sys
from contextlib import suppress
from functools import cache

_STATUS: list[int] = []


@cache
def end_at_once() -> None:
    """Let this process and its copies end at once, where `ends_with` says how; called first, it is the last to run."""
    atexit.register(_end)


def ends_with(status: int) -> None:
    """Note the status with which this process is about to end."""
    _STATUS.append(status)


def _end() -> None:
    if _STATUS:
        with suppress(OSError, ValueError):  # nobody reads it any more
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(_STATUS[0])
