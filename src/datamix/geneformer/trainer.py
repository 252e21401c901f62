"""The library's trainer, with an order of cells that depends on seed and epoch alone, and less to do at each step."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments

from datamix.geneformer.masking import EpochOrder, MaskedCells

Say = Callable[[str], None]


class MixtureTrainer(Trainer):
    """The library's trainer of a model on `MaskedCells`.

    A step of a small model takes a processor little longer than what the library does around it, so that is left out
    where one process or several train on processors. Order, loss, gradients and checkpoints are not changed by it.
    """

    def __init__(self, *, similar_lengths: bool, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._similar_lengths = similar_lengths
        assert self.model is not None
        self._weights = list(self.model.parameters())

    def _get_train_sampler(self, train_dataset: Any = None) -> EpochOrder:
        cells, arguments = self.train_dataset, self.args
        assert isinstance(cells, MaskedCells)
        step = arguments.train_batch_size * arguments.gradient_accumulation_steps
        similar = step if self._similar_lengths else None
        return EpochOrder(cells.lengths, similar=similar, seed=arguments.seed, epoch=self._epoch)

    def _epoch(self) -> int:
        cells = self.train_dataset
        assert isinstance(cells, MaskedCells)
        return self.state.global_step // epoch_steps(len(cells), self.args)

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """Compute loss and gradients of a batch; the library walks through all modules, and looks for packages."""
        if not self.args.use_cpu:
            return super().training_step(model, inputs, num_items_in_batch)
        if not model.training:
            model.train()
        loss = self.compute_loss(model, inputs, num_items_in_batch=num_items_in_batch)
        assert isinstance(loss, torch.Tensor)
        loss.backward()
        return loss.detach()

    def _clip_grad_norm(self, model: nn.Module) -> torch.Tensor:
        if not self.args.use_cpu:
            return super()._clip_grad_norm(model)
        return nn.utils.clip_grad_norm_(self._weights, self.args.max_grad_norm)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Count none: the library counts all weights anew at each step, and the number is of no use here."""
        return 0


class Watch(TrainerCallback):
    """Says when a checkpoint is whole, and records the loss of the last step."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """Ask for a line of the last step."""
        if state.global_step >= state.max_steps:  # the curve has its end, however short training is
            control.should_log = True

    def on_save(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """Say where training is."""
        loss = next((line["loss"] for line in reversed(state.log_history) if "loss" in line), math.nan)
        self._say(f"step {state.global_step:,} of {state.max_steps:,}, masked loss {loss:.3f}")


def epoch_steps(cells: int, arguments: TrainingArguments) -> int:
    """Count the steps of an epoch."""
    batches = math.ceil(cells / arguments.per_device_train_batch_size / arguments.world_size)
    return math.ceil(batches / arguments.gradient_accumulation_steps)
