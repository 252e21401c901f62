"""Getting the files of datasets: from local mirrors by checksum, otherwise by download, resumed where it broke off."""

import gzip
import os
import re
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

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
from datamix.project.dataset import Dataset, File
from datamix.project.errors import DatamixError
from datamix.project.files import is_read_only, replacing, sha256
from datamix.project.locks import one_at_a_time
from datamix.project.manifest import read_manifest

MIRRORS = "DATAMIX_MIRROR"
"""The environment variable that names folders with copies of the data."""
_CHUNK = 1 << 16  # what is lost of it when a download breaks off


def fetch(dataset_id: str, dataset: Dataset, *, root: Path, say: Callable[[str], None] = print) -> list[FileState]:
    """Bring the files of a dataset to `data/<dataset>/`, and check them.

    A file that is there and whole is left alone. Otherwise the folders of `DATAMIX_MIRROR` are searched for a file with
    its sha256, then those of datasets that have the same file; at last it is downloaded to a temporary name, checked
    and moved. A file whose sha256 the manifest does not know is pinned in `data/pins.lock.json`.

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
    The state of each file, all present.

    Raises
    ------
    DatamixError
        If a file cannot be had or is not the one that was published. The files before it stay.
    """
    if not dataset.files:
        return []
    if all(file.path is not None for file in dataset.files):
        local_files(dataset_id, dataset, root=root)  # they lie where they lie
        return [pin(found, root=root) for found in inspect(dataset_id, dataset, root=root)]
    # Jobs side by side may want the same dataset, a gene table say.
    with one_at_a_time(root / "data" / dataset_id / ".lock"):
        return _fetch(dataset_id, dataset, root=root, say=say)


def _fetch(dataset_id: str, dataset: Dataset, *, root: Path, say: Callable[[str], None]) -> list[FileState]:
    by_hand: list[FileState] = []
    for file in dataset.files:
        found = inspect_file(dataset_id, file, root=root)
        with _naming_read_only(found):
            if not found.usable:
                where = _get(found, root=root)
                if where is None:
                    by_hand.append(found)
                    continue
                say(f"{dataset_id}: {file.name} {where}")
                found = inspect_file(dataset_id, file, root=root)
            if file.unpack and found.usable and not is_unpacked(found):
                unpack(found.path, unpacked_path(found.path))
                note_unpacked(found.path, archive=found.sha256 or "")
                say(f"{dataset_id}: {file.name} unpacked")
    if by_hand:
        wanted = "\n".join(f"  - {describe(f)} {f.file.steps}" for f in by_hand)
        msg = f"'{dataset_id}' ({dataset.access}) has files that cannot be downloaded by a program:\n{wanted}"
        raise DatamixError(msg, fix=f"get them, put them there, and run: datamix data fetch {dataset_id}")
    states = [pin(found, root=root) for found in inspect(dataset_id, dataset, root=root)]
    if wrong := [describe(found) for found in states if not found.usable]:
        raise DatamixError("\n".join(wrong), fix="compare the source with data_manifest.yaml")
    return states


def _get(found: FileState, *, root: Path) -> str | None:
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
    _download(found, found.file.url, expected=expected, size=size)
    return "downloaded"


def _own_file(url: str, *, root: Path) -> Path | None:
    """Return the file of this machine that is named in place of an address, `file:///…` or a path; None where none."""
    scheme = url.partition(":")[0] if re.match("[a-z][a-z0-9+.-]+:", url) else ""
    if scheme not in {"", "file"}:
        return None
    path = root / (unquote(urlsplit(url).path) if scheme == "file" else Path(url).expanduser())
    if not path.is_file():
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


