import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from datamix.project.errors import DatamixError
from datamix.publishing.values import Values, record, record_interval


def test_what_is_recorded_is_read(run):
    record("fig2.aml.blood", 0.1 + 0.2, unit="median R²", published=0.33, tolerance=0.05, results=run)
    record("fig2.best", "TF atlas", unit="", results=run)
    values = Values.read(run.folder)
    assert values["fig2.aml.blood"].value == 0.1 + 0.2
    assert values["fig2.aml.blood"].notebook == "fig2"
    assert list(values) == ["fig2.aml.blood", "fig2.best"]


def test_recording_again_replaces(run):
    record("a.b", 1, unit="", published=3, results=run)
    record("a.b", 2, unit="", results=run)
    assert Values.read(run.folder)["a.b"].value == 2
    assert Values.read(run.folder)["a.b"].published is None


def test_a_new_run_forgets_the_keys_of_the_last(run):
    record("a.old", 1, unit="", results=run)
    Values.start(run.folder, notebook=run.notebook)
    record("a.new", 1, unit="", results=run)
    assert list(Values.read(run.folder)) == ["a.new"]


def test_two_notebooks_cannot_record_the_same_key(run):
    record("a.b", 1, unit="", results=run)
    record("a.b", 1, unit="", results=dataclasses.replace(run, notebook="figS2"))
    with pytest.raises(DatamixError, match=r"'a.b' is recorded by two notebooks, fig2 and figS2"):
        Values.read(run.folder)


def test_an_unknown_key_names_near_ones(run):
    record("fig2.aml.blood", 1, unit="", results=run)
    values = Values.read(run.folder)
    with pytest.raises(DatamixError, match=r"no value 'fig2.aml.blod' .* near keys: fig2.aml.blood"):
        values.quote("fig2.aml.blod:.2f")
    assert "fig2.aml.blod" not in values
    assert "fig2.aml.blood" in values


@pytest.mark.parametrize(
    ("value", "expression", "text"),
    [
        (0.391, "a.b:.2f", "0.39"),
        (-0.391, "a.b:.2f", "−0.39"),
        (-0.001, "a.b:.2f", "0.00"),
        (-0.001, "a.b:.0%", "0%"),
        (-0.001, "a.b:+.2f", "0.00"),
        (0.391, "a.b:+.1f", "+0.4"),
        (101879, "a.b:,d", "101,879"),
        (0.621, "a.b:.0%", "62%"),
        ("K562-like", "a.b", "K562-like"),
        (-3, "a.b", "−3"),
        (1e-05, "a.b", "1e-05"),
        (0.5, "a.b|published:.2f", "0.25"),
        (0.5, "a.b|unit", "median R²"),
    ],
)
def test_values_are_quoted_with_pythons_formats(run, value, expression, text):
    record("a.b", value, unit="median R²", published=0.25, results=run)
    assert Values.read(run.folder).quote(expression) == text


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("a.b:.2q", r"format '\.2q' does not fit 0\.5"),
        ("a.b:,d", r"format ',d' does not fit 0\.5"),
        ("a.b|published", "has no published value"),
        ("a.b|publisched", "'publisched' is no part of a value"),
    ],
)
def test_bad_expressions_are_refused(run, expression, message):
    record("a.b", 0.5, unit="", results=run)
    with pytest.raises(DatamixError, match=message):
        Values.read(run.folder).quote(expression)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), np.float64("nan"), np.float32("-inf")])
def test_numbers_must_be_finite(run, number):
    with pytest.raises(DatamixError, match=r"value 'a\.b': value is (nan|inf|-inf), expected a finite number"):
        record("a.b", number, unit="", results=run)
    with pytest.raises(DatamixError, match=r"value 'a\.b': published is"):
        record("a.b", 1, unit="", published=number, results=run)


@pytest.mark.parametrize("key", ["", "alone", "a..b", "a b.c", ".a", "a.b:c", "a.b|c"])
def test_keys_are_dotted_words(run, key):
    with pytest.raises(DatamixError, match="must be parts of letters"):
        record(key, 1, unit="", results=run)


def test_numpy_scalars_are_written_as_numbers(run):
    record("a.mean", np.float64(0.25), unit="", results=run)
    record("a.count", np.int64(3), unit="", results=run)
    written = json.loads((run.folder / "values" / "fig2.json").read_text())
    assert written["a.mean"]["value"] == 0.25
    assert written["a.count"]["value"] == 3
    assert Values.read(run.folder).quote("a.count:,d") == "3"


def test_agreement_is_within_the_tolerance(run):
    record("a.near", 0.41, unit="", published=0.39, tolerance=0.05, results=run)
    record("a.far", 0.45, unit="", published=0.39, tolerance=0.05, results=run)
    record("a.open", 0.45, unit="", published=0.39, results=run)
    values = Values.read(run.folder)
    assert [values[f"a.{key}"].agrees for key in ("near", "far", "open")] == [True, False, None]


@pytest.mark.parametrize(("simultaneous", "ends"), [(False, (0.1, 0.3)), (True, (0.0, 0.4))])
def test_an_interval_is_recorded_with_its_ends(run, simultaneous, ends):
    row = pd.Series({"gain": 0.2, "gain_low": 0.1, "gain_high": 0.3, "gain_low_all": 0.0, "gain_high_all": 0.4})
    record_interval("fig2.best", row, "gain", simultaneous=simultaneous, unit="median R²", results=run)
    values = Values.read(run.folder)
    assert [values[f"fig2.best{end}"].value for end in ("", "_low", "_high")] == [0.2, *ends]
    assert values["fig2.best_low"].unit == "median R²"
