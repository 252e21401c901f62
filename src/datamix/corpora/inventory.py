"""What lies under `data/`: the state of each file of a dataset, and the hashes that were found."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from datamix.project.errors import DatamixError
from datamix.project.files import read_json, sha256, write_json
from datamix.project.manifest import Dataset, File, Manifest

State = Literal["present", "missing", "truncated", "wrong sha256", "unpinned"]
"""`unpinned`: the file is there, but neither the manifest nor `pins.lock.json` knows its sha256."""


@dataclass(frozen=True)
class FileState:
    """One file of a dataset and how it lies on disk."""

    dataset: str
    file: File
    path: Path
    """Where it lies, or would."""
    state: State
    bytes: int | None
    """Size on disk, or the manifest's where the file is missing; None where neither is known."""
    sha256: str | None
    """Of the file on disk; None where it is missing or truncated."""

    @property
    def usable(self) -> bool:
        """Whether the file may be read."""
        return self.state in {"present", "unpinned"}


def file_path(dataset_id: str, file: File, *, root: Path) -> Path:
    """Return where a file of a dataset lies: `data/<dataset>/<file>`."""
    return root / "data" / dataset_id / file.name


def unpacked_path(path: Path) -> Path:
    """Return where the content of an archive lies: beside it, in a folder (or, for plain .gz, a file)."""
    plain_gz = path.suffix == ".gz" and not path.name.endswith(".tar.gz")
    return path.with_suffix("") if plain_gz else path.with_name(f"{path.name}.unpacked")


def inspect(dataset_id: str, dataset: Dataset, *, root: Path, rehash: bool = False) -> list[FileState]:
    """Compare the files of a dataset with the manifest.

    Parameters
    ----------
    dataset_id, dataset
        An entry of the manifest.
    root
        The project's folder.
    rehash
        Read every file again. Otherwise a file whose size and time of change are those of its last hashing keeps that
        hash, so that large files are not read at every command.

    Returns
    -------
    One state a file, in the manifest's order; none for simulated datasets.
    """
    return [_inspect(dataset_id, file, root=root, rehash=rehash) for file in dataset.files]


def local_files(dataset_id: str, dataset: Dataset, *, root: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """Return the files of a dataset for its reader, once they are known to be whole.

    Returns
    -------
    paths
        The path of each file by its name in the manifest; for an archive, what it was unpacked to.
    hashes
        The sha256 of each file by the same name.

    Raises
    ------
    DatamixError
        If a file is missing, truncated or has another sha256 than the manifest says.
    """
    states = inspect(dataset_id, dataset, root=root)
    for found in states:
        if not found.usable:
            raise DatamixError(describe(found), fix=f"datamix data fetch {dataset_id}")
    paths = {s.file.name: unpacked_path(s.path) if s.file.unpack else s.path for s in states}
    for name, path in paths.items():
        if not path.exists():
            msg = f"{name} of {dataset_id} is there, but not unpacked to {path}."
            raise DatamixError(msg, fix=f"datamix data fetch {dataset_id}")
    return paths, {s.file.name: s.sha256 or "" for s in states}


def describe(found: FileState) -> str:
    """Say in one sentence what is wrong with a file."""
    where = f"{found.path} ({found.dataset})"
    match found.state:
        case "missing":
            return f"{where} is missing."
        case "truncated":
            return f"{where} has {found.bytes:,} bytes, the manifest says {found.file.bytes:,}: it is not whole."
        case "wrong sha256":
            expected = found.file.sha256 or "the one pinned in data/pins.lock.json"
            return f"sha256 of {where} is {found.sha256}, expected {expected}. It is not the file that was published."
        case "unpinned":
            return f"{where} is there, but its sha256 is not known to the manifest, so it cannot be checked."
        case _:
            return f"{where} is whole."


def pin(found: FileState, *, root: Path) -> FileState:
    """Remember the sha256 of a file that the manifest does not know, in `data/pins.lock.json`."""
    if found.state != "unpinned":
        return found
    _remember(root / "data" / "pins.lock.json", found, {"bytes": found.bytes, "sha256": found.sha256})
    return FileState(found.dataset, found.file, found.path, "present", found.bytes, found.sha256)


def known_sha256(dataset_id: str, file: File, *, root: Path) -> str | None:
    """Return the sha256 that a file should have, from the manifest or the pins; None if neither knows it."""
    return file.sha256 or _read(root / "data" / "pins.lock.json").get(f"{dataset_id}/{file.name}", {}).get("sha256")


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Let only one process at a time do what is in this block; the others wait."""
    import fcntl

    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # closing the file lets go of it
        yield


def _inspect(dataset_id: str, file: File, *, root: Path, rehash: bool) -> FileState:
    path = file_path(dataset_id, file, root=root)
    if not path.is_file():
        return FileState(dataset_id, file, path, "missing", file.bytes, None)
    size = path.stat().st_size
    expected = known_sha256(dataset_id, file, root=root)
    # A shorter file is cut off: it needs no hashing.
    if file.bytes is not None and size < file.bytes:
        return FileState(dataset_id, file, path, "truncated", size, None)
    digest = _hash(dataset_id, file, path, root=root, rehash=rehash)
    state: State = "present" if digest == expected else "unpinned" if expected is None else "wrong sha256"
    return FileState(dataset_id, file, path, state, size, digest)


def _hash(dataset_id: str, file: File, path: Path, *, root: Path, rehash: bool) -> str:
    cache = root / "data" / ".hashes.json"
    stat = path.stat()
    known = _read(cache).get(f"{dataset_id}/{file.name}")
    if known and not rehash and (known["bytes"], known["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns):
        return known["sha256"]
    digest = sha256(path)
    entry = {"bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": digest}
    _remember(cache, FileState(dataset_id, file, path, "present", stat.st_size, digest), entry)
    return digest


def _read(path: Path) -> Mapping[str, Any]:
    return read_json(path) if path.is_file() else {}


def _remember(path: Path, found: FileState, entry: Mapping[str, Any]) -> None:
    with one_at_a_time(path.parent / ".lock"):
        write_json(path, {**_read(path), f"{found.dataset}/{found.file.name}": entry})


def copies(file: File, manifest: Manifest, *, root: Path) -> dict[str, Path]:
    """Find where a file lies already: in the folders of the datasets that have it (unread), by dataset id."""
    paths = {d: file_path(d, file, root=root) for d, dataset in manifest.datasets.items() if file in dataset.files}
    return {dataset_id: path for dataset_id, path in paths.items() if path.is_file()}
