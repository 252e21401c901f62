"""Getting the files of datasets: from local mirrors by checksum, otherwise by download; and what is in archives."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from datamix.corpora.download import download
from datamix.corpora.inventory import (
    FileState,
    copies,
    describe,
    inspect,
    inspect_file,
    is_unpacked,
    known_bytes,
    known_sha256,
    local_files,
    mend,
    note_unpacked,
    pin,
    unpacked_path,
)
from datamix.corpora.unpacking import unpack
from datamix.project.dataset import Dataset, File
from datamix.project.errors import DatamixError
from datamix.project.files import is_read_only, replacing, sha256
from datamix.project.locks import one_at_a_time
from datamix.project.manifest import read_manifest

MIRRORS = "DATAMIX_MIRROR"
"""The environment variable that names folders with copies of the data."""


def fetch(dataset_id: str, dataset: Dataset, *, root: Path, say: Callable[[str], None] = print) -> list[FileState]:
    """Bring the files of a dataset to `data/<dataset>/`, and check them.

    A file that is there and whole is left alone. Otherwise the folders of `DATAMIX_MIRROR` are searched for a file with
    its sha256, then those of datasets that have the same file; at last it is downloaded to a temporary name, checked
    and moved. A file that comes so, and whose sha256 the manifest does not know, is pinned in `data/pins.lock.json`.

    Parameters
    ----------
    dataset_id, dataset
        An entry of the manifest.
    root
        The project's folder.
    say
        Called with a line for each file that arrives.

    Returns
    -------
    The state of each file, all usable.

    Raises
    ------
    DatamixError
        If a file cannot be had or is not the one that was published. The files before it stay.
    """
    if not dataset.files:
        return []
    if all(file.path is not None for file in dataset.files):
        local_files(dataset_id, dataset, root=root)  # they lie where they lie
        return inspect(dataset_id, dataset, root=root)
    # Jobs side by side may want the same dataset, a gene table say.
    with one_at_a_time(root / "data" / dataset_id / ".lock"):
        return _fetch(dataset_id, dataset, root=root, say=say)


def pin_read(dataset_id: str, dataset: Dataset, *, root: Path) -> None:
    """Pin the files of a dataset of which a corpus was made: what a person put there has turned out to be readable."""
    for found in inspect(dataset_id, dataset, root=root):
        pin(found, root=root)


def _fetch(dataset_id: str, dataset: Dataset, *, root: Path, say: Callable[[str], None]) -> list[FileState]:
    by_hand: list[FileState] = []
    brought: set[str] = set()
    for file in dataset.files:
        found = inspect_file(dataset_id, file, root=root)
        with _naming_read_only(found):
            if not found.usable:
                where = _get(found, root=root, say=say)
                if where is None:
                    by_hand.append(found)
                    continue
                brought.add(file.name)
                say(f"{dataset_id}: {file.name} {where}")
                found = inspect_file(dataset_id, file, root=root)
            if file.unpack and found.usable and not is_unpacked(found):
                about = None if file.unpacked_gb is None else file.unpacked_gb * 1e9
                unpack(found.path, unpacked_path(found.path), about_bytes=about)
                note_unpacked(found.path, archive=found.sha256 or "")
                say(f"{dataset_id}: {file.name} unpacked")
    if by_hand:
        wanted = "\n".join(f"  - {describe(f)} {f.file.steps}" for f in by_hand)
        msg = f"'{dataset_id}' ({dataset.access}) has files that cannot be downloaded by a program:\n{wanted}"
        raise DatamixError(msg, fix=f"get them, put them there, and run: datamix data fetch {dataset_id}")
    states = inspect(dataset_id, dataset, root=root)
    # What a person put there may be the wrong file: it is pinned when it has been read (`pin_read`).
    states = [pin(found, root=root) if found.file.name in brought else found for found in states]
    if wrong := [describe(found) for found in states if not found.usable]:
        raise DatamixError("\n".join(wrong), fix="compare the source with data_manifest.yaml")
    return states


def _get(found: FileState, *, root: Path, say: Callable[[str], None]) -> str | None:
    """Bring a file to its place, and say where from; None where no program can."""
    expected = known_sha256(found.dataset, found.file, root=root)
    copy = _find_in_mirrors(found.file, expected) or _find_elsewhere(found, expected, root=root)
    if copy is not None:
        _copy(copy, found.path)
        return f"from {copy.parent}"
    if found.file.path is not None:
        raise DatamixError(describe(found), fix=mend(found))
    if found.file.url is None:
        return None
    if (own := _own_file(found.file.url, root=root)) is not None:
        _copy(own, found.path)
        return f"from {own.parent}"
    size = known_bytes(found.dataset, found.file, root=root)
    download(found, found.file.url, expected=expected, size=size, say=say)
    return "downloaded"


def _own_file(url: str, *, root: Path) -> Path | None:
    """Return the file of this machine that is named in place of an address, `file:///…` or a path; None where none."""
    scheme = url.partition(":")[0] if re.match("[a-z][a-z0-9+.-]+:", url) else ""
    if scheme not in {"", "file"}:
        return None
    try:
        path = root / (unquote(urlsplit(url).path) if scheme == "file" else Path(url).expanduser())
        there = path.is_file()
    except (RuntimeError, ValueError):  # `~` of nobody, say
        path, there = root / url, False
    if not there:
        msg = f"{path}, which is given as the url of a file, does not exist."
        raise DatamixError(
            msg,
            fix="correct the url in data_manifest.yaml; a file of your own can stay where it is: "
            "give its `path` in place of a url",
        )
    return path


@contextmanager
def _naming_read_only(found: FileState) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not is_read_only(error):
            raise
        folder = found.path.parent
        msg = f"{found.file.name} is to be brought to {folder} and unpacked, but that cannot be written ({error})."
        raise DatamixError(
            msg, fix=f"let someone who may write there run: datamix data fetch {found.dataset}"
        ) from error


def _find_in_mirrors(file: File, expected: str | None) -> Path | None:
    if expected is None:
        return None
    for folder in filter(None, os.environ.get(MIRRORS, "").split(os.pathsep)):
        if not Path(folder).is_dir():
            msg = f"{MIRRORS} names {folder}, which is not a folder."
            raise DatamixError(msg, fix=f"correct or unset {MIRRORS}")
        for path in sorted(Path(folder).rglob("*")):
            # A link that leads nowhere is no file. Hashing is slow, so the size (or the name) is compared first.
            if not path.is_file() or not os.access(path, os.R_OK):
                continue
            same = path.stat().st_size == file.bytes if file.bytes is not None else path.name == file.name
            if same and sha256(path) == expected:
                return path.resolve()
    return None


def _find_elsewhere(found: FileState, expected: str | None, *, root: Path) -> Path | None:
    """Find the file in the folder of another dataset that has it, too."""
    if not (root / "data_manifest.yaml").is_file():
        return None
    others = copies(found.file, read_manifest(root), root=root)
    others.pop(found.dataset, None)
    return next((path for path in others.values() if expected is None or sha256(path) == expected), None)


def _copy(source: Path, target: Path) -> None:
    """Link or, across file systems, copy."""
    with replacing(target) as beside:
        try:
            beside.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, beside)
