"""The bootstrap of this book: trainings, donors, cell types and cells (ours).

Two things vary if the work is done again: the models, and the evaluation cells.

Cells are drawn with replacement, level by level: donors of an evaluation set, cell types within a donor, cells within a
type; every model is measured on the same draw, so that differences between models are paired.

Trainings cannot be drawn with replacement where there are two or five: a resample of two seeds has half of their
variance on average, and every second one has the same seed twice. Their scatter is estimated instead, by the distances
of trained models from the mean of their mixture, pooled over mixtures that are trained alike: ten mixtures of two seeds
give ten degrees of freedom in place of one. Each draw then adds to each mixture a normal deviate of that scatter, over
the root of the number of seeds, and the scatter itself is uncertain, as its degrees of freedom say: the draws follow
Student's t, and with few degrees of freedom the interval is wide. Deviates are correlated between evaluation sets as
those of the models are. `tests/analysis/test_bootstrap.py` simulates how often the intervals hold the truth.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[np.floating]
Counts = npt.NDArray[np.int64]

LEVEL = 0.95
"""Of the intervals, those of one quantity and the simultaneous ones."""

SEED = 0
"""Decides the draws of the book's tables: the same scores give the same intervals."""


@dataclass(frozen=True)
class Medians:
    """Medians over cells of every mixture in every part, averaged over seeds, as measured and drawn anew."""

    keys: pd.MultiIndex
    """(part, mixture), one a column below."""
    measured: Array
    """(n_keys,)."""
    drawn: Array
    """(resamples, n_keys); within a draw all keys share cells and, within a part, the estimate of the scatter."""
    training_sd: Array
    """(n_keys,) standard deviation between trainings of one mixture, pooled; NaN where there is one seed only."""
    degrees: npt.NDArray[np.int64]
    """(n_keys,) degrees of freedom of `training_sd`; 0 where there is one seed: then the draws vary by cells only."""


def draw_medians(
    scores: pd.DataFrame,
    *,
    measure: str = "r2",
    resamples: int,
    seed: int,
    alike: Mapping[str, str] | None = None,
) -> Medians:
    """Draw the median score of every mixture in every part anew: other trainings, other donors, types and cells.

    Parameters
    ----------
    scores
        A row a (seed, part, mixture, cell): `seed`, `part` (whatever the medians are taken over, an evaluation set
        say), `mixture`, `cell`, `cell_type`, `donor`, and the measure. Cells without a value do not count.
    measure
        The column.
    resamples
        Draws.
    seed
        Seeds them.
    alike
        Mixture → group. Trainings of the mixtures in a group are taken to scatter alike; all do where not given.

    Returns
    -------
    The medians, parts and mixtures in the order in which they come first.
    """
    generator = np.random.default_rng(seed)
    mixtures = list(dict.fromkeys(scores["mixture"]))
    groups = dict.fromkeys(mixtures, "") if alike is None else {name: alike[name] for name in mixtures}
    tables: dict[str, pd.Series] = {}
    drawn: dict[str, pd.DataFrame] = {}
    for part, table in scores.astype({"part": str}).groupby("part", sort=False):
        about = table.drop_duplicates("cell").set_index("cell")[["donor", "cell_type"]]
        # With cells drawn anew for each seed, a seed lacks some cells: they do not count in its medians.
        wide = table.assign(mixture=table["mixture"].astype(str)).pivot(
            index=["mixture", "seed"], columns="cell", values=measure
        )
        wide = wide.reindex(columns=about.index).sort_index()
        values = wide.to_numpy(dtype=np.float64)
        models = wide.index
        counts = draw_cells(about.reset_index(drop=True), resamples=resamples, generator=generator)
        tables[str(part)] = pd.Series(_medians(values, np.ones((1, len(about)), np.int64))[0], index=models)
        drawn[str(part)] = pd.DataFrame(_medians(values, counts), columns=models).T.groupby(level="mixture").mean().T
    # Models × parts; a mixture need not be measured in every part.
    of_models = pd.DataFrame(tables)
    noise, sd, degrees = _training_noise(of_models, groups, resamples=resamples, generator=generator)
    keys = [(part, name) for part in tables for name in mixtures if name in drawn[part]]
    return Medians(
        keys=pd.MultiIndex.from_tuples(keys, names=["part", "mixture"]),
        measured=np.array([tables[part][name].mean() for part, name in keys]),
        drawn=np.column_stack([drawn[part][name].to_numpy() + noise[part, name] for part, name in keys]),
        training_sd=np.array([sd[part, name] for part, name in keys]),
        degrees=np.array([degrees[part, name] for part, name in keys]),
    )


def draw_cells(cells: pd.DataFrame, *, resamples: int, generator: np.random.Generator) -> Counts:
    """Draw cells with replacement, level by level: donors, then cell types within a donor, then cells within a type.

    Parameters
    ----------
    cells
        A row a cell: `donor`, `cell_type`. A single donor, or a single type of a donor, is taken as it is.
    resamples
        Draws.
    generator
        Decides them.

    Returns
    -------
    (resamples, n_cells) how often each cell is drawn. Donors and types differ in size, and so do the draws.
    """
    counts = np.zeros((resamples, len(cells)), dtype=np.int64)
    places = cells.reset_index(drop=True)
    donors = [part for _, part in places.groupby("donor", sort=False, observed=True)]
    # One fewer than there are: the mean of n - 1 draws varies as that of n donors does, the sample variance over n.
    of_donors = _with_replacement(np.full(resamples, max(1, len(donors) - 1)), len(donors), generator)
    for of_donor, donor in zip(of_donors.T, donors, strict=True):
        types = [part.index for _, part in donor.groupby("cell_type", sort=False, observed=True)]
        # A donor that is drawn twice has its types drawn twice.
        of_types = _with_replacement(of_donor * len(types), len(types), generator)
        for of_type, rows in zip(of_types.T, types, strict=True):
            counts[:, rows] = _with_replacement(of_type * len(rows), len(rows), generator)
    return counts


