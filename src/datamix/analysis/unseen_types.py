"""How well cell types are predicted that a model has not seen, against their distance from what it has (ours)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import spearmanr

from datamix.sources.formats.cell_labels import NOT_LABELLED

Array = npt.NDArray[np.floating]

FEWEST_CELLS = 5
"""Of a cell type in an evaluation set; the median of fewer says little."""

FEWEST_TYPES = 3
"""That a correlation of ranks rests on."""

PERMUTATIONS = 2000
"""Of the cell types, for how far their correlation goes by chance."""

SEED = 0
"""Decides them."""


def by_type(held_out: pd.DataFrame) -> pd.DataFrame:
    """Summarise the scores of each cell type under the whole baseline, and under the model without that type.

    Parameters
    ----------
    held_out
        As `datamix.scoring.hold_out.hold_out` wrote it, all seeds: a row a (seed, held_out, evaluation, cell).

    Returns
    -------
    A row a (evaluation, cell_type, seen): `seen` ("as trained" under the whole baseline, "left out" under the model
    without the type); `r2` (median over cells, averaged over seeds), `r2_low`, `r2_high` (of the seeds), `distance`
    (averaged over seeds) to the nearest type in training, and `cells`. Types of fewer than `FEWEST_CELLS` are left out.
    """
    seen = np.where(held_out["held_out"] == "", "as trained", "left out")
    groups = held_out.assign(seen=seen).groupby(["evaluation", "cell_type", "seen", "seed"], sort=False)
    per_seed = groups.agg(r2=("r2", "median"), distance=("distance", "first"), cells=("cell", "nunique")).reset_index()
    over_seeds = per_seed.groupby(["evaluation", "cell_type", "seen"], sort=False)
    table = over_seeds.agg(
        r2=("r2", "mean"),
        r2_low=("r2", "min"),
        r2_high=("r2", "max"),
        distance=("distance", "mean"),
        cells=("cells", "max"),
    ).reset_index()
    return table[table["cells"] >= FEWEST_CELLS].reset_index(drop=True)


@dataclass(frozen=True)
class Trend:
    """How R² goes with the distance to the nearest type in training, over cell types, by rank."""

    overall: float
    """Spearman's correlation over all types of all evaluation sets. Sets differ in origin as well as in distance."""
    within: float
    """Correlation of the ranks within evaluation sets, each cell type counted once (−1 to 1); NaN below three types."""
    p: float
    """Share of permutations of the types whose `within` is as far from zero (two-sided)."""
    types: int
    """Cell types that `within` rests on."""


def trend(types: pd.DataFrame) -> Trend:
    """Correlate R² with the distance to the nearest training type, over cell types, by rank.

    Over all sets together the correlation also compares one study with another, and the types of a set are no random
    sample; so it has no interval. Within a set they share study and technology: there distance and R² are ranked, the
    ranks of a type that lies in several sets are averaged, and the types are permuted, since under no relation any
    distance could belong to any type.

    Parameters
    ----------
    types
        As `by_type` returns it; only types "as trained" are used, and within sets only those that have a name, in
        sets of `FEWEST_TYPES` of them or more.
    """
    trained = types[types["seen"] == "as trained"]
    overall = float(spearmanr(trained["distance"], trained["r2"]).statistic)
    named = trained[trained["cell_type"] != NOT_LABELLED]
    named = named[named.groupby("evaluation")["cell_type"].transform("size") >= FEWEST_TYPES]
    ranks = named.groupby("evaluation")[["distance", "r2"]].rank(pct=True)
    ranks -= ranks.groupby(named["evaluation"]).transform("mean")
    distance, r2 = ranks.groupby(named["cell_type"]).mean().to_numpy().T
    if len(r2) < FEWEST_TYPES:
        return Trend(overall, np.nan, np.nan, len(r2))
    generator = np.random.default_rng(SEED)
    shuffled = np.array([generator.permutation(r2) for _ in range(PERMUTATIONS)])
    measured, *by_chance = _correlations(distance, np.vstack([r2, shuffled]))
    # Ties with the measured value, itself among them, count as being as far.
    as_far = np.abs(by_chance) >= abs(measured) - 1e-12
    return Trend(overall, float(measured), float((1 + as_far.sum()) / (1 + PERMUTATIONS)), len(r2))


def _correlations(one: Array, others: Array) -> Array:
    """Correlate a vector (n,) with each row of (m, n)."""
    one, others = one - one.mean(), others - others.mean(axis=1, keepdims=True)
    return (others @ one) / (np.linalg.norm(one) * np.linalg.norm(others, axis=1)).clip(1e-12)


def with_and_without(held_out: pd.DataFrame) -> pd.DataFrame:
    """Put each cell of a type that was left out under two mixtures, "with" and "without" its type in training.

    Returns
    -------
    A row a (seed, mixture, cell), for the claim's bootstrap: `part`, `mixture`, `seed`, `cell`, `cell_type`, `donor`,
    `r2`. Empty where no type was left out.
    """
    without = held_out[held_out["held_out"] != ""]
    keys = ["seed", "evaluation", "cell"]
    whole = held_out[held_out["held_out"] == ""].merge(without[keys].drop_duplicates(), on=keys)
    both = pd.concat([whole.assign(mixture="with"), without.assign(mixture="without")], ignore_index=True)
    # Two evaluation sets may hold the same cell.
    return both.assign(part="left out", cell=both["evaluation"] + ":" + both["cell"])
