"""The kernel of a notebook in a run ends with whoever started it."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are copies on Linux only")
STARTER = """
import subprocess, sys, time
wait = "import time; from datamix.publishing.kernel import end_with_starter; end_with_starter(); time.sleep(600)"
kernel = subprocess.Popen([sys.executable, "-c", wait], start_new_session=True)
print(kernel.pid, flush=True)
time.sleep(600)
"""


def test_a_kernel_ends_when_the_notebook_was_killed():
    starter = subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True)
    kernel = int(starter.stdout.readline())
    time.sleep(3)
    os.kill(kernel, 0)  # lives
    os.kill(starter.pid, signal.SIGKILL)
    starter.communicate()
    deadline = time.monotonic() + 120
    while _runs(kernel):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _runs(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{process}/stat") as state:  # noqa: PTH123
        return state.read().rpartition(")")[2].split()[0] != "Z"
