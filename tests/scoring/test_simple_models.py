"""The simple models against plain, dense scikit-learn."""

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp
from sklearn.decomposition import NMF, PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors

from datamix.corpora.normalise import mean_profile
from datamix.project.errors import DatamixError
from datamix.scoring import reconstruction, simple_models
from datamix.scoring.kinds import SIMPLE_MODELS

GENES = [f"ENSG{i:011d}" for i in range(120)]


def simulate(seed, n_cells):
    generator = np.random.default_rng(seed)
    programmes = np.exp(np.random.default_rng(99).normal(size=(6, len(GENES))))
    means = generator.dirichlet(np.full(6, 0.3), size=n_cells) @ programmes
    counts = sp.csr_matrix(generator.poisson(means * 4).astype(np.float32))
    obs = pd.DataFrame({"cell_type": "t", "donor": "d"}, index=[f"{seed}:{i}" for i in range(n_cells)])
    return ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=GENES))


def dense(cells):
    target = cells.copy()
    sc.pp.normalize_total(target, target_sum=1e4)
    sc.pp.log1p(target)
    return target.X.toarray().astype(np.float64)


@pytest.fixture(scope="module")
def cells():
    return simulate(1, 150), simulate(2, 40)


@pytest.fixture(scope="module")
def models(cells):
    return simple_models.fit_simple_models(cells[0], seed=0, components=5)


PLACES = np.arange(10, 90)


def test_pca_is_that_of_scikit_learn(cells, models):
    training, evaluation = cells
    pca = PCA(5, svd_solver="full").fit(dense(training))
    expected = pca.inverse_transform(pca.transform(dense(evaluation)))
    np.testing.assert_allclose(models["pca"](evaluation.X, PLACES), expected[:, PLACES], atol=2e-3)


def test_nmf_is_that_of_scikit_learn(cells, models):
    training, evaluation = cells
    nmf = NMF(5, init="nndsvda", random_state=0, max_iter=simple_models.NMF_ROUNDS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        nmf.fit(dense(training))
    nmf.set_params(tol=1e-12, max_iter=20_000)  # weights of new cells to the end
    expected = nmf.inverse_transform(nmf.transform(dense(evaluation)))
    found = models["nmf"](evaluation.X, PLACES)
    np.testing.assert_allclose(found, expected[:, PLACES], atol=0.02)
    assert (found >= 0).all()


def test_nearest_is_that_of_scikit_learn(cells, models):
    training, evaluation = cells
    pca = PCA(5, svd_solver="full").fit(dense(training))
    near = NearestNeighbors(n_neighbors=1).fit(pca.transform(dense(training)))
    rows = near.kneighbors(pca.transform(dense(evaluation)), return_distance=False)[:, 0]
    np.testing.assert_allclose(models["nearest"](evaluation.X, PLACES), dense(training)[rows][:, PLACES], rtol=1e-5)
    # A training cell is its own neighbour.
    np.testing.assert_allclose(models["nearest"](training.X, PLACES), dense(training)[:, PLACES], rtol=1e-5)


def test_mean_is_the_mean_profile(cells, models):
    training, evaluation = cells
    variable = pd.Index(GENES[10:90])
    of_profile = reconstruction.mean_profile_scores(
        mean_profile(training).to_frame("mean"), evaluation, variable=variable
    )
    found = simple_models.score_predictions({"mean": models["mean"]}, evaluation, variable=variable)
    np.testing.assert_allclose(found["r"], of_profile["r"], atol=1e-5)


def test_scores_are_correlations_over_the_chosen_genes_in_chunks_of_any_size(cells, models, monkeypatch):
    _, evaluation = cells
    variable = pd.Index(GENES[10:90])
    monkeypatch.setattr(simple_models, "CHUNK_CELLS", 7)
    table = simple_models.score_predictions(models, evaluation, variable=variable)
    assert list(dict.fromkeys(table["model"])) == list(SIMPLE_MODELS)
    target = dense(evaluation)[:, PLACES]
    for name, of in table.groupby("model"):
        predicted = models[name](evaluation.X, PLACES)
        expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(target, predicted, strict=True)]
        np.testing.assert_allclose(of["r"], expected, atol=1e-5)
        assert list(of["cell"]) == list(evaluation.obs_names)
    np.testing.assert_array_equal(table["r2"], table["r"] ** 2)


def test_too_few_cells_are_refused(cells):
    with pytest.raises(DatamixError, match="found 2 × 120"):
        simple_models.fit_simple_models(cells[0][:2], seed=0)
