"""Which files with counts a folder stands for: one matrix, what a program leaves, or samples of one dataset."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from datamix.corpora.labels_beside import wide_tables
from datamix.project.errors import DatamixError
from datamix.sources.formats.archives import Member
from datamix.sources.formats.mex import find_mex, is_matrix_market
from datamix.sources.formats.zarr_cells import is_zarr

_ONE_FILE = (".h5ad", ".h5mu", ".h5", ".hdf5", ".loom", ".rds", ".rda", ".rdata", ".zarr")
_TABLES = (".csv", ".tsv", ".txt", ".tab")
_CELL_RANGER = ("filtered_feature_bc_matrix", "filtered_gene_bc_matrices", "filtered_feature_bc_matrix.h5")
_DEPTH = 8
# All barcodes, most of them empty droplets; the same without them lies beside it.
_RAW = re.compile(r"(?i)(?:^|_)raw_(?:feature|gene)_bc_matri|(?:^|_)unfiltered(?![a-z])")
_NO_MATRIX = re.compile(r"(?i)molecule_info|probe_set")
# Folders that programs make in every sample's: they name no sample.
_EVERYWHERE = re.compile(
    r"(?i)^(?:outs|per_sample_outs|multi|counts?|(?:sample_)?filtered.*|(?:sample_)?raw.*|Solo\.out|DGE.*|analysis)$"
)


def files_of(path: Path) -> dict[str, Path]:
    """Say which files with counts a path stands for, by name.

    A file is itself, a matrix.mtx with the genes and barcodes beside it, and so is a folder that is one matrix (zarr,
    10x MEX); of the folder that Cell Ranger leaves it is the filtered matrix. Of another folder it is what lies in it,
    or else below it, that may hold counts, each a sample: files of formats for matrices and folders of 10x MEX, without
    the unfiltered ones where filtered ones are there, or, where there is none, tables of text.

    Raises
    ------
    DatamixError
        If nothing is there, or no such file is in a folder.
    """
    if not path.exists():
        lost = f", but a link to {path.readlink()}, where nothing is" if path.is_symlink() else ""
        msg = f"{path} does not exist." if not lost else f"{path} is no file{lost}."
        raise DatamixError(msg, fix="correct the path")
    if path.is_file() and is_matrix_market(path.name):
        beside = [p for p in sorted(path.parent.iterdir()) if p.is_file() and not is_matrix_market(p.name)]
        (mex,) = find_mex([Member(p, p.name) for p in (path, *beside)])
        return {part.name: part.source for part in (mex.matrix, mex.features, mex.barcodes)}
    if path.is_file() or is_zarr(path):
        return {path.name: path}
    for place in (path, path / "outs"):
        found = next((place / name for name in _CELL_RANGER if (place / name).exists()), None)
        if found is not None:
            return {found.name: found}
    if any(is_matrix_market(inside.name) for inside in path.iterdir()):
        return {path.name: path}
    inside = sorted(p for p in path.iterdir() if not p.name.startswith("."))
    here = {p.name: p for p in inside if _is_matrix(p)}
    if here:
        return here
    below = _chosen([p for p in _matrices(path, _DEPTH) if _is_mex(p) or _is_matrix(p)], folder=path)
    if below:
        return {below[0].name: below[0]} if len(below) == 1 else dict(zip(_names(below, path), below, strict=True))
    # Without labels of the cells, which are narrow.
    tables = wide_tables({p.name: p for p in inside if p.is_file() and _ends(p, _TABLES)})
    if tables:
        return tables
    msg = f"{path} holds no file of counts; it has {', '.join(p.name for p in inside[:8]) or 'nothing'}."
    raise DatamixError(msg, fix="name the file with the counts")


def _ends(path: Path, endings: Sequence[str]) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(tuple(endings))


def _is_matrix(path: Path) -> bool:
    return _ends(path, _ONE_FILE) and _NO_MATRIX.search(path.name) is None


def _is_mex(path: Path) -> bool:
    return path.is_dir() and any(is_matrix_market(inside.name) for inside in path.iterdir())


def _matrices(folder: Path, depth: int) -> Iterator[Path]:
    """Go through a folder, and give what is or may be a matrix of its own; into those it does not go."""
    for inside in sorted(folder.iterdir()):
        if inside.name.startswith("."):
            continue
        if inside.is_file() or is_zarr(inside) or _is_mex(inside):
            yield inside
        elif depth:
            yield from _matrices(inside, depth - 1)


def _chosen(found: Sequence[Path], *, folder: Path) -> list[Path]:
    """Leave out unfiltered matrices where there are others, and a file that is the same as the folder beside it."""
    filtered = [
        p
        for p in found
        if not any(_RAW.search(part) for part in p.relative_to(folder).parts)
        and not (p.name == "raw" and (p.parent / "filtered").is_dir())
    ]
    folders = {p for p in filtered if p.is_dir()}
    return [p for p in filtered or found if p.with_suffix("") not in folders or p in folders]


def _names(paths: Sequence[Path], folder: Path) -> list[str]:
    """Name samples by the folders that are theirs, as short as may be."""
    parts = [path.relative_to(folder).parts for path in paths]
    short = ["_".join(part for part in own if not _EVERYWHERE.match(re.sub(r"\.h5$", "", part))) for own in parts]
    return short if all(short) and len(set(short)) == len(short) else ["_".join(own) for own in parts]
