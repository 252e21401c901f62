"""The benchmark measures what it says and writes it down; how long things take is not tested."""

import json
import os
from datetime import UTC, datetime

import numpy as np
import pytest
from benchmarks import scoring, training
from benchmarks.measure import simulate
from benchmarks.training import Plan

from datamix.publishing.recorded import ABOUT, read_benchmark, record_benchmarks

TINY = Plan(repeats=1, training=((150, 40),), scoring=((200, 60),), optimum=(120, 40, 2))


def test_training_is_measured_in_a_process_and_written(tmp_path, capsys):
    found = training.run(TINY, parts=["training"], folder=tmp_path / "results" / "bench")
    written = json.loads((tmp_path / "results" / "bench" / "training.json").read_text())
    assert set(ABOUT) < set(written)
    today = datetime.now(UTC).date()
    assert (today - datetime.fromisoformat(written["date"]).date()).days in (0, 1)  # midnight may have passed
    assert record_benchmarks(tmp_path) == ["training"]
    assert read_benchmark(tmp_path, "training").to_dict("records") == found["training"]
    assert written["rows"] == found["training"]
    assert written["simulated"] is True
    assert written["hardware"]["cores"]
    (row,) = written["rows"]
    assert row["times stock"] == pytest.approx(row["stock s/epoch"] / row["ours s/epoch"])
    assert row["share of products"] == pytest.approx(row["products s/epoch"] / row["ours s/epoch"])
    assert {name: len(values) for name, values in row["repeats"].items()} == {"stock": 1, "ours": 1, "products": 1}
    assert row["ours peak MB"] > 0
    assert row["stock peak MB"] > 0
    printed = capsys.readouterr().out
    assert "times stock" in printed
    assert "simulated" not in row


def test_both_trainers_fit_the_same_cells():
    rows = training._optimum(simulate(120, 40), epochs=2)
    assert [row["trainer"] for row in rows] == ["stock", "ours"]
    assert all(len(row["repeats"]) == 5 for row in rows)
    difference = abs(np.mean(rows[0]["repeats"]) - np.mean(rows[1]["repeats"]))
    assert rows[0]["difference"] == pytest.approx(difference)


def test_both_ways_of_scoring_run_on_the_same_cells():
    adata = simulate(100, 60)
    seconds = scoring.score_in_turn(adata, repeats=2)
    assert {name: len(values) for name, values in seconds.items()} == {"published": 2, "ours": 2}
    assert scoring.score_peak(adata, name="ours") >= 0


def test_ten_stacked_models_are_measured_beside_one_of_stock():
    row = training._stacked(simulate(60, 40), repeats=1)
    assert (row["cells"], row["genes"]) == (60, 40)
    assert row["share"] == pytest.approx(row["ours, ten s/epoch"] / row["stock, one s/epoch"])


def test_stock_at_its_defaults_is_measured_in_one_process_and_in_a_process_a_core(monkeypatch):
    asked = []

    def in_processes(work, *, processes, threads, cells, genes):
        asked.append((work.keywords["name"], processes, threads, cells))
        return [{"seconds": 2.0 * cells / 100, "peak MB": 5.0}] * processes

    monkeypatch.setattr(training, "in_processes", in_processes)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    rows = training.together(Plan(repeats=2, together=(5120, 40)))
    assert asked[:5] == [
        ("ours", 4, 1, 5120), ("stock", 4, 1, 5120), ("stock", 1, 1, 5120), ("stock", 1, 4, 1280), ("stock", 4, 4, 1280)
    ]  # fmt: skip
    assert len(asked) == 5 + 3  # at its defaults once only
    by_way = {row["way"]: row for row in rows}
    assert by_way["ours, a process a core"]["ten models s/epoch"] == pytest.approx(10 * 102.4 / 4)
    # 36 steps an epoch of 5,120 cells, of which 9 tenths are trained on; 9 of a quarter of them.
    assert by_way["stock at its defaults, one process"]["ten models s/epoch"] == pytest.approx(10 * 25.6 * 36 / 9)
    many = by_way["stock at its defaults, a process a core"]
    assert many["ten models s/epoch"] == pytest.approx(10 / 4 * 25.6 * 36 / 9)
    assert (many["cells"], many["cells timed"], len(many["repeats"])) == (5120, 1280, 1)
    assert many["times ours"] == pytest.approx(1.0)
