"""Pretraining: a BERT masked language model on the ranked genes of a mixture, resumed exactly where it was stopped.

Settings as in the published scripts (doi 10.1101/2025.02.19.639127), as far as those fix them. One process trains on
the processor or one GPU; started through `torchrun` or `accelerate launch`, several share each step's cells.
"""

import hashlib
import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow.compute as pc
import torch
from torch import nn
from transformers import BertConfig, BertForMaskedLM, TrainingArguments, set_seed
from transformers.modeling_outputs import MaskedLMOutput
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from datamix.geneformer.masking import IGNORED, MaskedCells, pack, pad
from datamix.geneformer.packed import states_at
from datamix.geneformer.trainer import MixtureTrainer, Say, Watch, epoch_steps
from datamix.geneformer.vocabulary import PAD, Vocabulary
from datamix.project.errors import DatamixError
from datamix.project.files import replacing
from datamix.project.profile import Geneformer

_STATE = "trainer_state.json"
_LOCAL = 1.5
"""Queries and keys of a local start, relative to what they are made from: places a few ranks away get most weight."""


class MaskedOnly(BertForMaskedLM):
    """The same model and loss; in training, the scores over all genes are computed at the hidden tokens only.

    With 15 % hidden and a vocabulary of 25,000, that leaves out most of the largest matrix product. Cells that lie
    end to end go through `datamix.geneformer.packed`.
    """

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        num_items_in_batch: torch.Tensor | None = None,
        lengths: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> MaskedLMOutput:
        """Return the loss, the mean over the hidden tokens (of all processes and parts of a step, where counted).

        With `lengths`, the cells lie end to end, as `datamix.geneformer.masking.pack` makes them.
        """
        if labels is None:
            return super().forward(input_ids, attention_mask=attention_mask, **kwargs)
        hidden = labels != IGNORED
        if lengths is None:
            states = self.bert(input_ids, attention_mask=attention_mask).last_hidden_state[hidden]
        else:
            assert input_ids is not None
            states = states_at(self.bert, input_ids, lengths.tolist(), hidden)
        scores = self.cls(states)
        total = nn.functional.cross_entropy(scores.float(), labels[hidden], reduction="sum")
        # A batch of very short cells may hide nothing; its loss is then 0.
        count = hidden.sum().clamp(min=1) if num_items_in_batch is None else num_items_in_batch
        return MaskedLMOutput(loss=total / count)


def new_model(vocabulary: Vocabulary, *, settings: Geneformer, seed: int) -> MaskedOnly:
    """Make an untrained model.

    With `local_start`, which is ours, position embeddings start as sinusoids (Vaswani et al. 2017,
    doi 10.48550/arXiv.1706.03762), twice as large as the other first weights, and queries and keys as the same multiple
    of what they are made from (after Trockman and Kolter 2023, doi 10.48550/arXiv.2305.09828). A rank then attends most
    to the ranks near it, whose genes say most about it: which genes come next to each other depends on their medians.
    A small model that has to discover that by itself takes most of its steps to do so.

    Parameters
    ----------
    vocabulary
        Its size is the model's.
    settings
        Layers, heads, widths, dropout, input size, and how the first weights are drawn.
    seed
        Seeds the first weights.
    """
    set_seed(seed)
    model = MaskedOnly(
        BertConfig(
            vocab_size=vocabulary.size,
            hidden_size=settings.width,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.heads,
            intermediate_size=settings.feed_forward,
            max_position_embeddings=settings.input_size,
            hidden_act="relu",
            hidden_dropout_prob=settings.dropout,
            attention_probs_dropout_prob=settings.dropout,
            pad_token_id=PAD,
            type_vocab_size=1,
            initializer_range=settings.first_weights,
        )
    )
    if settings.local_start:
        start = 2 * settings.first_weights * _sinusoids(settings.input_size, settings.width)
        model.bert.embeddings.position_embeddings.weight.data.copy_(start)
        for name, weights in model.named_parameters():
            if name.endswith(("attention.self.query.weight", "attention.self.key.weight")):
                weights.data.copy_(_LOCAL * torch.eye(settings.width))
    return model


def _sinusoids(positions: int, width: int) -> torch.Tensor:
    """Return sine and cosine (positions, width) of wavelengths from 2π to almost 2π · positions."""
    angles = torch.arange(positions)[:, None] / positions ** (torch.arange(0, width, 2) / width)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(start_dim=1)[:, :width]


