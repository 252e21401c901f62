"""A project in a folder whose name a shell would take apart, run from elsewhere, by make, Snakemake and datamix."""

import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from project_copy import ROOT, SMALL, copy_project

WHERE = """# ---
# jupyter:
#   datamix: {reads: []}
# ---

# %% [markdown]
# # Where am I?

# %% tags=["parameters"]
profile: str = "demo"

# %%
from datamix.publishing.results import Results
from datamix.publishing.values import record

record("where.root", str(Results(profile, notebook="where").root), unit="", results=Results(profile, notebook="where"))
"""
NAME = "a \"quoted\" 'päper' $x"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("elsewhere") / NAME, profile="small")
    (project.folder / "config" / "small.yaml").write_text(SMALL.format(name="small"))
    (project.folder / "notebooks" / "where.py").write_text(WHERE)
    return project


def where(project):
    """What the notebook recorded, and nothing of it any more."""
    path = project.results / "values" / "where.json"
    content = json.loads(path.read_text())
    path.unlink()
    return content["where.root"]["value"]


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
    project.run("make", "-C", str(project.folder), "figure", "FIG=where", "PROFILE=small", cwd=tmp_path)
    assert where(project) == str(project.folder)


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
    above = project.folder.parent
    arguments = ("-m", "datamix", "notebook", "where", "--profile", "small")
    output = project.run(sys.executable, *arguments, cwd=above, DATAMIX_ROOT=NAME)
    assert "results/small/notebooks/where.ipynb" in output
    assert where(project) == str(project.folder)
    assert [p.name for p in above.iterdir()] == [NAME]
