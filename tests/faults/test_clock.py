"""Clocks that jump: forwards and back, between runs and within a job; nothing stale is shown, nothing made for ever."""

import os
import random
import time
from pathlib import Path

import pandas as pd
import pytest
from killing import results_of
from project_copy import Project
from small_book import SITE, small_book
from wrong_clock import DAY, run_with_clock

pytestmark = pytest.mark.faults
NOTHING = "Nothing to be done"


def date(path: Path, *, days: float) -> None:
    """Let a file be of so many days from now."""
    os.utime(path, (time.time() + days * DAY,) * 2)


def shown(book: Project, page: str) -> str:
    return (book.results / "site" / page).read_text()


@pytest.mark.parametrize("days", [-400, 1])
def test_what_is_written_has_another_time(book, days):
    """A page and a notebook's prose changed, dated before the book or after today: shown, and made once."""
    for path, old, new in (
        (book.folder / "book" / "index.md", "# A book", "# A book of yesterday"),
        (book.folder / "notebooks" / "one.py", "# There are", "# Then there were"),
    ):
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        date(path, days=days)
    book.snakemake(SITE)
    assert "A book of yesterday" in shown(book, "index.html")
    assert "Then there were" in shown(book, "notebooks/one.html")
    assert NOTHING in book.snakemake(SITE)


def test_files_that_are_touched(book):
    """Pages, notebooks and the manifest with other times, and nothing changed in them: nothing is made."""
    written = [book.folder / "data_manifest.yaml", *(book.folder / "book").rglob("*.*")]
    for number, path in enumerate([*written, *(book.folder / "notebooks").iterdir()]):
        date(path, days=(-1) ** number * number)
    assert NOTHING in book.snakemake(SITE)


@pytest.mark.parametrize("seed", [0, 1])
def test_results_of_any_times(book, seed):
    """Every result dated anew, up to a year back or ahead: said; made again once at most, to the same bytes."""
    whole, draw = results_of(book), random.Random(seed)
    for path in sorted(book.results.rglob("*")):
        if path.is_file():
            date(path, days=draw.uniform(-365, 365))
    assert "The clock has been wrong" in book.snakemake(SITE)
    assert results_of(book) == whole
    assert NOTHING in book.snakemake(SITE)


def test_a_table_of_tomorrow_is_older_than_what_it_is_made_of(book):
    """Results of tomorrow, then new scores from a run that was broken off: drawn, though they are dated earlier."""
    for path in book.results.rglob("*"):
        if path.is_file():
            date(path, days=1)
    profile = book.folder / "config" / "tiny.yaml"
    profile.write_text(profile.read_text().replace("max_epochs: 3", "max_epochs: 4"))
    part = "results/tiny/scores/parts/blood-seed0.parquet"
    book.snakemake(part)
    book.snakemake(SITE)
    table, new = (
        pd.read_parquet(path) for path in (book.results / "scores" / "reconstruction.parquet", book.folder / part)
    )
    assert table["r"].to_list() == new["r"].to_list()
    assert NOTHING in book.snakemake(SITE)


def test_a_page_changed_after_a_book_of_tomorrow(book, tmp_path):
    """A book made by a clock of tomorrow, then a page changed by the right one: shown."""
    index = book.folder / "book" / "index.md"
    index.write_text("# A book of tomorrow\n")
    run_with_clock(book, SITE, days="1", hook=tmp_path / "hook")
    assert "A book of tomorrow" in shown(book, "index.html")
    index.write_text("# A book of today\n")
    book.snakemake(SITE)
    assert "A book of today" in shown(book, "index.html")
    assert NOTHING in book.snakemake(SITE)


@pytest.mark.parametrize("days", ["1 -1", "-1 0 2"])
def test_a_clock_that_jumps_within_jobs(tmp_path, whole_book, days):
    """A book made while the clock jumps at every file: it may stop, saying so; run again by the right one, it ends."""
    project, whole = small_book(tmp_path / "project"), results_of(whole_book[0])
    said = run_with_clock(project, SITE, days=days, hook=tmp_path / "hook")
    assert (project.results / "site" / "index.html").is_file() or "clock skew" in said
    project.snakemake(SITE)
    assert results_of(project) == whole
    assert NOTHING in project.snakemake(SITE)
