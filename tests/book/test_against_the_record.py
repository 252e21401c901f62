"""The demo's book against its record: other machines round otherwise, but do not say the contrary."""

from pathlib import Path

import pandas as pd

import datamix
from datamix.publishing.reuse.compare import compare, report

PROJECT = Path(__file__).parents[2]
RESULTS = PROJECT / "results" / "demo"
OPPOSITE = {"supported", "not supported"}


def contradictions(differences):
    """Return verdicts of a run's own claims that turned into their opposite; `undecided` contradicts neither."""
    return [one for one in differences if one.where.startswith("claims") and {one.before, one.after} == OPPOSITE]


def test_no_verdict_is_the_opposite_of_the_recorded_one(demo):
    recorded = datamix.open(PROJECT / "recorded" / "demo")
    differences = compare(recorded, demo)
    assert not contradictions(differences), "\n".join(report(differences, names=("record", "this run")))


def test_the_book_has_what_the_record_has(demo):
    """Numbers differ between machines; what there are numbers of does not."""
    recorded = datamix.open(PROJECT / "recorded" / "demo")
    assert set(recorded.panels) <= set(demo.panels)
    for name in recorded.panels:
        assert list(recorded.panel(name).table()) == list(demo.panel(name).table()), name
    assert set(recorded.claims()["claim"]) == set(demo.claims()["claim"])


def test_an_opposite_verdict_is_noticed(tmp_path):
    for name, verdict in (("one", "supported"), ("two", "not supported"), ("three", "undecided")):
        folder = tmp_path / name
        (folder / "panels").mkdir(parents=True)
        (folder / "values").mkdir()
        (folder / "provenance.json").write_text('{"profile": "demo"}')
        pd.DataFrame({"claim": ["cancer"], "verdict": [verdict]}).to_csv(folder / "claims.csv", index=False)
    one, two, three = (datamix.open(tmp_path / name) for name in ("one", "two", "three"))
    assert len(contradictions(compare(one, two))) == 1
    assert contradictions(compare(one, three)) == []