def pretrain(
    tokens: datasets.Dataset,
    vocabulary: Vocabulary,
    *,
    settings: Geneformer,
    seed: int,
    folder: Path,
    say: Say = print,
) -> BertForMaskedLM:
    """Train a model on the cells of a mixture, going on from the last checkpoint where there is one.

    Parameters
    ----------
    tokens
        Rows with `input_ids` and `length`, made with this vocabulary; cells without tokens are left out.
    vocabulary
        What the tokens mean.
    settings
        Of the profile.
    seed
        Seeds weights, order, masks and dropout.
    folder
        Receives `config.json` and `model.safetensors` (`BertForMaskedLM.from_pretrained` opens it), `vocabulary.json`,
        and `history.csv` (step, epoch, loss, learning rate). Checkpoints lie in `<folder>.checkpoints` until then,
        those of each run in a folder of their own.
    say
        Called with a line a checkpoint.

    Returns
    -------
    The trained model, in evaluation mode.

    Raises
    ------
    DatamixError
        If no cell has a token, a token is outside the vocabulary, or the processes cannot share a step's cells evenly.

    Warns
    -----
    UserWarning
        If the warm-up is as long as the training or longer, so that the learning rate never reaches its peak.
    """
    cells = _checked(tokens, vocabulary)
    run = _run(cells, vocabulary, settings=settings, seed=seed)
    arguments = _arguments(settings, seed=seed, folder=_checkpoints(folder) / run)
    steps = settings.steps or settings.epochs * epoch_steps(len(cells), arguments)
    if settings.warmup_steps >= steps:
        warnings.warn(
            f"warm-up takes {settings.warmup_steps:,} steps, and training has {steps:,}: the learning rate ends at "
            f"{settings.lr * steps / settings.warmup_steps:.2g} and never reaches its peak of {settings.lr:.2g}",
            stacklevel=2,
        )
    checkpoint = _last_checkpoint(_checkpoints(folder) / run)
    network = new_model(vocabulary, settings=settings, seed=seed)
    trainer = MixtureTrainer(
        similar_lengths=settings.similar_lengths,
        model=network,
        args=arguments,
        train_dataset=MaskedCells(cells, genes=vocabulary.tokens, share=settings.masked, seed=seed),
        data_collator=pack if arguments.use_cpu else pad,  # a GPU is fastest with whole batches
        callbacks=[Watch(say)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    # Saved as the library's own class; the trainer holds the same object.
    model = BertForMaskedLM(network.config)
    model.load_state_dict(network.state_dict())
    if trainer.is_world_process_zero():
        history = pd.DataFrame([line for line in trainer.state.log_history if "loss" in line])
        with replacing(folder) as beside:
            model.save_pretrained(beside)
            vocabulary.save(beside / "vocabulary.json")
            history[["step", "epoch", "loss", "learning_rate"]].to_csv(beside / "history.csv", index=False)
        shutil.rmtree(_checkpoints(folder))
    trainer.accelerator.wait_for_everyone()
    nn.Module.to(model, arguments.device)
    return model.eval()


def load(folder: Path) -> tuple[BertForMaskedLM, Vocabulary]:
    """Load a model and its vocabulary.

    Raises
    ------
    DatamixError
        If there is none, or model and vocabulary do not belong together.
    """
    vocabulary = Vocabulary.load(folder / "vocabulary.json")
    model = BertForMaskedLM.from_pretrained(folder, local_files_only=True)
    if model.config.vocab_size != vocabulary.size:
        msg = f"{folder}: the model has {model.config.vocab_size:,} tokens, its vocabulary {vocabulary.size:,}."
        raise DatamixError(msg, fix="delete the folder and train again")
    return model.eval(), vocabulary


def _checked(tokens: datasets.Dataset, vocabulary: Vocabulary) -> datasets.Dataset:
    lengths = np.asarray(tokens.with_format("numpy")["length"][:])
    if not lengths.any():
        msg = "No cell of the training mixture has a token."
        raise DatamixError(msg, fix="check that its genes are those of the vocabulary")
    largest = pc.max(pc.list_flatten(tokens.data["input_ids"])).as_py()
    if largest >= vocabulary.size:
        msg = f"The cells have token {largest:,}, and the vocabulary ends at {vocabulary.size - 1:,}."
        raise DatamixError(msg, fix="tokenise the mixture again, with this vocabulary")
    return tokens if lengths.all() else tokens.select(np.flatnonzero(lengths))


def _arguments(settings: Geneformer, *, seed: int, folder: Path) -> TrainingArguments:
    gpu = torch.cuda.is_available()
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    at_once = min(settings.cells_per_device, settings.batch_size // processes)
    if at_once == 0 or settings.batch_size % (processes * at_once):
        msg = f"{processes} processes cannot share a step of {settings.batch_size} cells evenly, {at_once} at a time."
        raise DatamixError(msg, fix="start another number of processes, or change geneformer.batch_size in the profile")
    return TrainingArguments(
        output_dir=str(folder),
        seed=seed,
        data_seed=seed,
        num_train_epochs=settings.epochs,
        max_steps=settings.steps or -1,
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=settings.batch_size // (processes * at_once),
        learning_rate=settings.lr,
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup_steps,
        weight_decay=settings.weight_decay,
        fp16=settings.half_precision and gpu,
        use_cpu=not gpu,
        logging_steps=settings.log_steps,
        save_steps=settings.checkpoint_steps,
        save_total_limit=2,
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
        dataloader_num_workers=4 if gpu else 0,
        dataloader_pin_memory=gpu,
        disable_tqdm=True,
        report_to="none",
    )


def _checkpoints(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.checkpoints")


def _last_checkpoint(folder: Path) -> Path | None:
    """Return the newest whole checkpoint of a run, where there is one."""
    # The trainer writes its state last.
    whole = [p for p in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*") if (p / _STATE).is_file()]
    return max(whole, key=lambda p: int(p.name.rpartition("-")[2]), default=None)


def _run(cells: datasets.Dataset, vocabulary: Vocabulary, *, settings: Geneformer, seed: int) -> str:
    """Name a run by what decides it: checkpoints of other cells or settings lie beside, and are not gone on from."""
    digest = hashlib.sha256()
    for chunk in cells.with_format("arrow").iter(batch_size=2_000):
        digest.update(pc.list_flatten(chunk["input_ids"]).combine_chunks().to_numpy().tobytes())
    about = settings.model_dump(mode="json", exclude={"baselines", "added", "seeds", "evaluation_cells"})
    digest.update(json.dumps([vocabulary.digest, about, seed], sort_keys=True).encode())
    return digest.hexdigest()[:16]
