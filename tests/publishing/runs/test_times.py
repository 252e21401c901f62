"""Results whose times are yet to come."""

import os
import time

import pytest
from small_grid import small_layout

from datamix.publishing.runs.times import settle_times

DAY = 86_400


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return small_layout(tmp_path_factory.mktemp("project"))


def date(layout, **days):
    for dataset, of in days.items():
        os.utime(layout.corpus(dataset), (time.time() + of * DAY,) * 2)


def order(layout):
    return sorted("abe", key=lambda dataset: layout.corpus(dataset).stat().st_mtime_ns)


def test_what_is_yet_to_come_is_older_than_the_rest_and_keeps_its_order(layout):
    date(layout, a=2, b=1, e=-3)
    said = []
    settle_times(layout, [], asked=["snakemake"], say=said.append)
    assert order(layout) == ["b", "a", "e"]
    assert said == [
        "The clock has been wrong: 2 results have times that are yet to come. They are taken for older than all others."
    ]
    settle_times(layout, [], asked=["snakemake"], say=said.append)
    assert len(said) == 1


def test_who_only_looks_changes_no_time(layout):
    date(layout, a=2, b=1, e=-3)
    settle_times(layout, [], asked=["snakemake", "-n"], say=pytest.fail)
    assert order(layout) == ["e", "b", "a"]


def test_times_of_the_present_stay(layout):
    date(layout, a=-1, b=0, e=-3)
    settle_times(layout, [], asked=["snakemake"], say=pytest.fail)
    assert order(layout) == ["e", "a", "b"]
