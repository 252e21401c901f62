"""Whether values are raw counts: finite whole numbers from 0 up."""

import numpy as np
from anndata import AnnData
from scipy import sparse

from datamix.project.errors import DatamixError


def holds_counts(block: AnnData) -> bool:
    """Tell whether a block (X is CSR) holds raw counts: finite whole numbers from 0 up."""
    return _first_wrong(block.X) is None


def require_counts(block: AnnData, *, where: str) -> None:
    """Raise a `DatamixError` that names the first cell and gene whose value is no raw count."""
    matrix = block.X
    entry = _first_wrong(matrix)
    if entry is not None:
        cell = block.obs_names[int(np.searchsorted(matrix.indptr, entry, side="right")) - 1]
        gene = block.var_names[matrix.indices[entry]]
        msg = (
            f"{where}: cell '{cell}' has {matrix.data[entry]:g} of gene '{gene}'; expected raw counts, "
            "whole numbers from 0 up. The values look normalised, scaled or corrected."
        )
        raise DatamixError(msg, fix="take the file with raw counts")


def _first_wrong(matrix: sparse.csr_matrix) -> int | None:
    """Find the first entry that is no count."""
    step = 1 << 20  # a slice at a time, so that the check adds no memory worth naming
    for start in range(0, matrix.nnz, step):
        values = matrix.data[start : start + step]
        wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0) & (values == np.floor(values))))
        if wrong.size:
            return start + int(wrong[0])
    return None
