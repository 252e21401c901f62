"""Bootstraps: seeds, donors, cell types and cells drawn with replacement."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from datamix.corpora.mixtures import Mixture


def hierarchical_draws(cells: pd.DataFrame, *, resamples: int, seed: int = 0) -> list[npt.NDArray[np.int64]]:
    """Draw cells for a hierarchical bootstrap: donors, then cell types within a donor, then cells within a type.

    Parameters
    ----------
    cells
        A row a cell: `donor`, `cell_type`.
    resamples
        Draws.
    seed
        Seeds them.

    Returns
    -------
    Row numbers, an array a draw. Donors and types differ in size, and so do the draws.
    """
    generator = np.random.default_rng(seed)
    rows = np.arange(len(cells))
    groups = [
        [part.to_numpy() for _, part in of_donor.groupby(cells.loc[of_donor.index, "cell_type"], sort=False)]
        for _, of_donor in pd.Series(rows, index=cells.index).groupby(cells["donor"], sort=False)
    ]
    draws = []
    for _ in range(resamples):
        chosen: list[npt.NDArray[np.int64]] = []
        for donor in generator.integers(len(groups), size=len(groups)):
            types = groups[donor]
            drawn = [types[t] for t in generator.integers(len(types), size=len(types))]
            chosen += [part[generator.integers(len(part), size=len(part))] for part in drawn]
        draws.append(np.concatenate(chosen))
    return draws


def bootstrap(
    scores: pd.DataFrame, statistic: Callable[[dict[str, float]], float], *, resamples: int, seed: int = 0
) -> tuple[float, float, float]:
    """Measure a statistic of median scores, with its 95 % interval.

    Parameters
    ----------
    scores
        A row a (seed, part, mixture, cell): `seed`, `part` (whatever the medians are taken over, an evaluation set
        say), `mixture`, `cell`, `cell_type`, `donor`, `r2`.
    statistic
        Called with `part:mixture` → median R², averaged over seeds.
    resamples
        Draws.
    seed
        Seeds them.

    Returns
    -------
    The statistic, and the 2.5th and 97.5th percentile of its draws.
    """
    cubes, draws = {}, {}
    seeds = sorted(scores["seed"].unique())
    for number, (part, table) in enumerate(scores.groupby("part", sort=False)):
        about = table.drop_duplicates("cell").set_index("cell")[["donor", "cell_type"]]
        # With cells drawn anew for each seed, a seed lacks some cells: they do not count in its medians.
        wide = table.pivot(index=["mixture", "seed"], columns="cell", values="r2").reindex(columns=about.index)
        draws[part] = hierarchical_draws(about.reset_index(drop=True), resamples=resamples, seed=seed + number)
        for mixture in table["mixture"].unique():
            cubes[f"{part}:{mixture}"] = wide.loc[mixture].loc[seeds].to_numpy(), str(part)
    generator = np.random.default_rng(seed)
    value = statistic({key: float(np.nanmedian(cube, axis=1).mean()) for key, (cube, _) in cubes.items()})
    resampled = np.empty(resamples)
    for i in range(resamples):
        chosen = generator.integers(len(seeds), size=len(seeds))
        resampled[i] = statistic(
            {
                key: float(np.nanmedian(cube[chosen][:, draws[part][i]], axis=1).mean())
                for key, (cube, part) in cubes.items()
            }
        )
    low, high = np.percentile(resampled, [2.5, 97.5])
    return float(value), float(low), float(high)


def _cube(table: pd.DataFrame, mixtures: list[Mixture], measure: str) -> tuple[np.ndarray, list[str]]:
    """Return values as (mixtures, seeds, cells)."""
    names = [m.name for m in mixtures]
    wide = table.pivot(index=["mixture", "seed"], columns="cell", values=measure)
    seeds = wide.index.get_level_values("seed").unique()
    order = pd.MultiIndex.from_product([names, sorted(seeds)])
    return wide.reindex(order).to_numpy().reshape(len(names), len(seeds), -1), names


def _bootstrap(cube: np.ndarray, *, resamples: int) -> np.ndarray:
    """Return (resamples, mixtures): seeds and cells drawn with replacement, the same draw for every mixture."""
    _, n_seeds, n_cells = cube.shape
    generator = np.random.default_rng(0)
    result = np.empty((resamples, len(cube)))
    for i in range(resamples):
        seeds = generator.integers(n_seeds, size=n_seeds)
        cells = generator.integers(n_cells, size=n_cells)
        result[i] = np.nanmedian(cube[:, :, cells], axis=2)[:, seeds].mean(axis=1)
    return result
