"""The benchmark measures what it says and writes it down; how long things take is not tested."""

import json

import numpy as np
import pytest

from datamix import benchmark
from datamix.benchmark import Plan
from datamix.measurement import simulate

TINY = Plan(repeats=1, training=((150, 40),), scoring=((200, 60),), optimum=(120, 40, 2))


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
    rows = benchmark._optimum(simulate(120, 40), epochs=2)
    assert [row["trainer"] for row in rows] == ["stock", "ours"]
    assert all(len(row["repeats"]) == 5 for row in rows)
    difference = abs(np.mean(rows[0]["repeats"]) - np.mean(rows[1]["repeats"]))
    assert rows[0]["difference"] == pytest.approx(difference)


def test_both_ways_of_scoring_run_on_the_same_cells():
    adata = simulate(100, 60)
    seconds = benchmark._score_in_turn(adata, repeats=2)
    assert {name: len(values) for name, values in seconds.items()} == {"published": 2, "ours": 2}
    assert benchmark._score_peak(adata, name="ours") >= 0


def test_ten_stacked_models_are_measured_beside_one_of_stock():
    row = benchmark._stacked(simulate(60, 40), repeats=1)
    assert (row["cells"], row["genes"]) == (60, 40)
    assert row["share"] == pytest.approx(row["ours, ten s/epoch"] / row["stock, one s/epoch"])
