from pathlib import Path

import pandas as pd
import pytest

from datamix.corpora.planning import SECONDS_A_CELL, rule_resources
from datamix.project.layout import Layout
from datamix.project.manifest import read_manifest
from datamix.publishing.recorded import read_benchmark
from datamix.publishing.runs import cost, pieces
from datamix.publishing.runs.cost_words import COLUMNS, duration, rows_of, told
from datamix.publishing.runs.work import Sizes, operations_a_token, sizes_of, work_of

ROOT = Path(__file__).parents[3]
RULES = ("corpus", "gene_sets", "notebook", "genes", "geneformer", "train", "geneformer_scores", "hold_out", "read_out",
         "score", "scores", "yardsticks", "book")  # fmt: skip


@pytest.fixture
def count(monkeypatch):
    """Answer for Snakemake, which takes its time."""
    monkeypatch.setattr(cost, "count_jobs", lambda *_, **__: {rule: 4 if rule == "train" else 1 for rule in RULES})


def layout(name, root=ROOT):
    return Layout.of(name, root)


def test_the_runs_on_record_are_estimated_within_30_per_cent():
    table = cost.check(ROOT)
    assert {"demo", "mini"} == set(table["profile"])
    for profile, run in table.groupby("profile"):
        assert run["estimated"].sum() == pytest.approx(run["seconds"].sum(), rel=0.3), profile
        large = run[run["seconds"] > 0.02 * run["seconds"].sum()]
        assert len(large) >= 5
        ratio = large["estimated"] / large["seconds"]
        assert ratio.between(0.7, 1.3).all(), f"{profile}\n{large.assign(ratio=ratio)}"


def test_a_run_is_estimated_from_the_rates_of_the_other():
    """Rules that both runs have, each from the other's rates: what is counted explains their times."""
    table = cost.check(ROOT).set_index("rule")
    for profile, run in table.groupby("profile"):
        trained = run.loc[["train", "hold_out", "composition", "geneformer"]]
        assert (trained["from_others"] / trained["seconds"]).between(0.7, 1.3).all(), f"{profile}\n{trained}"
        known = run.dropna()
        assert len(known) >= len(run) - 1  # one has simulated corpora
        assert known["from_others"].sum() == pytest.approx(known["seconds"].sum(), rel=0.3), profile
        scored = run.loc[["score", "read_out", "yardsticks"]]
        assert (scored["from_others"] / scored["seconds"]).between(0.7, 1.3).all(), f"{profile}\n{scored}"


def test_rates_are_found_from_times():
    true = {"start": 10.0, "row": 0.01}
    amounts = [{"start": 1, "row": 100.0}, {"start": 1, "row": 1000.0}, {"start": 1}]
    rows = pd.DataFrame({"jobs": [1, 2, 3], "amounts": amounts, "seconds": [cost.seconds_of(a, true) for a in amounts]})
    found = cost.rates(rows)
    assert {kind: found[kind] for kind in true} == pytest.approx(true)
    assert cost.rates(rows.assign(seconds=2 * rows["seconds"]))["row"] == pytest.approx(0.02)


def test_a_machine_has_places_for_so_many_jobs():
    rules = pd.DataFrame({"jobs": [12, 4], "seconds": [600.0, 3600.0], "gpu": [False, True]}, index=["corpus", "train"])
    assert cost.hours_on(rules, cores=2, gpus=1) == pytest.approx(1 + 4)
    assert cost.hours_on(rules, cores=16, gpus=8) == pytest.approx(1 / 6 + 1)
    assert cost.hours_on(rules.assign(gpu=False), cores=2) == pytest.approx(1 + 2)


def test_time_limits_are_above_what_is_estimated():
    _, each = cost.all_rates(ROOT)
    a_cell = each["training"] * pieces.training(128_000, counts=1_000, genes=5_000, epochs=1, batch=128) / 128_000
    assert 1.5 < SECONDS_A_CELL / a_cell < 4
    for name in ("demo", "mini"):
        profile = layout(name).profile
        rows = read_benchmark(ROOT, "rules")
        for _, row in rows[rows["profile"] == name].iterrows():
            assert rule_resources(profile, row["rule"])["runtime"] * 60 > 2 * row["seconds"], row["rule"]


def test_work_grows_with_what_there_is_to_do(tmp_path):
    for name in ("config", "data_manifest.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    paper = layout("paper", tmp_path)
    sizes = sizes_of(paper)
    assert sizes.training["sctab_blood"] == 2 * 101_879
    assert "10,000 shared genes" in sizes.assumed
    manifest = read_manifest(ROOT, paper.profile)
    more = Sizes(2 * sizes.genes, sizes.training, 2 * sizes.evaluation, 4, ())
    one, two = (work_of("train", paper, of, manifest) for of in (sizes, more))
    # Fifteen blocks of the first baseline: itself, four alone, and five of two blocks; eleven of the second.
    blocks = pieces.training(13 * 101_879, counts=2_000, genes=10_000, epochs=250, batch=128)
    assert one.amounts["training"] == pytest.approx(blocks, rel=0.1)
    assert 1.2 * one.amounts["training"] < two.amounts["training"] < 2 * one.amounts["training"]
    assert two.disk == 2 * one.disk
    one, two = (work_of("score", paper, of, manifest).amounts["scoring"] for of in (sizes, more))
    assert two > 2 * one  # more cells, of more genes
    of = paper.profile.geneformer
    # Six layers of 4·256² + 2·256·512 weights, forward and twice that backward, are 6 operations a weight.
    assert operations_a_token(of, 2048, 0) == 6 * 6 * (4 * 256**2 + 2 * 256 * 512) + 12 * 6 * 2048 * 256


def test_a_plan_says_what_machines_take_and_what_it_rests_on(count):
    for on, words in (("gpu", "On one GPU with 8 cores: "), ("cpu", "On a laptop of 2 cores: ")):
        found = cost.cost_of(layout("paper"), on=on)
        rows = rows_of(found)
        assert {len(row) for row in rows} == {len(COLUMNS)}
        assert [row[0] for row in rows] == [*RULES, "all"]
        assert {row[0] for row in rows if row[-1]} == ({"geneformer", "train", "hold_out"} if on == "gpu" else set())
        text = "\n".join(told(found, on=on))
        assert words in text
        assert "recorded/bench/rules.json" in text
        assert ("No GPU is on record" in text) == (on == "gpu")
    with_gpu, without = (cost.cost_of(layout("paper"), on=on).rules["hours"].sum() for on in ("gpu", "cpu"))
    assert without > 5 * with_gpu
    assert not cost.cost_of(layout("demo")).rules["gpu"].any()


@pytest.mark.parametrize(("hours", "words"), [(0.001, "1 min"), (1, "60 min"), (30, "30.0 h"), (72, "3.0 days")])
def test_durations_are_said_in_a_unit_that_people_read(hours, words):
    assert duration(hours) == words
