"""Whether values are raw counts: finite whole numbers from 0 up."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy import sparse

from datamix.project.errors import DatamixError

Names = pd.Index | Sequence[str] | NDArray[np.object_]


def holds_counts(block: AnnData) -> bool:
    """Tell whether a block (X is CSR) holds raw counts: finite whole numbers from 0 up."""
    return _first_wrong(block.X) is None


def require_counts(matrix: sparse.csr_matrix, *, cells: Names, genes: Names, where: str) -> None:
    """Raise a `DatamixError` that names the first cell and gene whose value is no raw count.

    Parameters
    ----------
    matrix
        CSR (n_cells, n_genes).
    cells, genes
        Their names.
    where
        What is looked into, for the message.
    """
    entry = _first_wrong(matrix)
    if entry is not None:
        cell = cells[int(np.searchsorted(matrix.indptr, entry, side="right")) - 1]
        gene = genes[matrix.indices[entry]]
        msg = (
            f"{where}: cell '{cell}' has {matrix.data[entry]:g} of gene '{gene}'; expected raw counts, "
            "whole numbers from 0 up. The values look normalised, scaled or corrected."
        )
        raise DatamixError(msg, fix="take the raw counts: another file, or another part of it (often raw.X or a layer)")


def _first_wrong(matrix: sparse.csr_matrix) -> int | None:
    """Find the first entry that is no count."""
    step = 1 << 20  # a slice at a time, so that the check adds no memory worth naming
    for start in range(0, matrix.nnz, step):
        values = matrix.data[start : start + step]
        wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0) & (values == np.floor(values))))
        if wrong.size:
            return start + int(wrong[0])
    return None
