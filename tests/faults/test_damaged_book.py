"""Damaged book: files of a whole book that a run made; noticed by the next run, said, made again by their own jobs."""

import os
import shutil
import time
from pathlib import Path

import pytest
from damage import empty, replace, truncate
from killing import results_of
from project_copy import Project
from small_book import SITE

from datamix.project.files import read_json
from datamix.project.layout import Layout
from datamix.publishing.runs import made

pytestmark = pytest.mark.faults
PAGES = ("one", "two")


@pytest.fixture(scope="module")
def book(tmp_path_factory, whole_book) -> Project:
    """A copy of the whole book, with the times of its files, to be damaged."""
    folder = tmp_path_factory.mktemp("damaged") / "project"
    shutil.copytree(whole_book[0].folder, folder, symlinks=True)
    return Project(folder, "tiny")


def noted_files(book: Project) -> list[Path]:
    """Return every file of which a job of the run has noted what it made."""
    notes = [read_json(path) for path in sorted((book.results / ".made").iterdir())]
    return [book.results / name for noted in notes for name in noted]


def test_every_file_that_a_run_made_is_noted(book, record_property):
    """Each file of a rule, model, panel, value, notebook and page: its job has noted a checksum when it ended."""
    left_out = (".made/", ".locks/", "book-cache/", "book-source/", "external_links.csv")
    files = {path for path in book.results.rglob("*") if path.is_file()}
    named = {path for path in files if not path.relative_to(book.results).as_posix().startswith(left_out)}
    named = {path for path in named if not path.name.startswith(".")}
    assert named == set(noted_files(book))
    record_property("times", len(named))


@pytest.mark.parametrize("damage", [truncate, empty, replace])
def test_every_damaged_file_is_noticed(book, damage, record_property):
    """Every file of the book, truncated, emptied, or replaced by another's, with a fresh time: it is noticed."""
    layout = Layout.of("tiny", book.folder)
    jobs = made.jobs_of(layout, PAGES)
    files = noted_files(book)
    spoilt = [path for path in files if path.stat().st_size]
    for path, other in zip(spoilt, [*spoilt[1:], spoilt[0]], strict=True):
        kept = path.with_name(f".{path.name}.kept")
        shutil.copy2(path, kept)
        before = path.read_bytes()
        damage(path, other)
        if path.read_bytes() == before:  # the other is the same: nothing is damaged
            os.replace(kept, path)  # noqa: PTH105
            continue
        (result, names), *others = made.damaged(layout, PAGES).items()
        assert not others
        assert list(names) == [f"results/tiny/{path.relative_to(layout.folder)}"]
        makes = next(makes for makes in jobs.values() if result == makes.of_rule[0])
        assert any(path == place or path.is_relative_to(place) for place in (*makes.of_rule, *makes.beside)), path
        kept.replace(path)
    assert made.damaged(layout, PAGES) == {}
    record_property("times", len(spoilt))


def test_an_undamaged_book_is_not_disturbed(book):
    """A run of a whole book, and one that only looks: nothing to do, nothing said, no file touched, no delay."""
    before = _times(book)
    for only in (["-n"], []):
        command = book.snakemake_command(SITE)
        said = book.run(*command[:3], *only, *command[3:])
        assert "Nothing to be done" in said
        assert "has been damaged" not in said
    assert _times(book) == before
    started = time.process_time()
    made.damaged(Layout.of("tiny", book.folder), PAGES)
    assert time.process_time() - started < 0.5


def _times(book: Project) -> dict[Path, int]:
    ours = {".locks", ".made"}  # locks, and notes with the times of files that Snakemake touched
    return {path: path.stat().st_mtime_ns for path in book.results.rglob("*") if not ours & set(path.parts)}


def test_a_run_that_looks_says_what_is_damaged_and_leaves_it(book):
    """A table emptied: a run that only looks says so, and what would be made again; the file stays as it is."""
    table = book.results / "scores" / "reconstruction.parquet"
    whole = table.with_suffix(".kept")
    shutil.copy2(table, whole)
    table.write_bytes(b"")
    command = book.snakemake_command(SITE)
    said = book.run(*command[:3], "-n", *command[3:])
    assert "results/tiny/scores/reconstruction.parquet has been damaged: it has 0 bytes, not " in said
    assert "The next run makes it again." in said
    assert table.read_bytes() == b""
    whole.replace(table)


def test_a_damaged_table_is_made_again_with_what_is_drawn_from_it(book):
    """A table emptied: the run says so, makes it and what is drawn from it again, and the book is as it was."""
    whole = results_of(book)
    table = book.results / "scores" / "reconstruction.parquet"
    table.write_bytes(b"")
    said = book.snakemake(SITE)
    assert "results/tiny/scores/reconstruction.parquet has been damaged: it has 0 bytes, not " in said
    assert "It is made again." in said
    assert "rule scores:" in said
    assert "rule train:" not in said
    assert results_of(book) == whole


@pytest.mark.parametrize("damage", [truncate, empty, replace])
def test_a_book_of_which_every_file_is_damaged(book, damage, record_property):
    """Every file at once: the next run makes all of them again, and the book is as it was."""
    whole, files = results_of(book), [path for path in noted_files(book) if path.stat().st_size]
    contents = [path.read_bytes() for path in files]
    for at, path in enumerate(files):
        damage(path, files[at - 1])
    damaged = [path for path, content in zip(files, contents, strict=True) if path.read_bytes() != content]
    said = book.snakemake(SITE)
    assert all(f"{path.relative_to(book.folder)} has been damaged" in said for path in damaged)
    assert results_of(book) == whole
    record_property("times", len(damaged))
