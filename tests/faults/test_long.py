"""Long: notebooks and scorings by the dozen in one process, a book made again and again; nothing grows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.measure import in_small_process
from growth import on_disk, open_files, resident
from small_book import SITE
from small_project import cells, write_project

from datamix.cli import copies
from datamix.project.copies import SOCKET
from datamix.project.layout import Layout
from datamix.publishing.notebook import run_notebook

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory of a process is read from /proc: Linux only")
NOTEBOOK = """# %% [markdown]
# # A question

# %% tags=["parameters"]
profile: str = "demo"

# %%
import numpy as np
print(np.ones(4_000_000).sum())
"""
MB_A_NOTEBOOK = 0.5
MB_A_SCORING = 0.02
"""What one may leave in memory: a tenth of what it reads, and less."""


def lay_out(folder: Path) -> Layout:
    """A project of one notebook, whose kernel takes 32 MB."""
    write_project(folder, {"a": cells()})
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "one.py").write_text(NOTEBOOK)
    return Layout.of("tiny", folder)


def notebooks_in_this_process(folder: Path, *, times: int) -> list[tuple[float, int]]:
    """Run a notebook so often; memory and open files after each."""
    layout, found = lay_out(folder), []
    for _ in range(times):
        run_notebook(layout, "one")
        found.append((resident(), open_files()))
    return found


def notebooks_as_copies(folder: Path, *, times: int) -> list[tuple[float, int]]:
    """Run a notebook so often as a run does; memory and open files of the process that is copied, after each."""
    lay_out(folder)
    os.environ |= {"DATAMIX_ROOT": str(folder)}
    copies.start()
    assert SOCKET in os.environ
    copied = Path("/proc/self/task", str(os.getpid()), "children").read_text().split()
    found = []
    for _ in range(times):
        subprocess.run([sys.executable, "-m", "datamix", "notebook", "one", "--profile", "tiny"], check=True)
        found += [(resident(process), open_files(process)) for process in copied if "copies" in command_of(process)]
    return found


def command_of(process: str) -> str:
    return Path(f"/proc/{process}/cmdline").read_text()


TIMES = [4, pytest.param(10, marks=pytest.mark.faults)]


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("run", [notebooks_in_this_process, notebooks_as_copies])
def test_notebooks_in_one_process(tmp_path, run, times, record_property):
    """Notebooks run one after the other, in one process and as copies of one: its memory and open files stay."""
    found = in_small_process(run, tmp_path, times=times)
    assert len(found) == times
    (memory, files), (memory_after, files_after) = found[1], found[-1]
    assert memory_after - memory < MB_A_NOTEBOOK * (times - 2)
    assert files_after <= files
    record_property("times", times)


def scorings(folder: Path, *, times: int) -> list[tuple[float, int]]:
    """Score a small grid so often; memory and open files after each."""
    from small_grid import small_grid

    from datamix.scoring.score import score_baseline

    layout, found = small_grid(folder), []
    for _ in range(times):
        score_baseline(layout, "blood", seed=0, say=str)
        found.append((resident(), open_files()))
    return found


@pytest.mark.parametrize("times", [20, pytest.param(200, marks=pytest.mark.faults)])
def test_scorings_in_one_process(tmp_path, times, record_property):
    """Models scored over and over in one process: its memory and open files stay."""
    found = in_small_process(scorings, tmp_path, times=times)
    (memory, files), (memory_after, files_after) = found[times // 2 - 1], found[-1]
    assert memory_after - memory < MB_A_SCORING * times / 2
    assert files_after <= files
    record_property("times", times)


@pytest.mark.faults
def test_a_book_made_twenty_times(book, tmp_path, record_property):
    """A book whose notebooks and site are made twenty times in one folder: no more files, no more bytes on the disk."""
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    again = ["--forcerun", *(f"results/tiny/notebooks/{name}.ipynb" for name in ("one", "two")), "book"]
    command = book.snakemake_command(SITE)
    found = []
    for _ in range(20):
        book.run(*command[:-2], *again, *command[-2:], HOME=str(home), TMPDIR=str(temporary))
        assert list(temporary.iterdir()) == []
        logs, _ = on_disk(book.folder / ".snakemake" / "log")
        assert logs <= 11
        files, size = on_disk(book.folder, home)
        _, of_logs = on_disk(book.folder / ".snakemake" / "log")
        found.append((files - logs, size - of_logs))
    assert found[-1][0] == found[1][0]
    assert found[-1][1] - found[1][1] < 2_000  # times, written with more digits or fewer
    record_property("times", 20)
