"""Mixtures by shares from end to end: trained, scored, planned, trained again, collected."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from small_grid import small_layout

from datamix.analysis import second_round
from datamix.corpora.evaluation_sets import read_evaluation
from datamix.corpora.genes import read_genes
from datamix.corpora.normalise import align
from datamix.corpora.shares import draw_shares, first_round, read_second_round
from datamix.corpora.thinning import baseline_depth
from datamix.ldvae import composition as trained
from datamix.ldvae import model
from datamix.ldvae.grid import training_cells
from datamix.project.errors import DatamixError
from datamix.project.files import read_json
from datamix.project.layout import Layout
from datamix.scoring import composition, reconstruction
from datamix.scoring.simple_models import fit_simple_models, score_predictions

SETTINGS = {
    "cells": 60, "mixtures": 3, "doses": [10, 25, 7], "dosed": ["other"], "depth_matched": True, "seeds": [0, 1],
    "max_epochs": 2, "batch_size": 32,
}  # fmt: skip


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    root = tmp_path_factory.mktemp("composition")
    small_layout(root)
    path = root / "config" / "tiny.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"composition": SETTINGS}))
    return Layout.of("tiny", root)


@pytest.fixture(scope="module")
def run(layout):
    """Train and score both rounds; what was said."""
    said = []
    for turn in trained.TURNS:
        if turn == "second":
            with pytest.raises(DatamixError, match="composition plan --profile tiny"):
                trained.mixtures_of_turn(layout, turn)
            second_round.plan_second_round(layout)
        for seed in (0, 1):
            trained.train_turn(layout, turn, seed=seed, say=said.append)
            composition.score_turn(layout, turn, seed=seed, say=said.append)
    composition.collect_composition(layout)
    return said


def test_every_mixture_is_scored_once_a_seed_and_model(layout, run):
    scores = pd.read_parquet(layout.composition_scores)
    plan = read_second_round(layout)
    assert list(plan["dosed"]["other"].items()) == [
        (0, "blood=60"), (7, "blood=53+other=7"), (10, "blood=50+other=10"), (25, "blood=35+other=25"),
    ]  # fmt: skip
    assert "blood=53+other=7" in plan["mixtures"]
    thinned = f"blood=35+other=25@{baseline_depth(layout)}"
    assert plan["thinned"] == {"other": thinned}
    assert plan["mixtures"][-1] == thinned
    wanted = {*first_round(layout.profile), *plan["mixtures"]}
    assert set(scores["mixture"]) == wanted
    assert set(plan["recommended"]) == {"all", "some", second_round.EVERY_SET}
    assert set(plan["recommended"].values()) <= wanted
    keys = ["model", "mixture", "seed", "evaluation", "cell"]
    assert not scores.duplicated(keys).any()
    cells = scores.groupby(["model", "mixture", "seed", "evaluation"], observed=True)["cell"].nunique()
    assert len(cells) == 2 * len(wanted) * 2 * 2
    assert set(cells.loc[:, :, :, "some"]) == {20}


def test_scores_are_those_of_the_models_that_lie_there(layout, run):
    name = "blood=30+other=30"
    scores = pd.read_parquet(layout.composition_scores).query("mixture == @name and seed == 1 and evaluation == 'all'")
    cells = align(read_evaluation(layout, "all", seed=1), read_genes(layout)["gene"])
    variable = reconstruction.variable_genes(cells, 20)
    models = {name: model.load(layout.composition_models("first", 1).with_suffix("") / name)}
    expected = reconstruction.score(models, cells, variable=variable, seed=1)
    np.testing.assert_allclose(scores.query("model == 'ldvae'")["r"], expected["r"], atol=1e-6)
    training = training_cells(layout, draw_shares(layout, [name], seed=1)[name])
    assert training.n_obs == 60
    pca = score_predictions(fit_simple_models(training, seed=1, names=["pca"]), cells, variable=variable)
    np.testing.assert_allclose(scores.query("model == 'pca'")["r"], pca["r"], atol=1e-5)


def test_models_say_what_they_are_made_of_and_are_kept(layout, run):
    name = "blood=53+other=7"
    folder = layout.composition_models("second", 0).with_suffix("") / name
    made = read_json(folder / "provenance.json")
    assert made["cells"] == {"a": 53, "b": 7}
    assert made["round"] == "second"
    assert (made["settings"]["max_epochs"], made["settings"]["batch_size"]) == (2, 32)
    assert made["thinned_to"] == {}
    (thinned,) = read_second_round(layout)["thinned"].values()
    of_thinned = read_json(folder.parent / thinned / "provenance.json")
    assert of_thinned["thinned_to"] == {"b": baseline_depth(layout)}
    assert of_thinned["key"] != read_json(folder.parent / "blood=35+other=25" / "provenance.json")["key"]
    assert json.loads(layout.composition_models("second", 0).read_text())[name]["key"] == made["key"]
    assert not [line for line in run if "kept" in line]
    again: list[str] = []
    trained.train_turn(layout, "second", seed=0, say=again.append)
    assert all(line.endswith(": kept") for line in again)
    assert len(again) == len(trained.mixtures_of_turn(layout, "second"))
    # Other mixtures are other models; nothing else differs.
    longer = layout.profile.composition.model_copy(update={"mixtures": 4})
    more = Layout(layout.root, layout.profile.model_copy(update={"composition": longer}))
    said: list[str] = []
    trained.train_turn(more, "first", seed=0, say=said.append)
    assert [line.endswith(": kept") for line in said].count(False) == 1
