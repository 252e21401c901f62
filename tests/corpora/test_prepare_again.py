"""A preparation that is killed, repeated, or run beside another: the corpus is the same, and nothing is lost."""

import signal
import subprocess
import sys
import time

import pytest
from small_project import cells, run, write_project

from datamix.sources.readers import h5ad


def test_repeat_gives_the_same_bytes(tmp_path):
    root = write_project(tmp_path, {"a": cells()})
    first = run(root).read_bytes()
    time.sleep(1.1)  # HDF5 can store times in seconds
    assert run(root).read_bytes() == first


KILLED = """
import os, signal
from pathlib import Path
import datamix.sources.readers.h5ad as source
whole = source.read_h5ad
def killed(files, *, skip=0, block_cells=20_000, cell_type=None, donor=None, symbol=None):
    blocks = whole(files, skip=skip, block_cells=block_cells, cell_type=cell_type, donor=donor, symbol=symbol)
    for number, block in enumerate(blocks):
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        yield block
source.read_h5ad = killed
from datamix.project.manifest import read_manifest
from datamix.corpora.prepare import prepare
from datamix.project.profile_files import read_profile
root = Path({root!r})
profile = read_profile(str(root / "config" / "tiny.yaml"))
prepare("a", profile=profile, manifest=read_manifest(root), root=root, block_cells=6)
"""


def test_killed_preparation_goes_on_and_ends_with_the_same_bytes(tmp_path, monkeypatch):
    root = write_project(tmp_path, {"a": cells()})
    expected = run(root, block_cells=6).read_bytes()
    path = root / "results" / "tiny" / "corpora" / "a.h5ad"
    path.unlink()
    killed = subprocess.run([sys.executable, "-c", KILLED.format(root=str(root))], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not path.exists()
    parts = sorted((path.parent / ".a.parts").glob("[0-9]*.h5ad"))
    assert len(parts) == 3
    (parts[0].parent / ".000003.1.h5ad").write_bytes(b"half-written")

    skipped = []
    whole = h5ad.read_h5ad

    def watched(files, *, skip=0, block_cells=20_000, cell_type=None, donor=None, symbol=None):
        skipped.append(skip)
        return whole(files, skip=skip, block_cells=block_cells, cell_type=cell_type, donor=donor, symbol=symbol)

    monkeypatch.setattr(h5ad, "read_h5ad", watched)
    assert run(root, block_cells=6).read_bytes() == expected
    assert skipped == [3]
    assert not parts[0].parent.exists()


PAUSED = """
import sys
from pathlib import Path
from datamix.sources.readers import h5ad as source
whole = source.read_h5ad
def paused(files, *, skip=0, block_cells=20_000, cell_type=None, donor=None, symbol=None):
    blocks = whole(files, skip=skip, block_cells=block_cells, cell_type=cell_type, donor=donor, symbol=symbol)
    for number, block in enumerate(blocks):
        if number == 3:
            print("in the middle", flush=True)
            sys.stdin.readline()
        yield block
source.read_h5ad = paused
from datamix.project.manifest import read_manifest
from datamix.corpora.prepare import prepare
from datamix.project.profile_files import read_profile
root, profile, block_cells = Path(sys.argv[1]), read_profile(sys.argv[1] + f"/config/{sys.argv[2]}.yaml"), sys.argv[3]
say = lambda line: print(line, flush=True)
prepare("a", profile=profile, manifest=read_manifest(root), root=root, block_cells=int(block_cells), say=say)
"""


@pytest.fixture
def start():
    started = []

    def go(*arguments):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([sys.executable, "-c", PAUSED, *map(str, arguments)], **pipes))
        return started[-1]

    yield go
    for process in started:
        process.kill()
        process.communicate()


def test_two_preparations_at_once_do_not_delete_each_others_blocks(tmp_path, start):
    root = write_project(tmp_path, {"a": cells()})
    path = run(root, block_cells=6)
    expected = path.read_bytes()
    path.unlink()
    first = start(root, "tiny", 6)
    assert first.stdout.readline() == "in the middle\n"
    second = start(root, "tiny", 7)
    assert second.stdout.readline().startswith(f"waiting for process {first.pid} on ")
    first.communicate("go on\n", timeout=60)
    assert first.returncode == 0
    assert path.read_bytes() == expected
    second.communicate("go on\n", timeout=60)
    assert second.returncode == 0
    assert path.read_bytes() == expected


def test_two_profiles_are_prepared_from_one_source_at_once(tmp_path, start):
    root = write_project(tmp_path, {"a": cells()})
    tiny = (root / "config" / "tiny.yaml").read_text()
    (root / "config" / "other.yaml").write_text(tiny.replace("name: tiny", "name: other"))
    first, second = start(root, "tiny", 6), start(root, "other", 6)
    for process in (first, second):
        assert process.stdout.readline() == "in the middle\n"
    for process in (first, second):
        process.communicate("go on\n", timeout=60)
        assert process.returncode == 0
    assert len({(root / "results" / name / "corpora" / "a.h5ad").read_bytes() for name in ("tiny", "other")}) == 1


def test_a_reader_that_needs_disk_gets_a_folder_of_its_own(tmp_path, monkeypatch):
    root, given = write_project(tmp_path, {"a": cells()}), []
    whole = h5ad.read_h5ad

    def needs_disk(files, *, scratch, skip=0, block_cells=20_000, cell_type=None, donor=None, symbol=None):
        given.append(scratch)
        scratch.mkdir(parents=True)
        (scratch / "converted").touch()
        return whole(files, skip=skip, block_cells=block_cells, cell_type=cell_type, donor=donor, symbol=symbol)

    monkeypatch.setattr(h5ad, "read_h5ad", needs_disk)
    corpora = run(root).parent
    (scratch,) = given
    assert scratch.is_relative_to(corpora)
    assert [p.name for p in corpora.iterdir()] == ["a.h5ad"]


def test_blocks_of_other_settings_are_not_gone_on_with(tmp_path):
    root = write_project(tmp_path, {"a": cells()})
    expected = run(root, block_cells=40).read_bytes()
    stale = root / "results" / "tiny" / "corpora" / ".a.parts"
    stale.mkdir()
    (stale / "made_from.json").write_text("{}")
    cells(5).write_h5ad(stale / "000000.h5ad")
    assert run(root, block_cells=40).read_bytes() == expected
