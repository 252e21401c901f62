import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from tiny_cells import SMALL
from transformers import BertConfig, BertForMaskedLM

from datamix.geneformer import pretraining, zero_shot
from datamix.geneformer.tokenizer import Ranks
from datamix.geneformer.vocabulary import MASK, Vocabulary
from datamix.project.errors import DatamixError
from datamix.project.profile import Geneformer
from datamix.project.profile_files import read_profile

VOCABULARY = Vocabulary.of_medians({f"G{i:02d}": 1.0 + i for i in range(40)})


HERE = Path(__file__).parent


def draw_cells(n, *, seed):
    """Draw cells of two kinds, with 20 genes each of their own, and of different lengths; some are empty."""
    rng = np.random.default_rng(seed)
    kinds = [rng.permutation(np.arange(2 + 20 * k, 22 + 20 * k))[: rng.integers(6, 20)] for k in rng.integers(0, 2, n)]
    return [[] if i % 17 == 3 else kind.tolist() for i, kind in enumerate(kinds)]


def as_tokens(cells):
    return Dataset.from_dict({"input_ids": cells, "length": [len(c) for c in cells]})


TOKENS = as_tokens(draw_cells(68, seed=0))


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that was not stopped."""
    folder = tmp_path_factory.mktemp("whole") / "model"
    settings, said = Geneformer(**SMALL), []
    return (
        pretraining.pretrain(TOKENS, VOCABULARY, settings=settings, seed=3, folder=folder, say=said.append),
        folder,
        said,
    )


def test_what_is_saved(whole):
    model, folder, said = whole
    loaded = BertForMaskedLM.from_pretrained(folder)
    assert type(loaded) is BertForMaskedLM
    for name, value in weights(loaded).items():
        assert torch.equal(value, model.state_dict()[name])
    config = loaded.config
    assert (config.num_hidden_layers, config.num_attention_heads, config.hidden_size) == (2, 2, 16)
    assert (config.intermediate_size, config.max_position_embeddings, config.vocab_size) == (16, 24, 42)
    assert (config.hidden_act, config.hidden_dropout_prob, config.pad_token_id) == ("relu", 0.02, 0)
    history = pd.read_csv(folder / "history.csv")
    assert history.columns.tolist() == ["step", "epoch", "loss", "learning_rate"]
    # 64 cells have tokens: 8 steps of 8 cells, in two epochs; a line every second step.
    assert history["step"].tolist() == [2, 4, 6, 8, 10, 12, 14, 16]
    assert history["learning_rate"].iloc[0] < history["learning_rate"].max()
    assert history["loss"].iloc[0] == pytest.approx(math.log(42), abs=0.3)
    assert [line.partition(",")[0] for line in said] == [f"step {n} of 16" for n in (4, 8, 12, 16)]
    assert [p.name for p in folder.parent.iterdir()] == ["model"]  # no checkpoints are left
    _, vocabulary = pretraining.load(folder)
    assert vocabulary.digest == VOCABULARY.digest


@pytest.mark.parametrize("stop_at", ["step 4", "step 8", "step 12"])  # within an epoch, at its end, within the next
def test_stopped_and_resumed_it_ends_with_the_same_weights(whole, tmp_path, stop_at, settings):
    def interrupt(line):
        if line.startswith(stop_at + " "):
            raise KeyboardInterrupt

    folder = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        pretraining.pretrain(TOKENS, VOCABULARY, settings=settings, seed=3, folder=folder, say=interrupt)
    assert not folder.exists()
    said = []
    model = pretraining.pretrain(TOKENS, VOCABULARY, settings=settings, seed=3, folder=folder, say=said.append)
    assert not said[0].startswith(stop_at + " ")  # it did not begin again
    for name, value in whole[0].state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name
    assert (folder / "history.csv").read_text() == (whole[1] / "history.csv").read_text()


def test_a_checkpoint_that_was_cut_short_is_passed_over(whole, tmp_path, settings):
    folder = tmp_path / "model"

    def interrupt(line):
        if line.startswith("step 12 "):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretraining.pretrain(TOKENS, VOCABULARY, settings=settings, seed=3, folder=folder, say=interrupt)
    [state] = (tmp_path / "model.checkpoints").glob("*/checkpoint-12/trainer_state.json")
    state.unlink()
    said = []
    model = pretraining.pretrain(TOKENS, VOCABULARY, settings=settings, seed=3, folder=folder, say=said.append)
    assert said[0].startswith("step 12 ")
    assert torch.equal(model.cls.predictions.bias, whole[0].cls.predictions.bias)


def test_checkpoints_of_another_run_are_left_alone_until_a_run_ends(whole, tmp_path, settings):
    folder, said = tmp_path / "model", []

    def interrupt(line):
        said.append(line)
        if line.startswith("step 8 "):
            raise KeyboardInterrupt

    runs = {
        "first": (TOKENS, VOCABULARY, 3),
        "another vocabulary": (TOKENS, Vocabulary.of_medians({f"G{i:02d}": 2.0 + i for i in range(40)}), 3),
        "another seed": (TOKENS, VOCABULARY, 4),
        "other cells": (as_tokens(draw_cells(68, seed=1)), VOCABULARY, 3),
    }
    for tokens, vocabulary, seed in runs.values():
        with pytest.raises(KeyboardInterrupt):
            pretraining.pretrain(tokens, vocabulary, settings=settings, seed=seed, folder=folder, say=interrupt)
    assert [line.partition(",")[0] for line in said] == ["step 4 of 16", "step 8 of 16"] * len(runs)
    said.clear()
    model = pretraining.pretrain(TOKENS, VOCABULARY, settings=settings, seed=3, folder=folder, say=said.append)
    assert [line.partition(",")[0] for line in said] == ["step 12 of 16", "step 16 of 16"]
    for name, value in whole[0].state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name
    assert [p.name for p in tmp_path.iterdir()] == ["model"]  # nor are any checkpoints left of the others


def test_steps_in_place_of_epochs(whole, tmp_path, settings):
    # An epoch has 8 steps. Over the same number of steps training is the same, epochs and masks included.
    for steps in (16, 11):
        change = settings.model_copy(update={"epochs": 1, "steps": steps, "checkpoint_steps": 2})
        folder, said = tmp_path / str(steps), []
        model = pretraining.pretrain(TOKENS, VOCABULARY, settings=change, seed=3, folder=folder, say=said.append)
        assert pd.read_csv(folder / "history.csv")["step"].iloc[-1] == steps
        same = all(torch.equal(value, model.state_dict()[name]) for name, value in whole[0].state_dict().items())
        assert same == (steps == 16)


def test_cells_of_another_vocabulary_are_refused(tmp_path, settings):
    small = Vocabulary.of_medians({"G00": 1.0, "G01": 2.0})
    with pytest.raises(DatamixError, match=r"The cells have token 41, and the vocabulary ends at 3"):
        pretraining.pretrain(TOKENS, small, settings=settings, seed=0, folder=tmp_path / "model")
    with pytest.raises(DatamixError, match="No cell of the training mixture has a token"):
        pretraining.pretrain(as_tokens([[], []]), VOCABULARY, settings=settings, seed=0, folder=tmp_path / "model")


def test_a_model_and_vocabulary_that_do_not_belong_together(whole, tmp_path):
    model, _, _ = whole
    model.save_pretrained(tmp_path)
    Vocabulary.of_medians({"G00": 1.0}).save(tmp_path / "vocabulary.json")
    with pytest.raises(DatamixError, match="the model has 42 tokens, its vocabulary 3"):
        pretraining.load(tmp_path)


def test_a_warm_up_longer_than_training_warns(tmp_path, settings):
    longer = settings.model_copy(update={"warmup_steps": 10_000, "epochs": 1})
    with pytest.warns(
        UserWarning, match=r"warm-up takes 10,000 steps, and training has 8: the learning rate ends at 2.4e"
    ):
        pretraining.pretrain(TOKENS, VOCABULARY, settings=longer, seed=0, folder=tmp_path / "model", say=lambda _: None)
    rates = pd.read_csv(tmp_path / "model" / "history.csv")["learning_rate"]
    assert rates.is_monotonic_increasing
    assert rates.max() < 1e-5


def test_the_loss_is_that_of_the_library(settings):
    model = pretraining.new_model(VOCABULARY, settings=settings, seed=0).eval()
    plain = BertForMaskedLM(model.config).eval()
    plain.load_state_dict(model.state_dict())
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(2, 42, (5, 12), generator=generator)
    attention = torch.ones_like(ids)
    attention[2, 7:] = 0
    labels = torch.where(torch.rand(ids.shape, generator=generator) < 0.3, ids, -100)
    ours = model(ids, attention_mask=attention, labels=labels).loss
    theirs = plain(ids, attention_mask=attention, labels=labels).loss
    assert torch.allclose(ours, theirs, atol=1e-6)
    ours.backward()
    theirs.backward()
    for (name, one), (_, two) in zip(model.named_parameters(), plain.named_parameters(), strict=True):
        assert torch.allclose(one.grad, two.grad, atol=1e-6), name
    halves = model(ids, attention_mask=attention, labels=labels, num_items_in_batch=2 * (labels != -100).sum()).loss
    assert torch.allclose(2 * halves, ours)
    nothing = model(ids, attention_mask=attention, labels=torch.full_like(ids, -100)).loss
    assert nothing == 0
    assert torch.equal(model(ids, attention_mask=attention).logits, plain(ids, attention_mask=attention).logits)


def test_the_first_weights(settings):
    def positions(**change):
        model = pretraining.new_model(VOCABULARY, settings=settings.model_copy(update=change), seed=0)
        return model.bert.embeddings.position_embeddings.weight.detach(), model.eval()

    def attention(model):
        """Return how much each of 24 masked places attends to each, over the heads of the first layer."""
        model.set_attn_implementation("eager")
        ids = torch.full((1, 24), MASK)
        return model.bert(ids, output_attentions=True).attentions[0][0].detach().mean(dim=0)

    random, model = positions()
    plain = BertForMaskedLM(model.config)
    assert model.config.initializer_range == BertConfig().initializer_range == 0.02
    assert random.std() == pytest.approx(plain.bert.embeddings.position_embeddings.weight.std().item(), rel=0.2)
    assert attention(model).max() < 1.2 / 24
    smooth, model = positions(local_start=True, first_weights=0.1)
    assert model.bert.encoder.layer[0].intermediate.dense.weight.std().item() == pytest.approx(0.1, rel=0.1)
    at = torch.arange(24.0)
    torch.testing.assert_close(smooth[:, :2], 0.2 * torch.stack([at.sin(), at.cos()], dim=1))
    # Of sinusoids, the product of two depends on their distance alone.
    products = smooth @ smooth.T
    for distance in (1, 5):
        along = torch.diagonal(products, distance)
        torch.testing.assert_close(along, along[:1].expand_as(along))
    weights = attention(model)
    assert (weights.argmax(dim=1) == torch.arange(24)).all()
    near = (torch.arange(24)[:, None] - torch.arange(24)).abs() <= 3
    assert ((weights * near).sum(dim=1) > 2 * near.sum(dim=1) / 24).all()
    assert all(p.requires_grad for p in model.parameters())


def test_turns_on_one_device_make_the_step_of_several(tmp_path, settings):
    found = []
    for cells in (8, 4):  # a step of 8 cells at once, or in two turns
        one = settings.model_copy(update={"cells_per_device": cells, "dropout": 0.0})
        folder = tmp_path / str(cells)
        model = pretraining.pretrain(TOKENS, VOCABULARY, settings=one, seed=0, folder=folder, say=lambda _: None)
        found.append(weights(model))
    for name, value in found[0].items():
        assert torch.allclose(value, found[1][name], atol=2e-4), name


def test_training_beats_the_frequencies_of_genes(tmp_path, settings):
    longer = settings.model_copy(update={"epochs": 12, "lr": 2e-2})
    model = pretraining.pretrain(TOKENS, VOCABULARY, settings=longer, seed=0, folder=tmp_path / "m", say=lambda _: None)
    held_out = draw_cells(80, seed=5)
    ranks = Ranks(np.concatenate([np.array(c, dtype=np.int32) for c in held_out]), np.cumsum([0, *map(len, held_out)]))
    frequencies = zero_shot.unigram(zero_shot.training_statistics(TOKENS, size=42).counts)
    table = zero_shot.run_masked(model, ranks, frequencies=frequencies, share=0.15, seed=0)
    means = np.average(
        table[["loss", "unigram_loss"]].dropna(), axis=0, weights=table.loc[table["masked"] > 0, "masked"]
    )
    assert means[1] == pytest.approx(math.log(40), abs=0.1)  # all genes are equally frequent
    assert means[0] < means[1] - 0.4  # knowing the kind of cell halves the choice: log 2


def test_several_processes_train_the_same_model_as_one(tmp_path, settings):
    script = tmp_path / "train.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        f"sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent / 'helpers')!r}]\n"
        "from test_pretraining import TOKENS, VOCABULARY\n"
        "from tiny_cells import SMALL\n"
        "from datamix.geneformer.pretraining import pretrain\n"
        "from datamix.project.profile import Geneformer\n"
        "settings = Geneformer(**SMALL | {'dropout': 0.0})\n"
        "folder = Path(sys.argv[1])\n"
        "pretrain(TOKENS, VOCABULARY, settings=settings, seed=0, folder=folder, say=lambda _: None)\n"
    )
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    subprocess.run([*launch, str(tmp_path / "two")], check=True, capture_output=True, timeout=300)
    alone = settings.model_copy(update={"dropout": 0.0})
    one = pretraining.pretrain(TOKENS, VOCABULARY, settings=alone, seed=0, folder=tmp_path / "one", say=lambda _: None)
    two, _ = pretraining.load(tmp_path / "two")
    for name, value in one.state_dict().items():
        assert torch.allclose(value, two.state_dict()[name], atol=2e-4), name


def test_processes_that_cannot_share_a_step(tmp_path, settings, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(DatamixError, match="3 processes cannot share a step of 8 cells evenly, 2 at a time"):
        pretraining.pretrain(TOKENS, VOCABULARY, settings=settings, seed=0, folder=tmp_path / "model")


def test_the_configuration_of_the_paper(tmp_path):
    settings = read_profile(str(Path(__file__).parents[2] / "config" / "paper.yaml")).geneformer
    vocabulary = Vocabulary.of_medians({f"G{i:05d}": 1.0 for i in range(25_424)})
    rng = np.random.default_rng(0)
    cells = as_tokens([rng.permutation(vocabulary.tokens)[: rng.integers(5, 40)].tolist() for _ in range(20)])
    with pytest.warns(UserWarning, match="warm-up takes 10,000 steps, and training has 3"):
        model = pretraining.pretrain(
            cells, vocabulary, settings=settings, seed=0, folder=tmp_path / "model", say=lambda _: None
        )
    config = model.config
    assert (config.num_hidden_layers, config.num_attention_heads, config.hidden_size) == (6, 4, 256)
    assert (config.intermediate_size, config.max_position_embeddings, config.vocab_size) == (512, 2048, 25_426)
    arguments = pretraining._arguments(settings, seed=0, folder=tmp_path / "arguments")
    assert (arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps) == (18, 8)
    assert (arguments.learning_rate, arguments.weight_decay, arguments.warmup_steps) == (1e-3, 1e-3, 10_000)
    assert arguments.lr_scheduler_type == "linear"
    assert arguments.fp16 == torch.cuda.is_available()
