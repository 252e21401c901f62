"""A run that is killed with all that it has started: at a moment of the clock, or at a write of one of its jobs."""

import hashlib
import json
import os
import re
import signal
import subprocess
import time
import zipfile
from pathlib import Path

from project_copy import Project

HOOK = """
import os, sys, time

def stop_at_a_write(event, arguments):
    if event != "os.rename":
        return
    written = os.path.relpath(os.fspath(arguments[1]), os.environ["DATAMIX_ROOT"])
    mark = os.path.join(os.environ["STOPPED"], written.replace("/", "\\\\"))
    if written in os.environ["STOP_AT"].split("|") and not os.path.exists(mark):
        open(mark, "x").close()
        time.sleep(600)

if os.environ.get("STOP_AT") and os.environ.get("DATAMIX_ROOT"):
    sys.addaudithook(stop_at_a_write)
"""
"""Started with every Python: a process stands still when it is about to move a file into its place, once for each."""
_WALL_TIME = re.compile(rb"\d+ (s|min) for the notebook")
_OF_SCVI = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|run_[0-9-]+_[0-9-]+")


class Killed:
    """A project whose run is started, killed and gone on with."""

    def __init__(self, project: Project, marks: Path, *, target: str) -> None:
        self.project, self.marks, self.target = project, marks, target
        (marks / "hook").mkdir(parents=True)
        (marks / "hook" / "sitecustomize.py").write_text(HOOK)
        (marks / "stopped").mkdir()

    def start(self, *, stop_at: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Start the run in a process group of its own; its jobs stand still at these writes, each once."""
        environment = self.project.environment()
        environment["PYTHONPATH"] = f"{self.marks / 'hook'}{os.pathsep}{environment['PYTHONPATH']}"
        environment |= {"STOP_AT": "|".join(stop_at), "STOPPED": str(self.marks / "stopped")}
        with (self.marks / "said").open("w") as said:
            return subprocess.Popen(
                self.project.snakemake_command(self.target), cwd=self.project.folder, env=environment, text=True,
                stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip

    def said(self) -> str:
        """Return what the last run said."""
        return (self.marks / "said").read_text()[-6000:]

    def kill_after(self, seconds: float) -> bool:
        """Start, and kill the whole group after so many seconds; whether it still ran then."""
        run = self.start()
        try:
            run.wait(seconds)
        except subprocess.TimeoutExpired:
            self._kill(run)
            return True
        assert run.returncode == 0, self.said()
        return False

    def kill_at_writes(self, writes: tuple[str, ...]) -> list[str]:
        """Start, and kill the whole group when a job is about to write one of these for the first time.

        Returns
        -------
        Those at which a job stood when it was killed; none where the run ended well before.
        """
        run, before = self.start(stop_at=writes), self._stopped()
        while run.poll() is None:
            if found := self._stopped() - before:
                self._kill(run)
                return sorted(found)
            time.sleep(0.05)
        assert run.returncode == 0, self.said()
        return []

    def finish(self) -> str:
        """Run to the end; what the run said."""
        run = self.start()
        assert run.wait(3000) == 0, self.said()
        return self.said()

    def _stopped(self) -> set[str]:
        return {path.name.replace("\\", "/") for path in (self.marks / "stopped").iterdir()}

    def _kill(self, run: subprocess.Popen[str]) -> None:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        deadline = time.monotonic() + 300  # of a machine that is at work
        while running := processes_in(self.project.folder):
            assert time.monotonic() < deadline, f"still running after the kill: {running}"
            time.sleep(0.1)


def processes_in(folder: Path) -> dict[int, str]:
    """Return the processes that have this folder as theirs: number → command line."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_in = (process / "cwd").resolve().is_relative_to(folder.resolve())
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            if is_in and state != "Z":
                found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def results_of(project: Project) -> dict[str, str]:
    """Return what a run left: name → sha256, without times and the numbers that scvi-tools draws for a model."""
    found = {}
    for path in sorted(project.results.rglob("*")):
        name = path.relative_to(project.results).as_posix()
        if path.is_file() and not name.startswith((".locks/", ".made/", "book-cache/")):
            found[name] = hashlib.sha256(_without_times(path, project.folder)).hexdigest()
    return found


def _without_times(path: Path, folder: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".ipynb":
        content = json.dumps([(cell["source"], cell.get("outputs")) for cell in json.loads(content)["cells"]]).encode()
    elif path.suffix == ".pt":
        with zipfile.ZipFile(path) as model:
            names = sorted(name for name in model.namelist() if not name.endswith("/serialization_id"))
            content = b"".join(name.encode() + _OF_SCVI.sub(b"", model.read(name)) for name in names)
    elif path.name == "provenance.json":
        content = json.dumps({**json.loads(content), "seconds": None}).encode()
    return _WALL_TIME.sub(b"", content).replace(str(folder).encode(), b"")
