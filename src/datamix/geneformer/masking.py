"""Masking for pretraining: which tokens of a cell are hidden depends on seed, epoch and cell alone.

Data loaders read ahead, so that masks drawn from a running generator would differ after an interruption; these do not.
"""

from collections.abc import Callable, Iterator, Sequence

import datasets
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices

from datamix.geneformer.vocabulary import MASK, PAD

IGNORED = -100
"""Label of a token that the loss leaves out."""
Key = tuple[int, int]
"""Epoch and row."""


class MaskedCells(Dataset):
    """Cells with some tokens hidden: of the chosen, 80 % become `<mask>`, 10 % a random gene, 10 % stay.

    Parameters
    ----------
    tokens
        Rows with `input_ids`; those without a token must have been left out.
    genes
        Tokens (n_genes,) that stand for a gene.
    share
        Probability, 0 to 1, that a token is chosen.
    seed
        With epoch and row it fixes the mask.
    """

    def __init__(self, tokens: datasets.Dataset, *, genes: npt.NDArray[np.int32], share: float, seed: int) -> None:
        self._tokens, self._genes, self._share, self._seed = tokens.with_format("arrow"), genes, share, seed

    @property
    def lengths(self) -> list[int]:
        """Tokens of each cell."""
        return self._tokens.with_format(None)["length"][:]

    def __len__(self) -> int:
        return len(self._tokens)

    def __getitem__(self, key: Key) -> tuple[npt.NDArray, npt.NDArray]:
        return self.__getitems__([key])[0]

    def __getitems__(self, keys: Sequence[Key]) -> list[tuple[npt.NDArray, npt.NDArray]]:
        """Return input and labels of each cell; the loader asks for a batch at a time."""
        column = self._tokens[[row for _, row in keys]]["input_ids"].combine_chunks()
        cells = np.split(column.flatten().to_numpy(), np.cumsum(column.value_lengths().to_numpy())[:-1])
        return [self._mask(cell, key) for cell, key in zip(cells, keys, strict=True)]

    def _mask(self, cell: npt.NDArray, key: Key) -> tuple[npt.NDArray, npt.NDArray]:
        generator = np.random.default_rng([self._seed, *key])
        hidden = generator.random(len(cell)) < self._share
        fate = generator.random(len(cell))
        shown = np.where(hidden & (fate < 0.8), MASK, cell)
        swapped = hidden & (fate >= 0.9)
        shown[swapped] = generator.choice(self._genes, swapped.sum())
        return shown, np.where(hidden, cell, IGNORED)


class EpochOrder(Sampler[Key]):
    """A new order each epoch, fixed by seed and epoch.

    Parameters
    ----------
    lengths
        Tokens of each cell (n_cells,).
    similar
        Cells of one step, which are to have similar lengths: within fifty such steps the order falls from long cells to
        short ones, as in the library that the published scripts use. Nothing: the order is random.
    seed
        Seeds the order.
    epoch
        Asked at the start of each epoch: its number, from 0.
    """

    def __init__(self, lengths: Sequence[int], *, similar: int | None, seed: int, epoch: Callable[[], int]) -> None:
        self._lengths, self._similar, self._seed, self._epoch = lengths, similar, seed, epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[Key]:
        epoch = self._epoch()
        state = np.random.SeedSequence([self._seed, epoch]).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(state >> np.uint64(1)))
        if self._similar is None:
            rows = torch.randperm(len(self._lengths), generator=generator).tolist()
        else:
            rows = get_length_grouped_indices(self._lengths, self._similar, generator=generator)
        return iter([(epoch, row) for row in rows])


def pad(cells: Sequence[tuple[npt.NDArray, npt.NDArray]]) -> dict[str, torch.Tensor]:
    """Put cells (input, labels) in one batch: `input_ids`, `labels`, `attention_mask`, each (n_cells, longest)."""
    shape = (len(cells), max(len(shown) for shown, _ in cells))
    ids, labels = np.full(shape, PAD, dtype=np.int64), np.full(shape, IGNORED, dtype=np.int64)
    for row, (shown, label) in enumerate(cells):
        ids[row, : len(shown)], labels[row, : len(label)] = shown, label
    lengths = np.array([len(shown) for shown, _ in cells])
    attention = (np.arange(shape[1]) < lengths[:, None]).astype(np.int64)
    return {
        "input_ids": torch.from_numpy(ids),
        "labels": torch.from_numpy(labels),
        "attention_mask": torch.from_numpy(attention),
    }


def pack(cells: Sequence[tuple[npt.NDArray, npt.NDArray]]) -> dict[str, torch.Tensor]:
    """Lay cells (input, labels) end to end: `input_ids`, `labels`, each (n_tokens,), and `lengths` (n_cells,)."""
    shown, labels = (torch.from_numpy(np.concatenate(part).astype(np.int64)) for part in zip(*cells, strict=True))
    lengths = torch.tensor([len(one) for one, _ in cells])
    return {"input_ids": shown, "labels": labels, "lengths": lengths}
