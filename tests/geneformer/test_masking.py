import numpy as np
import pytest
import torch
from datasets import Dataset

from datamix.geneformer.masking import EpochOrder, MaskedCells, pack, pad
from datamix.geneformer.vocabulary import MASK

GENES = np.arange(2, 52, dtype=np.int32)


@pytest.fixture
def masked():
    rng = np.random.default_rng(0)
    cells = [rng.permutation(GENES)[: rng.integers(30, 50)].tolist() for _ in range(400)]
    return MaskedCells(
        Dataset.from_dict({"input_ids": cells, "length": [len(c) for c in cells]}), genes=GENES, share=0.15, seed=7
    ), cells


def test_shares_of_hidden_swapped_and_kept_tokens(masked):
    data, cells = masked
    shown, labels = (np.concatenate(x) for x in zip(*data.__getitems__([(0, i) for i in range(400)]), strict=True))
    truth = np.concatenate(cells)
    hidden = labels != -100
    assert (labels[hidden] == truth[hidden]).all()
    assert (shown[~hidden] == truth[~hidden]).all()
    assert hidden.mean() == pytest.approx(0.15, abs=0.01)
    assert (shown[hidden] == MASK).mean() == pytest.approx(0.8, abs=0.03)
    same = shown[hidden] == truth[hidden]
    assert same.mean() == pytest.approx(0.1 + 0.1 / len(GENES), abs=0.025)  # kept, or swapped for itself
    swapped = shown[hidden & (shown != MASK) & (shown != truth)]
    assert set(swapped) <= set(GENES.tolist())
    assert len(set(swapped)) > 30


def test_a_mask_depends_on_seed_epoch_and_cell_alone(masked):
    data, cells = masked
    one, two = data[(2, 5)], data.__getitems__([(2, 9), (2, 5)])[1]
    assert (one[0] == two[0]).all()
    assert (one[1] == two[1]).all()
    assert (one[1] != data[(3, 5)][1]).any()
    other = MaskedCells(Dataset.from_dict({"input_ids": cells}), genes=GENES, share=0.15, seed=8)
    assert (one[1] != other[(2, 5)][1]).any()


@pytest.mark.parametrize("similar", [10, None])
def test_every_cell_once_an_epoch_and_where_asked_similar_lengths_together(similar):
    lengths = np.random.default_rng(0).integers(1, 100, size=203).tolist()
    epoch = 0
    order = EpochOrder(lengths, similar=similar, seed=1, epoch=lambda: epoch)
    keys = list(order)
    assert sorted(row for _, row in keys) == list(range(203))
    assert {e for e, _ in keys} == {0}
    assert keys == list(order)
    steps = np.array([[lengths[row] for _, row in keys[i : i + 10]] for i in range(0, 200, 10)])
    assert (np.median(np.ptp(steps, axis=1)) < 30) == (similar == 10)
    # By length, the mean over a step falls along the epoch; at random it scatters around that of all cells.
    assert (np.ptp(steps.mean(axis=1)) < 50) == (similar is None)
    epoch = 1
    assert [row for _, row in order] != [row for _, row in keys]
    assert len(order) == 203


def test_padding():
    cells = [(np.array([5, 1, 7]), np.array([-100, 6, -100])), (np.array([3]), np.array([-100]))]
    batch = pad(cells)
    assert batch["input_ids"].tolist() == [[5, 1, 7], [3, 0, 0]]
    assert batch["labels"].tolist() == [[-100, 6, -100], [-100, -100, -100]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["input_ids"].dtype == torch.int64


def test_cells_end_to_end():
    cells = [(np.array([5, 1, 7]), np.array([-100, 6, -100])), (np.array([3]), np.array([-100]))]
    batch = pack(cells)
    assert batch["input_ids"].tolist() == [5, 1, 7, 3]
    assert batch["labels"].tolist() == [-100, 6, -100, -100]
    assert batch["lengths"].tolist() == [3, 1]
    assert batch["input_ids"].dtype == batch["labels"].dtype == torch.int64
