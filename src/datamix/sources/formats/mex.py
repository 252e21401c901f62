"""Cells of 10x MEX files: a matrix in MatrixMarket text, and its genes and barcodes beside it, whatever their names.

STARsolo, alevin-fry, kallisto, Parse and R's writeMM leave the same three files under names of their own.
Cell Ranger 3 writes matrix.mtx.gz, features.tsv.gz, barcodes.tsv.gz; 2 writes genes.tsv, uncompressed; GEO puts the
sample in front. Layout: https://www.10xgenomics.com/support/software/cell-ranger/latest/analysis/outputs/cr-outputs-mex-matrices.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pandas as pd

from datamix.project.errors import DatamixError
from datamix.sources.formats.archives import Member, open_member
from datamix.sources.formats.blocks import FETCH_AGAIN
from datamix.sources.formats.cell_file import CellFile, only_genes
from datamix.sources.formats.gene_side import genes_are_rows
from datamix.sources.formats.spool import Entries, Spool

ENTRIES = 1_000_000
"""Matrix entries read at a time."""
_TEXT = r"\.(?:tsv|csv|txt|tab)(?:\.gz)?$"
# What a file beside a matrix names, by words in its own name; of features and barcodes the last, else the first that
# has any: T_cells_features.tsv has features, cells_x_genes.barcodes.txt barcodes.
_SIDES = {
    "features": r"features?(?![a-z])|genes?(?![a-z])|peaks(?![a-z])",
    "barcodes": r"barcodes?(?![a-z])",
    "cells": r"cells?(?![a-z])",
    "rows": r"(?<![a-z])row(?:_?names?|s)?(?![a-z])",
    "columns": r"(?<![a-z])col(?:umn)?(?:_?names?|s)?(?![a-z])",
    "table": r"(?<![a-z])(?:meta(?:_?data)?|annotations?)(?![a-z])",
}
_STRONG = ("features", "barcodes")
_NO_ENTRIES = {
    "pattern": "says which genes are seen, and not how often",
    "array": "is a dense matrix, every 0 written out",
}
# Of several matrices over the same genes and cells: which holds whole counts.
_WHOLE = ("matrix", "total", "spliced", "mature")
_TITLES = {
    "", "x", "v1", "0", "1", "id", "ids", "name", "names", "index", "gene", "genes", "gene_id", "gene_ids", "geneid",
    "gene_name", "gene_names", "genename", "gene_short_name", "symbol", "symbols", "gene_symbol", "gene_symbols",
    "feature", "features", "feature_id", "feature_name", "ensembl", "ensembl_id", "ensembl_gene_id", "barcode",
    "barcodes", "bc_wells", "sample", "cell", "cells", "cell_id", "cell_ids", "cell_name", "cellname", "cell_barcode",
}  # fmt: skip
"""What the first line of a table of names says, in small letters, where it is no name."""


@dataclass(frozen=True)
class Mex:
    """A matrix and what names its two sides."""

    matrix: Member
    features: Member
    barcodes: Member
    matrices: tuple[Member, ...]
    """Those of the same genes and cells, `matrix` being the one that is read."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of a matrix that is not the only one."""
        others = [m.base for m in self.matrices if m != self.matrix]
        return (f"counts are those of {self.matrix.base}, not of {', '.join(others)}",) if others else ()


def side_of(name: str) -> str | None:
    """Say what a file of text beside a matrix names: features, barcodes, cells, rows, columns, or a table of cells.

    Returns
    -------
    One of these words, a key of `_SIDES`; None where its name says nothing.
    """
    if re.search(_TEXT, name, re.IGNORECASE) is None:
        return None
    base = re.sub(_TEXT, "", name.rpartition("/")[2], flags=re.IGNORECASE)
    ends = {side: [m.end() for m in re.finditer(pattern, base, re.IGNORECASE)] for side, pattern in _SIDES.items()}
    strong = max(_STRONG, key=lambda side: max(ends[side], default=-1))
    found = ([strong] if ends[strong] else []) + [side for side in _SIDES if ends[side]]
    return found[0] if found else None


def is_matrix_market(name: str) -> bool:
    """Tell whether a file is called like a matrix."""
    return re.search(r"\.mtx(\.gz)?$", name, re.IGNORECASE) is not None


def find_mex(members: Sequence[Member]) -> list[Mex]:
    """Find matrices with their genes and barcodes among files.

    Returns
    -------
    In the order of the names.

    Raises
    ------
    DatamixError
        If a matrix has no genes or no barcodes beside it, or several of which none has its prefix, or if nothing says
        which of several matrices of the same genes and cells is whole.
    """
    found: dict[tuple[Member, Member], list[Member]] = {}
    for matrix in (m for m in members if is_matrix_market(m.base)):
        folder, stem = matrix.name.rpartition("/")[0], re.sub(r"(?i)(matrix|counts)?\.mtx(\.gz)?$", "", matrix.base)
        beside = [
            m for m in members if (m.name.rpartition("/")[0] == folder and m.source == matrix.source) or _loose(m)
        ]
        of = {word: [m for m in beside if side_of(m.base) == word] for word in _SIDES}
        if not of["features"] and len(of["rows"]) == len(of["columns"]) == 1:
            sides = _told_by_content(of["rows"][0], of["columns"][0], where=str(matrix))
        else:
            features = _beside(matrix, stem, of["features"], "features.tsv or genes.tsv")
            sides = features, _beside(matrix, stem, of["barcodes"] or of["cells"] or of["table"], "barcodes.tsv")
        found.setdefault(sides, []).append(matrix)
    return [Mex(_whole(matrices), *sides, tuple(matrices)) for sides, matrices in found.items()]


