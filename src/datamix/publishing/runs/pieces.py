"""How long pieces of a run's work take on one thread that nothing disturbs, by genes, cells and counts.

Measured on the machine of `recorded/bench/rules.json`; `python -m benchmarks.pieces` measures those of training again.
The times of real runs, whose jobs run side by side, say how many times as long it all takes there
(`datamix.publishing.runs.cost`).
"""

from collections.abc import Sequence
from math import ceil

TRAINED = 0.9
"""Of the cells; the others are for validation."""

# Seconds of a training step: of each gene in it; of a cell; of each gene of a cell; and of each that is not 0. What a
# step costs beside these is lost in their scatter.
STEP_GENE, CELL, CELL_GENE, COUNT = 7.7e-7, 6.7e-6, 4.3e-9, 5.6e-8
# Of a model that is read for, made, saved or loaded: at all, and of each gene.
_MODEL, _MODEL_GENE = 0.1, 1.5e-5
# Of a cell that a model scores: at all, and of each gene. Of one that is read, a count; and of its ceiling.
_ROW, _ROW_GENE, _READ_COUNT, _CEILING = 2e-5, 8.5e-9, 3.2e-7, 4e-4
# Of a cell that a simple model scores; and of fitting it, a count.
_SIMPLE_ROW, _SIMPLE_ROW_GENE = 1.3e-5, 2.6e-9
_FIT_COUNT = {"pca": 1e-7, "nearest": 3e-8, "nmf": 5.2e-7, "mean": 1e-8}


def training(cells: float, *, counts: float, genes: int, epochs: int, batch: int) -> float:
    """Return the seconds of training an LDVAE.

    Parameters
    ----------
    cells, counts, genes
        Cells, the genes of a cell that are not 0, and all genes.
    epochs, batch
        Of the training.
    """
    steps = ceil(TRAINED * cells / batch) * epochs
    seen = TRAINED * cells * epochs
    return steps * STEP_GENE * genes + seen * (CELL + CELL_GENE * genes + COUNT * counts)


def models(n: float, *, genes: int) -> float:
    """Return the seconds of what comes with each of `n` models beside its training: to read cells, save and load."""
    return n * (_MODEL + _MODEL_GENE * genes)


def scoring(rows: float, *, genes: int) -> float:
    """Return the seconds of scoring LDVAEs; a row is a cell under one of them."""
    return rows * (_ROW + _ROW_GENE * genes)


def reading(cells: float, *, counts: float, ceilings: bool = False) -> float:
    """Return the seconds of reading cells that are to be scored, with their ceilings if wanted."""
    return cells * (_READ_COUNT * counts + ceilings * _CEILING)


def fitting(names: Sequence[str], cells: float, *, counts: float) -> float:
    """Return the seconds of fitting simple models to so many cells."""
    return sum(_FIT_COUNT[name] for name in names) * cells * counts


def scoring_simple(rows: float, *, genes: int) -> float:
    """Return the seconds of scoring simple models; a row is a cell under one of them."""
    return rows * (_SIMPLE_ROW + _SIMPLE_ROW_GENE * genes)
