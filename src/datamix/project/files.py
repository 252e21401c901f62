"""Files that are whole or absent: write beside, then move."""

import errno
import hashlib
import json
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, moved over it when the block ends well and removed when it does not.

    What a process of this machine left there when it was killed is removed first.

    Parameters
    ----------
    path
        The file or folder to write; its parent folder is made.

    Yields
    ------
    A path that does not exist yet, in the same folder, with the same suffix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_left(path)
    mine = f"{_machine()}-{os.getpid()}"
    beside = path.with_name(f".{path.stem}.{mine}{path.suffix}")
    try:
        yield beside
        if path.is_dir():
            old = path.with_name(f".{path.name}.{mine}.old")
            path.rename(old)
            beside.rename(path)
            shutil.rmtree(old)
        else:
            beside.replace(path)
    finally:
        _remove(beside)


def _remove_left(path: Path) -> None:
    """Remove what was written beside a file by processes of this machine that have ended since."""
    ours = re.compile(rf"\.{re.escape(path.stem)}\.(?:.*\.)?{_machine()}-(\d+)(\..*)?", re.DOTALL)
    for other in path.parent.iterdir():
        found = ours.fullmatch(other.name)
        if found and not _is_alive(int(found[1])):
            _remove(other)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _machine() -> str:
    """Tell this machine from others that may share its disk: they cannot say which processes run on each other."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def is_read_only(error: OSError) -> bool:
    """Whether an error says that this user may not write there."""
    return error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}


def sha256(path: Path) -> str:
    """Return the sha256 of a file as 64 hexadecimal digits, read in chunks; of a folder, that of its list of files.

    The list has a line a file, sorted by name: its path inside and its sha256.
    """
    if path.is_dir():
        lines = [f"{inside.relative_to(path).as_posix()} {sha256(inside)}\n" for inside in files_in(path)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_in(path: Path) -> list[Path]:
    """Return the files of a folder and of those in it, sorted; a file itself, where it is one."""
    return [path] if path.is_file() else sorted(inside for inside in path.rglob("*") if inside.is_file())


def write_json(path: Path, content: Any) -> None:
    """Write JSON, sorted and indented, so that the same content gives the same bytes."""
    with replacing(path) as beside:
        beside.write_text(
            json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
