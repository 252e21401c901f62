"""Cells of 10x MEX files: a matrix in MatrixMarket text, and its genes and barcodes beside it, whatever their prefix.

Cell Ranger 3 writes matrix.mtx.gz, features.tsv.gz, barcodes.tsv.gz; 2 writes genes.tsv, uncompressed; GEO puts the
sample in front. Layout: https://www.10xgenomics.com/support/software/cell-ranger/latest/analysis/outputs/cr-outputs-mex-matrices.
"""

import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import pandas as pd

from datamix.project.errors import DatamixError
from datamix.sources.formats.archives import Member, open_member
from datamix.sources.formats.blocks import FETCH_AGAIN
from datamix.sources.formats.cell_file import CellFile, only_genes
from datamix.sources.formats.spool import Entries, Spool

ENTRIES = 1_000_000
"""Matrix entries read at a time."""
_FEATURES = re.compile(r"(features?|genes?|peaks)[^/]*\.(?:tsv|csv|txt)(?:\.gz)?$", re.IGNORECASE)
_BARCODES = re.compile(r"(barcodes?|cells?)[^/]*\.(?:tsv|csv|txt)(?:\.gz)?$", re.IGNORECASE)


def find_mex(members: Sequence[Member]) -> list[tuple[Member, Member, Member]]:
    """Find matrices with their genes and barcodes among files.

    Returns
    -------
    Matrix, genes and barcodes, in the order of the names.

    Raises
    ------
    DatamixError
        If a matrix has no genes or no barcodes beside it, or several of which none has its prefix.
    """
    found = []
    for matrix in (m for m in members if re.search(r"\.mtx(\.gz)?$", m.base, re.IGNORECASE)):
        folder, stem = matrix.name.rpartition("/")[0], re.sub(r"(?i)(matrix|counts)?\.mtx(\.gz)?$", "", matrix.base)
        beside = [
            m for m in members if (m.name.rpartition("/")[0] == folder and m.source == matrix.source) or _loose(m)
        ]
        sides = [
            _beside(matrix, stem, [m for m in beside if pattern.search(m.base)], what)
            for pattern, what in ((_FEATURES, "features.tsv or genes.tsv"), (_BARCODES, "barcodes.tsv"))
        ]
        found.append((matrix, sides[0], sides[1]))
    return found


def _loose(member: Member) -> bool:
    return member.source.name == member.name  # files given one by one


def _beside(matrix: Member, stem: str, candidates: list[Member], what: str) -> Member:
    fits = [m for m in candidates if m.base.startswith(stem)] if stem else candidates
    fits = fits or (candidates if len(candidates) == 1 else [])
    # GSM1_ and GSM1_b_ both begin with GSM1_: the shorter name is nearer.
    fits = sorted(fits, key=lambda m: len(m.base))
    if not fits or (len(fits) > 1 and len(fits[0].base) == len(fits[1].base)):
        msg = (
            f"{matrix}: expected one {what} beside it, found {', '.join(m.base for m in fits or candidates) or 'none'}."
        )
        raise DatamixError(msg, fix="list matrix, genes and barcodes of one sample under the dataset's files")
    return fits[0]


def open_mex(matrix: Member, features: Member, barcodes: Member) -> CellFile:
    """Read a matrix (genes × cells or cells × genes, sorted or not) with its names.

    Raises
    ------
    DatamixError
        If the three do not fit each other, or the matrix ends too early.
    """
    genes, cells = _table(features), _table(barcodes)
    where = str(matrix)
    with open_member(matrix) as stream:
        rows, columns, entries = _header(stream, where)
        genes, cells = _without_header(genes, cells, (rows, columns), where=where)
        turned = (rows, columns) != (len(genes), len(cells))
        shape = (len(cells), len(genes))
        spool = Spool(_entries(stream, where, entries, shape=shape, turned=turned), shape=shape)
    var = pd.DataFrame(index=pd.Index(genes[0], dtype=object, name=None))
    for column, name in ((1, "symbol"), (2, "feature_types")):
        if column in genes.columns and genes[column].notna().all():
            var[name] = genes[column].to_numpy()
    names = cells[0].to_numpy(dtype=object)
    return only_genes(
        CellFile(
            kind="10x MEX",
            where=where,
            matrix="",
            var=var,
            n_cells=len(names),
            columns=(),
            read_obs=lambda _: pd.DataFrame(index=range(len(names))),
            read_names=lambda chosen: names[chosen],
            read_rows=spool.read,
        )
    )


