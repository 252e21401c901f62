"""What is said of a rehearsal of the paper's run."""

import pandas as pd

from datamix.analysis.rehearsal import fits, scoring_in_words, steps_in_words, with_scoring_in_full


def rehearsed(*peaks_mb):
    rows = [
        {"step": f"prepare {i}", "kind": "prepare", "cells": 1_000, "cells_in_full": 10_000, "seconds": 60.0,
         "peak_mb": peak / 10, "seconds_in_full": 1_800, "peak_mb_in_full": peak}
        for i, peak in enumerate(peaks_mb)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_steps_that_need_more_memory_than_there_is_are_named():
    said = fits(rehearsed(9_000, 30_000))
    assert "1 of the 2 steps need more than 24 GB: prepare 1;" in said
    assert "30.0 GB, is taken by “prepare 1”" in said


def test_steps_that_fit_are_counted_and_preparations_add_up():
    said = fits(rehearsed(9_000, 23_999))
    assert "each of the 2 steps stays within 24 GB" in said
    assert "All preparations together take 1.0 hours" in said


def test_what_was_not_measured_says_so():
    assert "Not measured" in fits(None)


def test_a_page_shows_both_sizes():
    row = steps_in_words(rehearsed(9_000)).iloc[0]
    assert row["Measured"] == "60 s, 900 MB"
    assert row["In full, calculated"] == "30 min, 9.0 GB"


def test_scoring_of_too_few_cells_grows_in_proportion_and_is_told():
    measured = rehearsed(9_000).assign(kind="score", peak_mb_in_full=900)
    full = with_scoring_in_full(measured).iloc[0]
    assert (full["cells_in_full"], full["seconds_in_full"]) == (38_251, round(60 * 38.251))
    assert full["peak_mb_in_full"] == round(900 * 38.251)
    told = scoring_in_words(measured)
    assert "from 1,000 cells a set only" in told
    assert "set, blood, has 38,251" in told


def test_scoring_in_full_is_left_as_it_is():
    measured = rehearsed(9_000).assign(kind="score", cells_in_full=38_251)
    pd.testing.assert_frame_equal(with_scoring_in_full(measured), measured)
    assert scoring_in_words(measured) == scoring_in_words(None) == ""
