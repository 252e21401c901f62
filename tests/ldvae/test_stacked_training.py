"""Stacked training does for each model what fast training does for one: on the CPU, and on a GPU where there is one."""

import anndata as ad
import draws_of_torch
import numpy as np
import pytest
import scipy.sparse as sp
import scvi
import torch
from scvi.model import LinearSCVI

from datamix.ldvae import fast_training, stacked_training, training
from datamix.ldvae import model as ldvae
from datamix.ldvae.fast_training import FastTrainer
from datamix.ldvae.stacked_training import StackedTrainer
from datamix.project.errors import DatamixError
from datamix.project.profile import Training

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU; the same holds of the CPU beside")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_GPU)]
LR = 5e-3


def simulate(seed: int, n_cells: int = 120) -> ad.AnnData:
    dense = np.random.default_rng(seed).negative_binomial(0.5, 0.2, size=(n_cells, 70)).astype(np.float32)
    dense[2, 3] = 500
    return ad.AnnData(sp.csr_matrix(dense))


def new_model(adata: ad.AnnData, *, seed: int, dropout: float = 0.1) -> LinearSCVI:
    LinearSCVI.setup_anndata(adata)
    scvi.settings.seed = seed
    return LinearSCVI(adata, n_latent=10, n_layers=2, dropout_rate=dropout)


def test_a_stack_of_two_takes_the_steps_of_each_alone():
    singles = [new_model(simulate(s), seed=s, dropout=0) for s in (1, 2)]
    stacked = [new_model(simulate(s), seed=s, dropout=0) for s in (1, 2)]
    trainer = StackedTrainer(stacked, lr=LR, seed=9, device=torch.device("cpu"))
    batches = [np.stack([np.arange(0, 50), np.arange(40, 90)]), np.stack([np.arange(50, 80), np.arange(90, 120)])]
    trainer.kl_weight = 0.3
    sums = [trainer.step(rows) for rows in batches]
    held_out = trainer.evaluate(batches[0])
    trainer.finish()
    for i, model in enumerate(singles):
        alone = FastTrainer(model.module, model.adata.X, lr=LR)
        alone.draws = draws_of_torch.DrawsOfTorch()
        alone.kl_weight = 0.3
        torch.manual_seed(9)  # the posterior samples of every model in the stack
        for rows, found in zip(batches, sums, strict=True):
            np.testing.assert_allclose(found[:, i], alone.step(rows[i]), rtol=1e-4)
        np.testing.assert_allclose(held_out[:, i], alone.evaluate(batches[0][i]), rtol=1e-3)
        alone.finish()
        found = stacked[i].module.state_dict()
        for name, value in model.module.state_dict().items():
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=LR / 10, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("device", DEVICES)
def test_a_model_does_not_depend_on_its_company(device):
    settings = Training(max_epochs=3, batch_size=32, check_val_every_n_epoch=2)
    together = [new_model(simulate(s), seed=5) for s in (1, 2)]
    alone = new_model(simulate(2), seed=5)
    for models in (together, [alone]):
        stacked_training.fit(models, seed=5, settings=settings, device=torch.device(device))
    for name, value in alone.module.state_dict().items():
        torch.testing.assert_close(together[1].module.state_dict()[name], value, rtol=1e-4, atol=LR / 10)
    assert alone.is_trained
    assert alone.history.keys() == together[0].history.keys()
    found, expected = (m.history["elbo_validation"]["elbo_validation"] for m in (together[1], alone))
    assert expected.index.tolist() == [1]
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_the_course_is_that_of_fast_training():
    settings = Training(max_epochs=12, batch_size=32, check_val_every_n_epoch=4)
    stacked, single = new_model(simulate(1), seed=5), new_model(simulate(1), seed=5)
    done = []
    stacked_training.fit(
        [stacked], seed=5, settings=settings, device=torch.device("cpu"), progress=lambda *e: done.append(e)
    )
    fast_training.fit(single, settings=settings)
    assert done[-1] == (12, 12)
    np.testing.assert_array_equal(stacked.train_indices, single.train_indices)
    assert stacked.history.keys() == single.history.keys()
    for name in ("elbo_train", "reconstruction_loss_train", "train_loss"):
        found, expected = (model.history[name][name].to_numpy() for model in (stacked, single))
        np.testing.assert_allclose(found, expected, rtol=0.2, err_msg=name)


def test_models_of_other_sizes_are_refused():
    models = [new_model(simulate(1, n_cells=n), seed=1) for n in (60, 50)]
    with pytest.raises(DatamixError, match="same number of cells and genes, found 60 × 70, 50 × 70"):
        stacked_training.fit(models, seed=1, settings=Training(max_epochs=1), device=torch.device("cpu"))


