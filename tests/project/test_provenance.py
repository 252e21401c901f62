import json
import re
import subprocess

import numpy
import pytest

from datamix.project.provenance import commit, is_clean, short_commit, versions
from datamix.publishing.run import describe, wall_time


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -qm one"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    return folder


def test_commit_is_that_of_git(checkout):
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True)
    assert commit(checkout) == head.stdout.strip()


@pytest.mark.parametrize("changed", ["a.txt", "new.txt"])
def test_uncommitted_changes_are_named(checkout, changed):
    (checkout / changed).write_text("b")
    assert re.fullmatch(r"[0-9a-f]{40} with uncommitted changes", commit(checkout))


def test_a_shortened_commit_keeps_what_is_said_of_it(checkout):
    assert short_commit(commit(checkout)) == commit(checkout)[:8]
    (checkout / "a.txt").write_text("b")
    assert short_commit(commit(checkout)) == f"{commit(checkout)[:8]} with uncommitted changes"
    assert short_commit("unknown") == "unknown"


def test_one_folder_may_differ(checkout):
    assert is_clean(commit(checkout))
    (checkout / "recorded").mkdir()
    (checkout / "recorded" / "b.txt").write_text("b")
    assert not is_clean(commit(checkout))
    assert is_clean(commit(checkout, apart_from="recorded"))
    (checkout / "a.txt").write_text("b")
    assert not is_clean(commit(checkout, apart_from="recorded"))
    assert not is_clean("unknown")


def test_outside_git_the_commit_is_unknown(tmp_path):
    assert commit(tmp_path) == "unknown"


def test_a_folder_inside_another_checkout_does_not_take_its_commit(checkout):
    (checkout / "inner").mkdir()
    assert commit(checkout / "inner") == "unknown"


def test_a_checkout_without_commits_is_unknown(tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert commit(tmp_path) == "unknown"


def test_versions_are_those_imported():
    assert versions()["numpy"] == numpy.__version__


def test_a_run_is_described(run):
    described = describe(run)
    assert described["command"] == "make figure FIG=fig2 PROFILE=demo"
    assert described["datasets"][0] == {"id": "sim_blood", "hash": "01234567"}
    assert described["seeds"] == list(run.profile.seeds)
    assert described["simulated"] is True
    assert described["protocol"] == run.profile.protocol


def test_wall_time_is_papermills(tmp_path):
    path = tmp_path / "a.ipynb"
    assert wall_time(path) is None
    path.write_text(json.dumps({"metadata": {"papermill": {"duration": 3.5}}}))
    assert wall_time(path) == 3.5
    path.write_text(json.dumps({"metadata": {}}))
    assert wall_time(path) is None


def test_what_differs_from_the_run_is_said(run):
    assert describe(run, made={"seeds": [7]}) == describe(run) | {"seeds": [7]}
    with pytest.raises(ValueError, match="has no seed; it has notebook, profile"):
        describe(run, made={"seed": 7})
