"""Measure what a training step of the LDVAE takes by genes, cells and counts: `python -m benchmarks.pieces`.

What comes out stands in `datamix.publishing.runs.pieces`, on which `datamix plan` rests. Seconds of the processor, so
that other work disturbs little.
"""

import time

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.optimize import nnls

from datamix.ldvae.fast_training import FastTrainer
from datamix.ldvae.model import new_model
from datamix.project.profile import Training
from datamix.project.threads import one_thread

SHAPES = (
    (500, 100, 128), (2_000, 200, 128), (2_000, 1_000, 128), (2_000, 1_000, 64), (2_000, 1_000, 32), (6_000, 600, 128),
    (6_000, 3_000, 128), (12_000, 1_000, 128), (12_000, 1_000, 64), (12_000, 1_000, 32), (12_000, 4_000, 128),
)  # fmt: skip
"""Genes, those of a cell that are not 0, cells of a step."""
TERMS = ("gene of a step", "cell", "gene of a cell", "count")


def measure(shapes: tuple[tuple[int, int, int], ...] = SHAPES, *, steps: int = 16) -> pd.DataFrame:
    """Return a row a shape: `genes`, `counts`, `batch`, and the median `seconds` of a step."""
    rows = []
    with one_thread():
        for genes, counts, batch in shapes:
            cells = _cells(8 * batch, genes, counts)
            trainer = FastTrainer(new_model(cells, seed=0, settings=Training()).module, cells.X, lr=1e-4)
            seconds = []
            for step in range(steps):
                began = time.process_time()
                trainer.step(np.arange(batch) + step % 8 * batch)
                seconds.append(time.process_time() - began)
            rows.append((genes, counts, batch, float(np.median(seconds[2:]))))  # the first ones compile
    return pd.DataFrame(rows, columns=["genes", "counts", "batch", "seconds"])


def terms(table: pd.DataFrame) -> tuple[pd.Series, np.ndarray]:
    """Find the seconds of each of `TERMS` (least squares of relative errors); and what they say over what was found."""
    genes, counts, batch, seconds = (table[c].to_numpy(float) for c in ("genes", "counts", "batch", "seconds"))
    matrix = np.column_stack([genes, batch, batch * genes, batch * counts])
    relative = matrix / seconds[:, None]
    scale = relative.max(axis=0)
    found = nnls(relative / scale, np.ones(len(table)))[0] / scale
    return pd.Series(found, index=list(TERMS)), matrix @ found / seconds


def _cells(n: int, genes: int, counts: int) -> ad.AnnData:
    generator = np.random.default_rng(0)
    columns = np.concatenate([np.sort(generator.choice(genes, counts, replace=False)) for _ in range(n)])
    values = (1 + generator.poisson(2, n * counts)).astype(np.float32)
    return ad.AnnData(sp.csr_matrix((values, columns, np.arange(n + 1) * counts), shape=(n, genes)))


if __name__ == "__main__":
    measured = measure()
    seconds_of, ratio = terms(measured)
    print(measured.assign(ratio=ratio).to_string(index=False, float_format="%.3g"))
    print(seconds_of.to_string(float_format="%.2e"))
