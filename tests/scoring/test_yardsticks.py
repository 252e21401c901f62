import numpy as np
import pandas as pd
import pytest
from small_grid import small_grid

from datamix.corpora.evaluation_sets import read_evaluation
from datamix.corpora.genes import read_genes
from datamix.corpora.mixtures import draw_mixtures
from datamix.corpora.normalise import align
from datamix.ldvae import model
from datamix.ldvae.grid import training_cells
from datamix.scoring import reconstruction
from datamix.scoring.held_out_molecules import ceilings, split_molecules
from datamix.scoring.kinds import SIMPLE_MODELS
from datamix.scoring.score import score_baseline
from datamix.scoring.simple_models import fit_simple_models, score_predictions
from datamix.scoring.yardsticks import measure_yardsticks


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    layout = small_grid(tmp_path_factory.mktemp("yardsticks"))
    score_baseline(layout, "blood", seed=0, say=str)
    measure_yardsticks(layout, "blood", seed=0, say=str)
    return layout


@pytest.fixture(scope="module")
def table(layout):
    return pd.read_parquet(layout.yardsticks_of("blood", 0))


def test_every_model_stands_beside_every_mixture(layout, table):
    scores = pd.read_parquet(layout.scores_of("blood", 0))
    assert set(table["model"]) == {"ldvae", *SIMPLE_MODELS}
    assert len(table) == 5 * len(scores)
    keys = ["mixture", "evaluation", "cell"]
    for name, column in (("ldvae", "r2"), ("mean", "r_profile")):
        of = table[table["model"] == name].merge(scores, on=keys, validate="one_to_one", suffixes=("", "_scored"))
        assert len(of) == len(scores)
        measured, expected = ("r2", "r2_scored") if column == "r2" else ("r", "r_profile")
        np.testing.assert_allclose(of[measured], of[expected], atol=1e-5)
    # What is known of a cell is the same, whatever model is asked.
    assert (table.groupby(["evaluation", "cell"], observed=True)["ceiling"].nunique() <= 1).all()


def test_held_out_molecules_are_predicted_from_the_others(layout, table):
    cells = align(read_evaluation(layout, "all", seed=0), read_genes(layout)["gene"])
    variable = reconstruction.variable_genes(cells, 20)
    shown, other = split_molecules(cells, seed=0)
    of = table[(table["evaluation"] == "all") & (table["mixture"] == "blood+other")].set_index("model")
    models = {"m": model.load(layout.model("blood", 0, "blood+other"))}
    expected = reconstruction.score(models, shown, variable=variable, compared_with=other, seed=0)
    np.testing.assert_allclose(of.loc["ldvae", "r2_held_out"], expected["r2"], atol=1e-6)
    simple = fit_simple_models(
        training_cells(layout, draw_mixtures(layout, "blood", seed=0)["blood+other"]), seed=0, names=["nmf"]
    )
    expected = score_predictions(simple, shown, variable=variable, target=other)
    np.testing.assert_allclose(of.loc["nmf", "r2_held_out"], expected["r2"], atol=1e-5)
    limits = ceilings(cells, variable=variable, seed=0)
    np.testing.assert_allclose(of.loc["pca", "ceiling"], limits["ceiling"], atol=1e-6)
    np.testing.assert_allclose(of.loc["pca", "reliability"], limits["reliability"], atol=1e-6)
