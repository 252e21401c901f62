"""Simulated cells, work in other processes, and peak memory."""

import os
import sys

import numpy as np
import pytest

from datamix.measurement import Peak, in_processes, simulate, wait_for_others


def test_simulated_counts_are_sparse_whole_and_repeatable():
    adata = simulate(1100, 300, seed=3)
    again = simulate(1100, 300, seed=3)
    assert adata.shape == (1100, 300)
    assert (adata.X != again.X).nnz == 0
    assert (adata.X.data == np.floor(adata.X.data)).all()
    assert 0.02 < adata.X.nnz / (1100 * 300) < 0.3
    assert (adata.X.getnnz(axis=1) > 0).all()


def where_and_how_many(adata):
    wait_for_others()
    return os.getpid(), adata.shape


def test_work_runs_in_processes_of_its_own_side_by_side():
    found = in_processes(where_and_how_many, cells=20, genes=10, processes=2)
    assert [shape for _, shape in found] == [(20, 10), (20, 10)]
    assert len({pid for pid, _ in found} | {os.getpid()}) == 3  # both wait for each other: neither did both


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory_counts_what_was_freed_again():
    with Peak() as peak:
        block = np.ones(8_000_000)
        del block
    assert 55 < peak.megabytes < 100
