"""Training needs the memory of its cells once, and beyond them the same for few cells as for many."""

import multiprocessing
import sys

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from benchmarks.measure import Peak

from datamix.ldvae import training
from datamix.project.profile import Training

GENES, OF_A_CELL = 600, 300
"""Genes, and those that a cell has counts of."""
FEW, MANY = 4_000, 16_000
MB_OF_MORE = (MANY - FEW) * OF_A_CELL * 8 / 2**20
"""What the further cells take: of each count its value and its gene."""


def cells(n: int) -> ad.AnnData:
    """Make cells, the same hundred again and again, whose making takes no memory beyond theirs."""
    generator = np.random.default_rng(0)
    values = 1 + generator.poisson(1, size=100 * OF_A_CELL).astype(np.float32)
    genes = np.tile(np.arange(0, GENES, 2), 100) + generator.integers(2, size=100 * OF_A_CELL)
    parts = np.resize(values, n * OF_A_CELL), np.resize(genes.astype(np.int32), n * OF_A_CELL)
    return ad.AnnData(sp.csr_matrix((*parts, np.arange(n + 1) * OF_A_CELL), shape=(n, GENES)))


def train(n: int, *, device: torch.device | None) -> float:
    """Return the peak (MB) of reading the cells of two models and training them: stacked on a device, or in turn."""
    training.stacking_device = lambda: device
    settings = Training(max_epochs=1, lr=1e-4, check_val_every_n_epoch=1)
    with Peak() as peak:
        for _ in training.train_together(["m"] * 2, lambda _: cells(n), seed=0, settings=settings):
            pass
    return peak.megabytes


def grown() -> dict[str, float]:
    """Return how much higher the peak of many cells is than that of few (MB), of both ways to train two models."""
    found = {}
    for way, device in (("in turn", None), ("stacked", torch.device("cpu"))):
        train(600, device=device)  # what is compiled, imported and allocated once
        found[way] = train(MANY, device=device) - train(FEW, device=device)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory of a block is known on Linux only")
def test_more_cells_take_what_they_take(monkeypatch):
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "65536")  # what is let go goes back to the system, and is not counted
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(grown)
    assert found["in turn"] < 1.2 * MB_OF_MORE
    assert found["stacked"] < 2.2 * MB_OF_MORE
