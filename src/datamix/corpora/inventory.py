"""What lies under `data/`: the state of each file of a dataset, and the hashes that were found."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from datamix.project.dataset import Dataset, File
from datamix.project.errors import DatamixError
from datamix.project.files import files_in, is_read_only, read_json, sha256, write_json
from datamix.project.locks import one_at_a_time
from datamix.project.manifest import Manifest

State = Literal["present", "missing", "truncated", "too long", "wrong sha256", "unpinned"]
"""`unpinned`: the file is there, but neither the manifest nor `pins.lock.json` knows its sha256."""
_PINS, _HASHES = "pins.lock.json", ".hashes.json"


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
    """Of the file on disk; None where it is missing or of another size."""

    @property
    def usable(self) -> bool:
        """Whether the file may be read."""
        return self.state in {"present", "unpinned"}


def file_path(dataset_id: str, file: File, *, root: Path) -> Path:
    """Return where a file of a dataset lies: `data/<dataset>/<file>`, or where it says itself."""
    return root / "data" / dataset_id / file.name if file.path is None else root / file.path


def unpacked_path(path: Path) -> Path:
    """Return where the content of an archive lies: beside it, in a folder (or, for plain .gz, a file)."""
    plain_gz = path.suffix == ".gz" and not path.name.endswith(".tar.gz")
    return path.with_suffix("") if plain_gz else path.with_name(f"{path.name}.unpacked")


def note_unpacked(path: Path, *, archive: str) -> None:
    """Remember what an archive was unpacked to: the sha256 of the archive, and each file with size, time and sha256."""
    target = unpacked_path(path)
    content = {
        p.relative_to(target).as_posix(): [p.stat().st_size, p.stat().st_mtime_ns, sha256(p)] for p in files_in(target)
    }
    write_json(_unpacked_note(path), {"archive": archive, "content": content})


def is_unpacked(found: FileState) -> bool:
    """Whether the content of an archive lies beside it: of this very archive, and every file as it was unpacked.

    A file that was written since is read again, as large as it may be.
    """
    target = unpacked_path(found.path)
    known = _read_note(_unpacked_note(found.path))
    if known.get("archive") != found.sha256 or not isinstance(known.get("content"), dict):
        return False
    # The note stands beside a file, or names those in a folder.
    return all(
        _is_as_noted(target if name == "." else target / name, noted) for name, noted in known["content"].items()
    )


def _is_as_noted(path: Path, noted: int | list[Any]) -> bool:
    if not path.is_file():
        return False
    if isinstance(noted, int):  # by an earlier version, which noted the size
        return path.stat().st_size == noted
    size, changed, digest = noted
    return path.stat().st_size == size and (path.stat().st_mtime_ns == changed or sha256(path) == digest)


def _unpacked_note(path: Path) -> Path:
    return path.with_name(f".{path.name}.unpacked.json")


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
    return [inspect_file(dataset_id, file, root=root, rehash=rehash) for file in dataset.files]


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
        If a file is missing or not the one that the manifest says, or an archive is not unpacked.
    """
    states = inspect(dataset_id, dataset, root=root)
    for found in states:
        if not found.usable:
            raise DatamixError(describe(found), fix=mend(found))
    paths = {s.file.name: unpacked_path(s.path) if s.file.unpack else s.path for s in states}
    for found in states:
        if found.file.unpack and not is_unpacked(found):
            path = paths[found.file.name]
            msg = f"{found.file.name} of {dataset_id} is there, but {path} is not what it holds."
            raise DatamixError(msg, fix=f"datamix data fetch {dataset_id}, which unpacks it")
    return paths, {s.file.name: s.sha256 or "" for s in states}


def mend(found: FileState) -> str:
    """Say what to do about a file that is not usable."""
    if found.file.path is None:
        return f"datamix data fetch {found.dataset}"
    if found.state == "missing":
        return f"put it back, or correct its path under datasets.{found.dataset}.files in the profile"
    now = f"bytes: {found.bytes}, sha256: {found.sha256 or sha256(found.path)}"
    return f"put back the file as it was; or, if it was changed on purpose, say so in the profile: {now}"


def describe(found: FileState) -> str:
    """Say in one sentence what is wrong with a file."""
    where = f"{found.path} ({found.dataset})"
    if found.file.path is not None and found.state in {"truncated", "too long", "wrong sha256"}:
        return f"{where} is not the file that the profile was made for: its content has changed."
    match found.state:
        case "missing":
            return f"{where} is missing."
        case "truncated":
            return f"{where} has {found.bytes:,} bytes, the manifest says {found.file.bytes:,}: it is not whole."
        case "too long":
            return f"{where} has {found.bytes:,} bytes, the manifest says {found.file.bytes:,}: it is another file."
        case "wrong sha256":
            if found.file.sha256 is not None:
                words = f"expected {found.file.sha256}. It is not the file that was published."
            else:
                words = (
                    "expected the one pinned in data/pins.lock.json: it is not the file that was there before. If it "
                    "was changed on purpose, take its entry out of that file."
                )
            return f"sha256 of {where} is {found.sha256}, {words}"
        case "unpinned":
            return f"{where} is there, but its sha256 is not known to the manifest, so it cannot be checked."
        case _:
            return f"{where} is whole."


