"""Reconstruction scores against a plain implementation: scanpy, scvi-tools and numpy, a cell at a time."""

import copy

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp
import torch
from scvi.model import LinearSCVI

from datamix.corpora import normalise
from datamix.ldvae import training as ldvae
from datamix.project.errors import DatamixError
from datamix.project.profile import Training
from datamix.scoring import posterior, reconstruction

GENES = [f"ENSG{i:011d}" for i in range(300)]
TOP = 60


def simulate(seed: int, n_cells: int, genes: list[str]) -> ad.AnnData:
    generator = np.random.default_rng(seed)
    programmes = np.exp(np.random.default_rng(99).normal(size=(3, len(genes))))
    means = generator.dirichlet(np.full(3, 0.3), size=n_cells) @ programmes
    means *= generator.lognormal(7, 0.3, size=(n_cells, 1)) / means.sum(axis=1, keepdims=True)
    counts = sp.csr_matrix(generator.negative_binomial(2, 2 / (2 + means)).astype(np.float32))
    obs = pd.DataFrame(
        {"cell_type": generator.choice(["T cell", "B cell"], n_cells), "donor": "A"},
        index=[f"evaluation:{i}" for i in range(n_cells)],
    )
    return ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=genes))


@pytest.fixture(scope="module")
def models() -> dict[str, LinearSCVI]:
    settings = Training(max_epochs=60, batch_size=64, n_latent=6)
    return {f"seed{s}": ldvae.train(simulate(1, 200, GENES), seed=s, settings=settings) for s in (0, 1)}


@pytest.fixture(scope="module")
def evaluation() -> ad.AnnData:
    # Other genes, another order, some of the model's genes missing.
    adata = simulate(2, 90, GENES)[:, GENES[:-1:-1] + GENES[280:20:-1]].copy()
    extra = ad.AnnData(sp.csr_matrix(np.ones((90, 5), dtype=np.float32)), obs=adata.obs)
    extra.var_names = [f"ENSG9{i:010d}" for i in range(5)]
    return ad.concat([adata, extra], axis=1, merge="same")


