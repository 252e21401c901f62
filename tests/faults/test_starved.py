"""Starved: no room on the disk, no right to write, little memory, no home; said in a sentence, or it goes on without.

What a machine lacked once, it has afterwards: the same command then ends well, with the same bytes.
"""

import importlib
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from bad_project import PREPARE
from command import datamix, files_below
from foreign_cells import made_up, project_of
from project_copy import ROOT
from scipy import sparse

from datamix.project.files import sha256

GENES = ("genes", "--profile", "tiny")
RESULTS = ("corpora/mine.h5ad", "corpora/genes.csv")
AS_ANYONE = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
"""Before a command: where tests run as root, rights count for it as for anyone."""
MB = 1 << 20


@pytest.fixture
def project(tmp_path):
    """A project of one dataset, of which nothing is made so far."""
    cells = tmp_path / "cells.h5ad"
    made_up(60).write_h5ad(cells)
    return project_of(tmp_path / "project", [cells], options={"cell_type": "celltype"})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What the commands make where nothing is lacking: file → sha256."""
    folder = tmp_path_factory.mktemp("made")
    cells = folder / "cells.h5ad"
    made_up(60).write_h5ad(cells)
    root = project_of(folder / "project", [cells], options={"cell_type": "celltype"})
    return finish(root)


def finish(root: Path) -> dict[str, str]:
    """Prepare the corpus and write the genes, both of which must end well."""
    for command in (PREPARE, GENES):
        said = datamix(root, *command)
        assert said.code == 0, said.text
    return digests(root)


def digests(root: Path) -> dict[str, str]:
    return {name: sha256(root / "results" / "tiny" / name) for name in RESULTS}


def run(root: Path, *command: str, before: tuple[str, ...] = (), **environment: str | None):
    """Run a command in a process of its own, as anyone; an environment variable that is nothing is taken away."""
    given = os.environ | {"DATAMIX_ROOT": str(root), "PYTHONPATH": str(ROOT / "src")} | environment
    return subprocess.run(
        [*AS_ANYONE, *before, sys.executable, "-m", "datamix", *command], cwd=root,
        env={name: value for name, value in given.items() if value is not None},
        capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip


def _limited(which: int, room: int, root: Path, command: tuple[str, ...], said) -> None:
    """Run a command in this process, which was started for it and has so much of something and no more."""
    if which == resource.RLIMIT_DATA:
        for module in ("datamix.corpora.fetch", "datamix.corpora.prepare", "datamix.publishing.runs.made"):
            importlib.import_module(module)
        used = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData"))
        room += int(used.split()[1]) * 1024
    resource.setrlimit(which, (room, room))
    done = datamix(root, *command)
    said.send((done.text, done.code))


def limited(which: int, room: int, root: Path, command: tuple[str, ...]):
    """Run a command in a process that has so much of something; what it printed, and its exit code.

    Of memory it has so much beside its libraries: no fork then, which would find what earlier tests gave back.
    """
    ours, theirs = multiprocessing.Pipe()
    start = "spawn" if which == resource.RLIMIT_DATA else "fork"
    process = multiprocessing.get_context(start).Process(target=_limited, args=(which, room, root, command, theirs))
    process.start()
    theirs.close()
    assert ours.poll(300)
    text, code = ours.recv()
    process.join()
    return text, code


@pytest.mark.parametrize("room", [0, 100, 1_000, 4_000, 10_000, 20_000])
@pytest.mark.parametrize("command", [PREPARE, GENES], ids=["prepare", "genes"])
def test_no_room_for_a_file(project, made, command, room):
    """A file that may have so many bytes and no more: said with what makes room, nothing half-made; then it goes on."""
    if command == GENES:
        assert datamix(project, *PREPARE).code == 0
        room //= 20
    before = files_below(project)
    text, code = limited(resource.RLIMIT_FSIZE, room, project, command)
    assert code == 1, text
    assert "There is no room left to write" in text
    assert "To mend it: make room" in text
    left = {name for name in files_below(project) - before if "/.mine.parts/" not in name}  # blocks: it goes on there
    assert left == set()
    assert finish(project) == made


@pytest.mark.parametrize("megabytes", [1, 8])
def test_little_memory(tmp_path, megabytes):
    """A preparation that is given a few MB beside its libraries: said, nothing half-made; then it goes on."""
    cells = tmp_path / "cells.h5ad"
    made_up(20_000).write_h5ad(cells)  # 17 MB; with 48 MB beside the libraries, it is not prepared, either
    root = project_of(tmp_path / "project", [cells], options={"cell_type": "celltype"})
    text, code = limited(resource.RLIMIT_DATA, megabytes * MB, root, PREPARE)
    assert code == 1, text
    assert "There was not enough memory. What was finished is kept." in text
    assert not (root / "results" / "tiny" / RESULTS[0]).exists()
    assert finish(root)


@pytest.mark.parametrize("n", [10_000, pytest.param(100_000, marks=pytest.mark.faults)])
def test_400_megabytes_of_memory(tmp_path, n):
    """A preparation that is given 400 MB in all, as its profile says (`ulimit -d`: heap, stacks): the whole corpus."""
    cells, table = tmp_path / "cells.h5ad", tmp_path / "genes.csv"
    block = sparse.random(5_000, 3_000, density=0.2, format="csr", dtype=np.float32, random_state=0)
    block.data = np.ceil(block.data * 9)  # of 100,000 cells, 480 MB
    genes = [f"GENE{i}" for i in range(3_000)]
    ad.AnnData(
        sparse.vstack([block] * (n // 5_000), format="csr"),
        obs=pd.DataFrame({"celltype": "B cell"}, index=[f"cell{i}" for i in range(n)]),
        var=pd.DataFrame(index=genes),
    ).write_h5ad(cells)
    pd.DataFrame({"gene_id": [f"ENSG{i:011d}" for i in range(3_000)], "gene_name": genes}).to_csv(table, index=False)
    root = project_of(tmp_path / "project", [cells], table=table, options={"cell_type": "celltype"})
    profile = root / "config" / "tiny.yaml"
    profile.write_text(profile.read_text() + "memory_mb: 400\n")
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # as make gives them
    done = run(root, *PREPARE, before=("sh", "-c", 'ulimit -d 400000; exec "$@"', "sh"), **one)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ad.read_h5ad(root / "results" / "tiny" / RESULTS[0], backed="r").shape == (n, 3_000)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MB in memory, mounted: its folder."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "small", str(folder)], capture_output=True, text=True, check=False
    ) if shutil.which("mount") else None  # fmt: skip
    if mounted is None or mounted.returncode:
        # In containers root may not, CI or not; the limit on a file's size is tried everywhere.
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.strip() if mounted else 'there is no mount'}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("free", [0, 8, 40, 100])
@pytest.mark.parametrize("folder", ["results", "."])
def test_a_full_disk(project, made, small_disk, folder, free):
    """A small disk with so many KB free, of results or of all: said, nothing half-made; with room, it goes on."""
    place = project / folder
    if folder == ".":
        place = small_disk / "project"
        shutil.copytree(project, place)
        project = place
    else:
        place.symlink_to(small_disk)
    room = shutil.disk_usage(small_disk).free
    (small_disk / "others").write_bytes(bytes(room - free * 1024))
    done = run(project, *PREPARE)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "There is no room left to write" in done.stderr
    assert "To mend it: make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "results" / "tiny" / RESULTS[0]).exists()
    (small_disk / "others").unlink()
    assert finish(project) == made


@pytest.mark.parametrize("folder", ["results", "."])
def test_results_that_may_not_be_written(project, made, folder):
    """A folder of results, or the whole project, without the right to write: said with the file; then it goes on."""
    (project / "results").mkdir()
    (project / folder).chmod(0o555)
    (project / "results").chmod(0o555)
    try:
        done = run(project, *PREPARE)
    finally:
        (project / "results").chmod(0o755)
        (project / folder).chmod(0o755)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "results" in done.stderr
    assert "cannot be written or read by this user (Permission denied)" in done.stderr
    assert "To mend it: give this user the right to it" in done.stderr
    assert "Traceback" not in done.stderr
    assert finish(project) == made


def test_data_that_may_not_be_written(project, made):
    """Files of cells in folders without the right to write: read there, nothing is missed."""
    folders = [project / "data" / name for name in ("mine", "genes", ".")]
    for folder in folders:
        folder.chmod(0o555)
    try:
        done = run(project, *PREPARE)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert finish(project) == made


LACKING = {
    "no HOME": {"HOME": None},
    "a HOME that does not exist": {"HOME": "/nowhere/at/all", "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None},
    "a TMPDIR that does not exist": {"TMPDIR": "/nowhere/at/all"},
    "no PATH": {"PATH": None},
    "no locale": {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0"},
}


@pytest.mark.parametrize("lacking", LACKING)
def test_an_environment_that_lacks_something(project, made, lacking):
    """No home, no folder for temporary files, no path, no locale: the same corpus."""
    done = run(project, *PREPARE, **LACKING[lacking])
    assert done.returncode == 0, done.stdout + done.stderr
    assert finish(project) == made


@pytest.mark.parametrize(
    "before", [("sh", "-c", 'umask 077; exec "$@"', "sh"), ("taskset", "-c", "0")], ids=["umask", "core"]
)
def test_a_process_that_is_held_short(project, made, before):
    """Files that only their owner may read, one core: the same corpus."""
    done = run(project, *PREPARE, before=before)
    assert done.returncode == 0, done.stdout + done.stderr
    assert finish(project) == made
