"""The benchmark measures what it says and writes it down; how long things take is not tested."""

import json

import numpy as np
import pytest

from datamix import benchmark
from datamix.benchmark import Plan

TINY = Plan(repeats=1, training=((150, 40),), scoring=((200, 60),), optimum=(120, 40, 2))


def test_simulated_counts_are_sparse_whole_and_repeatable():
    adata = benchmark.simulate(1100, 300, seed=3)
    again = benchmark.simulate(1100, 300, seed=3)
    assert adata.shape == (1100, 300)
    assert (adata.X != again.X).nnz == 0
    assert (adata.X.data == np.floor(adata.X.data)).all()
    assert 0.02 < adata.X.nnz / (1100 * 300) < 0.3
    assert (adata.X.getnnz(axis=1) > 0).all()


def test_training_is_measured_in_a_process_and_written(tmp_path, capsys):
    found = benchmark.run(TINY, parts=["training"], folder=tmp_path)
    written = json.loads((tmp_path / "training.json").read_text())
    assert written["rows"] == found["training"]
    assert written["simulated"] is True
    assert written["hardware"]["cores"]
    (row,) = written["rows"]
    assert row["times stock"] == pytest.approx(row["stock s/epoch"] / row["ours s/epoch"])
    assert row["share of products"] == pytest.approx(row["products s/epoch"] / row["ours s/epoch"])
    assert {name: len(values) for name, values in row["repeats"].items()} == {"stock": 1, "ours": 1, "products": 1}
    printed = capsys.readouterr().out
    assert "times stock" in printed
    assert "simulated" not in row


def test_both_trainers_fit_the_same_cells():
    rows = benchmark._optimum(benchmark.simulate(120, 40), epochs=2)
    assert [row["trainer"] for row in rows] == ["stock", "ours"]
    assert all(len(row["repeats"]) == 5 for row in rows)
    difference = abs(np.mean(rows[0]["repeats"]) - np.mean(rows[1]["repeats"]))
    assert rows[0]["difference"] == pytest.approx(difference)


def test_both_ways_of_scoring_run_on_the_same_cells():
    adata = benchmark.simulate(100, 60)
    for name in ("ours", "published"):
        found = benchmark._score(adata, name=name)
        assert found["seconds"] > 0
        assert found["peak MB"] >= 0
