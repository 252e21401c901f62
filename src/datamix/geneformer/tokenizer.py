"""Rank value encoding: a cell becomes its genes, the one most above its usual expression first.

A gene's value is its count / the cell's total counts over all genes × 10,000 / the gene's non-zero median. Zeros are
dropped, genes sorted by falling value, equal values by rising token, and the list cut at the input size. Source:
Theodoris et al. 2023, doi 10.1038/s41586-023-06139-9.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datamix.corpora.mixtures import Part
from datamix.geneformer.cells import OBS, Cells, read_cells
from datamix.geneformer.vocabulary import COUNTS_PER_CELL, Vocabulary
from datamix.project.errors import DatamixError
from datamix.project.files import read_json, replacing, write_json
from datamix.project.layout import Layout

_RECORD = "made_from.json"


@dataclass(frozen=True)
class Ranks:
    """Encoded cells, one after another."""

    tokens: npt.NDArray[np.int32]
    """All tokens (n_tokens,)."""
    starts: npt.NDArray[np.int64]
    """Where each cell begins, and the end (n_cells + 1,)."""

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each cell (n_cells,); 0 for a cell none of whose genes is in the vocabulary."""
        return np.diff(self.starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, cell: int) -> npt.NDArray[np.int32]:
        return self.tokens[self.starts[cell] : self.starts[cell + 1]]


def encode(cells: Cells, vocabulary: Vocabulary, *, input_size: int) -> Ranks:
    """Encode cells.

    Parameters
    ----------
    cells
        Raw counts; genes outside the vocabulary count towards the total, and are dropped.
    vocabulary
        Tokens and medians.
    input_size
        Tokens of a cell at most.

    Returns
    -------
    The tokens of each cell, most unusual gene first.

    Raises
    ------
    DatamixError
        If no gene is in the vocabulary.
    """
    place = vocabulary.positions(cells.genes)
    values = cells.per_total(COUNTS_PER_CELL)
    column = place[values.indices]
    kept = column >= 0
    column = column[kept]
    rows = np.repeat(np.arange(values.shape[0]), np.diff(values.indptr))[kept]
    ranked = values.data[kept] / vocabulary.medians[column]
    # The three keys, from the last to the first: token, value, cell. Tokens rise with the place in the vocabulary.
    order = np.lexsort((column, -ranked, rows))
    lengths = np.bincount(rows, minlength=values.shape[0])
    begins = np.concatenate([[0], np.cumsum(lengths)])
    rank = np.arange(len(order)) - np.repeat(begins[:-1], lengths)
    shown = order[rank < input_size]
    starts = np.concatenate([[0], np.cumsum(np.minimum(lengths, input_size))])
    return Ranks(vocabulary.tokens[column[shown]], starts)


def tokenize(
    layout: Layout, parts: Sequence[Part], vocabulary: Vocabulary, *, input_size: int, folder: Path, key: str
) -> datasets.Dataset:
    """Encode the cells of a mixture, and keep them as a folder that `datasets.load_from_disk` opens.

    Cells are read, encoded and written a chunk at a time. Chunks that an interrupted run wrote with the same key stay.

    Parameters
    ----------
    layout
        Where the corpora lie.
    parts
        Which rows of which corpora.
    vocabulary
        Tokens and medians.
    input_size
        Tokens of a cell at most.
    folder
        Where the data set goes.
    key
        Names what it is made from: a folder with another key is made again.

    Returns
    -------
    A row a cell, on disk: `input_ids` (list of int32), `length`, `cell` (its name), `cell_type`, `donor`, `dataset`.
    Cells of a corpus are in the order of its file.
    """
    record = folder / _RECORD
    if record.is_file() and read_json(record) == key:
        return datasets.load_from_disk(str(folder))
    pieces = folder.with_name(f"{folder.name}.pieces")
    if not (pieces / _RECORD).is_file() or read_json(pieces / _RECORD) != key:
        shutil.rmtree(pieces, ignore_errors=True)
        write_json(pieces / _RECORD, key)
    done = len(list(pieces.glob("[0-9]*")))
    for number, chunk in enumerate(read_cells(layout, parts, vocabulary.genes, skip=done), start=done):
        with replacing(pieces / f"{number:06d}") as beside:
            _as_dataset(chunk, encode(chunk, vocabulary, input_size=input_size)).save_to_disk(str(beside))
    chunks = [datasets.load_from_disk(str(path)) for path in sorted(pieces.glob("[0-9]*"))]
    if not chunks:
        msg = "The mixture has no cells."
        raise DatamixError(msg, fix="check `cells` in the profile")
    with replacing(folder) as beside:
        datasets.concatenate_datasets(chunks).save_to_disk(str(beside))
        write_json(beside / _RECORD, key)
    shutil.rmtree(pieces)
    return datasets.load_from_disk(str(folder))


def _as_dataset(cells: Cells, ranks: Ranks) -> datasets.Dataset:
    ids = pa.ListArray.from_arrays(pa.array(ranks.starts, pa.int32()), pa.array(ranks.tokens, pa.int32()))
    columns = {"input_ids": ids, "length": pa.array(ranks.lengths, pa.int32()), "cell": list(cells.obs.index)}
    text = {name: pa.array(cells.obs[name].astype(str), pa.string()) for name in OBS}
    return datasets.Dataset(pa.table(columns | text))
