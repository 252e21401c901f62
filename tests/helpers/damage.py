"""How a file is spoilt: with a fresh time, by what another holds."""

from pathlib import Path


def truncate(path: Path, other: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path, other: Path) -> None:
    path.write_bytes(b"")


def replace(path: Path, other: Path) -> None:
    """Put another's content there, as long, with a fresh time."""
    path.write_bytes(other.read_bytes()[: path.stat().st_size].ljust(path.stat().st_size, b"x"))
