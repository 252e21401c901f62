import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse
from small_project import GENES, write_manifest

from datamix.corpora import leakage
from datamix.corpora.leakage import NO_DONOR, compare, require_no_leak
from datamix.corpora.mixtures import Part
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout
from datamix.project.profile_files import read_profile


def write(root, corpora, *, sources, protocol="corrected", evaluation=None):
    """Write corpora (id → cell name → donor) and a profile that trains on `train` and `other`, and evaluates `held`."""
    entry = {"title": "t", "reader": "h5ad", "gene_ids": "ensembl", "access": "simulated", "licence": "none",
             "citation": {"text": "nobody"}}  # fmt: skip
    write_manifest(root, {d: entry | ({"source": sources[d]} if d in sources else {}) for d in corpora})
    profile = {
        "name": "tiny", "title": "t", "about": "t", "simulated": True, "cells": "all", "protocol": protocol,
        "baselines": {"blood": {"label": "B", "dataset": "train"}},
        "added": {"more": {"label": "M", "datasets": ["other"], "cells": "all"}},
        "evaluations": {"unseen": {"label": "U", "dataset": "held", "group": "non-disease"} | (evaluation or {})},
    }  # fmt: skip
    (root / "config").mkdir(exist_ok=True)
    (root / "config" / "tiny.yaml").write_text(yaml.safe_dump(profile))
    layout = Layout(root, read_profile(str(root / "config" / "tiny.yaml")))
    for dataset, cells in corpora.items():
        obs = pd.DataFrame(
            {"cell_type": [f"type of {c}" for c in cells], "donor": list(cells.values()), "dataset": "d",
             "total_counts": 1.0, "mito_fraction": 0.0},
            index=[f"{dataset}:{c}" for c in cells],
        )  # fmt: skip
        var = pd.DataFrame({"symbol": GENES[:3]}, index=GENES[:3])
        layout.corpus(dataset).parent.mkdir(parents=True, exist_ok=True)
        ad.AnnData(sparse.csr_matrix((len(cells), 3), dtype=np.float32), obs=obs, var=var).write_h5ad(
            layout.corpus(dataset)
        )
    return layout


def blocks(rows=(0, 1, 2), other=(0, 1)):
    return {"baseline": (Part("train", np.array(rows)),), "more": (Part("other", np.array(other)),)}


TRAIN = {"1": "A", "2": "B", "3": "C"}
OTHER = {"1": "X", "2": "Y"}
ONE_SOURCE = {"train": "lab", "held": "lab"}


@pytest.mark.parametrize("protocol", ["corrected", "published"])
def test_a_cell_in_training_stops_the_run(tmp_path, protocol):
    corpora = {"train": TRAIN, "other": OTHER, "held": {"2": "M", "3": "N", "4": "O"}}
    layout = write(tmp_path, corpora, sources=ONE_SOURCE, protocol=protocol)
    with pytest.raises(DatamixError) as error:
        require_no_leak(layout, blocks())
    assert error.value.problem == (
        "Evaluation set 'unseen' (held): 2 of its 3 cells are also in the training cells drawn from train (2, 3)."
    )
    line = "config/tiny.yaml: evaluations.unseen.shares_cells_with: {train: <reason>}"
    assert (line in error.value.fix) == (protocol == "published")
    # Only what is drawn is trained on.
    require_no_leak(layout, blocks(rows=[0]))


def test_a_known_leak_is_allowed_under_published_only(tmp_path, caplog):
    """fault 4: the published atlas holds evaluation cells, which the profile names; nothing else passes."""
    corpora = {"train": TRAIN, "other": {"4": "X", "5": "Y"}, "held": {"2": "M", "3": "N", "4": "O"}}
    sources = ONE_SOURCE | {"other": "lab"}
    allowed = {"shares_cells_with": {"train": "As published."}}
    layout = write(tmp_path, corpora, sources=sources, protocol="published", evaluation=allowed)
    found = require_no_leak(layout, blocks(other=[1]))
    assert [(c.training, c.what, c.shared, c.reason) for c in found] == [
        ("train", "cell", ("2", "3"), "As published."),
        ("other", "cell", (), None),
    ]
    assert "2 of its 3 cells are also in the training cells drawn from train (2, 3). The profile allows it: As" in (
        caplog.text
    )
    with pytest.raises(DatamixError, match=r"^Evaluation set 'unseen' \(held\): 1 of its 3 cells .* from other \(4\)"):
        require_no_leak(layout, blocks())
    layout = write(tmp_path, corpora, sources=sources, protocol="corrected", evaluation=allowed)
    with pytest.raises(DatamixError, match=r"2 of its 3 cells .* from train \(2, 3\)") as error:
        require_no_leak(layout, blocks(other=[1]))
    assert "shares_cells_with" not in error.value.fix


def test_names_mean_nothing_across_sources(tmp_path):
    layout = write(tmp_path, {"train": TRAIN, "other": OTHER, "held": TRAIN}, sources={})
    assert require_no_leak(layout, blocks()) == []
    layout = write(tmp_path, {"train": TRAIN, "other": OTHER, "held": OTHER}, sources=ONE_SOURCE | {"other": "lab"})
    with pytest.raises(
        DatamixError, match=r"(?s)drawn from train \(1, 2\)\.\n.*2 cells .*drawn from other \(1, 2\).*donors"
    ):
        require_no_leak(layout, blocks())


