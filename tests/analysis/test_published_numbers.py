import pandas as pd
import pytest

from datamix.analysis.published_numbers import (
    carried_over,
    compare_with_record,
    note_yardsticks,
    our_numbers,
    published_numbers,
    published_r2,
    renew_record,
    write_verdicts,
)
from datamix.project.errors import DatamixError
from datamix.project.profile_files import project_root, read_profile


@pytest.fixture
def published():
    return published_numbers(published_r2("blood"))


def ledger_of(name, published, **found):
    numbers = our_numbers(read_profile(name), **({"r2": {}, "cells": {}} | found))
    return write_verdicts(published, numbers).set_index("number")


def test_every_published_number_is_there_once(published):
    assert published["number"].is_unique
    assert published["number"].str.startswith("r2.").sum() == 50
    assert published["number"].str.startswith("cells.").sum() == 5
    assert published["number"].str.startswith("dose.").sum() == 36


def test_points_of_another_model_have_no_counterpart(published):
    table = ledger_of(
        "paper", published, r2={("neurons", "blood"): 0.5}, cells=dict.fromkeys(read_profile("paper").datasets, 1)
    )
    doses = table[table.index.str.startswith("dose.")]
    assert set(doses["verdict"]) == {"not computable here"}
    assert doses.loc["dose.neurons.standard.1000", "published"] == 0.55
    assert doses["why"].str.contains("another model").all()
    assert "100,000 cells of which 1 is of the atlas" in doses.loc["dose.neurons.standard.1", "what"]
    assert "of which 1,000 are of the atlas" in doses.loc["dose.neurons.standard.1000", "what"]


@pytest.mark.parametrize("name", ["demo", "mini"])
def test_other_cells_reproduce_nothing_and_say_why(published, name):
    table = ledger_of(name, published, r2={("aml", "blood"): 0.33})
    assert set(table.loc[table.index.str.startswith("r2."), "verdict"]) == {"not computable here"}
    assert table["why"].str.len().gt(0).eq(table["ours"].isna()).all()


def test_settings_are_carried_over_and_not_counted(published):
    settings = carried_over(read_profile("paper"))
    assert settings["same"].all()
    assert len(settings) == 7
    assert not set(settings["setting"]) & set(published["number"])
    changed = read_profile("paper").model_copy(update={"cells": 100_000})
    other = carried_over(changed).set_index("setting")
    assert other.index[~other["same"]].tolist() == ["draw.block", "draw.k562", "draw.jurkat"]


@pytest.mark.parametrize("name", ["demo", "mini"])
def test_without_the_papers_cells_nothing_is_reproduced(published, name):
    assert set(ledger_of(name, published)["verdict"]) == {"not computable here"}


def test_verdicts_follow_the_numbers(published):
    paper = read_profile("paper")
    cells = dict.fromkeys(paper.datasets, 114_000) | {paper.evaluations["aml"].dataset: 14_702}
    cells[paper.evaluations["scc"].dataset] = 10_600
    r2 = published[published["number"].str.startswith("r2.")]
    medians = {tuple(key.split(".")[1:]): 0.0 for key in r2["number"]}
    medians |= {("aml", "blood"): 0.333, ("scc", "blood"): 0.28, ("blood", "blood"): 0.6}
    table = ledger_of("paper", published, r2=medians, cells=cells)
    assert table.loc[["r2.aml.blood", "r2.scc.blood", "r2.blood.blood"], "verdict"].tolist() == [
        "reproduced",
        "within tolerance",
        "differs",
    ]
    assert table.loc[["cells.aml", "cells.scc", "cells.blood"], "verdict"].tolist() == [
        "reproduced",
        "within tolerance",
        "differs",
    ]
    assert table.loc["bone_marrow.training", "verdict"] == "within tolerance"


def test_beside_an_r2_of_ours_stands_what_simple_models_reach(published):
    numbers = our_numbers(read_profile("paper"), r2={("aml", "blood"): 0.33}, cells=dict.fromkeys(read_profile("paper").datasets, 1))  # fmt: skip  # noqa: E501
    beside = pd.DataFrame(
        {"evaluation": ["aml", "scc"], "mixture": "blood", "simple_mean": 0.4, "simple_pca": 0.512, "ceiling": 0.9}
    )
    table = note_yardsticks(write_verdicts(published, numbers), beside).set_index("number")
    assert table.loc["r2.aml.blood", "note"] == "mean profile 0.40, PCA 0.51, ceiling 0.90"
    assert set(table["note"].drop("r2.aml.blood")) == {""}


def test_a_changed_verdict_is_told_until_the_record_is_renewed(published, tmp_path):
    path = tmp_path / "record.json"
    table = ledger_of("demo", published).reset_index()
    with pytest.raises(DatamixError, match="no record of the ledger's verdicts"):
        compare_with_record(table, path)
    renew_record(table, path)
    assert compare_with_record(table, path) == []
    changed = table.copy()
    changed.loc[changed["number"] == "cells.aml", "verdict"] = "differs"
    assert compare_with_record(changed, path) == ["cells.aml: not computable here → differs"]
    said = []
    renew_record(changed.iloc[1:], path, say=said.append)
    assert len(said) == 2
    assert sum(line.endswith("→ gone") for line in said) == 1


@pytest.mark.parametrize("name", ["demo", "mini"])
def test_the_verdicts_are_those_on_record(published, name):
    """Renew on purpose: datamix renew-ledger --profile NAME."""
    table = ledger_of(name, published).reset_index()
    assert compare_with_record(table, project_root() / "recorded" / f"ledger-{name}.json") == []


def test_the_book_has_the_same_ledger(published):
    path = project_root() / "results" / "demo" / "ledger.csv"
    if not path.is_file():
        pytest.skip("no ledger of the demo: make book")
    assert pd.read_csv(path)["number"].tolist() == published["number"].tolist()
