"""A real Slurm: what is cancelled, drained, killed or too large ends in a sentence, a rerun in the local scores."""

import os
import subprocess
import sys
import time

import pandas as pd
import pytest
import yaml
from project_copy import SMALL, copy_project
from small_slurm import Slurm, lacking

SCORES = "results/{}/scores/reconstruction.parquet"
TRAINING = "training: {max_epochs: 12}\nseeds: [0]\n"
LONG = 3000  # seconds; other work may want the cores, too


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    reason = lacking()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    # A short path: the socket's name may have a hundred characters.
    started = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A small profile under two names: `near` is run here, `far` on Slurm."""
    project = copy_project(tmp_path_factory.mktemp("project"), profile="far")
    for name in ("near", "far"):
        (project.folder / "config" / f"{name}.yaml").write_text(SMALL.format(name=name) + TRAINING)
    return project


@pytest.fixture
def send(project, slurm, tmp_path):
    """Send the run to Slurm, in the background: the process, and the file that it writes its words to."""
    started = []

    def go():
        words = tmp_path / f"words{len(started)}.txt"
        command = [
            sys.executable, "-m", "snakemake", "--workflow-profile", "results/far/slurm", "--nolock",
            "--rerun-incomplete", "--config", "profile=far", "--", SCORES.format("far"),
        ]  # fmt: skip
        with words.open("wb") as out:
            process = subprocess.Popen(
                command, cwd=project.folder, env=project.environment() | slurm.environment, stdout=out, stderr=out
            )
        started.append(process)
        return process, words

    yield go
    for process in started:
        process.kill()
        process.wait()
    for number, _ in slurm.jobs("PENDING", "RUNNING"):
        slurm.ask("scancel", number)
    slurm.wait(lambda: not slurm.jobs("RUNNING", "COMPLETING"), what="the end of the jobs")


def options(project):
    return project.folder / "results" / "far" / "slurm" / "config.yaml"


def ask(project, slurm):
    """Run `datamix slurm`."""
    return project.run(sys.executable, "-m", "datamix", "slurm", "--profile", "far", **slurm.environment)


def started(slurm, rule):
    return [number for number, what in slurm.jobs("RUNNING") if what.startswith(f"rule_{rule}")]


def wait(slurm, process, ready, words, *, what):
    def look():
        assert process.poll() is None or ready(), f"the run ended before {what}:\n{words.read_text()[-4000:]}"
        return ready()

    slurm.wait(look, what=what, seconds=LONG)


def test_the_cluster_is_asked_and_short_jobs_go_together(project, slurm):
    said = ask(project, slurm)
    assert "without accounting; jobs go to main" in said
    assert "Short jobs go together: " in said
    found = yaml.safe_load(options(project).read_text())
    assert found["slurm-no-account"] is True
    assert found["slurm-status-command"] == "squeue"
    assert found["group-components"]["corpus"] == 3
    assert {of["slurm_partition"] for of in found["set-resources"].values()} == {"main"}


@pytest.fixture
def asked(project, slurm):
    if not options(project).is_file():
        ask(project, slurm)


@pytest.mark.usefixtures("asked")
def test_too_little_memory_ends_in_a_sentence(project, send):
    found = yaml.safe_load(options(project).read_text())
    found["set-resources"]["corpus"]["mem_mb"] = 40
    options(project).write_text(yaml.safe_dump(found))
    process, words = send()
    assert process.wait(LONG) == 1
    said = words.read_text()
    assert "was ended because it took more memory than it had asked for" in said
    assert "times_memory: 2" in said
    assert "Its log: " in said


def test_a_run_that_meets_with_everything_ends_with_the_local_scores(project, slurm, send):
    settings = project.folder / "config" / "slurm.yaml"
    text = settings.read_text().replace("group_minutes: 10", "group_minutes: 1")
    settings.write_text(text.replace("times_minutes: 1 ", "times_minutes: 5 "))  # other tests may want the cores, too
    ask(project, slurm)

    # A drained node: the run says why nothing happens, and goes on when the node is back.
    slurm.ask("scontrol", "update", f"nodename={slurm.host}", "state=drain", "reason=broken")
    process, words = send()
    wait(slurm, process, lambda: "no node is there for them" in words.read_text(), words, what="word of the node")
    slurm.ask("scontrol", "update", f"nodename={slurm.host}", "state=resume")

    # A job that somebody cancels.
    wait(slurm, process, lambda: started(slurm, "train"), words, what="training")
    slurm.ask("scancel", started(slurm, "train")[0])
    assert process.wait(LONG) == 1
    assert "was cancelled, by you or by the cluster's administrator. Run the same command again" in words.read_text()

    # A node whose daemon dies while it trains, and comes back: the job may live through it.
    process, words = send()
    wait(slurm, process, lambda: started(slurm, "train"), words, what="training")
    slurm.kill_node()
    time.sleep(15)
    slurm.start_node()
    if process.wait(LONG):
        assert "Run the same command again" in words.read_text()
        process, words = send()
        assert process.wait(LONG) == 0, words.read_text()[-4000:]

    project.profile = "near"
    project.snakemake(SCORES.format("near"))
    near, far = (pd.read_parquet(project.folder / SCORES.format(name)) for name in ("near", "far"))
    pd.testing.assert_frame_equal(far, near)