def pin(found: FileState, *, root: Path) -> FileState:
    """Remember the sha256 of a file that the manifest does not know, in `pins.lock.json` (see `_notes`)."""
    if found.state != "unpinned":
        return found
    _remember(root, _PINS, found, {"bytes": found.bytes, "sha256": found.sha256})
    return replace(found, state="present")


def known_sha256(dataset_id: str, file: File, *, root: Path) -> str | None:
    """Return the sha256 that a file should have, from the manifest or the pins; None if neither knows it."""
    return file.sha256 or next((pin["sha256"] for pin in _recall(root, _PINS, dataset_id, file)), None)


def known_bytes(dataset_id: str, file: File, *, root: Path) -> int | None:
    """Return the size that a file should have, from the manifest or the pins; None if neither knows it."""
    if file.bytes is not None:
        return file.bytes
    return next((pin["bytes"] for pin in _recall(root, _PINS, dataset_id, file)), None)


def inspect_file(dataset_id: str, file: File, *, root: Path, rehash: bool = False) -> FileState:
    """Compare one file of a dataset with the manifest, as `inspect` does with all."""
    path = file_path(dataset_id, file, root=root)
    if not (path.is_file() or (file.path is not None and path.is_dir())):
        return FileState(dataset_id, file, path, "missing", file.bytes, None)
    size = sum(inside.stat().st_size for inside in files_in(path))
    expected = known_sha256(dataset_id, file, root=root)
    # A file of another size needs no hashing.
    if file.bytes is not None and size != file.bytes:
        return FileState(dataset_id, file, path, "truncated" if size < file.bytes else "too long", size, None)
    digest = _hash(dataset_id, file, path, root=root, rehash=rehash)
    state: State = "present" if digest == expected else "unpinned" if expected is None else "wrong sha256"
    return FileState(dataset_id, file, path, state, size, digest)


def _hash(dataset_id: str, file: File, path: Path, *, root: Path, rehash: bool) -> str:
    stats = [inside.stat() for inside in files_in(path)]
    size = sum(stat.st_size for stat in stats)
    size_and_time: dict[str, Any] = {"bytes": size, "mtime_ns": max((stat.st_mtime_ns for stat in stats), default=0)}
    if path.is_dir():  # two files in it may have changed places
        listed = [
            [p.relative_to(path).as_posix(), s.st_size, s.st_mtime_ns]
            for p, s in zip(files_in(path), stats, strict=True)
        ]
        size_and_time["listed"] = hashlib.sha256(json.dumps(listed).encode()).hexdigest()
    for known in _recall(root, _HASHES, dataset_id, file):
        if not rehash and size_and_time.items() <= known.items():
            return known["sha256"]
    digest = sha256(path)
    found = FileState(dataset_id, file, path, "present", size, digest)
    _remember(root, _HASHES, found, size_and_time | {"sha256": digest})
    return digest


def _notes(root: Path) -> tuple[Path, Path]:
    """Return where hashes and pins are remembered: `data/`, and in its place `results/.data/` if it is read-only."""
    return root / "data", root / "results" / ".data"


def _key(dataset_id: str, file: File) -> str:
    """Return the name under which a file is remembered; profiles may call different files of one's own alike."""
    return f"{dataset_id}/{file.name}" if file.path is None else file.path


def _recall(root: Path, name: str, dataset_id: str, file: File) -> list[Mapping[str, Any]]:
    notes = [_read_noted(folder / name) for folder in _notes(root)]
    key = _key(dataset_id, file)
    return [note[key] for note in notes if key in note]


def _read_noted(path: Path) -> dict[str, Any]:
    """Read hashes, or pins; hashes that are damaged are found again, pins say what was once the right file."""
    found = _read_note(path)
    if not found and path.is_file() and path.name == _PINS and path.read_bytes().strip() != b"{}":
        msg = f"{path}, which says what files without a sha256 in the manifest were when they first came, is damaged."
        raise DatamixError(
            msg, fix=f"put it back from a copy; or delete it ({path}), and trust the files as they are now"
        )
    return {key: note for key, note in found.items() if isinstance(note, dict) and "sha256" in note}


def _read_note(path: Path) -> dict[str, Any]:
    """Read a note; one that is missing or damaged says nothing."""
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(root: Path, name: str, found: FileState, entry: Mapping[str, Any]) -> None:
    for folder in _notes(root):
        path = folder / name
        try:
            with one_at_a_time(folder / ".lock"):
                known = _read_noted(path)
                write_json(path, {**known, _key(found.dataset, found.file): entry})
        except OSError as error:
            if not is_read_only(error):
                raise
        else:
            return
    # Nowhere to remember it: the file is hashed again next time.


def copies(file: File, manifest: Manifest, *, root: Path) -> dict[str, Path]:
    """Find where a file lies already: in the folders of the datasets that have it (unread), by dataset id."""
    paths = {d: file_path(d, file, root=root) for d, dataset in manifest.datasets.items() if file in dataset.files}
    return {dataset_id: path for dataset_id, path in paths.items() if path.exists()}
