"""Cells made from a small table of counts, and the settings of a tiny model."""

import numpy as np
import pandas as pd
from scipy import sparse

from datamix.geneformer.cells import Cells

SMALL = {
    "layers": 2, "heads": 2, "width": 16, "feed_forward": 16, "input_size": 24, "epochs": 2, "lr": 3e-3,
    "warmup_steps": 2, "batch_size": 8, "cells_per_device": 4, "checkpoint_steps": 4, "log_steps": 2,
}  # fmt: skip


def make_cells(counts, genes, *, totals=None):
    """Return a chunk of cells from a dense table of counts."""
    matrix = sparse.csr_matrix(np.asarray(counts, dtype=np.float32))
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    obs = pd.DataFrame(
        {"cell_type": "B", "donor": "one", "dataset": "a"}, index=[f"a:{i}" for i in range(matrix.shape[0])]
    )
    totals = sums if totals is None else np.asarray(totals)
    return Cells(matrix, np.array(genes, dtype=object), totals.astype(np.float64), obs)
