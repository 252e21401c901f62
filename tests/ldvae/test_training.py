"""Training, saving and loading of LDVAEs."""

import json
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from scvi.model import LinearSCVI

from datamix.ldvae import model, training
from datamix.project.errors import DatamixError
from datamix.project.profile import Training

N_CELLS, N_GENES = 120, 60


@pytest.fixture(scope="module")
def adata() -> ad.AnnData:
    generator = np.random.default_rng(0)
    counts = sp.csr_matrix(generator.negative_binomial(0.8, 0.2, size=(N_CELLS, N_GENES)).astype(np.float32))
    obs = pd.DataFrame({"cell_type": "T cell"}, index=[f"blood:{i}" for i in range(N_CELLS)])
    return ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"ENSG{i:011d}" for i in range(N_GENES)]))


def settings(trainer: str = "fast") -> Training:
    return Training(trainer=trainer, max_epochs=4, batch_size=32, check_val_every_n_epoch=2, n_latent=5, n_layers=1)


@pytest.fixture(scope="module", params=["fast", "scvi"])
def trained(request, adata) -> LinearSCVI:
    return training.train(adata, seed=3, settings=settings(request.param))


def test_training_changes_neither_its_input_nor_the_folder_nor_the_threads(adata, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before, threads = adata.copy(), torch.get_num_threads()
    for trainer in ("fast", "scvi"):
        training.train(adata, seed=0, settings=settings(trainer))
    assert list(adata.obs) == ["cell_type"]
    assert not adata.uns
    assert (adata.X != before.X).nnz == 0
    assert not list(tmp_path.iterdir())
    assert torch.get_num_threads() == threads


def test_progress_of_the_stock_trainer_is_reported_after_every_epoch(adata):
    seen = []
    new = model.new_model(adata, seed=0, settings=settings("scvi"))
    training.fit_stock(new, settings=settings("scvi"), progress=lambda *epochs: seen.append(epochs))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_saved_model_opens_with_scvi_tools_and_gives_the_same_latents(trained, adata, tmp_path, monkeypatch):
    folder = tmp_path / "models" / "blood+blood"
    model.save(trained, folder, provenance={"mixture": "blood+blood"})
    assert sorted(p.name for p in folder.iterdir()) == [
        "history.csv", "loadings.parquet", "model.pt", "provenance.json",
    ]  # fmt: skip
    assert [p.name for p in folder.parent.iterdir()] == ["blood+blood"]
    cells = adata.copy()
    expected = trained.get_latent_representation()
    np.testing.assert_array_equal(LinearSCVI.load(folder, adata=cells).get_latent_representation(), expected)
    np.testing.assert_array_equal(model.load(folder, adata).get_latent_representation(), expected)
    assert "_scvi_batch" not in adata.obs

    unpickled = []
    monkeypatch.setattr(torch, "load", lambda *a, load=torch.load, **k: unpickled.append(a) or load(*a, **k))
    bare = model.load(folder)
    assert len(unpickled) == 1  # by scvi-tools; the names of the genes are read from the loadings
    pd.testing.assert_frame_equal(bare.get_loadings(), trained.get_loadings())
    loadings = pd.read_parquet(folder / "loadings.parquet")
    assert (loadings.shape, loadings.index.name) == ((N_GENES, 5), "gene")
    assert loadings.index.tolist() == adata.var_names.tolist()
    np.testing.assert_array_equal(loadings, trained.get_loadings())


def test_history_and_provenance_are_written(trained, tmp_path):
    model.save(trained, tmp_path / "blood", provenance={"mixture": "blood", "inputs": {"a.h5ad": "12ab"}})
    history = pd.read_csv(tmp_path / "blood" / "history.csv", index_col="epoch")
    assert history.index.tolist() == [0, 1, 2, 3]
    assert {"elbo_train", "elbo_validation", "reconstruction_loss_train", "kl_local_train"} <= set(history)
    assert history["elbo_train"].notna().all()
    assert history["elbo_validation"].dropna().index.tolist() == [1, 3]
    np.testing.assert_allclose(
        history["elbo_train"], history["reconstruction_loss_train"] + history["kl_local_train"], rtol=1e-4
    )
    record = json.loads((tmp_path / "blood" / "provenance.json").read_text())
    assert record["trainer"] == record["settings"]["trainer"]
    assert (record["seed"], record["cells"], record["genes"], record["mixture"]) == (3, N_CELLS, N_GENES, "blood")
    assert record["versions"]["scvi-tools"]
    assert record["hardware"]["device"] in ("cpu", "cuda")
    assert record["seconds"] > 0


def test_another_seed_gives_another_model(adata):
    first, second = (training.train(adata, seed=seed, settings=settings()).get_loadings() for seed in (0, 1))
    assert not np.allclose(first, second)


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(DatamixError, match=r"no model in .*nowhere.*expected model\.pt"):
        model.load(Path(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: ad.AnnData(a.X.log1p()), r"cell '0' has [\d.]+ of gene .*expected raw counts"),
        (lambda a: ad.AnnData(-a.X), "cell '0' has -.*expected raw counts"),
        (lambda a: ad.AnnData(a.X.toarray()), "CSR matrix of raw counts, found ndarray"),
        (lambda a: ad.AnnData(a.X.tocsc()), "CSR matrix of raw counts, found csc_matrix"),
        (lambda a: a[:5].copy(), "at least 10 cells and 2 genes, found 5 × 60"),
        (lambda a: ad.AnnData(sp.vstack([a.X, sp.csr_matrix((2, N_GENES))]).tocsr()), "found 2 cells without"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(adata, spoil, message):
    with pytest.raises(DatamixError, match=message):
        training.train(spoil(adata), seed=0, settings=settings())
