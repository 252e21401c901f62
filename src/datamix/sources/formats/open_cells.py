"""Cells of any file, told by content and not by name: h5ad, h5mu, zarr, loom, 10x HDF5 and MEX, R, tables of text."""

import re
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import h5py

from datamix.project.errors import DatamixError
from datamix.sources.formats.archives import Member, list_members
from datamix.sources.formats.cell_file import CellFile, only_genes
from datamix.sources.formats.h5ad_cells import open_h5ad_cells
from datamix.sources.formats.h5ad_rows import open_h5ad
from datamix.sources.formats.loom import open_loom
from datamix.sources.formats.mex import find_mex, is_matrix_market, open_mex, side_of
from datamix.sources.formats.r_cells import open_r
from datamix.sources.formats.r_objects import is_r
from datamix.sources.formats.tenx_h5 import is_tenx_h5, open_tenx_h5
from datamix.sources.formats.text_tables import open_count_table
from datamix.sources.formats.zarr_cells import is_zarr, open_zarr

FORMATS = "h5ad, h5mu, zarr, loom, 10x HDF5, 10x MEX, R (.rds, .RData), and tables of text"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ENDS = r"(?i)(?:\.(?:h5ad|h5mu|h5|hdf5|zarr|loom|rds|rda|rdata|csv|tsv|txt|tab|mtx|gz|bz2|xz|zip|tar|tgz))+$"
_COUNT_FIRST = "count them first: Cell Ranger, STARsolo and alevin-fry leave matrices that can be read here"
# How a file begins, as it is or decompressed: what it is, and what helps.
_OTHERS = {
    rb"PAR1": ("a Parquet table", "write it as CSV, or as h5ad"),
    rb"ARROW1|FEA1": ("a Feather table", "write it as CSV, or as h5ad"),
    rb"\x93NUMPY": ("a NumPy array, without names of cells and genes", "write it with names, as h5ad or CSV"),
    rb"\xd0\xcf\x11\xe0": ("an Excel workbook", "save it as CSV; mind that Excel turns gene names into dates"),
    rb"\x80[\x02-\x05]": ("a Python pickle, which can run any code when it is opened", "write it as h5ad"),
    rb"\x0b\x0e\x0a\x0c": ("an R object that the package qs wrote", "saveRDS(qs::qread('…'), '….rds') in R"),
    rb"BAM\x01|CRAM|@(?:HD|SQ)\t": ("aligned reads (BAM, CRAM, SAM)", _COUNT_FIRST),
    rb"@[^\n]*\n[ACGTN]+\r?\n\+|>[^\n]*\n[ACGTNacgtn]+\r?\n": ("reads (FASTQ, FASTA)", _COUNT_FIRST),
    rb"BZh\d": ("compressed by bzip2", "decompress it: bunzip2 -k"),
    rb"\xfd7zXZ\x00": ("compressed by xz", "decompress it: unxz -k"),
    rb"\x28\xb5\x2f\xfd": ("compressed by zstd", "decompress it: unzstd"),
    rb"(?i)\s*<(?:!doctype|html|\?xml)": (
        "a web page, not what was to be downloaded",
        "download it again: where a page asks for a login or a click, with a browser",
    ),
    rb"version https://git-lfs": ("a pointer of Git LFS, not the file itself", "git lfs pull"),
    rb"\xff\xfe|\xfe\xff": ("text in UTF-16", "save it as UTF-8"),
}


def open_cells(
    files: Mapping[str, Path], opened: ExitStack, *, matrix: str | None = None, modality: str | None = None
) -> list[tuple[str, CellFile]]:
    """Open files of cells; three files of a 10x MEX matrix are one, and a folder is what lies in it.

    Parameters
    ----------
    files
        Files or folders by name.
    opened
        Closes them.
    matrix, modality
        Where in each file the counts are, where that is not to be found out.

    Returns
    -------
    Name of the sample (of the file, without its ending) and what the file holds, in the order of `files`.

    Raises
    ------
    DatamixError
        If a file is missing, damaged, of no known format, or holds no raw counts of named genes.
    """
    loose: list[Member] = []
    given: dict[Path, str] = {}
    found: list[tuple[str, CellFile]] = []
    for name, path in files.items():
        members = _members(name, path)
        if members is None:
            found.append((_sample(name), _open(path, opened, matrix=matrix, modality=modality)))
        else:
            loose += members
            given[path] = name
    matrices = find_mex(loose)
    sources = [mex.matrix.source for mex in matrices]
    for mex, source in zip(matrices, sources, strict=True):
        stem = re.sub(r"(?i)[_.-]?(?:matrix|counts)?\.mtx(?:\.gz)?$", "", mex.matrix.name)
        stem = stem.replace("/", "_").strip("_.-")
        alone = sources.count(source) == 1 and source.name != mex.matrix.name  # a folder or archive of one matrix
        found.append((_sample(given[source] if alone or not stem else stem), open_mex(mex)))
    if not found:
        msg = f"No counts of cells are among {', '.join(files) or 'no files'}; expected {FORMATS}."
        raise DatamixError(msg, fix="list the files with counts under the dataset's files in data_manifest.yaml")
    return found


