"""How well cell types are predicted that a model has not seen, against their distance from what it has (ours)."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr


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
    (averaged over seeds) to the nearest type in training, and `cells`. Types of fewer than five cells are left out.
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
    return table[table["cells"] >= 5].reset_index(drop=True)


def trend(types: pd.DataFrame, *, resamples: int = 500, seed: int = 0) -> tuple[float, float, float]:
    """Correlate R² with the distance to the nearest training type, over cell types, by rank.

    Parameters
    ----------
    types
        As `by_type` returns it; only types "as trained" are used.
    resamples, seed
        Bootstrap draws over types, and their seed.

    Returns
    -------
    Spearman's correlation, and its 95 % interval. Types differ in more than their distance (in depth, say).
    """
    trained = types[types["seen"] == "as trained"]
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        drawn = trained.iloc[generator.integers(len(trained), size=len(trained))]
        if drawn["distance"].nunique() > 1 and drawn["r2"].nunique() > 1:
            values.append(spearmanr(drawn["distance"], drawn["r2"]).statistic)
    low, high = np.percentile(values, [2.5, 97.5])
    return float(spearmanr(trained["distance"], trained["r2"]).statistic), float(low), float(high)


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
