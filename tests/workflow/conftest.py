"""A copy of the project in a temporary folder, with a tiny profile: the whole workflow in a minute or two."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = """
name: tiny
title: "Tiny profile: simulated cells, for tests"
simulated: true
about: Simulated; it shows that the workflow runs.
cells: 120
baselines:
  blood: {label: Blood, dataset: sim_blood}
  atlas: {label: Atlas, dataset: sim_atlas}
added:
  bone_marrow: {label: Bone marrow, datasets: [sim_bone_marrow]}
  blood_cancer: {label: Blood cancer, datasets: [sim_blood_cancer]}
  perturb_seq: {label: Perturb-seq, datasets: [sim_k562, sim_jurkat]}
  tf_atlas: {label: TF atlas, datasets: [sim_tf_atlas], reseed: true}
evaluations:
  blood: {label: Blood, dataset: sim_eval_blood, group: non-disease, cells: 40}
  bone_marrow: {label: Bone marrow, dataset: sim_eval_bone_marrow, group: non-disease, cells: 40}
  aml: {label: AML, dataset: sim_eval_aml, group: cancer, cells: 40}
  scc: {label: SCC, dataset: sim_eval_scc, group: cancer, cells: 40}
  neurons: {label: Neurons, dataset: sim_eval_neurons, group: out of distribution, cells: 40}
training: {max_epochs: 12}
"""


class Project:
    """A project folder, and commands run in it."""

    def __init__(self, folder: Path, profile: str) -> None:
        self.folder, self.profile = folder, profile
        self.results = folder / "results" / profile

    def environment(self) -> dict[str, str]:
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
        python = str(Path(sys.executable).parent)
        return os.environ | one | {"PYTHONPATH": str(self.folder / "src"), "PATH": f"{python}:{os.environ['PATH']}"}

    def run(self, *command: str, ok: bool = True) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(), capture_output=True, text=True, timeout=1500, check=False
        )
        output = done.stdout + done.stderr
        assert (done.returncode == 0) == ok, output[-6000:]
        return output

    def datamix(self, *arguments: str, ok: bool = True) -> str:
        return self.run(sys.executable, "-m", "datamix", *arguments, ok=ok)

    def snakemake(self, *arguments: str, ok: bool = True) -> str:
        return self.run(
            sys.executable, "-m", "snakemake", "--cores", "2", "--nolock", "--rerun-incomplete",
            "--config", f"profile={self.profile}", "--", *arguments, ok=ok,
        )  # fmt: skip

    def jobs(self, *arguments: str) -> dict[str, int]:
        """Return what a run would do: rule → number of jobs."""
        lines = self.run(
            sys.executable, "-m", "snakemake", "--cores", "2", "--nolock", "-n", "--quiet", "reason",
            "--config", f"profile={self.profile}", "--", *arguments,
        ).splitlines()  # fmt: skip
        counts = [line.split() for line in lines if len(line.split()) == 2 and line.split()[1].isdigit()]
        return {name: int(count) for name, count in counts if name != "total" and not name.endswith(":")}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The tiny profile, run to the end once."""
    project = copy_project(tmp_path_factory.mktemp("project"), profile="tiny")
    (project.folder / "config" / "tiny.yaml").write_text(TINY)
    project.snakemake("results/tiny/site/index.html")
    return project


def copy_project(folder: Path, *, profile: str) -> Project:
    """Copy the project's code to a folder, where a profile of this name will be run."""
    for name in ("src", "notebooks", "book", "config", "recorded"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "data_manifest.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return Project(folder, profile)
