"""What `datamix data check` says: how large files are, and what disk and memory a run needs."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from datamix.corpora.inventory import FileState
from datamix.corpora.planning import disk_needed, file_size, rule_resources
from datamix.project.errors import DatamixError
from datamix.project.manifest import Manifest
from datamix.project.profile import Profile


def size_of(state: FileState) -> str:
    """Say how large a file is: exactly where it is there, about where it is expected."""
    size = file_size(state)
    if size is None:
        return "unknown"
    return f"{size:,.0f}" if state.bytes is not None else f"about {readable(size)}"


def needs(states: Mapping[str, list[FileState]], *, profile: Profile, manifest: Manifest, root: Path) -> Iterator[str]:
    """Say, a line each, which files have no sha256 yet, and the disk and the memory that a run takes.

    Parameters
    ----------
    states
        Dataset → its files.
    profile, manifest
        What is run.
    root
        The project's folder, whose disk is asked what is free.
    """
    unpinned = [s for s in _every(states) if s.state == "unpinned" or (s.state == "missing" and s.file.sha256 is None)]
    if unpinned:
        names = ", ".join(f"{s.dataset}/{s.file.name}" for s in unpinned)
        yield f"Not pinned (no sha256 in the manifest; pinned when fetched, or, put there by hand, when read): {names}"
    disk = disk_needed((manifest.dataset(d), found) for d, found in states.items())
    unknown = f" and {disk.unknown} files of unknown size" if disk.unknown else ""
    yield (
        f"Disk: {readable(disk.to_fetch)}{unknown} to fetch, {readable(disk.to_unpack)} to unpack, "
        f"{readable(disk.to_make)} for corpora; {readable(shutil.disk_usage(root).free)} are free here."
    )
    training = rule_resources(profile, "train")
    gpu = ", with a GPU" if "gpu" in training else ""
    yield (
        f"Memory: {readable(profile.memory_mb * 1e6)} to prepare a dataset, {readable(training['mem_mb'] * 1e6)} to "
        f"train the models of a baseline and seed{gpu}."
    )


def require_all(states: Mapping[str, list[FileState]], *, profile: Profile) -> None:
    """Raise a `DatamixError` that counts what is missing or damaged, where anything is."""
    lacking = {s.file for s in _every(states) if not s.usable}  # datasets can have a file in common
    if not lacking:
        return
    by_hand = sum(file.url is None for file in lacking)
    msg = f"{len(lacking)} of {len({s.file for s in _every(states)})} files are missing or not whole"
    msg += f", {by_hand} of which no program can download." if by_hand else "."
    raise DatamixError(msg, fix=f"datamix data fetch --profile {profile.name}")


def readable(size: float) -> str:
    """Write a number of bytes in a unit that people read."""
    for unit, of in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= of:
            return f"{size / of:.1f} {unit}"
    return f"{size:.0f} bytes"


def _every(states: Mapping[str, list[FileState]]) -> list[FileState]:
    return [state for found in states.values() for state in found]
