"""Files that are whole or absent, whoever is killed while it writes."""

import multiprocessing
import os
import signal

import pytest

from datamix.project.files import replacing


def _write(path, *, as_folder, text="whole", killed=False):
    with replacing(path) as beside:
        if as_folder:
            beside.mkdir()
        (beside / "text" if as_folder else beside).write_text(text)
        if killed:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("as_folder", [False, True])
@pytest.mark.parametrize("name", ["genes.csv", "blood+tf_atlas", "blood=300+b=100@3400", "a.b.c"])
def test_a_killed_process_leaves_nothing_for_good(tmp_path, name, as_folder):
    path = tmp_path / name
    process = multiprocessing.get_context("fork").Process(
        target=_write, args=(path,), kwargs={"as_folder": as_folder, "killed": True}
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not path.exists()
    assert len(list(tmp_path.iterdir())) == 1
    _write(path, as_folder=as_folder)
    assert list(tmp_path.iterdir()) == [path]


def test_what_others_write_stays(tmp_path):
    path = tmp_path / "genes.csv"
    with replacing(path) as mine:
        mine.write_text("mine")
        others = [
            mine.with_name(mine.name.replace(f"-{os.getpid()}", "-1")),  # lives
            mine.with_name(f".genes.0123ab-{2**22 + 1}.csv"),  # of another machine
            mine.with_name(mine.name.replace(".genes.", ".genes2.").replace(f"-{os.getpid()}", f"-{2**22 + 1}")),
            tmp_path / ".genes.notes.csv",
        ]
        for other in others:
            other.write_text("theirs")
        _write(path, as_folder=False)
        assert path.read_text() == "whole"
        mine.write_text("mine")
    assert path.read_text() == "mine"
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])
