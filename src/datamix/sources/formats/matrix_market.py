"""MatrixMarket text, genes × cells, read as a stream of cells.

The text is read once from the front, a million entries at a time; entries of cells that are not wanted are dropped as
they pass. To start further on, the text before is read again, but no matrix is built of it.
"""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pandas as pd
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.sources.formats.archives import Member, open_member
from datamix.sources.formats.blocks import FETCH_AGAIN
from datamix.sources.formats.h5ad_rows import stack

ENTRIES = 1_000_000
"""Matrix entries read at a time."""
Entries = tuple[np.ndarray, np.ndarray, np.ndarray]


def stream_cells(
    member: Member,
    *,
    genes: np.ndarray,
    n_cells: int,
    wanted: np.ndarray,
    block_cells: int,
    skip: int = 0,
    name: str = "",
    if_not_counts: str = FETCH_AGAIN,
) -> Iterator[sparse.csr_matrix]:
    """Yield the wanted cells of a MatrixMarket file in blocks.

    Parameters
    ----------
    member
        The file: `coordinate`, genes × cells, its entries sorted by cell; it may be compressed.
    genes
        For each of its rows (n_file_genes,) the column in the block, -1 where it is dropped; 0 … n-1, each once.
    n_cells
        Cells (columns) that it must have.
    wanted
        Numbers of the wanted cells (n_wanted,), ascending.
    block_cells
        Cells of a block.
    skip
        Blocks to pass over.
    name
        What to call the file in messages; nothing means its path.
    if_not_counts
        What to do where a value is not a whole number from 0 up.

    Yields
    ------
    float32 CSR (at most block_cells, n_genes); cells without an entry are empty rows.

    Raises
    ------
    DatamixError
        If the file is no such matrix, has other dimensions, is not sorted by cell, ends too early, or holds values
        that are not raw counts.
    """
    name = name or str(member)
    n_genes = int(genes.max(initial=-1)) + 1
    row_of = np.full(n_cells, -1, np.int64)
    row_of[wanted] = np.arange(len(wanted))
    block, pieces = skip, list[Entries]()
    with open_member(member) as stream:
        size = (len(genes), n_cells)
        entries = _read_header(stream, name, size=size)
        for gene, cell, value in _read_entries(stream, name, size=size, entries=entries, if_not_counts=if_not_counts):
            row, column = row_of[cell], genes[gene]
            keep = (row >= skip * block_cells) & (column >= 0)
            row, column, value = row[keep], column[keep], value[keep]
            while row.size:
                # The first entry of a later block tells that the ones before are whole.
                while block < row[0] // block_cells:
                    yield _build(pieces, block, len(wanted), block_cells, n_genes)
                    block += 1
                end = np.searchsorted(row, (block + 1) * block_cells)
                pieces.append((row[:end] - block * block_cells, column[:end], value[:end]))
                row, column, value = row[end:], column[end:], value[end:]
    while block * block_cells < len(wanted):
        yield _build(pieces, block, len(wanted), block_cells, n_genes)
        block += 1


def _build(pieces: list[Entries], block: int, n_wanted: int, block_cells: int, n_genes: int) -> sparse.csr_matrix:
    """Make one block of the pieces of its entries, and empty the list."""
    n_rows = min(block_cells, n_wanted - block * block_cells)
    row, column, value = (np.concatenate(parts) for parts in zip(*pieces, strict=True)) if pieces else ([], [], [])
    pieces.clear()
    return stack([sparse.csr_matrix((value, (row, column)), shape=(n_rows, n_genes), dtype=np.float32)], n_genes)


def _read_header(stream: BinaryIO, name: str, *, size: tuple[int, int]) -> int:
    banner = stream.readline().decode("utf-8", "replace").split()
    if [word.lower() for word in banner[:3]] != ["%%matrixmarket", "matrix", "coordinate"] or banner[4:] != ["general"]:
        msg = f"{name} begins with '{' '.join(banner)[:80]}'; expected '%%MatrixMarket matrix coordinate … general'."
        raise DatamixError(msg, fix=FETCH_AGAIN)
    line = stream.readline()
    while line.startswith(b"%"):
        line = stream.readline()
    words = line.split()
    if len(words) != 3 or not all(word.isdigit() for word in words):
        found = line[:80].decode("utf-8", "replace")
        msg = f"{name}: expected a line with rows, columns and entries, found '{found}'."
        raise DatamixError(msg, fix=FETCH_AGAIN)
    rows, columns, entries = (int(word) for word in words)
    if (rows, columns) != size:
        msg = f"{name} is {rows} × {columns}; the files beside it list {size[0]} genes and {size[1]} cells."
        raise DatamixError(msg, fix="take the three files from the same download; " + FETCH_AGAIN)
    return entries


def _read_entries(
    stream: BinaryIO, name: str, *, size: tuple[int, int], entries: int, if_not_counts: str
) -> Iterator[Entries]:
    """Yield genes, cells (from 0) and values of the next entries, checking number, range, order and counts."""
    seen, last = 0, 0
    columns = {"gene": np.float64, "cell": np.float64, "value": np.float64}
    try:
        reader = pd.read_csv(stream, sep=r"\s+", header=None, names=list(columns), dtype=columns, chunksize=ENTRIES)
        with reader as chunks:
            for chunk in chunks:
                if chunk.empty:
                    continue
                gene, cell, value = (chunk[column].to_numpy() for column in columns)
                _require_entries(gene, cell, value, name, size=size, seen=seen, if_not_counts=if_not_counts)
                if cell[0] < last or (np.diff(cell) < 0).any():
                    msg = f"{name} is not sorted by cell (second column), so it cannot be read as a stream."
                    raise DatamixError(msg, fix="sort the lines after the header: LC_ALL=C sort -s -n -k2,2")
                seen, last = seen + len(cell), cell[-1]
                yield gene.astype(np.int64) - 1, cell.astype(np.int64) - 1, value
    except pd.errors.EmptyDataError:
        pass  # a matrix without entries
    except ValueError as error:  # pandas' ParserError is one
        msg = f"{name}, after entry {seen}: it is truncated, or a line is not 'gene cell value' ({error})."
        raise DatamixError(msg, fix=FETCH_AGAIN) from error
    if seen != entries:
        msg = f"{name} has {seen} entries, its header says {entries}: it is truncated."
        raise DatamixError(msg, fix=FETCH_AGAIN)


def _require_entries(
    gene: np.ndarray,
    cell: np.ndarray,
    value: np.ndarray,
    name: str,
    *,
    size: tuple[int, int],
    seen: int,
    if_not_counts: str,
) -> None:
    inside = (gene >= 1) & (gene <= size[0]) & (cell >= 1) & (cell <= size[1]) & np.isfinite(value)
    counts = (value >= 0) & (value == np.floor(value))
    for good, expected, fix in (
        (inside, f"gene, cell and value within {size[0]} × {size[1]}", FETCH_AGAIN),
        (counts, "raw counts, whole numbers from 0 up", if_not_counts),
    ):
        if not good.all():
            bad = int(np.flatnonzero(~good)[0])
            found = f"{gene[bad]:g} {cell[bad]:g} {value[bad]:g}"
            msg = f"{name}: entry {seen + bad + 1} is '{found}'; expected {expected}."
            raise DatamixError(msg, fix=fix)
