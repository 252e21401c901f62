"""Fast training does what scvi-tools does: same gradients, same steps, same history, same file."""

import copy

import anndata as ad
import draws_of_torch
import numpy as np
import pytest
import scipy.sparse as sp
import scvi
import torch
from scvi.model import LinearSCVI

from datamix.ldvae import fast_training
from datamix.ldvae.fast_training import FastTrainer
from datamix.project.errors import DatamixError
from datamix.project.profile import Training

N_CELLS, N_GENES, LR, KL_WEIGHT = 150, 80, 5e-3, 0.3
FIRST = {name: f"{name}_encoder.encoder.fc_layers.Layer 0.0.weight" for name in "zl"}
# A bias before a BatchNorm has no gradient but rounding, neither here nor there.
NO_GRADIENT = [f"z_encoder.encoder.fc_layers.Layer {i}.0.bias" for i in (0, 1)] + [
    "l_encoder.encoder.fc_layers.Layer 0.0.bias"
]


@pytest.fixture(scope="module")
def counts() -> sp.csr_matrix:
    generator = np.random.default_rng(0)
    dense = generator.negative_binomial(0.5, 0.2, size=(N_CELLS, N_GENES)).astype(np.float32)
    return sp.csr_matrix(dense)


def new_model(counts: sp.csr_matrix, *, seed: int = 1, dropout: float = 0.1) -> LinearSCVI:
    adata = ad.AnnData(counts)
    LinearSCVI.setup_anndata(adata)
    scvi.settings.seed = seed
    return LinearSCVI(adata, n_latent=10, n_layers=2, dropout_rate=dropout)


def tensors(counts: sp.csr_matrix, rows: np.ndarray) -> dict[str, torch.Tensor]:
    index = torch.zeros(len(rows), 1, dtype=torch.long)
    return {"X": torch.from_numpy(counts[rows].toarray()), "batch": index, "labels": index}


def fast_trainer(module: torch.nn.Module, counts: sp.csr_matrix) -> FastTrainer:
    trainer = FastTrainer(module, counts, lr=LR)
    trainer.draws = draws_of_torch.DrawsOfTorch()
    trainer.kl_weight = KL_WEIGHT
    return trainer


def stock_adam(module: torch.nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(module.parameters(), lr=LR, eps=0.01, weight_decay=1e-6)


def test_gradients_are_those_of_scvi_tools(counts):
    counts = counts.tolil()
    counts[23, 5], counts[:, 7] = 40_000, 0
    counts = counts.tocsr()
    stock = new_model(counts, dropout=0).module.train()
    norm = stock.decoder.factor_regressor.fc_layers[0][1]
    torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
    torch.nn.init.normal_(norm.bias)
    ours = copy.deepcopy(stock)
    before = {name: p.detach().clone() for name, p in ours.named_parameters()}
    rows = np.arange(20, 120)

    torch.manual_seed(5)
    expected = stock(tensors(counts, rows), loss_kwargs={"kl_weight": KL_WEIGHT})[2]
    expected.loss.backward()
    trainer = fast_trainer(ours, counts)
    torch.manual_seed(5)
    losses = trainer.step(rows)

    assert losses.cells == 100
    assert losses.loss / 100 == pytest.approx(expected.loss.item(), rel=1e-6)
    assert losses.reconstruction_loss == pytest.approx(expected.reconstruction_loss_sum.item(), rel=1e-6)
    assert losses.kl_local == pytest.approx(expected.kl_local_sum.item(), rel=1e-5)
    found = {name: p.grad for name, p in ours.named_parameters() if p.grad is not None}
    # After one step Adam's first moment is a tenth of the gradient (and weight decay).
    moments = torch.from_numpy(trainer.first_moments[0]).T.chunk(2)
    found |= {name: m / 0.1 - 1e-6 * before[name] for name, m in zip(FIRST.values(), moments, strict=True)}
    gradients = {name: p.grad for name, p in stock.named_parameters() if p.grad is not None}
    assert found.keys() == gradients.keys()
    largest = max(gradient.norm().item() for gradient in gradients.values())
    for name, gradient in gradients.items():
        error = (found[name] - gradient).norm().item()
        if name in NO_GRADIENT:
            assert gradient.norm().item() < 1e-6 * largest, name
            assert not found[name].any(), name
        else:
            assert error < 1e-4 * gradient.norm().item() + 1e-6 * largest, name


def test_steps_are_those_of_scvi_tools(counts):
    stock = new_model(counts).module.train()
    ours = copy.deepcopy(stock)
    adam = stock_adam(stock)
    trainer = fast_trainer(ours, counts)
    batches = [np.arange(0, 64), np.arange(64, 128), np.arange(128, 150)]
    torch.manual_seed(5)  # dropout and posterior samples are drawn in the same order
    for rows in batches:
        adam.zero_grad()
        stock(tensors(counts, rows), loss_kwargs={"kl_weight": KL_WEIGHT})[2].loss.backward()
        adam.step()
    torch.manual_seed(5)
    for rows in batches:
        trainer.step(rows)
    trainer.finish()

    assert not ours.training
    found = ours.state_dict()
    for name, value in stock.state_dict().items():
        # Rounding differs, and Adam turns small gradients into steps of LR; what has no gradient moves by it alone.
        tolerance = 1e-3 if name in NO_GRADIENT else LR / 10
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}")

    torch.manual_seed(6)
    with torch.no_grad():
        expected = stock.eval()(tensors(counts, batches[0]), loss_kwargs={"kl_weight": KL_WEIGHT})[2]
    torch.manual_seed(6)
    losses = trainer.evaluate(batches[0])
    assert losses.loss / 64 == pytest.approx(expected.loss.item(), rel=1e-3)
    assert losses.reconstruction_loss == pytest.approx(expected.reconstruction_loss_sum.item(), rel=1e-3)


