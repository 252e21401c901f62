"""What grows: the memory and open files of a process, and what lies in a folder."""

import ctypes
import gc
import os
from pathlib import Path


def resident(process: int | str = "self") -> float:
    """Return the memory of a process in MB, without what it shares with others by files (Linux).

    Of this process, what was freed is given back before.
    """
    if process == "self":
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def open_files(process: int | str = "self") -> int:
    """Return how many files a process has open (Linux)."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def on_disk(*folders: Path) -> tuple[int, int]:
    """Return how many files lie below folders, and their bytes."""
    sizes = [
        (Path(where) / name).lstat().st_size
        for folder in folders
        for where, _, names in os.walk(folder)
        for name in names
    ]
    return len(sizes), sum(sizes)
