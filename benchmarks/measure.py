"""What the benchmark stands on: simulated cells, work in new processes side by side, peak memory; and its files."""

import ctypes
import gc
import json
import math
import multiprocessing
import os
import subprocess
import sys
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


def in_small_process(work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call from a new process: whatever starts a command has its own peak counted as the command's."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments, named)


def run_command(*words: str, profile: str, root: Path) -> tuple[float, float]:
    """Run a command of datamix in a project; return its seconds and its largest memory in MB.

    Parameters
    ----------
    words
        What stands behind `datamix`.
    profile, root
        The profile's name, and the project's folder, which gets temporary files, too.
    """
    command = [sys.executable, "-m", "datamix", *words, "--profile", profile]
    environment = os.environ | {"DATAMIX_ROOT": str(root), "TMPDIR": str(root)}
    status, seconds, largest = json.loads(
        subprocess.check_output([sys.executable, "-c", _START_AND_WAIT, *command], env=environment)
    )
    if status:
        msg = f"datamix {' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}"
        raise ChildProcessError(msg)
    return seconds, largest / (1_000_000 if sys.platform == "darwin" else 1_000)  # macOS counts bytes, Linux kB


_START_AND_WAIT = """
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(json.dumps([status, time.perf_counter() - began, usage.ru_maxrss]))
"""
"""Starts a command and waits for it. It has nothing loaded: Linux counts the memory of who starts a command to it."""


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
