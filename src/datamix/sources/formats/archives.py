"""The files in a folder, a zip or a tar archive, opened alike, without unpacking."""

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from datamix.project.errors import DatamixError
from datamix.sources.formats.blocks import FETCH_AGAIN

_DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, tarfile.TarError)


@dataclass(frozen=True, order=True)
class Member:
    """One file of a folder or archive."""

    source: Path
    """The folder or archive; the file itself where it stands alone."""
    name: str
    """Its path inside, with `/`."""

    @property
    def base(self) -> str:
        """The last part of its name."""
        return self.name.rpartition("/")[2]

    def __str__(self) -> str:
        return str(self.source if self.source.name == self.name else self.source / self.name)


def list_members(source: Path) -> list[Member]:
    """List the files of a folder or archive, or the file itself, sorted by name.

    Hidden files, and those that macOS adds to archives, are left out.

    Raises
    ------
    DatamixError
        If the path does not exist, or the archive is damaged.
    """
    if not source.exists():
        msg = f"{source} does not exist."
        raise DatamixError(msg, fix="run `datamix data fetch`, or put it there by hand as `datamix data check` says")
    with naming_damage(str(source)):
        if source.is_dir():
            names = [path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()]
        elif _is_tar(source):
            with tarfile.open(source) as tarred:
                names = [entry.name for entry in tarred if entry.isfile()]
        elif source.suffix.lower() == ".zip":
            with zipfile.ZipFile(source) as zipped:
                names = [entry.filename for entry in zipped.infolist() if not entry.is_dir()]
        else:
            return [Member(source, source.name)]
    names = [name.removeprefix("./") for name in names]
    return sorted(Member(source, n) for n in names if not any(p.startswith((".", "__MACOSX")) for p in n.split("/")))


@contextmanager
def open_member(member: Member) -> Iterator[BinaryIO]:
    """Open a file of a folder or archive for reading, decompressed if its name ends in `.gz`.

    Raises
    ------
    DatamixError
        If it is damaged or ends too early; the message names it.
    """
    with naming_damage(str(member)), ExitStack() as opened:
        stream = _open_as_stored(member, opened)
        if member.name.endswith(".gz"):
            stream = cast("BinaryIO", opened.enter_context(gzip.open(stream)))
        yield stream


def _open_as_stored(member: Member, opened: ExitStack) -> BinaryIO:
    source = member.source
    if source.is_dir() or source.name == member.name:
        path = source / member.name if source.is_dir() else source
        return opened.enter_context(path.open("rb"))
    if not _is_tar(source):
        zipped = opened.enter_context(zipfile.ZipFile(source))
        return cast("BinaryIO", opened.enter_context(zipped.open(member.name)))
    tarred = opened.enter_context(tarfile.open(source))  # noqa: SIM115 (the stack closes it)
    name = member.name if member.name in tarred.getnames() else f"./{member.name}"
    return cast("BinaryIO", opened.enter_context(cast("BinaryIO", tarred.extractfile(name))))


def _is_tar(source: Path) -> bool:
    # By name: zipfile.is_zipfile says yes to a tar that ends with a zip.
    return source.name.lower().endswith((".tar", ".tar.gz", ".tgz"))


@contextmanager
def naming_damage(name: str) -> Iterator[None]:
    """Say of a compressed file or archive that it is damaged, where what is done with it shows that."""
    try:
        yield
    except _DAMAGE as error:
        msg = f"{name} is truncated or damaged ({error})."
        raise DatamixError(msg, fix=FETCH_AGAIN) from error
