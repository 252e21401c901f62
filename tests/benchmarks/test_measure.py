"""Simulated cells, work in other processes, and peak memory."""

import os
import sys

import numpy as np
import pytest
from benchmarks.measure import Peak, in_processes, simulate, wait_for_others

from datamix.project.errors import DatamixError, NotInProfileError
from datamix.project.files import read_json, write_json
from datamix.project.profile_files import project_root
from datamix.publishing.recorded import read_benchmark, record_benchmarks


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


@pytest.mark.skipif(sys.platform != "linux", reason="memory of a process is read from /proc, which Linux alone has")
def test_peak_memory_counts_what_was_freed_again():
    with Peak() as peak:
        block = np.ones(8_000_000)
        del block
    assert 55 < peak.megabytes < 100


def measured(seconds: float) -> dict:
    hardware = {"processor": "p", "cores": 2, "device": "cpu"}
    return {"hardware": hardware, "versions": {"torch": "2"}, "date": "2026-01-31", "commit": "0" * 40} | {
        "rows": [{"seconds": seconds}]
    }


def test_this_machines_measurement_comes_before_the_record(tmp_path):
    with pytest.raises(NotInProfileError, match=r"'training' is neither(.|\n)*make bench"):
        read_benchmark(tmp_path, "training")
    write_json(tmp_path / "recorded" / "bench" / "training.json", measured(2.0))
    recorded = read_benchmark(tmp_path, "training")
    assert (recorded["seconds"].tolist(), recorded.attrs["measured_here"]) == ([2.0], False)
    assert (recorded.attrs["date"], recorded.attrs["hardware"]["processor"]) == ("2026-01-31", "p")
    write_json(tmp_path / "results" / "bench" / "training.json", measured(1.0))
    here = read_benchmark(tmp_path, "training")
    assert (here["seconds"].tolist(), here.attrs["measured_here"]) == ([1.0], True)
    # A file that does not say when and from what code is of an earlier version.
    old = {key: value for key, value in measured(3.0).items() if key != "date"}
    write_json(tmp_path / "results" / "bench" / "training.json", old)
    assert read_benchmark(tmp_path, "training").attrs["measured_here"] is False


def test_what_was_measured_is_kept(tmp_path):
    bench = tmp_path / "results" / "bench"
    write_json(bench / "old.json", {"rows": []})
    with pytest.raises(DatamixError, match=r"no measurement in results/bench(.|\n)*make bench"):
        record_benchmarks(tmp_path)
    write_json(bench / "training.json", measured(1.0))
    write_json(tmp_path / "recorded" / "bench" / "training.json", measured(2.0))
    assert record_benchmarks(tmp_path) == ["training"]
    assert [path.name for path in (tmp_path / "recorded" / "bench").iterdir()] == ["training.json"]
    (bench / "training.json").unlink()
    assert read_benchmark(tmp_path, "training")["seconds"].tolist() == [1.0]


def test_the_record_has_what_the_page_needs():
    kept = {path.stem for path in (project_root() / "recorded" / "bench").glob("*.json")}
    assert {"training", "together", "scoring", "optimum", "demo"} <= kept


@pytest.mark.parametrize("path", sorted((project_root() / "recorded" / "bench").glob("*.json")), ids=lambda p: p.stem)
def test_what_is_recorded_holds_numbers_only(path):
    text = path.read_text(encoding="utf-8")
    assert len(text) < 100_000
    assert read_benchmark(project_root(), path.stem).attrs["versions"]
    assert read_json(path)["simulated"] is True
    assert not {word for word in ("/home", "/tmp", "/work", "/Users", "\\\\") if word in text}