def test_same_seed_gives_the_same_weights_and_another_seed_others(counts):
    settings = Training(max_epochs=2, batch_size=32)
    states = []
    for seed in (4, 4, 5):
        model = new_model(counts, seed=seed)
        fast_training.fit(model, settings=settings)
        states.append(model.module.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["px_r"], states[2]["px_r"])


def test_history_and_split_are_those_of_scvi_tools(counts):
    settings = Training(max_epochs=5, batch_size=32, check_val_every_n_epoch=2)
    stock, ours = new_model(counts), new_model(counts)
    stock.train(max_epochs=5, batch_size=32, check_val_every_n_epoch=2, plan_kwargs={"lr": LR}, accelerator="cpu")
    done = []
    fast_training.fit(ours, settings=settings, progress=lambda *epochs: done.append(epochs))

    assert done == [(i, 5) for i in range(1, 6)]
    assert ours.is_trained
    np.testing.assert_array_equal(ours.train_indices, stock.train_indices)
    np.testing.assert_array_equal(ours.validation_indices, stock.validation_indices)
    assert ours.history.keys() == stock.history.keys()
    for name, table in stock.history.items():
        assert list(ours.history[name].columns) == [name]
        if name != "kl_weight":  # scvi-tools logs it every ten steps only
            assert ours.history[name].index.tolist() == table.index.tolist(), name
    # Another order of the cells, the same course.
    for name in ("elbo_train", "reconstruction_loss_train", "kl_local_train", "train_loss"):
        found, expected = (model.history[name][name].astype(float).to_numpy() for model in (ours, stock))
        np.testing.assert_allclose(found, expected, rtol=0.15, err_msg=name)


def test_a_last_batch_of_one_cell_goes_to_validation(counts):
    model = new_model(counts)
    with pytest.warns(UserWarning, match="moved from training set"):
        fast_training.fit(model, settings=Training(max_epochs=1, batch_size=67))  # 135 = 2 · 67 + 1
    assert (len(model.train_indices), len(model.validation_indices)) == (134, 16)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"gene_likelihood": "zinb"}, "expects gene_likelihood 'nb'; this model differs"),
        ({"use_observed_lib_size": True}, "expects an encoded library size"),
        ({"bias": True, "dispersion": "gene-cell"}, "expects dispersion 'gene', no bias in the decoder"),
    ],
)
def test_what_is_not_covered_is_refused_and_stock_named(counts, option, message):
    model = LinearSCVI(new_model(counts).adata, **option)
    with pytest.raises(DatamixError, match=f"{message}.*\n.*trainer: scvi"):
        fast_training.fit(model, settings=Training(max_epochs=1))


def test_divergence_is_reported(counts):
    model = new_model(counts)
    torch.nn.init.constant_(model.module.px_r, float("nan"))
    with pytest.raises(DatamixError, match=r"diverged: the loss is nan.*\n.*training\.lr"):
        fast_training.fit(model, settings=Training(max_epochs=1))
