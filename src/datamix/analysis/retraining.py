"""How much another training of the same mixture would change a uniqueness, estimated from the seeds of all mixtures."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Deviations:
    """What other trainings would add to the logarithm of the uniqueness, averaged over seeds."""

    predicts: Array
    """(resamples, sets, mixtures): of the models of a mixture, as those that predict."""
    predicted: Array
    """(resamples, sets, mixtures): as those that are predicted."""
    rest: Array
    """(resamples, sets, mixtures, mixtures): of the pairs."""
    degrees: int


def training_deviations(logs: Array, *, resamples: int, generator: np.random.Generator) -> Deviations:
    """Estimate the scatter of (sets, known, seed, new, seed) between seeds, pooled over mixtures, and draw from it."""
    sets, names, seeds, _, _ = logs.shape
    known, s, new, t = (axis.ravel() for axis in np.indices((names, seeds, names, seeds)))
    apart = s != t
    block = known[apart] * names + new[apart]
    rows = np.arange(block.size)
    design = np.zeros((block.size, 2 * names * seeds))
    design[rows, (known * seeds + s)[apart]] = 1
    design[rows, (names * seeds + new * seeds + t)[apart]] = 1
    values = logs.reshape(sets, -1)[:, apart].T
    design, values = (x - _means_of(block, x)[block] for x in (design, values))
    effects, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    left = ((values - design @ effects) ** 2).sum(axis=0)
    left_degrees = max(1, block.size - names**2 - rank)
    # (role, mixture, seed, sets). What all mixtures of a seed share drops out between mixtures.
    effects = effects.reshape(2, names, seeds, sets)
    effects = effects - effects.mean(axis=2, keepdims=True)
    effects = effects - effects.mean(axis=1, keepdims=True)
    degrees = (names - 1) * (seeds - 1)
    # Some mixtures scatter more than others: one whose own seeds say so is not held to the scatter of all.
    pooled = (effects**2).sum(axis=(1, 2), keepdims=True) / max(1, degrees)
    own = (effects**2).sum(axis=2, keepdims=True) / (seeds - 1) * names / max(1, names - 1)
    wider = np.sqrt(np.maximum(1, own / np.maximum(pooled, np.finfo(float).tiny)))[:, :, 0]  # (role, mixture, sets)
    # The two roles of a model, and its evaluation sets, vary together.
    of_models = np.concatenate(effects.reshape(2, names * seeds, sets), axis=1)
    mixed = generator.standard_normal((resamples, names, names * seeds)) @ of_models / np.sqrt(seeds)
    mixed = np.swapaxes(mixed.reshape(resamples, names, 2, sets), 1, 3)  # (resamples, sets, role, mixtures)
    mixed = mixed * np.moveaxis(wider, 2, 0)
    mixed = mixed / np.sqrt(generator.chisquare(max(1, degrees), size=(resamples, sets, 2, 1)))
    sd = np.sqrt(left / generator.chisquare(left_degrees, size=(resamples, sets)))
    rest = generator.standard_normal((resamples, sets, names, names)) / np.sqrt(seeds * (seeds - 1))
    # Of one mixture, models i and j predict each other: that is one pair of models, not two.
    rest[..., np.arange(names), np.arange(names)] *= np.sqrt(2)
    return Deviations(mixed[:, :, 0], mixed[:, :, 1], rest * sd[..., None, None], degrees)


def _means_of(block: npt.NDArray[np.int64], values: Array) -> Array:
    """Average the rows of each block."""
    return np.array(pd.DataFrame(values).groupby(block).mean())
