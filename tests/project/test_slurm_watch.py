import subprocess
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
import snakemake_executor_plugin_slurm

from datamix.project import slurm_watch
from datamix.project.slurm_watch import new_reasons, tell_failures

COMMAND = "/env/bin/python -m datamix train {} --seed 0 --profile far"


@dataclass
class Job:
    shellcmd: str = COMMAND.format("blood")
    jobs: list["Job"] = field(default_factory=list)

    def is_group(self):
        return bool(self.jobs)


@pytest.fixture
def executor(monkeypatch):
    """An executor, as the plugin has it, that only notes what it reports to Snakemake."""

    class Executor:
        def __init__(self):
            self.reported = []

        def report_job_error(self, job_info, msg=None, **given):
            self.reported.append((job_info, msg, given))

    monkeypatch.setattr(snakemake_executor_plugin_slurm, "Executor", Executor)
    return Executor


def test_a_failure_is_said_when_it_is_known_and_kept_for_the_end(executor, tmp_path):
    said = []
    kept = tell_failures(say=said.append)
    assert kept == []
    log = tmp_path / "12.log"
    log.write_text("")
    failed = executor()
    status = "SLURM-job '12' failed, SLURM status is: 'CANCELLED'."
    failed.report_job_error(SimpleNamespace(job=Job(), external_jobid="12"), msg=status, aux_logs=[str(log)])
    assert said == kept
    assert said[0].startswith("train blood --seed 0 (job 12 of Slurm) was cancelled")
    assert said[0].endswith(str(log))
    # Snakemake hears of it as before.
    assert [(msg, given) for _, msg, given in failed.reported] == [(status, {"aux_logs": [str(log)]})]


def test_jobs_that_went_together_are_named(executor):
    said = []
    tell_failures(say=said.append)
    group = Job(jobs=[Job(COMMAND.format(name)) for name in ("e", "d", "c", "b", "a")])
    refused = "SLURM sbatch failed. The error message was 'QOSMaxSubmitJobPerUserLimit'.\n"
    executor().report_job_error(SimpleNamespace(job=group, external_jobid=None), msg=refused)
    assert said[0].startswith("train a --seed 0 and train b --seed 0 and train c --seed 0 and 2 more was not taken")


def test_a_reason_to_wait_is_said_once_until_it_is_gone(monkeypatch):
    node = "datamix_far_1|PENDING|ReqNodeNotAvail, UnavailableNodes:vm"
    said, known = [], frozenset()
    for rows in ([node], [node, node], [], ["other|PENDING|JobHeldUser"], None, [node]):

        def run(command, *, answer=rows, **_):
            if answer is None:
                raise subprocess.TimeoutExpired(command, 60)
            return subprocess.CompletedProcess(command, 0, "\n".join(answer))

        monkeypatch.setattr(slurm_watch.subprocess, "run", run)
        words, known = new_reasons("far", known=known)
        said.append([one.partition(":")[0] for one in words])
    first = ["1 job waits (ReqNodeNotAvail, UnavailableNodes"]
    assert said == [first, [], [], [], [], first]
