"""Two runs at once: on one profile, on two profiles that share a source, and after one that was killed."""

import os
import signal
import subprocess
import time

import anndata as ad
import pytest
from project_copy import SMALL, Project, copy_project


@pytest.fixture
def project(tmp_path):
    project = copy_project(tmp_path, profile="one")
    for name in ("one", "two"):
        (project.folder / "config" / f"{name}.yaml").write_text(SMALL.format(name=name))
    return project


@pytest.fixture
def start():
    """Start a run in the background, and wait until it has its profile."""
    started = []

    def go(project):
        lock = project.results / ".locks" / "run.lock"
        command = project.snakemake_command(genes(project))
        process = subprocess.Popen(
            command, cwd=project.folder, env=project.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        started.append(process)
        deadline = time.monotonic() + 300
        while not (lock.is_file() and lock.read_text().startswith(f"process {process.pid} ")):
            assert process.poll() is None, "the run ended before it had its profile"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return process

    yield go
    for process in started:
        process.kill()
        process.wait()


def genes(project):
    return f"results/{project.profile}/corpora/genes.csv"


def test_a_second_run_of_a_profile_is_refused_and_another_profile_is_not(project, start):
    one, two = project, Project(project.folder, "two")
    first = start(one)
    os.kill(first.pid, signal.SIGSTOP)  # or it might have ended before the others begin
    second = start(two)
    output = one.snakemake(genes(one), ok=False)
    os.kill(first.pid, signal.SIGCONT)
    assert f"Profile one is being run by process {first.pid} on " in output
    assert "To mend it: wait until it has ended" in output
    assert [first.wait(1000), second.wait(1000)] == [0, 0]
    tables = [(p.folder / genes(p)).read_bytes() for p in (one, two)]
    assert tables[0] == tables[1]
    assert "Nothing to be done" in one.snakemake(genes(one))


def test_a_killed_run_leaves_nothing_in_the_way(project, start):
    process = start(project)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    project.snakemake(genes(project))
    for dataset in ("sim_blood", "sim_bone_marrow"):
        assert ad.read_h5ad(project.results / "corpora" / f"{dataset}.h5ad").n_obs > 100