def unpack(archive: Path, target: Path) -> None:
    """Unpack a zip or tar archive to a folder, or a single .gz file to a file.

    Raises
    ------
    DatamixError
        If a member would lie outside the folder, or the archive is damaged. Nothing is left of it then.
    """
    try:
        with replacing(target) as beside:
            # Tar first: a tar that ends with a zip passes for a zip.
            if tarfile.is_tarfile(archive):
                with tarfile.open(archive) as tar:
                    _refuse_escapes(archive, tar.getnames(), beside)
                    # The filter also refuses links and devices that lead outside.
                    tar.extractall(beside, filter="data")
            elif zipfile.is_zipfile(archive):
                with zipfile.ZipFile(archive) as zipped:
                    _refuse_escapes(archive, zipped.namelist(), beside)
                    zipped.extractall(beside)
            else:
                with gzip.open(archive) as source, beside.open("wb") as out:
                    shutil.copyfileobj(source, out, _CHUNK)
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        if isinstance(error, OSError) and is_read_only(error):
            raise
        msg = f"{archive} cannot be unpacked ({type(error).__name__}: {error})."
        raise DatamixError(msg, fix="datamix data verify, then datamix data fetch") from error


def _refuse_escapes(archive: Path, names: list[str], folder: Path) -> None:
    base = folder.resolve()
    for name in names:
        if not (base / name).resolve().is_relative_to(base):
            msg = f"{archive} has a member '{name}' that would be written outside its folder. Nothing was unpacked."
            raise DatamixError(msg, fix="do not trust this archive; look where it came from")


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


def _download(found: FileState, url: str, *, expected: str | None, size: int | None) -> None:
    import requests

    again = f"datamix data fetch {found.dataset}"
    scheme = url.partition(":")[0]
    if scheme not in {"http", "https"}:
        msg = f"{found.file.name} of {found.dataset} has the url {url}: {scheme}: cannot be downloaded, only http(s):."
        fix = f"give its https address (most archives have one), or put the file at {found.path} yourself"
        raise DatamixError(msg, fix=fix)
    part = _part(found.path)
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        _go_on(part, url, name=found.file.name, size=size)
    except requests.RequestException as error:
        have = part.stat().st_size if part.exists() else 0
        kept = f" {have:,} bytes are kept and will be gone on from." if have else ""
        msg = f"Download of {found.file.name} from {url} failed ({type(error).__name__}: {error}).{kept}"
        raise DatamixError(msg, fix=f"check the network, then: {again}") from error
    _version(part).unlink(missing_ok=True)
    if expected is not None and (came := sha256(part)) != expected:
        part.unlink()
        msg = (
            f"sha256 of {found.file.name} from {url} is {came}, not the expected {expected}. What came was deleted. "
            "The file may have been replaced by its authors, or damaged on the way."
        )
        raise DatamixError(msg, fix=f"{again}; if it fails the same way, compare the source with data_manifest.yaml")
    part.replace(found.path)


def _go_on(part: Path, url: str, *, name: str, size: int | None) -> None:
    """Download to `part`, from where an earlier attempt broke off if the server lets it."""
    import requests
    from tqdm import tqdm

    version = _version(part)
    # The server sends the rest only if the file is still the one that the first part came from.
    have = part.stat().st_size if part.exists() and version.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": version.read_text()}
    with requests.get(url, headers=headers, stream=True, timeout=60) as response:
        if have and response.status_code == requests.codes.requested_range_not_satisfiable:
            # Nothing lies beyond what is there: it is the whole file, or the start of another one.
            if response.headers.get("Content-Range") == f"bytes */{have}" and size in {None, have}:
                return
            version.unlink()
            _go_on(part, url, name=name, size=size)
            return
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        have = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        if None not in (total, size) and total != size:
            msg = f"{url} offers {total:,} bytes, expected {size:,}: it is another file."
            raise DatamixError(msg, fix="compare the source with data_manifest.yaml")
        # A weak tag does not promise the same bytes, so it must not be used to go on.
        tag = response.headers.get("ETag") or response.headers.get("Last-Modified", "")
        if tag and not tag.startswith("W/"):
            version.write_text(tag)
        else:
            version.unlink(missing_ok=True)
        bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=name, disable=None)
        with part.open("ab" if resumed else "wb") as out, bar:
            for chunk in response.iter_content(_CHUNK):
                out.write(chunk)
                bar.update(len(chunk))
        if total is not None and part.stat().st_size != total:
            msg = f"{part.stat().st_size:,} of {total:,} bytes came"
            raise requests.ConnectionError(msg)


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _version(part: Path) -> Path:
    return part.with_name(f"{part.name}.version")
