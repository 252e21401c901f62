"""A copy of the project in a folder of its own, and commands run in it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


SMALL = """
name: {name}
title: "Small profile: simulated cells, for tests"
simulated: true
about: Simulated.
cells: 60
baselines:
  blood: {{label: Blood, dataset: sim_blood}}
added:
  bone_marrow: {{label: Bone marrow, datasets: [sim_bone_marrow]}}
evaluations:
  blood: {{label: Blood, dataset: sim_eval_blood, group: non-disease, cells: 40}}
"""
"""A profile of two training corpora."""


class Project:
    """A project folder, and commands run in it."""

    def __init__(self, folder: Path, profile: str) -> None:
        self.folder, self.profile = folder, profile
        self.results = folder / "results" / profile

    def environment(self) -> dict[str, str]:
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
        python = str(Path(sys.executable).parent)
        ours = {name: value for name, value in os.environ.items() if name != "DATAMIX_ROOT"}
        return ours | one | {"PYTHONPATH": str(self.folder / "src"), "PATH": f"{python}:{os.environ['PATH']}"}

    def run(self, *command: str, ok: bool = True, cwd: Path | None = None, **environment: str) -> str:
        done = subprocess.run(
            command, cwd=cwd or self.folder, env=self.environment() | environment, capture_output=True, text=True,
            timeout=1500, check=False,
        )  # fmt: skip
        output = done.stdout + done.stderr
        assert (done.returncode == 0) == ok, output[-6000:]
        return output

    def datamix(self, *arguments: str, ok: bool = True) -> str:
        return self.run(sys.executable, "-m", "datamix", *arguments, ok=ok)

    def snakemake(self, *arguments: str, ok: bool = True) -> str:
        return self.run(*self.snakemake_command(*arguments), ok=ok)

    def snakemake_command(self, *arguments: str) -> list[str]:
        return [
            sys.executable, "-m", "snakemake", "--cores", "2", "--nolock", "--rerun-incomplete",
            "--config", f"profile={self.profile}", "--", *arguments,
        ]  # fmt: skip

    def jobs(self, *arguments: str) -> dict[str, int]:
        """Return what a run would do: rule → number of jobs."""
        lines = self.run(
            sys.executable, "-m", "snakemake", "--cores", "2", "--nolock", "-n", "--quiet", "reason",
            "--config", f"profile={self.profile}", "--", *arguments,
        ).splitlines()  # fmt: skip
        counts = [line.split() for line in lines if len(line.split()) == 2 and line.split()[1].isdigit()]
        return {name: int(count) for name, count in counts if name != "total" and not name.endswith(":")}


def copy_project(folder: Path, *, profile: str) -> Project:
    """Copy the project's code to a folder, where a profile of this name will be run.

    With what Python and numba have compiled of it, or each copy would compile it again.
    """
    for name in ("src", "notebooks", "book", "config", "recorded"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("Snakefile", "data_manifest.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return Project(folder, profile)
