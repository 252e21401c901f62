"""The rehearsal of the paper's size, at a size that takes a moment."""

import pandas as pd
import pytest
from benchmarks import rehearsal
from benchmarks.rehearsal import in_full, rehearse
from command import datamix

from datamix.project.profile_files import read_profile


@pytest.fixture
def in_this_process(monkeypatch):
    """Run the commands here, where the libraries are loaded; what a command takes is measured by other tests."""

    def run(*words, profile, root):
        said = datamix(root, *words, "--profile", profile)
        assert said.code == 0, said.text
        return 1.0, 200.0

    monkeypatch.setattr(rehearsal, "in_small_process", lambda work, *given, **named: work(*given, **named))
    monkeypatch.setattr(rehearsal, "run_command", run)


@pytest.mark.usefixtures("in_this_process")
def test_every_step_of_the_paper_that_needs_no_gpu_is_rehearsed(tmp_path):
    found = rehearse(tmp_path, cells=3_000, genes=1_000)
    prepared = [step.split()[1] for step in found["step"] if step.startswith("prepare")]
    assert prepared == list(read_profile("paper").datasets)
    assert list(found["kind"].drop_duplicates()) == ["prepare", "genes", "train", "score"]
    assert (found["peak_mb"] > 100).all()
    assert (found["seconds"] > 0).all()
    assert (found["cells_in_full"] > found["cells"]).all()
    scores = pd.read_parquet(tmp_path / "results" / "rehearsal" / "scores")
    assert scores["r2"].notna().mean() > 0.9


def test_full_size_is_read_off_the_line_through_both_sizes():
    step = {"step": "prepare x", "kind": "prepare", "cells_in_full": 1_000}
    rows = pd.DataFrame(
        [
            step | {"cells": 100, "seconds": 10.0, "peak_mb": 500},
            step | {"cells": 200, "seconds": 15.0, "peak_mb": 490},
        ]
    )
    full = in_full(rows).iloc[0]
    assert (full["cells"], full["seconds_in_full"], full["peak_mb_in_full"]) == (200, 55, 490)
    assert full["seconds"] == pytest.approx(15.0)
