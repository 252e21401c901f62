"""A project in a folder whose name a shell would take apart, run from elsewhere, by make, Snakemake and datamix."""

import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from project_copy import ROOT, SMALL, copy_project

NAME = "a \"quoted\" 'päper' $x"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("elsewhere") / NAME, profile="small")
    (project.folder / "config" / "small.yaml").write_text(SMALL.format(name="small"))
    return project


def test_make(project, tmp_path):
    """With an environment in the folder itself, as `make env` would make it."""
    for name in ("Makefile", "requirements.lock", "requirements-cuda.lock"):
        shutil.copy(ROOT / name, project.folder)
    environment = project.folder / ".venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    (environment / "lib").symlink_to(Path(sys.prefix) / "lib")
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", environment)
    (environment / "complete").touch()
    later = time.time() + 3600
    os.utime(environment / "complete", (later, later))  # or make would install everything anew
    project.run("make", "-C", str(project.folder), "figure", "FIG=framework", "PROFILE=small", cwd=tmp_path)
    assert list((project.results / "panels").glob("*.svg"))


@pytest.mark.parametrize("how", ["--snakefile", "--directory", "DATAMIX_ROOT"])
def test_snakemake_from_elsewhere(project, tmp_path, how):
    shutil.rmtree(project.results / "corpora", ignore_errors=True)
    given = ["--directory", str(project.folder)] if how == "--directory" else []
    environment = {"DATAMIX_ROOT": str(project.folder)} if how == "DATAMIX_ROOT" else {}
    wanted = "results/small/corpora/sim_blood.h5ad"
    command = project.snakemake_command(wanted)
    command[3:3] = ["--snakefile", str(project.folder / "Snakefile"), *given]
    project.run(*command, cwd=tmp_path, **environment)
    assert (project.folder / wanted).is_file()
    assert {p.name for p in tmp_path.iterdir()} <= {".snakemake"}  # its log


def test_datamix_from_elsewhere(project):
    """A root that is given relative to where one is stands for the same folder in the notebooks."""
    shutil.rmtree(project.results / "panels", ignore_errors=True)
    above = project.folder.parent
    arguments = ("-m", "datamix", "notebook", "framework", "--profile", "small")
    output = project.run(sys.executable, *arguments, cwd=above, DATAMIX_ROOT=NAME)
    assert "results/small/notebooks/framework.ipynb" in output
    assert list((project.results / "panels").glob("*.svg"))
    assert [p.name for p in above.iterdir()] == [NAME]
