"""What a finished file was when it was made, and whether it still is: size, time and sha256.

A file whose size and time are as noted is taken for whole; where they are not, its content decides. Who draws from a
file has it hashed in any case.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypedDict

from datamix.project.files import sha256


class Noted(TypedDict):
    """What is noted of a file."""

    bytes: int
    time: int
    """Of its last change, in ns."""
    sha256: str


def note(paths: Iterable[Path], *, root: Path) -> dict[str, Noted]:
    """Note files as they are now.

    Parameters
    ----------
    paths
        Files, all of them there.
    root
        The folder from which on they are named.
    """
    return {path.relative_to(root).as_posix(): _noted(path) for path in paths}


def differences(
    notes: Mapping[str, Noted], *, root: Path, hashed: Iterable[str] = (), missing: bool = False
) -> dict[str, str]:
    """Compare files with what was noted of them.

    Parameters
    ----------
    notes
        What `note` returned.
    root
        The folder from which on they are named.
    hashed
        Those that are hashed even where size and time are as noted.
    missing
        Whether a file that is gone differs.

    Returns
    -------
    Name → how it differs, as a clause, such as “it has 0 bytes, not 12”.
    """
    always, found = set(hashed), {}
    for name, noted in notes.items():
        path = root / name
        if not path.is_file():
            if missing or path.is_dir():
                found[name] = "it is gone"
            continue
        now = path.stat()
        if now.st_size != noted["bytes"]:
            found[name] = f"it has {now.st_size:,} bytes, not {noted['bytes']:,}"
        elif (now.st_mtime_ns != noted["time"] or name in always) and sha256(path) != noted["sha256"]:
            found[name] = "its content is another"
    return found


def with_present_times(notes: Mapping[str, Noted], *, root: Path) -> dict[str, Noted]:
    """Return notes of files that do not differ, with the times that these have now: touched, they are still whole."""
    return {name: {**noted, "time": _time(root / name, else_=noted["time"])} for name, noted in notes.items()}


def without_times(notes: Mapping[str, Noted]) -> dict[str, Noted]:
    """Return notes by which the content of every file is looked at, whatever its time."""
    return {name: {**noted, "time": 0} for name, noted in notes.items()}


def _time(path: Path, *, else_: int) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return else_


def _noted(path: Path) -> Noted:
    now = path.stat()
    return {"bytes": now.st_size, "time": now.st_mtime_ns, "sha256": sha256(path)}