def _table(member: Member) -> pd.DataFrame:
    separator = "," if re.search(r"\.csv(\.gz)?$", member.base, re.IGNORECASE) else "\t"
    with open_member(member) as stream:
        try:
            return pd.read_csv(stream, sep=separator, header=None, dtype=str, keep_default_na=False)
        except pd.errors.EmptyDataError as error:
            msg = f"{member} is empty."
            raise DatamixError(msg, fix=FETCH_AGAIN) from error


def _without_header(
    genes: pd.DataFrame, cells: pd.DataFrame, shape: tuple[int, int], *, where: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out a first line with titles, and the row numbers that R writes, where the matrix says so."""
    for size in (shape, shape[::-1]):
        extra = len(genes) - size[0], len(cells) - size[1]
        if all(n in {0, 1} for n in extra):
            tables = [t.iloc[n:].reset_index(drop=True) for t, n in zip((genes, cells), extra, strict=True)]
            return tables[0], tables[1]
    msg = f"{where} is {shape[0]:,} × {shape[1]:,}; beside it are {len(genes):,} genes and {len(cells):,} cells."
    raise DatamixError(msg, fix="take the three files from one sample and one download")


def _header(stream: BinaryIO, where: str) -> tuple[int, int, int]:
    banner = stream.readline().decode("utf-8", "replace")
    words = banner.lower().split()
    if words[:3] != ["%%matrixmarket", "matrix", "coordinate"] or words[4:] != ["general"]:
        msg = f"{where} begins with '{banner.strip()[:80]}'; expected '%%MatrixMarket matrix coordinate … general'."
        raise DatamixError(msg, fix=FETCH_AGAIN)
    line = stream.readline()
    while line.startswith(b"%") or (line and not line.strip()):
        line = stream.readline()
    numbers = line.split()
    if len(numbers) != 3 or not all(n.isdigit() for n in numbers):
        msg = (
            f"{where}: expected a line with rows, columns and entries, found '{line[:80].decode('utf-8', 'replace')}'."
        )
        raise DatamixError(msg, fix=FETCH_AGAIN)
    return int(numbers[0]), int(numbers[1]), int(numbers[2])


def _entries(stream: BinaryIO, where: str, entries: int, *, shape: tuple[int, int], turned: bool) -> Iterator[Entries]:
    seen = 0
    try:
        for chunk in pd.read_csv(stream, sep=r"\s+", header=None, names=["a", "b", "n"], chunksize=ENTRIES):
            a, b, value = chunk["a"].to_numpy() - 1, chunk["b"].to_numpy() - 1, chunk["n"].to_numpy(dtype=np.float32)
            gene, cell = (b, a) if turned else (a, b)
            if len(chunk) and not (
                min(gene.min(), cell.min()) >= 0 and gene.max() < shape[1] and cell.max() < shape[0]
            ):
                msg = (
                    f"{where}: an entry after the {seen:,}th lies outside of {shape[1]:,} genes and {shape[0]:,} cells."
                )
                raise DatamixError(msg, fix=FETCH_AGAIN)
            seen += len(chunk)
            yield cell.astype(np.int64), gene.astype(np.int64), value
    except pd.errors.EmptyDataError:
        pass  # a matrix without entries
    except (ValueError, TypeError) as error:
        msg = f"{where}, after entry {seen:,}: a line is not 'gene cell count' ({error})."
        raise DatamixError(msg, fix=FETCH_AGAIN) from error
    if seen != entries:
        msg = f"{where} has {seen:,} entries, its header says {entries:,}: it is truncated."
        raise DatamixError(msg, fix=FETCH_AGAIN)
