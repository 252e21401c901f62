import shutil

import pandas as pd
import pytest
from small_record import write_small_record
from typer.testing import CliRunner

import datamix
from datamix.cli import app
from datamix.project.files import read_json, write_json
from datamix.publishing.reuse.compare import compare, differ, report


@pytest.fixture
def first(tmp_path):
    return write_small_record(tmp_path / "first")


def other(tmp_path, **changes):
    return datamix.open(write_small_record(tmp_path / "second", **changes))


def found(differences, kind):
    return {one.where: (one.before, one.after) for one in differences if one.kind == kind}


def test_a_book_says_the_same_as_itself(first, tmp_path):
    book = datamix.open(shutil.copytree(first, tmp_path / "copy"))
    assert compare(datamix.open(first), book) == []
    assert report([], names=("a", "b")) == ["a and b say the same."]


def test_what_left_its_interval_comes_first(first, tmp_path):
    # Intervals are 0.05 wide to both sides; 0.47 lies outside 0.35 to 0.45, 0.42 inside.
    book = other(tmp_path, aml_blood=0.47, blood_blood=0.42)
    differences = compare(datamix.open(first), book)
    assert differences[0].kind == "beyond"
    assert found(differences, "beyond") == {"panel 2a: aml, blood: median": ("0.4", "0.47")}
    assert found(differences, "within")["panel 2a: blood, blood: median"] == ("0.4", "0.42")
    assert found(differences, "changed") == {
        "value fig2.aml.blood": ("0.4", "0.47"),
        "value fig2.blood.blood": ("0.4", "0.42"),
    }
    lines = report(differences, names=("first", "second"))
    assert lines[0] == "first → second: 1 beyond, 2 changed, 5 within, 0 times"
    assert lines[3] == "  panel 2a: aml, blood: median: 0.4 → 0.47  (interval 0.35 to 0.45)"


def test_a_value_is_held_against_the_ends_that_were_recorded_with_it(first, tmp_path):
    differences = compare(datamix.open(first), other(tmp_path, gain=0.13))
    assert found(differences, "beyond") == {"value fig2.best.gain": ("0.1", "0.13")}
    differences = compare(datamix.open(first), datamix.open(write_small_record(tmp_path / "third", gain=0.11)))
    assert found(differences, "within")["value fig2.best.gain"] == ("0.1", "0.11")


def test_a_verdict_that_changed_counts_with_what_left_its_interval(first, tmp_path):
    differences = compare(datamix.open(first), other(tmp_path, verdict="undecided"))
    assert found(differences, "beyond") == {"claims: unseen: verdict": ("supported", "undecided")}


def test_times_are_told_and_make_no_difference(first, tmp_path):
    differences = compare(datamix.open(first), other(tmp_path, seconds=9.0))
    assert found(differences, "times") == {"value training.minutes": ("0.05", "0.15")}
    assert not differ(differences)


def test_a_tolerance_is_relative(first, tmp_path):
    book = other(tmp_path, aml_blood=0.4004)
    assert differ(compare(datamix.open(first), book))
    assert not differ(compare(datamix.open(first), book, tolerance=0.02))


def test_rows_values_and_columns_of_one_book_only(first, tmp_path):
    book = other(tmp_path)
    table = pd.read_csv(book.folder / "panels" / "fig2a.csv").drop(columns="cells").iloc[1:]
    table.to_csv(book.folder / "panels" / "fig2a.csv", index=False)
    path = book.folder / "values" / "fig2.json"
    write_json(path, {key: value for key, value in read_json(path).items() if key != "fig2.aml.blood"})
    changed = found(compare(datamix.open(first), book), "changed")
    assert changed == {
        "panel 2a: column cells": ("here", "–"),
        "panel 2a: blood, blood": ("a row", "–"),
        "value fig2.aml.blood": ("0.4", "–"),
    }


def test_the_command_ends_as_diff_does(first, tmp_path):
    other(tmp_path, aml_blood=0.47)
    runner = CliRunner()
    same = runner.invoke(app, ["diff", str(first), str(first)])
    assert (same.exit_code, "say the same" in same.output) == (0, True)
    differs = runner.invoke(app, ["diff", str(first), str(tmp_path / "second"), "--format", "markdown"])
    assert differs.exit_code == 1
    assert "| panel 2a: aml, blood: median | 0.4 | 0.47 | 0.35 to 0.45 |" in differs.output
    absent = runner.invoke(app, ["diff", str(first), str(tmp_path / "third")])
    assert absent.exit_code == 2
