"""Unpacking an archive that anyone may have made: nothing leaves its folder, and nothing fills the disk."""

import gzip
import shutil
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from datamix.project.errors import DatamixError
from datamix.project.files import is_read_only, replacing
from datamix.project.shortages import is_full

MOST_TIMES = 200
"""How many times as large as the archive its content may be, beyond `ALWAYS`; counts of cells come to ten or so."""
ALWAYS = 1 << 30
"""Bytes that any archive may hold."""
_CHUNK = 1 << 20


def unpack(archive: Path, target: Path, *, about_bytes: float | None = None) -> None:
    """Unpack a zip or tar archive to a folder, or a single .gz file to a file.

    Parameters
    ----------
    archive
        The file; which of the three it is, its content says.
    target
        The folder or file to write; a former one is replaced.
    about_bytes
        What its content is expected to take, where that is known: twice as much is allowed, whatever `MOST_TIMES` says.

    Raises
    ------
    DatamixError
        If a member would lie outside the folder, links outside it or is a device; if the content is far larger than
        such an archive's can be, or than the disk has room for; or if the archive is damaged. Nothing is left of it
        then.
    """
    most = max(ALWAYS, MOST_TIMES * archive.stat().st_size, 2 * (about_bytes or 0))
    try:
        with replacing(target) as beside:
            # Tar first: a tar that ends with a zip passes for a zip.
            if _is_tar(archive):
                _unpack_tar(archive, beside, most=most)
            elif zipfile.is_zipfile(archive):
                _unpack_zip(archive, beside, most=most)
            else:
                with gzip.open(archive) as source, beside.open("wb") as out:
                    _copy(archive, source, out, most=most)
    except DatamixError:
        raise
    except Exception as error:  # a damaged archive can raise nearly anything, of a dozen compressions
        if isinstance(error, OSError) and (is_read_only(error) or is_full(error)):
            raise
        msg = f"{archive} cannot be unpacked ({type(error).__name__}: {error})."
        raise DatamixError(msg, fix="datamix data verify, then datamix data fetch") from error


def _is_tar(archive: Path) -> bool:
    """Tell whether a file is a tar archive; zeros, whatever packs them, pass for one without members."""
    if not tarfile.is_tarfile(archive):
        return False
    with tarfile.open(archive) as tar:
        return tar.next() is not None


def _unpack_tar(archive: Path, folder: Path, *, most: float) -> None:
    total = 0
    with tarfile.open(archive) as tar:
        for member in tar:  # one after the other, so that a bomb is not listed to its end
            _refuse_escape(archive, member.name, folder)
            if member.issym() or member.islnk():
                _refuse_link(archive, member)
            total += member.size
            _refuse_bomb(archive, total, folder, most=most)
        # The filter also refuses devices, and takes away rights that a file of data has no use for.
        tar.extractall(folder, filter="data")
        # A compressed archive has its checksum at the end, behind the last member.
        while tar.fileobj is not None and tar.fileobj.read(_CHUNK):
            pass


def _unpack_zip(archive: Path, folder: Path, *, most: float) -> None:
    with zipfile.ZipFile(archive) as zipped:
        total = 0
        for member in zipped.infolist():
            _refuse_escape(archive, member.filename, folder)
            total += member.file_size
            _refuse_bomb(archive, total, folder, most=most)
        zipped.extractall(folder)


def _copy(archive: Path, source: BinaryIO | gzip.GzipFile, out: BinaryIO, *, most: float) -> None:
    total = 0
    while chunk := source.read(_CHUNK):
        total += len(chunk)
        if total > most:
            _refuse(archive, total, most=most)
        out.write(chunk)


def _refuse_escape(archive: Path, name: str, folder: Path) -> None:
    base = folder.resolve()
    if not (base / name).resolve().is_relative_to(base):
        msg = f"{archive} has a member {name!r} that would be written outside its folder. Nothing was unpacked."
        raise DatamixError(msg, fix="do not trust this archive; look where it came from")


def _refuse_link(archive: Path, member: tarfile.TarInfo) -> None:
    """Refuse a link that is absolute or climbs: of all others, no chain leads outside."""
    where = PurePosixPath(member.linkname)
    if where.is_absolute() or ".." in where.parts:
        msg = f"{archive} has a link {member.name!r} to {member.linkname!r}, outside its folder. Nothing was unpacked."
        raise DatamixError(msg, fix="do not trust this archive; look where it came from")


def _refuse_bomb(archive: Path, total: int, folder: Path, *, most: float) -> None:
    if total > most:
        _refuse(archive, total, most=most)
    free = shutil.disk_usage(folder.parent).free
    if total > free:
        msg = f"{archive} holds {total:,} bytes and more, of which {free:,} fit on this disk. Nothing was unpacked."
        raise DatamixError(msg, fix=f"make room where {folder.parent} lies, then run the command again")


def _refuse(archive: Path, total: int, *, most: float) -> None:
    size = archive.stat().st_size
    msg = f"{archive} has {size:,} bytes and would become {total:,} or more; at most {most:,.0f} are expected of it."
    raise DatamixError(
        msg, fix="look where it came from; if it is right, give the file its `unpacked_gb` in data_manifest.yaml"
    )
