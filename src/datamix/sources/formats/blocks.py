"""What the readers of the published files share: blocks of cells, and the checks on files, columns and counts."""

import difflib
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from anndata import AnnData
from anndata.utils import make_index_unique
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.sources.formats.raw_counts import require_counts

_LISTED = 30  # columns, in messages
Protocol = Literal["published", "corrected"]
FETCH_AGAIN = (
    "take the file again from where it came: for one that `datamix data fetch` brought, `datamix data verify` says "
    "whether it is whole and `datamix data fetch` brings it again; of your own, another copy"
)


def make_block(
    counts: sparse.csr_matrix,
    *,
    obs: pd.DataFrame,
    var: pd.DataFrame,
    raw_in: str | None = None,
    cells_in_all: int | None = None,
) -> AnnData:
    """Make the block that a reader yields.

    Parameters
    ----------
    counts
        CSR float32 (n_cells, n_genes).
    obs, var
        Their indices are the cell and the gene names.
    raw_in
        The file that should hold raw counts, for the message; nothing means that they are not checked (again).
    cells_in_all
        How many cells the reader gives in all, for the progress bar.

    Raises
    ------
    DatamixError
        If a value is not a finite, non-negative whole number; the message names its cell and gene.
    """
    block = AnnData(X=counts, obs=obs.copy(), var=var.copy())
    if raw_in is not None:
        require_counts(block.X, cells=block.obs_names, genes=block.var_names, where=raw_in)
    if cells_in_all is not None:
        block.uns["cells_in_all"] = cells_in_all
    return block


def require_file(files: Mapping[str, Path], name: str) -> Path:
    """Return the path of a file that the reader needs.

    Raises
    ------
    DatamixError
        If the manifest entry does not list it.
    """
    if name not in files:
        msg = f"The reader needs the file '{name}'; the manifest entry lists {', '.join(files) or 'none'}."
        raise DatamixError(msg, fix="list it under the dataset's files in data_manifest.yaml")
    return files[name]


def require_columns(found: Iterable[str], wanted: Sequence[str], *, where: str) -> None:
    """Check that a table has the columns that the reader needs.

    Parameters
    ----------
    found
        The columns that there are.
    wanted
        Those that must be among them.
    where
        The file and the table in it, for the message.

    Raises
    ------
    DatamixError
        If one is missing; the message names it and lists those found.
    """
    columns = [str(name) for name in found]
    absent = [name for name in wanted if name not in columns]
    if absent:
        missing = ", ".join(repr(name) for name in absent)
        listed = ", ".join(columns[:_LISTED]) + (
            f" and {len(columns) - _LISTED} more" if len(columns) > _LISTED else ""
        )
        near = nearest(absent[0], columns)
        msg = f"{where} has no column {missing}; it has {listed or 'none'}."
        fix = "name the column in the dataset's options in data_manifest.yaml"
        raise DatamixError(msg, fix=f"{fix}: did you mean '{near}'?" if near else fix)


def nearest(name: str, found: Iterable[str]) -> str | None:
    """Return the name that is most like another, whatever its capitals and separators; None where none is like it."""
    plain = {re.sub(r"[\W_]", "", other.lower()): other for other in found}
    like = difflib.get_close_matches(re.sub(r"[\W_]", "", name.lower()), plain, n=1, cutoff=0.7)
    return plain[like[0]] if like else None


def require_cells(rows: np.ndarray, *, where: str, filters: str) -> None:
    """Check that the filters leave any cell.

    Raises
    ------
    DatamixError
        If none is left.
    """
    if len(rows) == 0:
        msg = f"{where}: no cell is left by the filters ({filters})."
        raise DatamixError(msg, fix="check the file and the dataset's options in data_manifest.yaml")


def unique_names(names: Sequence[str] | np.ndarray) -> pd.Index:
    """Make names unique as the published scripts do: the first keeps its name, later ones get -1, -2 and so on."""
    with warnings.catch_warnings():
        # A name such as A-1 that is there already is passed over; anndata warns that this is hard to read.
        warnings.filterwarnings("ignore", message="Suffix used")
        return make_index_unique(pd.Index(np.asarray(names, dtype=object)))


def cut(rows: np.ndarray, *, skip: int, block_cells: int) -> Iterator[slice]:
    """Give the slices that cut rows into blocks, without the first `skip`."""
    for start in range(skip * block_cells, len(rows), block_cells):
        yield slice(start, start + block_cells)


def count_blocks(rows: np.ndarray, *, block_cells: int) -> int:
    """Count the blocks that `cut` makes of rows."""
    return -(-len(rows) // block_cells)
