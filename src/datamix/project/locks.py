"""Locks of files under `results/` and `data/`: who waits for whom, and who is refused.

All are locks of the kernel (`flock`), which it lets go of when the process that holds one ends, however it ends: none
is ever left over by a run that was killed, and a lock file that lies about means nothing.
"""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from datamix.project.errors import DatamixError
from datamix.project.files import is_read_only

_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}
"""Errors of file systems without locks."""
_HELD: list[TextIO] = []
"""Kept open until the process ends."""


@contextmanager
def one_at_a_time(lock: Path, *, say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Let only one process at a time do what is in this block; the others wait.

    Where the folder cannot be written, or the file system has no locks, nobody waits.

    Parameters
    ----------
    lock
        The lock file; made where it is missing.
    say
        Called with a line where this process has to wait.
    """
    file = _open(lock)
    if file is None:
        yield
        return
    with file:  # closing the file lets go of it
        if not _take(file):
            if say is not None:
                say(f"waiting for {_holder(file)}, which does the same")
            _take(file, wait=True)
        _sign(file)
        yield


def hold_for_run(lock: Path, *, profile: str) -> None:
    """Keep other runs of a profile out for as long as this process lives.

    Where the folder cannot be written, or the file system has no locks, nobody is kept out.

    Parameters
    ----------
    lock
        The lock file; made where it is missing.
    profile
        The profile's name, for the message.

    Raises
    ------
    DatamixError
        If another run has the profile: says which process, on which machine, and since when.
    """
    file = _open(lock)
    if file is None:
        return
    if not _take(file):
        holder = _holder(file)
        file.close()
        msg = f"Profile {profile} is being run by {holder}. Two runs of one profile would write the same files."
        raise DatamixError(msg, fix="wait until it has ended, or end it; other profiles can run beside it")
    _sign(file)
    _HELD.append(file)


def is_free(lock: Path) -> bool:
    """Whether no process holds a lock at this moment."""
    if not lock.is_file():
        return True
    file = _open(lock)
    if file is None:
        return True
    with file:
        return _take(file)


def _open(lock: Path) -> TextIO | None:
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        return lock.open("a+", encoding="utf-8")
    except OSError as error:
        if is_read_only(error):
            return None
        raise


def _take(file: TextIO, *, wait: bool = False) -> bool:
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _sign(file: TextIO) -> None:
    """Write into the lock who has it, for those who find it taken."""
    file.truncate(0)
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    file.write(f"process {os.getpid()} on {socket.gethostname()}, since {since}\n")
    file.flush()


def _holder(file: TextIO) -> str:
    file.seek(0)
    return file.read().strip() or "another process"
