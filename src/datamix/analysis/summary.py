"""Per-cell scores brought together: medians with intervals over seeds and cells, fold changes, published values."""

import numpy as np
import pandas as pd

from datamix.analysis.bootstrap import _bootstrap, _cube
from datamix.corpora.mixtures import Mixture, control_of


def summarise(
    scores: pd.DataFrame, mixtures: list[Mixture], *, measure: str = "r2", resamples: int = 500
) -> pd.DataFrame:
    """Summarise per-cell scores for each evaluation set and mixture.

    The statistic is the median over cells of one trained model, averaged over the seeds. Its 95 % interval comes from a
    bootstrap over seeds and cells: the same draw of seeds and cells for every mixture, so that differences between
    mixtures are paired.

    Parameters
    ----------
    scores
        One baseline's scores, a row a (mixture, seed, evaluation, cell); columns as in `scores/reconstruction.parquet`.
    mixtures
        The mixtures, in the order of the result.
    measure
        The column to summarise; cells without a value (no variance) are left out and counted.
    resamples
        Bootstrap draws.

    Returns
    -------
    A row a (evaluation, mixture): `median`, `low`, `high`; `gain`, `gain_low`, `gain_high` (over the baseline);
    `over_control`, `over_control_low`, `over_control_high` (over `control`, the baseline with as many more of its own
    cells: `datamix.corpora.mixtures.control_of`); `log2_fold_change` (against the baseline; NaN where either is not
    above zero); `mean` (over cells, averaged over seeds); `seed_range` (largest minus smallest median of a seed);
    `seeds`, `cells`, `without_value`; and `group`, `added` of the mixture.
    """
    rows = []
    for evaluation, table in scores.groupby("evaluation", sort=False):
        cube, names = _cube(table, mixtures, measure)
        per_seed = np.nanmedian(cube, axis=2)
        resampled = _bootstrap(cube, resamples=resamples)
        low, high = np.nanpercentile(resampled, [2.5, 97.5], axis=0)
        gain_low, gain_high = np.nanpercentile(resampled - resampled[:, :1], [2.5, 97.5], axis=0)
        control = [names.index(control_of(mixtures, name).name) for name in names]
        over_low, over_high = np.nanpercentile(resampled - resampled[:, control], [2.5, 97.5], axis=0)
        base = per_seed[0].mean()
        for i, mixture in enumerate(mixtures):
            median = per_seed[i].mean()
            rows.append(
                {
                    "evaluation": evaluation,
                    "mixture": names[i],
                    "group": mixture.group,
                    "added": mixture.added,
                    "median": median,
                    "low": low[i],
                    "high": high[i],
                    "gain": median - base,
                    "gain_low": gain_low[i],
                    "gain_high": gain_high[i],
                    "over_control": median - per_seed[control[i]].mean(),
                    "over_control_low": over_low[i],
                    "over_control_high": over_high[i],
                    "control": names[control[i]],
                    "mean": np.nanmean(cube[i], axis=1).mean(),
                    "seed_range": np.ptp(per_seed[i]),
                    "log2_fold_change": np.log2(median / base) if min(median, base) > 0 else np.nan,
                    "seeds": cube.shape[1],
                    "cells": cube.shape[2],
                    "without_value": int(np.isnan(cube[i]).any(axis=0).sum()),
                }
            )
    return pd.DataFrame(rows)


def by_cell_type(scores: pd.DataFrame, *, measure: str = "r2") -> pd.DataFrame:
    """Give quartiles of a measure for each evaluation set, cell type and mixture, over cells and seeds.

    Returns
    -------
    A row a (evaluation, cell_type, mixture): `cells`, `low` (first quartile), `median`, `high` (third quartile).
    """
    keys = ["evaluation", "cell_type", "mixture"]
    groups = scores.groupby(keys, sort=False, observed=True)
    quartiles = groups[measure].quantile(np.array([0.25, 0.5, 0.75])).unstack()
    quartiles.columns = pd.Index(["low", "median", "high"])
    return groups["cell"].nunique().rename("cells").to_frame().join(quartiles).reset_index()


def seed_pairs(scores: pd.DataFrame, *, measure: str = "r2") -> pd.DataFrame:
    """Put the first two seeds side by side.

    Returns
    -------
    A row a (evaluation, mixture, cell): the measure in columns `first` and `second`. Empty with a single seed.
    """
    seeds = sorted(scores["seed"].unique())[:2]
    if len(seeds) < 2:
        return pd.DataFrame(columns=["evaluation", "mixture", "cell", "cell_type", "first", "second"])
    keys = ["evaluation", "mixture", "cell", "cell_type"]
    first, second = (
        scores.loc[scores["seed"] == seed, [*keys, measure]].rename(columns={measure: name})
        for seed, name in zip(seeds, ("first", "second"), strict=True)
    )
    return first.merge(second, on=keys, validate="one_to_one")


def seed_medians(scores: pd.DataFrame, *, measure: str = "r2") -> pd.DataFrame:
    """Give the median over cells of every trained model: a row a (evaluation, mixture, seed), column `median`."""
    groups = scores.groupby(["evaluation", "mixture", "seed"], sort=False, observed=True)
    return groups[measure].median().rename("median").reset_index()


def last_improvement(history: pd.DataFrame, *, share: float = 0.1) -> pd.Series:
    """Give how much the held-out loss of each model fell over the last epochs, as a fraction of the loss.

    Parameters
    ----------
    history
        A row a (baseline, mixture, seed, epoch), with `elbo_validation`.
    share
        The last part of the epochs, 0 to 1.

    Returns
    -------
    A value a (baseline, mixture, seed): positive where the loss fell; NaN where no held-out loss is finite.
    """

    def fall(curve: pd.DataFrame) -> float:
        known = curve.dropna(subset=["elbo_validation"])
        if known.empty:
            return np.nan
        start = known[known["epoch"] <= (1 - share) * curve["epoch"].max()]
        before, last = (start if len(start) else known)["elbo_validation"].iloc[-1], known["elbo_validation"].iloc[-1]
        return (before - last) / last

    columns = ["epoch", "elbo_validation"]
    return history.groupby(["baseline", "mixture", "seed"], sort=False)[columns].apply(fall)
