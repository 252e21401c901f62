"""Measure pretraining of Geneformer beside the plain library: `transformers.Trainer` with `BertForMaskedLM`.

Both start from the same first weights, hide the same tokens of the same simulated cells with the same chances, and
train one epoch in single precision. The library pads each batch to its longest cell, computes scores of all genes at
every place, and draws cells at random.
"""

import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import numpy.typing as npt
import pandas as pd
from datasets import Dataset
from torch.utils.data import Dataset as Rows
from transformers import BertForMaskedLM, Trainer, TrainingArguments

from benchmarks.measure import Peak, in_processes, wait_for_others
from datamix.geneformer.masking import MaskedCells, pad
from datamix.geneformer.pretraining import new_model, pretrain
from datamix.geneformer.vocabulary import Vocabulary
from datamix.project.profile import Geneformer
from datamix.project.profile_files import read_profile

PUBLISHED_VOCABULARY = 25_426
DEMO_VOCABULARY = 2_126
_GENES = 5_000
_PROCESSES = 2
_SEED = 0


@dataclass(frozen=True)
class Size:
    """A model, and on how many cells it is measured."""

    name: str
    settings: Geneformer
    tokens: int
    """Of the vocabulary."""
    cells: int


def sizes() -> tuple[Size, ...]:
    """Return the demo's model, and one of 4 layers, 256 wide, with the published vocabulary and with the demo's."""
    large = Geneformer(layers=4, input_size=512, batch_size=8, cells_per_device=8)
    demo = read_profile("demo").geneformer
    assert demo is not None
    return (
        Size("demo", demo, DEMO_VOCABULARY, 800),
        Size("4 layers, 256 wide", large, PUBLISHED_VOCABULARY, 48),
        Size("4 layers, 256 wide, few genes", large, DEMO_VOCABULARY, 48),
    )


def beside_stock(size: Size, *, repeats: int) -> dict[str, float | str]:
    """Train with the library and with ours, in turn, in two processes of one thread at a time, as the workflow does.

    Returns
    -------
    `model`; `tokens` (of the cells of a process, padding not counted); medians over the repeats of `stock tokens/s` and
    `ours tokens/s` (of both processes together), `times stock`, `times stock by CPU time` (which other programs on the
    machine disturb less), `stock peak MB` and `ours peak MB` (what training adds to the memory of its process).
    """
    measured = in_processes(
        partial(_in_turn, size, repeats), cells=size.cells, genes=_GENES, processes=_PROCESSES, threads=1
    )
    table = pd.DataFrame([row for rows in measured for row in rows])
    turns = table.groupby(["repeat", "way"]).agg(
        rate=("tokens/s", "sum"), cpu=("CPU s", "sum"), peak=("peak MB", "max")
    )
    stock, ours = (turns.xs(way, level="way") for way in ("stock", "ours"))
    return {
        "model": size.name,
        "tokens": float(table["tokens"].iloc[0]),
        "stock tokens/s": float(stock["rate"].median()),
        "ours tokens/s": float(ours["rate"].median()),
        "times stock": float((ours["rate"] / stock["rate"]).median()),
        "times stock by CPU time": float((stock["cpu"] / ours["cpu"]).median()),
        "stock peak MB": float(stock["peak"].median()),
        "ours peak MB": float(ours["peak"].median()),
    }


def _in_turn(size: Size, repeats: int, simulated: ad.AnnData) -> list[dict[str, Any]]:
    # As many genes as a simulated cell expresses, so that lengths vary as they do between cells.
    lengths = np.minimum(np.diff(simulated.X.indptr), size.settings.input_size)
    vocabulary = Vocabulary.of_medians({f"G{i:05d}": 1.0 for i in range(size.tokens - 2)})
    generator = np.random.default_rng(_SEED)
    cells = [generator.permutation(vocabulary.tokens)[:length].tolist() for length in lengths]
    tokens = Dataset.from_dict({"input_ids": cells, "length": lengths.tolist()})
    change = {"epochs": 1, "steps": None, "warmup_steps": 1, "checkpoint_steps": 1_000_000}
    settings = size.settings.model_copy(update=change)
    found = []
    for repeat in range(repeats):
        for way, train in (("stock", _stock), ("ours", _ours)):
            with tempfile.TemporaryDirectory() as folder:
                wait_for_others()
                with Peak() as peak:
                    began, used = time.perf_counter(), time.process_time()
                    train(tokens, vocabulary, settings, Path(folder))
                    took, used = time.perf_counter() - began, time.process_time() - used
            row = {"repeat": repeat, "way": way, "tokens": int(lengths.sum()), "CPU s": used}
            found.append(row | {"tokens/s": lengths.sum() / took, "peak MB": peak.megabytes})
    return found


def _ours(tokens: Dataset, vocabulary: Vocabulary, settings: Geneformer, folder: Path) -> None:
    pretrain(tokens, vocabulary, settings=settings, seed=_SEED, folder=folder / "model", say=lambda _: None)


def _stock(tokens: Dataset, vocabulary: Vocabulary, settings: Geneformer, folder: Path) -> None:
    first = new_model(vocabulary, settings=settings, seed=_SEED)
    model = BertForMaskedLM(first.config)
    model.load_state_dict(first.state_dict())
    del first
    arguments = TrainingArguments(
        output_dir=str(folder / "checkpoints"),
        seed=_SEED,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.cells_per_device,
        gradient_accumulation_steps=settings.batch_size // settings.cells_per_device,
        learning_rate=settings.lr,
        warmup_steps=settings.warmup_steps,
        weight_decay=settings.weight_decay,
        use_cpu=True,
        remove_unused_columns=False,
        save_strategy="no",
        disable_tqdm=True,
        report_to="none",
    )
    masked = MaskedCells(tokens, genes=vocabulary.tokens, share=settings.masked, seed=_SEED)
    Trainer(model=model, args=arguments, train_dataset=_FirstEpoch(masked), data_collator=pad).train()
    model.save_pretrained(folder / "model")


class _FirstEpoch(Rows):
    """Masked cells by their row alone."""

    def __init__(self, cells: MaskedCells) -> None:
        self._cells = cells

    def __len__(self) -> int:
        return len(self._cells)

    def __getitem__(self, row: int) -> tuple[npt.NDArray, npt.NDArray]:
        return self._cells[(0, row)]

    def __getitems__(self, rows: list[int]) -> list[tuple[npt.NDArray, npt.NDArray]]:
        return self._cells.__getitems__([(0, row) for row in rows])
