"""A run whose clock is wrong: by so many days, or now forwards, now backwards, from one file to the next."""

import os
import subprocess
from pathlib import Path

from project_copy import Project

DAY = 86_400
HOOK = """
import itertools, os, sys, time

DAYS = itertools.cycle([float(days) * 86400 for days in os.environ["CLOCK_DAYS"].split()])
right, right_ns, utime = time.time, time.time_ns, os.utime
time.time = lambda: right() + next(DAYS)
time.time_ns = lambda: right_ns() + int(next(DAYS) * 1e9)

def wrong_utime(path, times=None, *, ns=None, **others):
    if times is None and ns is None:
        times = (time.time(),) * 2
    return utime(path, times, **others) if ns is None else utime(path, ns=ns, **others)

def date_what_is_written(event, arguments):
    if event == "os.rename" and isinstance(arguments[0], (str, os.PathLike)) and os.path.isfile(arguments[0]):
        wrong_utime(arguments[0])

os.utime = wrong_utime
sys.addaudithook(date_what_is_written)
"""
"""Started with every Python of the run: what it asks for the time, and the time of each file that it moves into place.

The kernel's own clock stays right, as other work of this machine needs it.
"""


def run_with_clock(project: Project, target: str, *, days: str, hook: Path) -> str:
    """Run with a clock that is wrong by these days, by each in turn; what the run said, ended well or not."""
    hook.mkdir(exist_ok=True)
    (hook / "sitecustomize.py").write_text(HOOK)
    path = f"{hook}{os.pathsep}{project.environment()['PYTHONPATH']}"
    done = subprocess.run(
        project.snakemake_command(target), cwd=project.folder, check=False, capture_output=True, text=True,
        env=project.environment() | {"PYTHONPATH": path, "CLOCK_DAYS": days}, timeout=1500,
    )  # fmt: skip
    return done.stdout + done.stderr