@pytest.fixture
def stacked_here(monkeypatch):
    """Stack on the CPU, as if it were a GPU."""
    monkeypatch.setattr(training, "stacking_device", lambda: torch.device("cpu"))


@pytest.fixture
def little_memory(monkeypatch):
    """Let a step of more than so many models fail as on a full GPU; returns how to set it."""

    def hold(models: int) -> None:
        step = StackedTrainer.step

        def step_if_held(self, rows):
            losses = step(self, rows)  # so that the attempt has changed what it can
            if len(self.models) > models:
                raise torch.cuda.OutOfMemoryError
            return losses

        monkeypatch.setattr(StackedTrainer, "step", step_if_held)

    return hold


def train_together(adatas, **more):
    settings = Training(max_epochs=3, batch_size=32)
    return dict(training.train_together(list(adatas), adatas.get, seed=3, settings=settings, **more))


def assert_same(models, others):
    assert list(models) == list(others)
    for name, model in models.items():
        np.testing.assert_allclose(
            model.get_loadings(), others[name].get_loadings(), rtol=1e-4, atol=LR / 10, err_msg=name
        )


def test_training_together_keeps_names_and_order():
    adatas = {"b": simulate(1), "a": simulate(2), "c": simulate(3, n_cells=60)}
    models = train_together(adatas)
    assert list(models) == ["b", "a", "c"]
    alone = training.train(adatas["a"], seed=3, settings=Training(max_epochs=3, batch_size=32))
    if not torch.cuda.is_available():
        assert [model.training_record["trained_together"] for model in models.values()] == [1, 1, 1]
    assert_same({"a": models["a"]}, {"a": alone})


def test_stacked_models_are_what_each_is_alone(stacked_here):
    adatas = {name: simulate(s) for s, name in enumerate("abc")}
    together = train_together(adatas)
    assert [model.training_record["trained_together"] for model in together.values()] == [3, 3, 3]
    assert_same(together, {name: train_together({name: adata})[name] for name, adata in adatas.items()})
    assert not np.allclose(together["a"].get_loadings(), together["b"].get_loadings(), atol=LR)


def test_counts_leave_the_host_one_model_at_a_time_and_the_caller_keeps_its_own(stacked_here):
    adatas = {name: simulate(s) for s, name in enumerate("abc")}
    read, held = [], []

    def read_one(name):
        held.append([model.adata.X.nnz for model in read])
        return adatas[name]

    def new_model(*arguments, new=ldvae.new_model, **more):
        read.append(new(*arguments, **more))
        return read[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "new_model", new_model)
        list(training.train_together(list(adatas), read_one, seed=3, settings=Training(max_epochs=1, batch_size=32)))
    assert held == [[], [0], [0, 0]]
    assert all(adata.X.nnz > 0 for adata in adatas.values())
    alone = training.train(adatas["a"], seed=3, settings=Training(max_epochs=1, batch_size=32))
    assert alone.adata.X.nnz == adatas["a"].X.nnz
    assert alone.get_latent_representation().shape == (120, 10)


@pytest.mark.parametrize(("held", "groups"), [(2, [2, 2, 1]), (1, [1] * 5)])
def test_fewer_are_trained_together_where_memory_does_not_hold_all(stacked_here, little_memory, held, groups):
    adatas = {name: simulate(s) for s, name in enumerate("abcde")}
    unbroken = train_together(adatas)
    little_memory(held)
    said = []
    models = train_together(adatas, say=said.append)
    assert_same(models, unbroken)
    assert [m.training_record["trained_together"] for m in models.values()] == [g for g in groups for _ in range(g)]
    assert said[0] == "the memory of the GPU does not hold 5 models of this size: training 2 together"
    assert len(said) == (1 if held == 2 else 2)


def test_what_the_gpu_cannot_hold_is_trained_on_the_cpu(little_memory, monkeypatch):
    adatas = {name: simulate(s) for s, name in enumerate("ab")}
    monkeypatch.setattr(training, "stacking_device", lambda: None)
    unbroken = train_together(adatas)
    monkeypatch.setattr(training, "stacking_device", lambda: torch.device("cpu"))
    little_memory(0)
    said = []
    models = train_together(adatas, say=said.append)
    for name, model in models.items():
        np.testing.assert_array_equal(model.get_loadings(), unbroken[name].get_loadings())
    assert said == [
        "the memory of the GPU does not hold 2 models of this size: training 1 together",
        "the memory of the GPU does not hold a model of this size: training on the CPU",
    ]