@pytest.mark.parametrize("protocol", ["corrected", "published"])
def test_a_donor_in_training_stops_the_corrected_protocol(tmp_path, protocol):
    held = {"7": "B", "8": "B", "9": "Z"}
    layout = write(tmp_path, {"train": TRAIN, "other": OTHER, "held": held}, sources=ONE_SOURCE, protocol=protocol)
    if protocol == "published":
        (only,) = require_no_leak(layout, blocks())
        assert (only.what, only.compared, only.shared) == ("cell", 3, ())
    else:
        with pytest.raises(DatamixError, match=r"1 of its 2 donors are also .* from train \(B\)"):
            require_no_leak(layout, blocks())
        require_no_leak(layout, blocks(rows=[0, 2]))


def test_donors_without_a_name_are_not_the_same(tmp_path):
    held = {
        str(i): name for i, name in enumerate(["pooled", "Unknown", "not recorded", "not labelled", "NA"], start=10)
    }
    train = {str(i): name for i, name in enumerate(held.values())}
    assert {name.lower() for name in train.values()} < NO_DONOR
    layout = write(tmp_path, {"train": train, "other": OTHER, "held": held}, sources=ONE_SOURCE)
    found = require_no_leak(layout, blocks(rows=range(5)))
    assert [(c.what, c.compared, c.shared) for c in found] == [("cell", 5, ()), ("donor", 0, ())]


def test_an_exception_gives_its_reason_and_covers_that_dataset_only(tmp_path):
    sources = ONE_SOURCE | {"other": "lab"}
    held = {"7": "B", "8": "Y"}
    corpora = {"train": TRAIN, "other": {"5": "X", "6": "Y"}, "held": held}
    allowed = {"shares_donors_with": {"train": "There is only one tumour."}}
    layout = write(tmp_path, corpora, sources=sources, evaluation=allowed)
    with pytest.raises(DatamixError, match=r"^Evaluation set 'unseen' \(held\): 1 of its 2 donors .* from other \(Y\)"):
        require_no_leak(layout, blocks())
    found = compare(layout, blocks(other=[0]))
    assert [(c.training, c.what, c.shared, c.reason) for c in found] == [
        ("train", "cell", (), None),
        ("train", "donor", ("B",), "There is only one tumour."),
        ("other", "cell", (), None),
        ("other", "donor", (), None),
    ]
    with pytest.raises(DatamixError, match="shares cells or donors with 'nothing', which is no training dataset"):
        write(tmp_path, corpora, sources=sources, evaluation={"shares_donors_with": {"nothing": "x"}})


def test_only_the_cell_types_that_are_evaluated_count(tmp_path):
    corpora = {"train": TRAIN, "other": OTHER, "held": {"3": "M", "4": "N"}}
    layout = write(tmp_path, corpora, sources=ONE_SOURCE, evaluation={"cell_types": ["type of 4"]})
    assert [c.compared for c in require_no_leak(layout, blocks())] == [1, 1]


def test_many_are_cut_short(tmp_path):
    cells = {str(i): f"d{i}" for i in range(2000)}
    layout = write(tmp_path, {"train": cells, "other": OTHER, "held": cells}, sources=ONE_SOURCE, protocol="published")
    with pytest.raises(DatamixError, match=r"2,000 of its 2,000 cells .* \(0, 1, 10, …\)"):
        require_no_leak(layout, blocks(rows=range(2000)))


def test_missing_corpus_is_named(tmp_path):
    layout = write(tmp_path, {"train": TRAIN, "other": OTHER, "held": TRAIN}, sources=ONE_SOURCE)
    layout.corpus("held").unlink()
    with pytest.raises(DatamixError, match=r"held\.h5ad does not exist"):
        require_no_leak(layout, blocks())


@pytest.mark.parametrize("digest", ["a" * 64, "b" * 64])
def test_one_file_under_two_ids_is_one_source(tmp_path, digest):
    layout = write(tmp_path, {"train": TRAIN, "other": OTHER, "held": {"1": "M", "9": "N"}}, sources={})
    for dataset, found in (("train", "a" * 64), ("held", digest)):
        corpus = ad.read_h5ad(layout.corpus(dataset))
        corpus.uns["datamix"] = json.dumps({"inputs": {f"{dataset}.h5ad": found}})
        corpus.write_h5ad(layout.corpus(dataset))
    if digest == "b" * 64:
        assert require_no_leak(layout, blocks()) == []
        return
    with pytest.raises(DatamixError, match=r"1 of its 2 cells are also in the training cells drawn from train \(1\)"):
        require_no_leak(layout, blocks())


def test_each_corpus_is_read_once_for_training_and_once_for_each_evaluation_set(tmp_path, monkeypatch):
    corpora = {"train": TRAIN, "other": OTHER, "held": {"8": "M", "9": "N"}}
    one = dict.fromkeys(corpora, "lab")
    layout = write(tmp_path, corpora, sources=one)
    unseen = layout.profile.evaluations["unseen"]
    some = {f"set{i}": unseen.model_copy(update={"cell_types": (f"type of {i}",)}) for i in (8, 9)}
    layout = Layout(layout.root, layout.profile.model_copy(update={"evaluations": {"unseen": unseen, **some}}))
    read = []
    names = leakage._names
    monkeypatch.setattr(leakage, "_names", lambda of, dataset: read.append(dataset) or names(of, dataset))
    found = compare(layout, blocks())
    assert sorted(read) == ["held"] * 3 + ["other", "train"]
    assert [(c.evaluation, c.training, c.compared) for c in found if c.what == "cell"] == [
        ("unseen", "train", 2), ("unseen", "other", 2), ("set8", "train", 1), ("set8", "other", 1),
        ("set9", "train", 1), ("set9", "other", 1),
    ]  # fmt: skip
