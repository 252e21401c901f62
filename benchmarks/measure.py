"""What the benchmark stands on: simulated cells, work in new processes side by side, peak memory; and its files."""

import ctypes
import gc
import math
import multiprocessing
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch


def simulate(cells: int, genes: int, *, seed: int = 0) -> ad.AnnData:
    """Simulate counts as sparse as single-cell data: four gene programmes, about a tenth of the entries above zero.

    Returns
    -------
    `(cells, genes)`, CSR, with `obs.cell_type` and `obs.donor`.
    """
    generator = np.random.default_rng(seed)
    rates = np.exp(generator.normal(-3.2, 1.6, size=genes))
    programmes = rates * np.exp(generator.normal(0, 0.7, size=(4, genes)))
    blocks = []
    for start in range(0, cells, 500):
        n = min(500, cells - start)
        means = generator.dirichlet(np.full(4, 0.3), size=n) @ programmes * generator.lognormal(0, 0.4, size=(n, 1))
        block = generator.poisson(means * generator.gamma(2, 0.5, size=means.shape))
        block[block.sum(axis=1) == 0, 0] = 1
        blocks.append(sp.csr_matrix(block, dtype=np.float32))
    counts = sp.vstack(blocks, format="csr")
    obs = pd.DataFrame({"cell_type": "simulated", "donor": "simulated"}, index=[f"cell:{i}" for i in range(cells)])
    return ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"gene{i:05d}" for i in range(genes)]))


class Peak:
    """Peak memory of a block above what was in use before it (Linux; elsewhere NaN)."""

    def __enter__(self) -> "Peak":
        gc.collect()
        try:
            # What was freed before must not be taken for memory in use, from which the block is then served.
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")
            self._before = self._status("VmRSS")
        except (AttributeError, OSError):
            self._before = float("nan")
        return self

    def __exit__(self, *_: object) -> None:
        self.megabytes = float("nan") if math.isnan(self._before) else self._status("VmHWM") - self._before

    @staticmethod
    def _status(key: str) -> float:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(key))


_barrier: Any = None


def in_processes(
    work: Callable[[ad.AnnData], Any], *, cells: int, genes: int, processes: int = 1, threads: int = 1
) -> list[Any]:
    """Run the same work in new processes at the same time, each on its own simulated cells."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    with context.Pool(processes, initializer=_start, initargs=(barrier, threads)) as pool:
        return pool.starmap(partial(_work, work), [(cells, genes)] * processes, chunksize=1)


def _start(barrier: Any, threads: int) -> None:
    global _barrier
    _barrier = barrier
    torch.set_num_threads(threads)


def _work(work: Callable[[ad.AnnData], Any], cells: int, genes: int) -> Any:
    return work(simulate(cells, genes))


def wait_for_others() -> None:
    """Wait until every process of `in_processes` is here."""
    if _barrier is not None:
        _barrier.wait()