def by_hand(model: LinearSCVI, evaluation: ad.AnnData, z: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The published scoring, dense and plain, for given latents; returns r and the genes."""
    dense = evaluation.to_df().reindex(columns=GENES, fill_value=0)
    adata = ad.AnnData(sp.csr_matrix(dense.to_numpy()), obs=evaluation.obs.copy(), var=pd.DataFrame(index=GENES))
    target = adata.copy()
    sc.pp.normalize_total(target, target_sum=1e4)
    sc.pp.log1p(target)
    sc.pp.highly_variable_genes(target, n_top_genes=TOP)
    chosen = target.var_names[target.var["highly_variable"]].tolist()
    with torch.no_grad():
        decoded = model.module.generative(
            z=torch.from_numpy(z),
            library=torch.zeros(len(z), 1),
            batch_index=torch.zeros(len(z), 1, dtype=torch.long),
        )
    predicted = pd.DataFrame(np.log1p(1e4 * decoded["px"].scale.numpy()), columns=GENES)[chosen].to_numpy()
    expected = target[:, chosen].X.toarray()
    return np.array([np.corrcoef(e, p)[0, 1] for e, p in zip(expected, predicted, strict=True)]), chosen


@pytest.fixture(autouse=True)
def several_chunks(monkeypatch):
    """Few cells are several chunks here."""
    for module, cells in ((reconstruction, 32), (posterior, 40), (normalise, 64)):
        monkeypatch.setattr(module, "CHUNK_CELLS", cells)


def test_scores_equal_the_plain_implementation(models, evaluation):
    scores = reconstruction.score(models, evaluation, n_top_genes=TOP, seed=7)

    assert list(scores) == ["model", "cell", "cell_type", "donor", "r", "r2", "r_mean", "r2_mean"]
    assert len(scores) == 2 * 90
    for name, model in models.items():
        table = scores[scores["model"] == name]
        assert table["cell"].tolist() == evaluation.obs_names.tolist()
        assert table["cell_type"].tolist() == evaluation.obs["cell_type"].tolist()
        r, _ = by_hand(model, evaluation, reconstruction.sample_latent(model, evaluation, seed=7))
        np.testing.assert_allclose(table["r"], r, atol=1e-5)
        np.testing.assert_allclose(table["r2"], r**2, atol=1e-5)
        mean, _ = posterior.encode(model, evaluation)
        r, _ = by_hand(model, evaluation, mean)
        np.testing.assert_allclose(table["r_mean"], r, atol=1e-5)
        np.testing.assert_allclose(table["r2_mean"], r**2, atol=1e-5)
    assert scores["r2_mean"].median() > 0.1  # the models have learnt something, so that agreement means something


def test_prediction_is_what_get_normalized_expression_gives(models, evaluation):
    # With a posterior of no width scvi-tools' own sampling is its mean, so that both can be compared exactly.
    model = copy.deepcopy(models["seed0"])
    model.module.z_encoder.var_eps = 0.0
    torch.nn.init.constant_(model.module.z_encoder.var_encoder.bias, -80)
    adata = reconstruction.align(evaluation, GENES)
    theirs = model.get_normalized_expression(adata.copy(), library_size=1e4, return_numpy=True)
    with torch.inference_mode():
        z = torch.from_numpy(reconstruction.sample_latent(model, adata, seed=0))
        ours = posterior.Decoder(model, np.arange(len(GENES)))(z).numpy()
    np.testing.assert_allclose(ours, np.log1p(theirs), atol=1e-5)


def test_latents_are_those_of_scvi_tools(models, evaluation):
    adata = reconstruction.align(evaluation, GENES)
    for model in models.values():
        mean, variance = model.get_latent_representation(adata.copy(), return_dist=True)
        found = posterior.encode(model, evaluation)
        np.testing.assert_allclose(found[0], mean, atol=1e-5)
        np.testing.assert_allclose(found[1] ** 2, variance, rtol=1e-4)


def test_samples_depend_on_the_seed_and_neither_on_chunks_nor_on_company(models, evaluation, monkeypatch):
    both = reconstruction.score(models, evaluation, n_top_genes=TOP, seed=7)
    monkeypatch.setattr(reconstruction, "CHUNK_CELLS", 17)
    alone = reconstruction.score({"seed1": models["seed1"]}, evaluation, n_top_genes=TOP, seed=7)
    other = reconstruction.score({"seed1": models["seed1"]}, evaluation, n_top_genes=TOP, seed=8)
    expected = both[both["model"] == "seed1"]["r"]
    np.testing.assert_allclose(alone["r"], expected, atol=1e-6)
    assert not np.allclose(other["r"], expected, atol=1e-3)


def test_predictions_can_be_compared_with_other_counts_of_the_same_cells(models, evaluation):
    own = reconstruction.score(models, evaluation, n_top_genes=TOP, seed=7)
    shuffled = evaluation[:, evaluation.var_names[::-1]].copy()
    same = reconstruction.score(models, evaluation, n_top_genes=TOP, compared_with=shuffled, seed=7)
    pd.testing.assert_frame_equal(own, same)
    # Shown nothing of what it is compared with, a model scores less.
    other = simulate(9, 90, GENES)
    assert (
        reconstruction.score(models, evaluation, n_top_genes=TOP, compared_with=other, seed=7)["r2"].mean()
        < own["r2"].mean()
    )


@pytest.mark.parametrize(("seed", "n_top"), [(2, 60), (3, 10), (4, 299), (5, 1000)])
def test_variable_genes_are_those_of_scanpy(seed, n_top):
    adata = simulate(seed, 150, GENES)
    counts = adata.X.toarray()
    counts[:, 11] = 0
    adata.X = sp.csr_matrix(counts)
    expected = adata.copy()
    sc.pp.normalize_total(expected, target_sum=1e4)
    sc.pp.log1p(expected)
    if n_top < len(GENES):
        sc.pp.highly_variable_genes(expected, n_top_genes=n_top)
        names = expected.var_names[expected.var["highly_variable"]].tolist()
    else:
        names = [gene for gene in GENES if gene != GENES[11]]
    assert reconstruction.variable_genes(adata, n_top).tolist() == names


def test_align_takes_the_models_genes_in_its_order(evaluation):
    before = evaluation.copy()
    aligned = reconstruction.align(evaluation, GENES)
    expected = evaluation.to_df().reindex(columns=GENES, fill_value=0)
    np.testing.assert_array_equal(aligned.X.toarray(), expected.to_numpy())
    assert aligned.X.format == "csr"
    assert aligned.var_names.tolist() == GENES
    pd.testing.assert_frame_equal(aligned.obs, evaluation.obs)
    assert (evaluation.X != before.X).nnz == 0
    again = reconstruction.align(aligned, GENES)
    np.testing.assert_array_equal(again.X.toarray(), aligned.X.toarray())


def test_a_cell_without_variance_has_no_score(models, evaluation):
    counts = evaluation.X.toarray()
    counts[4] = 0
    blank = ad.AnnData(sp.csr_matrix(counts), obs=evaluation.obs, var=evaluation.var)
    scores = reconstruction.score(models, blank, n_top_genes=TOP, seed=0)
    assert scores.groupby("model")["r"].apply(lambda r: np.flatnonzero(r.isna()).tolist()).tolist() == [[4], [4]]
    assert scores["r2_mean"].isna().sum() == 2


def test_mean_profile_is_the_simple_baseline(models, evaluation):
    training = simulate(1, 200, GENES)
    normalised = training.copy()
    sc.pp.normalize_total(normalised, target_sum=1e4)
    sc.pp.log1p(normalised)
    profile = reconstruction.mean_profile(training)
    np.testing.assert_allclose(profile, normalised.X.toarray().mean(axis=0), rtol=1e-5)

    _, chosen = by_hand(models["seed0"], evaluation, np.zeros((90, 6), dtype=np.float32))
    several = pd.DataFrame({"blood": profile, "other": profile[::-1].to_numpy()})
    scores = reconstruction.mean_profile_scores(several, evaluation, variable=pd.Index(chosen))
    assert list(scores) == ["model", "cell", "cell_type", "donor", "r", "r2"]
    assert scores["model"].unique().tolist() == ["blood", "other"]
    target = reconstruction.align(evaluation, GENES)
    sc.pp.normalize_total(target, target_sum=1e4)
    sc.pp.log1p(target)
    expected = [np.corrcoef(cell, profile[chosen])[0, 1] for cell in target[:, chosen].X.toarray()]
    np.testing.assert_allclose(scores["r"][:90], expected, atol=1e-5)
    other = [np.corrcoef(cell, several.loc[chosen, "other"])[0, 1] for cell in target[:, chosen].X.toarray()]
    np.testing.assert_allclose(scores["r2"][90:], np.square(other), atol=1e-5)


def test_gene_statistics_are_those_of_the_residuals(models, evaluation):
    model = models["seed0"]
    variable = reconstruction.variable_genes(reconstruction.align(evaluation, GENES), TOP)
    found = reconstruction.gene_statistics(model, evaluation, variable=variable, seed=7)
    assert set(found.index) == set(variable)
    chosen = np.flatnonzero(pd.Index(GENES).isin(variable))
    target = reconstruction.align(evaluation, GENES)
    sc.pp.normalize_total(target, target_sum=1e4)
    sc.pp.log1p(target)
    target = target.X.toarray()[:, chosen].astype(float)
    with torch.inference_mode():
        z = torch.from_numpy(reconstruction.sample_latent(model, evaluation, seed=7))
        residual = target - posterior.Decoder(model, chosen)(z).numpy()
    assert found.index.name == "gene"
    np.testing.assert_allclose(found["residual_mean"], residual.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(found["residual_variance"], residual.var(axis=0), rtol=1e-4)
    expected = 1 - residual.var(axis=0) / target.var(axis=0)
    np.testing.assert_allclose(found["explained_variance"], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: ad.AnnData(a.X.toarray(), obs=a.obs, var=a.var), "expected as CSR, found ndarray"),
        (lambda a: ad.AnnData(a.X, obs=a.obs), "No gene is in common: the model has ENSG00000000000 …"),
        (lambda a: ad.AnnData(a.X, obs=a.obs[["donor"]], var=a.var), r"lacks obs\.cell_type; it has donor"),
        (lambda a: ad.AnnData(a.X, var=a.var), r"lacks obs\.cell_type and obs\.donor; it has no columns"),
    ],
)
def test_what_cannot_be_scored_is_refused(models, evaluation, spoil, message):
    with pytest.raises(DatamixError, match=message):
        reconstruction.score(models, spoil(evaluation), n_top_genes=TOP, seed=0)


def test_repeated_genes_and_unlike_models_are_refused(models, evaluation):
    with pytest.warns(UserWarning, match="not unique"):
        repeated = ad.AnnData(evaluation.X, obs=evaluation.obs, var=pd.DataFrame(index=[GENES[0]] * evaluation.n_vars))
    with pytest.raises(DatamixError, match="the gene ENSG00000000000 more than once"):
        reconstruction.score(models, repeated, n_top_genes=TOP, seed=0)
    fewer = ldvae.train(simulate(1, 50, GENES)[:, :100].copy(), seed=0, settings=Training(max_epochs=1))
    with pytest.raises(DatamixError, match="same genes; seed0 and other differ"):
        reconstruction.score({**models, "other": fewer}, evaluation, n_top_genes=TOP, seed=0)
    with pytest.raises(DatamixError, match="at least one model"):
        reconstruction.score({}, evaluation, n_top_genes=TOP, seed=0)
