"""Packed cells against the library on padded ones: the same loss, gradients, steps and dropout."""

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import BertForMaskedLM, Trainer

from datamix.geneformer import pretraining
from datamix.geneformer.masking import EpochOrder, MaskedCells, pack, pad
from datamix.geneformer.packed import drop
from datamix.geneformer.vocabulary import Vocabulary

VOCABULARY = Vocabulary.of_medians({f"G{i:02d}": 1.0 + i for i in range(40)})


def masked_cells(n, *, seed=0):
    """Return cells of 1 to 24 genes, so short that in some nothing is hidden."""
    generator = np.random.default_rng(seed)
    cells = [generator.permutation(VOCABULARY.tokens)[: generator.integers(1, 25)].tolist() for _ in range(n)]
    tokens = Dataset.from_dict({"input_ids": cells, "length": [len(cell) for cell in cells]})
    return MaskedCells(tokens, genes=VOCABULARY.tokens, share=0.3, seed=seed)


def models(settings, **change):
    """Return our model and the library's, with the same weights."""
    ours = pretraining.new_model(VOCABULARY, settings=settings.model_copy(update=change), seed=0)
    stock = BertForMaskedLM(ours.config)
    stock.load_state_dict(ours.state_dict())
    return ours, stock


@pytest.mark.parametrize("layers", [1, 3])
def test_loss_and_gradients_are_those_of_the_library(settings, layers):
    # Large first weights, so that no gradient is near 0.
    ours, stock = (model.eval() for model in models(settings, layers=layers, first_weights=0.3))
    masked = masked_cells(9)
    cells = [*masked.__getitems__([(0, row) for row in range(9)]), (np.array([4, 3, 7]), np.full(3, -100))]
    assert len({len(shown) for shown, _ in cells}) > 5
    one, two = ours(**pack(cells)).loss, stock(**pad(cells)).loss
    torch.testing.assert_close(one, two)
    one.backward()
    two.backward()
    for (name, a), (_, b) in zip(ours.named_parameters(), stock.named_parameters(), strict=True):
        assert name.endswith("key.bias") or b.grad.abs().max() > 1e-6, name  # a bias of keys changes nothing
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-6, msg=name)


def test_cells_of_which_nothing_is_hidden(settings):
    ours, _ = models(settings)
    cells = [(np.array([4, 3, 7]), np.full(3, -100)), (np.array([5]), np.full(1, -100))]
    loss = ours(**pack(cells)).loss
    loss.backward()
    assert loss == 0
    # Several processes wait for every gradient.
    assert all(weights.grad is not None and not weights.grad.any() for weights in ours.parameters())


def test_steps_are_those_of_the_library_s_trainer(settings, tmp_path):
    """From the same first weights and with the same batches, clipping and schedule included."""

    class Stock(Trainer):
        def _get_train_sampler(self, train_dataset=None):
            lengths = self.train_dataset.lengths
            return EpochOrder(lengths, similar=None, seed=7, epoch=lambda: self.state.global_step // 8)

    change = {"cells_per_device": 8, "dropout": 0.0, "similar_lengths": False, "first_weights": 0.3, "masked": 0.3}
    settings = settings.model_copy(update=change)
    masked = masked_cells(64, seed=7)
    _, stock = models(settings)
    stock.load_state_dict(pretraining.new_model(VOCABULARY, settings=settings, seed=7).state_dict())
    first = stock.cls.predictions.bias.detach().clone()
    arguments = pretraining._arguments(settings, seed=7, folder=tmp_path / "stock")
    trainer = Stock(model=stock, args=arguments, train_dataset=masked, data_collator=pad)
    trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    norms = [line["grad_norm"] for line in trainer.state.log_history if "loss" in line]
    assert max(norms) > arguments.max_grad_norm  # so that clipping is seen
    folder = tmp_path / "ours"
    model = pretraining.pretrain(
        masked._tokens, VOCABULARY, settings=settings, seed=7, folder=folder, say=lambda _: None
    )
    history = np.genfromtxt(folder / "history.csv", delimiter=",", names=True)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-4)
    assert (model.cls.predictions.bias - first).abs().max() > 1e-2
    for name, weights in stock.named_parameters():
        if name.endswith("key.bias"):  # has no effect, and no gradient but rounding, which the optimiser makes large
            continue
        torch.testing.assert_close(model.get_parameter(name), weights, rtol=0, atol=1e-3, msg=name)


def test_dropout_draws_each_value_as_often_as_asked():
    torch.manual_seed(0)
    assert drop(torch.ones(3), 0.0).tolist() == [1, 1, 1]
    for share in (0.02, 0.5):
        kept = drop(torch.ones(4_000, 5, 10), share)
        assert set(kept.unique().tolist()) == {0.0, torch.tensor(1.0).div(1 - share).item()}
        dropped = (kept == 0).double().view(4_000, 50)
        error = (share * (1 - share) / 4_000) ** 0.5
        assert (dropped.mean(dim=0) - share).abs().max() < 5 * error  # at every place
        # Neighbours are dropped independently.
        together = (dropped[:, 1:] * dropped[:, :-1]).mean()
        assert together == pytest.approx(share**2, abs=5 * (share**2 / dropped[:, 1:].numel()) ** 0.5)
    values = torch.randn(7, 300, requires_grad=True)
    drop(values, 0.3).sum().backward()
    assert set(values.grad.unique().tolist()) == {0.0, torch.tensor(1.0).div(0.7).item()}


PLACES = [
    "embeddings",
    *(f"layer.{i}.{part}" for i in (0, 1) for part in ("attention.self", "attention.output", "output")),
]


@pytest.mark.parametrize("place", PLACES)
def test_dropout_acts_where_and_as_the_library_s(settings, place):
    ours, stock = models(settings, first_weights=0.3, dropout=0.0)
    for model in (ours, stock):
        model.bert.get_submodule(place if place == "embeddings" else f"encoder.{place}").dropout.p = 0.3
    cells = masked_cells(6).__getitems__([(0, row) for row in range(6)])
    packed, padded = pack(cells), pad(cells)
    torch.manual_seed(0)
    with torch.no_grad():
        one = torch.stack([ours.train()(**packed).loss for _ in range(400)])
        two = torch.stack([stock.train()(**padded).loss for _ in range(400)])
        certain = ours.eval()(**packed).loss
        torch.testing.assert_close(certain, stock.eval()(**padded).loss)
    error = ((one.var() + two.var()) / 400).sqrt()
    assert (one.mean() - two.mean()).abs() < 4 * error
    assert two.std() > 1e-4
    assert one.std() == pytest.approx(two.std().item(), rel=0.25)