def _members(name: str, path: Path) -> list[Member] | None:
    """Return the parts of MEX matrices among a file, a folder or an archive; None where it is a file of its own."""
    if not path.exists():
        msg = f"{path} does not exist."
        raise DatamixError(msg, fix="put it there, or correct its name; `datamix data check` shows what is missing")
    if path.is_dir():
        if is_zarr(path):
            return None
        members = list_members(path)
        if any(is_matrix_market(m.base) for m in members):
            return members
        msg = (
            f"{path} is a folder without a matrix.mtx; it holds {', '.join(m.name for m in members[:8]) or 'nothing'}."
        )
        raise DatamixError(msg, fix="name the file with the counts in it")
    if is_matrix_market(name):
        return [Member(path, path.name)]
    if side_of(name) is not None and any(is_matrix_market(p.name) for p in path.parent.iterdir()):
        return [Member(path, path.name)]
    _require_no_arrays(path)
    if zipfile.is_zipfile(path) or re.search(r"\.(?:tar|tar\.gz|tgz)$", name, re.IGNORECASE):
        members = list_members(path)
        if any(is_matrix_market(m.base) for m in members):
            return members
        msg = f"{path} is an archive without a matrix.mtx; it holds {', '.join(m.name for m in members[:8])}."
        fix = "unpack it and name what is in it; a file that data_manifest.yaml fetches is unpacked by `unpack: true`"
        raise DatamixError(msg, fix=fix)
    return None


def _require_no_arrays(path: Path) -> None:
    """Refuse what is a zip archive inside, and no archive to its user: a workbook, or arrays."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as zipped:
        names = zipped.namelist()
    what = None
    if any(name.startswith("xl/") for name in names):
        what = ("an Excel workbook", "save it as CSV; mind that Excel turns gene names into dates")
    elif names and all(name.endswith(".npy") for name in names):
        what = ("a file of NumPy or SciPy arrays, without names of cells and genes", "write it with names, as h5ad")
    if what is not None:
        msg = f"{path} is {what[0]}; expected counts as {FORMATS}."
        raise DatamixError(msg, fix=what[1])


def _open(path: Path, opened: ExitStack, *, matrix: str | None, modality: str | None) -> CellFile:
    if path.is_dir():
        return only_genes(open_zarr(path, matrix=matrix))
    start = _start(path)
    if start.startswith(_HDF5):
        return only_genes(_open_hdf5(path, opened, matrix=matrix, modality=modality))
    if is_r(path):
        return only_genes(open_r(path, matrix=matrix))
    plain = _start(path, inside=True)
    if plain.startswith(_HDF5):
        msg = f"{path} is a compressed HDF5 file, of which pieces cannot be read."
        raise DatamixError(msg, fix=f"gunzip -k {path.name}, or set `unpack: true` for it in data_manifest.yaml")
    for form, (what, fix) in _OTHERS.items():
        if re.match(form, plain):
            msg = f"{path} is {what}; expected counts as {FORMATS}."
            raise DatamixError(msg, fix=fix)
    if b"\0" in plain or not plain.strip():
        msg = f"{path} is {'empty' if not plain.strip() else 'of a format that is not known here'}; expected {FORMATS}."
        raise DatamixError(msg, fix="take the counts in one of these formats; for a damaged file, another copy")
    return only_genes(open_count_table(path))


def _open_hdf5(path: Path, opened: ExitStack, *, matrix: str | None, modality: str | None) -> CellFile:
    file: h5py.File = opened.enter_context(open_h5ad(path))
    if "row_attrs" in file and "matrix" in file:
        return open_loom(file, matrix=matrix)
    if is_tenx_h5(file):
        return open_tenx_h5(file, matrix=matrix)
    if "mod" in file or {"obs", "var"} & set(file):
        return open_h5ad_cells(file, matrix=matrix, modality=modality)
    msg = f"{path} is an HDF5 file of another kind; it holds {', '.join(list(file)[:8]) or 'nothing'}."
    raise DatamixError(msg, fix="take an h5ad, h5mu, loom or 10x file; of an h5Seurat file, the object saved as .rds")


def _start(path: Path, *, inside: bool = False) -> bytes:
    """Return the first bytes of a file, or, decompressed, of what is in it."""
    import gzip
    import zlib

    with path.open("rb") as stream:
        start = stream.read(4096)
    if not inside or not start.startswith(b"\x1f\x8b"):
        return start
    try:
        with gzip.open(path) as unpacked:
            return unpacked.read(4096)
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{path} is truncated or damaged ({error})."
        raise DatamixError(msg, fix="take another copy of it") from error


def _sample(name: str) -> str:
    return re.sub(_ENDS, "", name) or name