def interval(drawn: Array) -> tuple[Array, Array]:
    """Give the interval (95 %) of each column of draws, each on its own, by percentiles.

    Returns
    -------
    (n_columns,) lower and upper ends.
    """
    low, high = np.nanpercentile(drawn, [50 * (1 - LEVEL), 50 * (1 + LEVEL)], axis=0)
    return low, high


def simultaneous(drawn: Array) -> tuple[Array, Array]:
    """Give intervals that hold all columns of draws at once, for reading many differences side by side.

    The largest of many differences is large in part by luck. These intervals allow for that: in 95 % of the draws every
    column lies within its own. Each column's interval of `interval` is stretched about the median by one factor
    for all columns, the percentile of the largest deviation (max-T; Westfall & Young 1993), so that correlated columns
    cost less than by Bonferroni.

    Parameters
    ----------
    drawn
        (resamples, n_columns), the same draw in a row. A column that does not vary is left as it is.

    Returns
    -------
    (n_columns,) lower and upper ends; never within those of `interval`.
    """
    if not drawn.shape[1]:  # a profile that adds nothing has nothing to compare
        return np.empty(0), np.empty(0)
    low, high = interval(drawn)
    middle = np.nanmedian(drawn, axis=0)
    varies = (low < middle) & (middle < high)
    if not varies.any():
        return low, high
    deviation = drawn[:, varies] - middle[varies]
    reach = np.where(deviation > 0, (high - middle)[varies], (middle - low)[varies])
    factor = max(1.0, float(np.percentile(np.nanmax(np.abs(deviation) / reach, axis=1), 100 * LEVEL)))
    low[varies] = (middle - factor * (middle - low))[varies]
    high[varies] = (middle + factor * (high - middle))[varies]
    return low, high


def _with_replacement(draws: Counts, items: int, generator: np.random.Generator) -> Counts:
    """Return (resamples, items): how often each item comes, of `draws` draws in each resample."""
    if items == 1:
        return draws[:, None]
    return generator.multinomial(draws, np.full(items, 1 / items))


def _medians(values: Array, counts: Counts) -> Array:
    """Return (resamples, models): the median of (models, cells) values, each cell counted as often as it was drawn."""
    result = np.full((len(counts), len(values)), np.nan)
    # Cells × resamples: sums over cells then run along whole rows of memory, which takes half the time.
    by_cell = np.ascontiguousarray(counts.T, dtype=np.int32)
    for i, row in enumerate(values):
        order = np.argsort(row, kind="stable")
        order = order[: np.count_nonzero(~np.isnan(row))]
        if not len(order):
            continue
        ranked = row[order]
        below = by_cell[order]
        np.cumsum(below, axis=0, out=below)
        total = below[-1]
        lower = (below < (total + 1) // 2).sum(axis=0, dtype=np.int32)
        upper = (below < total // 2 + 1).sum(axis=0, dtype=np.int32)
        drawn = total > 0
        result[drawn, i] = (ranked[lower[drawn]] + ranked[upper[drawn]]) / 2
    return result


def _training_noise(
    of_models: pd.DataFrame, groups: dict[str, str], *, resamples: int, generator: np.random.Generator
) -> tuple[dict[tuple[str, str], Array], dict[tuple[str, str], float], dict[tuple[str, str], int]]:
    """Return for each (part, mixture) what another training adds to its mean in each draw, its scatter, and degrees."""
    noise: dict[tuple[str, str], Array] = {}
    sd: dict[tuple[str, str], float] = {}
    degrees: dict[tuple[str, str], int] = {}
    of_group = of_models.index.get_level_values("mixture").map(groups)
    for _, part_of in of_models.groupby(of_group, sort=False):
        by_mixture = part_of.groupby(level="mixture")
        # Distances from the mean of the mixture, a row a model: one combination of rows is a draw of all parts at once.
        residuals = (part_of - by_mixture.transform("mean")).fillna(0)
        seeds = by_mixture.count()
        free = (seeds - 1).clip(lower=0).sum()
        scatter = {part: generator.chisquare(df, size=resamples) if df else None for part, df in free.items()}
        for name, n in seeds.iterrows():
            combined = generator.standard_normal((resamples, len(residuals))) @ residuals.to_numpy()
            for column, part in enumerate(residuals.columns):
                chi = scatter[part]
                key = part, str(name)
                degrees[key] = int(free[part])
                sd[key] = float(np.sqrt((residuals[part] ** 2).sum() / free[part])) if free[part] else np.nan
                noise[key] = np.zeros(resamples) if chi is None else combined[:, column] / np.sqrt(chi * n[part])
    return noise, sd, degrees
