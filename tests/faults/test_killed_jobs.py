"""Killed jobs: each job of a run ended by SIGKILL whenever it is about to move something into its place, once for each.

Run again each time, it ends with the files, byte for byte, of a job that nothing disturbed; times are left aside.
"""

import importlib
import multiprocessing
import os
import re
import signal
import sys

import pytest
from command import datamix
from killing import results_of
from project_copy import ROOT, SMALL, Project

from datamix.cli import copies
from datamix.project.layout import Layout
from datamix.publishing.runs import made

PROFILE = SMALL.format(name="tiny") + (
    "seeds: [0]\ntraining: {max_epochs: 2}\ncomposition: {cells: 60, coalitions: true, mixtures: 3, seeds: [0]}\n"
)
OF_ONE = "blood --seed 0"
JOBS = (
    "prepare sim_blood", "prepare sim_bone_marrow", "prepare sim_eval_blood", "genes", "gene-sets", f"train {OF_ONE}",
    f"score {OF_ONE}", f"read-out {OF_ONE}", f"hold-out {OF_ONE}", f"yardsticks {OF_ONE}", "collect-scores",
    "composition run first --seed 0", "composition plan", "composition run second --seed 0", "composition collect",
)  # fmt: skip


def lay_out(folder):
    """A project without a book, of which nothing is made so far."""
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "tiny.yaml").write_text(PROFILE)
    (folder / "data_manifest.yaml").write_bytes((ROOT / "data_manifest.yaml").read_bytes())
    return Project(folder, "tiny")


def in_a_fork(project, job, *, marks=None):
    """Run a job in a fork of this process; killed at the first write of which there is no mark. Its exit code."""
    process = multiprocessing.get_context("fork").Process(target=_run, args=(project, job, marks))
    process.start()
    process.join()
    return process.exitcode


def _run(project, job, marks):
    def kill_at_a_write(event, arguments):
        if event == "os.rename":
            written = os.path.relpath(os.fspath(arguments[1]), project.folder)
            mark = marks / re.sub(r"-\d+(?=/)", "", written).replace("/", "\\")  # in whoever's folder beside
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)

    if marks is not None:
        sys.addaudithook(kill_at_a_write)
    said = datamix(project.folder, *job.split(), "--profile", "tiny")
    print(said.text)
    os._exit(said.code)


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    """A project whose jobs are killed, one whose are not, and where it is marked what was killed."""
    folder = tmp_path_factory.mktemp("killed_jobs")
    (folder / "marks").mkdir()
    return lay_out(folder / "killed"), lay_out(folder / "undisturbed"), folder / "marks"


@pytest.mark.parametrize("job", [*JOBS[:5], *(pytest.param(job, marks=pytest.mark.faults) for job in JOBS[5:])])
def test_a_job_is_killed_at_each_of_its_writes(books, job, record_property):
    """Every write of every job: what is in the place of a result is that result; the job run again makes the same."""
    killed, undisturbed, marks = books
    for module in copies.LOADED.get(job.split()[0], ()):
        importlib.import_module(module)  # once, and not in every fork
    assert in_a_fork(undisturbed, job) == 0
    whole, before = results_of(undisturbed), len(list(marks.iterdir()))
    rules = [
        path.relative_to(killed.results).as_posix()
        for path in made.jobs_of(Layout.of("tiny", killed.folder), [])[job].of_rule
    ]
    while code := in_a_fork(killed, job, marks=marks):
        assert code == -signal.SIGKILL
        found = results_of(killed)
        assert {name: found[name] for name in rules if name in found}.items() <= whole.items()
    kills = len(list(marks.iterdir())) - before
    assert kills >= 2  # the result and its note
    assert results_of(killed) == whole
    record_property("times", kills)
