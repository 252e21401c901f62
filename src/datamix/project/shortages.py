"""What a machine lacks where a run fails: room on a disk, memory, the right to write. Libraries say so in many ways."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from datamix.project.errors import DatamixError
from datamix.project.files import is_read_only

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FULL_WORDS = ("No space left on device", "Disk quota exceeded", "File too large")
_MEMORY_WORDS = (
    "Cannot allocate memory", "can't allocate memory", "out of memory", "Unable to allocate",
    "failed to map segment from shared object", "can't start new thread",
)  # fmt: skip


def is_full(error: BaseException) -> bool:
    """Tell whether an error, or one that led to it, says that there is no room to write: disk, quota, largest file."""
    return any(getattr(one, "errno", None) in _FULL or _says(one, _FULL_WORDS) for one in _causes(error))


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error, or one that led to it, says that memory could not be had."""
    return any(
        isinstance(one, MemoryError) or getattr(one, "errno", None) == errno.ENOMEM or _says(one, _MEMORY_WORDS)
        for one in _causes(error)
    )


def shortage(error: BaseException) -> DatamixError | None:
    """Say what the machine lacked where that is why something failed, and how to go on; None where it is not.

    Parameters
    ----------
    error
        What was raised, by whatever library.
    """
    where = next((name for one in _causes(error) if (name := _file(one))), None)
    at = f" ({where})" if where else ""
    if is_full(error):
        msg = f"There is no room left to write{at}: the disk is full, or a quota is used up. What was finished is kept."
        return DatamixError(msg, fix="make room (`df -h` shows where; `make clean` removes results), then run it again")
    if is_out_of_memory(error):
        msg = "There was not enough memory. What was finished is kept."
        fix = "end other programs, or give fewer cores (make book CORES=1), then run it again"
        return DatamixError(msg, fix=f"{fix}; `datamix plan` says what each step takes")
    refused = next((one for one in _causes(error) if isinstance(one, OSError) and is_read_only(one)), None)
    if refused is not None:
        msg = f"{where or 'A file'} cannot be written or read by this user ({os.strerror(refused.errno or 0)})."
        return DatamixError(msg, fix="give this user the right to it, or run it in a copy of the project")
    return None


@contextmanager
def said_once() -> Iterator[None]:
    """Within this, no library prints a traceback for each thing that it cannot close on a full disk; an error comes."""
    raised, unraisable = sys.excepthook, sys.unraisablehook
    sys.excepthook = lambda kind, error, trace: None if is_full(error) else raised(kind, error, trace)
    sys.unraisablehook = lambda told: None if told.exc_value and is_full(told.exc_value) else unraisable(told)
    try:
        yield
    finally:
        sys.excepthook, sys.unraisablehook = raised, unraisable


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    text = str(error)
    return any(word in text for word in words)


def _file(error: BaseException) -> str | None:
    name = getattr(error, "filename", None)
    return os.fsdecode(name) if isinstance(name, str | bytes) else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__
