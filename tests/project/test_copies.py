"""Jobs of a run that are copies of one process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datamix.project.copies import SOCKET, start_copying

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="copies are made on Linux only")

LOADED = """
import os, socket, sys, time
from datamix.project.copies import copy_for_jobs

def do(words):
    print("colorsys" in sys.modules, os.getppid(), words, os.getcwd(), os.environ.get("COLOUR"), input(), flush=True)
    if words[0] == "wait":
        time.sleep(600)
    if words[0] == "fail":
        raise ValueError("it failed")
    raise SystemExit({"end": None, "three": 3, "text": "a reason"}[words[0]])

with socket.socket(fileno=int(sys.argv[1])) as listening:
    copy_for_jobs(listening, load=lambda words: ("no_such_module", "colorsys"), do=do)
"""
JOB = "import sys\nfrom datamix.project.copies import do_in_copy\nsys.exit(do_in_copy(sys.argv[1:]) or 0)"
RUN = """
import os, sys, time
from datamix.project.copies import SOCKET, start_copying
start_copying("loaded_for_test")
print(os.environ[SOCKET], flush=True)
time.sleep(600)
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Start a run that has a loaded process; the environment of its jobs, and the run."""
    (tmp_path / "loaded_for_test.py").write_text(LOADED)
    (tmp_path / "t").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    run = subprocess.Popen([sys.executable, "-c", RUN], stdout=subprocess.PIPE, text=True)
    yield os.environ | {SOCKET: run.stdout.readline().strip()}, run
    run.kill()
    run.wait()
    run.stdout.close()


def job(environment, *words, **given):
    return subprocess.Popen(
        [sys.executable, "-c", JOB, *words], env=environment | {"COLOUR": "red"}, text=True, bufsize=1,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **given,
    )  # fmt: skip


def test_copy_does_the_job_in_the_place_of_who_asked(run, tmp_path):
    environment, _ = run
    (tmp_path / "here").mkdir()
    parents = set()
    for words, status, said in ((["end", "a b"], 0, ""), (["three"], 3, ""), (["text"], 1, "a reason\n")):
        process = job(environment, *words, cwd=tmp_path / "here")
        out, err = process.communicate("typed\n", timeout=60)
        loaded, parent, rest = out.split(maxsplit=2)
        assert loaded == "True"
        assert rest == f"{words} {tmp_path / 'here'} red typed\n"
        assert (process.returncode, err) == (status, said)
        parents.add(parent)
    assert len(parents) == 1, "all are copies of one process"
    assert str(os.getpid()) not in parents


def test_error_in_a_copy_is_the_jobs(run):
    process = job(run[0], "fail")
    _, err = process.communicate("\n", timeout=60)
    assert process.returncode == 1
    assert "Traceback" in err
    assert err.endswith("ValueError: it failed\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_copy_ends_with_who_asked_for_it(run, number):
    process = job(run[0], "wait")
    process.stdin.write("\n")
    process.stdin.flush()
    loaded = process.stdout.readline().split()
    (copy,) = children(int(loaded[1]))
    process.send_signal(number)
    process.wait(60)
    assert process.returncode == {signal.SIGINT: 1, signal.SIGTERM: 128 + 15, signal.SIGKILL: -9}[number]
    wait_until(lambda: not alive(copy))
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()


def test_job_whose_copy_is_killed_fails(run):
    process = job(run[0], "wait")
    process.stdin.write("\n")
    process.stdin.flush()
    (copy,) = children(int(process.stdout.readline().split()[1]))
    os.kill(copy, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGKILL


def test_loaded_process_ends_with_its_run_and_leaves_nothing(run):
    environment, process = run
    folder = Path(environment[SOCKET]).parent
    (loaded,) = children(process.pid)
    assert folder.stat().st_mode & 0o777 == 0o700
    for _ in range(2):
        job(environment, "end").communicate("\n", timeout=60)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # to all of the run, which means the jobs
            os.kill(loaded, number)
    process.kill()
    process.wait()
    wait_until(lambda: not folder.exists())
    wait_until(lambda: not alive(loaded))


def test_where_nobody_answers_a_job_does_its_work_itself(run, tmp_path):
    program = "from datamix.project.copies import do_in_copy\nprint(do_in_copy(['end']))"
    environment, process = run
    (loaded,) = children(process.pid)
    os.kill(loaded, signal.SIGKILL)
    for named in ({SOCKET: environment[SOCKET]}, {SOCKET: str(tmp_path / "none")}, {}):
        without = {name: value for name, value in os.environ.items() if name != SOCKET}
        done = subprocess.run(
            [sys.executable, "-c", program], env=without | named, capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout == "None\n"


def test_no_copies_where_they_are_not_safe(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delenv(SOCKET, raising=False)
    start_copying("no_such_module")
    assert SOCKET not in os.environ


def test_no_copies_where_no_socket_can_be(monkeypatch, tmp_path):
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.delenv(SOCKET, raising=False)
    start_copying("no_such_module")
    assert SOCKET not in os.environ
    assert list(folder.iterdir()) == []


def children(process):
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def alive(process):
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until(ready):
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)
