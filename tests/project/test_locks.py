"""Other processes stand in for other runs: a lock is the kernel's, and ends with its process."""

import os
import signal
import subprocess
import sys
import time

import pytest

from datamix.project.errors import DatamixError
from datamix.project.locks import hold_for_run, one_at_a_time

ONE = "from datamix.project.locks import one_at_a_time\nwith one_at_a_time(Path(sys.argv[1])):\n    work()\n"
RUN = "from datamix.project.locks import hold_for_run\nhold_for_run(Path(sys.argv[1]), profile='demo')\nwork()\n"
WORK = "import sys, time\nfrom pathlib import Path\ndef work():\n    print('has it', flush=True)\n    time.sleep(600)\n"


@pytest.fixture
def other(tmp_path):
    """Start a process that takes the lock and keeps it."""
    started = []

    def start(program):
        command = [sys.executable, "-c", WORK + program, str(tmp_path / "locks" / "a.lock")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "has it\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_who_comes_second_waits_and_says_for_whom(tmp_path, other):
    process, said = other(ONE), []

    def say(line):
        said.append(line)
        os.kill(process.pid, signal.SIGKILL)

    with one_at_a_time(tmp_path / "locks" / "a.lock", say=say):
        assert process.wait() == -signal.SIGKILL
    (line,) = said
    assert line.startswith(f"waiting for process {process.pid} on ")


def test_second_run_is_refused_and_told_who_runs(tmp_path, other):
    process = other(RUN)
    with pytest.raises(
        DatamixError, match=rf"Profile demo is being run by process {process.pid} on \S+, since \d{{4}}-"
    ):
        hold_for_run(tmp_path / "locks" / "a.lock", profile="demo")
    hold_for_run(tmp_path / "locks" / "b.lock", profile="mini")


def test_killed_run_leaves_no_lock(tmp_path, other):
    process = other(RUN)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert str(process.pid) in (tmp_path / "locks" / "a.lock").read_text()
    started = time.monotonic()
    hold_for_run(tmp_path / "locks" / "a.lock", profile="demo")
    assert time.monotonic() - started < 5