def _told_by_content(rows: Member, columns: Member, *, where: str) -> tuple[Member, Member]:
    names = [_table(side)[0].tolist() for side in (rows, columns)]
    return (rows, columns) if genes_are_rows(*names, where=where) else (columns, rows)


def _whole(matrices: Sequence[Member]) -> Member:
    """Choose the matrix that holds whole counts, where programs leave others of the same genes and cells beside it."""
    if len(matrices) == 1:
        return matrices[0]
    for word in _WHOLE:
        named = [m for m in matrices if re.search(rf"(?i)(?<![a-z]){word}\.mtx", m.base)]
        if len(named) == 1:
            return named[0]
    msg = f"{', '.join(str(m) for m in matrices)} are matrices of the same genes and cells, and only one is whole."
    raise DatamixError(msg, fix="leave one of them in a folder, with its genes and barcodes")


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


def open_mex(mex: Mex) -> CellFile:
    """Read a matrix (genes × cells or cells × genes, sorted or not) with its names.

    Raises
    ------
    DatamixError
        If the three do not fit each other, or the matrix ends too early.
    """
    genes, cells = _table(mex.features), _table(mex.barcodes)
    where = str(mex.matrix)
    with open_member(mex.matrix) as stream:
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
            notes=mex.notes,
        )
    )


def _table(member: Member) -> pd.DataFrame:
    separators = ",;\t" if re.search(r"\.csv(\.gz)?$", member.base, re.IGNORECASE) else "\t"
    with open_member(member) as stream:
        first = stream.readline().decode("utf-8", "replace")
    with open_member(member) as stream:
        try:
            return pd.read_csv(
                stream, sep=max(separators, key=first.count), header=None, dtype=str, keep_default_na=False
            )
        except pd.errors.EmptyDataError as error:
            msg = f"{member} is empty."
            raise DatamixError(msg, fix=FETCH_AGAIN) from error


def _without_header(
    genes: pd.DataFrame, cells: pd.DataFrame, shape: tuple[int, int], *, where: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out a first line with titles, and the row numbers that R writes, where the matrix says so."""
    for size in (shape, shape[::-1]):
        extra = len(genes) - size[0], len(cells) - size[1]
        named = list(zip((genes, cells), extra, strict=True))
        if all(n == 0 or (n == 1 and _is_header(table)) for table, n in named):
            genes, cells = (_without_numbers(table.iloc[n:].reset_index(drop=True)) for table, n in named)
            return genes, cells
    msg = f"{where} is {shape[0]:,} × {shape[1]:,}; beside it are {len(genes):,} genes and {len(cells):,} cells."
    raise DatamixError(msg, fix="take the three files from one sample and one download")


def _without_numbers(table: pd.DataFrame) -> pd.DataFrame:
    if len(table.columns) > 1 and len(table) and table[0].tolist() == [str(i) for i in range(1, len(table) + 1)]:
        return table.drop(columns=0).set_axis(range(len(table.columns) - 1), axis=1)
    return table


def _is_header(table: pd.DataFrame) -> bool:
    """Whether the first line of a table of names has titles; a line too many elsewhere would shift every name."""
    first = [str(word).strip().lower() for word in table.iloc[0]]
    return first[0] in _TITLES or any(word in _TITLES for word in first[1:] if len(word) > 2)


def _header(stream: BinaryIO, where: str) -> tuple[int, int, int]:
    banner = stream.readline().decode("utf-8", "replace")
    words = banner.lower().split()
    kind = next((said for word, said in _NO_ENTRIES.items() if word in words[2:4]), None)
    if words[:2] == ["%%matrixmarket", "matrix"] and kind is not None:
        msg = f"{where} begins with '{banner.strip()[:80]}': it {kind}."
        raise DatamixError(msg, fix="take a matrix of counts in coordinates, as Cell Ranger and R's writeMM write it")
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
        with pd.read_csv(stream, sep=r"\s+", header=None, names=["a", "b", "n"], chunksize=ENTRIES) as chunks:
            for chunk in chunks:
                a, b = (chunk[side].to_numpy() - 1 for side in ("a", "b"))
                cell, gene = (a, b) if turned else (b, a)
                value = chunk["n"].to_numpy(dtype=np.float32)
                if len(chunk):
                    _require_entries(cell, gene, value, shape, where=f"{where}: an entry after the {seen:,}th")
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


def _require_entries(
    cell: np.ndarray, gene: np.ndarray, value: np.ndarray, shape: tuple[int, int], *, where: str
) -> None:
    """Refuse entries outside of cells × genes, or below zero: before those of one place are summed."""
    if min(gene.min(), cell.min()) < 0 or gene.max() >= shape[1] or cell.max() >= shape[0]:
        msg = f"{where} lies outside of {shape[1]:,} genes and {shape[0]:,} cells."
        raise DatamixError(msg, fix=FETCH_AGAIN)
    if not (value >= 0).all():
        msg = f"{where} has the count {value[~(value >= 0)][0]:g}; expected raw counts from 0 up."
        raise DatamixError(msg, fix="take the raw counts")
