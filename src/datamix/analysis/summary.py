"""Per-cell scores brought together: medians with intervals over trainings and cells, fold changes, published values."""

import numpy as np
import pandas as pd

from datamix.analysis.bootstrap import SEED, draw_medians, interval, simultaneous
from datamix.corpora.mixtures import Mixture, control_of

RESAMPLES = 1000
"""Draws behind each interval."""

LAST_EPOCHS = 0.1
"""Share of the epochs, the last of them, over which `last_improvement` looks."""


def summarise(scores: pd.DataFrame, mixtures: list[Mixture], *, measure: str = "r2") -> pd.DataFrame:
    """Summarise per-cell scores for each evaluation set and mixture.

    The statistic is the median over cells of one trained model, averaged over the seeds. Its 95 % interval is the
    bootstrap's (`bootstrap.draw_medians`), in which the mixtures with the baseline's cells scatter alike from training
    to training, and the added sets alone. With one seed the intervals are over cells only, and `training_degrees` is 0.

    Parameters
    ----------
    scores
        One baseline's scores, a row a (mixture, seed, evaluation, cell); columns as in `scores/reconstruction.parquet`.
    mixtures
        The mixtures, in the order of the result.
    measure
        The column to summarise; cells without a value (no variance) are left out and counted.

    Returns
    -------
    A row a (evaluation, mixture):

    - `median`, `low`, `high`;
    - `gain`, `gain_low`, `gain_high`: over the baseline;
    - `over_control`, `over_control_low`, `over_control_high`: over `control`, the baseline with as many more of its own
      cells (`datamix.corpora.mixtures.control_of`);
    - `gain_low_all`, `gain_high_all`, `over_control_low_all`, `over_control_high_all`: the same, simultaneous: all
      these intervals together hold the truth in 95 %. Those of `gain` allow for every mixture and evaluation set, those
      of `over_control` for every added set and evaluation set (`compared`, their number). To be used where many are
      looked at, or the largest is quoted. For the added sets alone, which are not held against the control, those of
      `over_control` are NaN;
    - `log2_fold_change` over the baseline (NaN where either is not above zero); `mean` (over cells, averaged over
      seeds); `seed_range` (largest minus smallest median of a seed); `training_sd`, `training_degrees` (between
      trainings of one mixture, pooled); `seeds`, `cells`, `without_value`; and `group`, `added` of the mixture.
    """
    names = [mixture.name for mixture in mixtures]
    chosen = scores[scores["mixture"].isin(names)]
    alike = {m.name: "alone" if m.group == "alone" else "baseline" for m in mixtures}
    medians = draw_medians(
        chosen.assign(part=chosen["evaluation"]), measure=measure, resamples=RESAMPLES, seed=SEED, alike=alike
    )
    sets = list(dict.fromkeys(chosen["evaluation"].astype(str)))
    keys = pd.MultiIndex.from_product([sets, names])
    at = medians.keys.get_indexer(keys)
    measured, drawn = medians.measured[at], medians.drawn[:, at]
    table = pd.DataFrame({"evaluation": keys.get_level_values(0), "mixture": keys.get_level_values(1)})
    table["group"] = [m.group for m in mixtures] * len(sets)
    table["added"] = [m.added for m in mixtures] * len(sets)
    table["median"] = measured
    table["low"], table["high"] = interval(drawn)
    table["control"] = [control_of(mixtures, name).name for name in names] * len(sets)
    is_added = table["mixture"].isin([m.name for m in mixtures if m.is_addition])
    for column, reference, family in (
        ("gain", pd.Series(names[0], index=table.index), table["mixture"] != names[0]),
        ("over_control", table["control"], is_added),
    ):
        of_reference = keys.get_indexer(pd.MultiIndex.from_arrays([keys.get_level_values(0), reference]))
        difference = drawn - drawn[:, of_reference]
        table[column] = measured - measured[of_reference]
        table[f"{column}_low"], table[f"{column}_high"] = interval(difference)
        together = simultaneous(difference[:, family.to_numpy()])
        for end, values in zip(("low", "high"), together, strict=True):
            table.loc[family, f"{column}_{end}_all"] = values
            table.loc[table["mixture"] == reference, f"{column}_{end}_all"] = 0.0
    table["compared"] = int(is_added.sum())
    base = table["median"] - table["gain"]
    positive = (table["median"] > 0) & (base > 0)
    table["log2_fold_change"] = np.log2(table["median"].where(positive) / base.where(positive))
    by_model = chosen.groupby(["evaluation", "mixture", "seed"], sort=False, observed=True)[measure]
    of_seeds = by_model.agg(["median", "mean"]).groupby(level=["evaluation", "mixture"], sort=False, observed=True)
    table["mean"] = of_seeds["mean"].mean().reindex(keys).to_numpy()
    table["seed_range"] = of_seeds["median"].agg(np.ptp).reindex(keys).to_numpy()
    table["training_sd"], table["training_degrees"] = medians.training_sd[at], medians.degrees[at]
    table["seeds"] = of_seeds.size().reindex(keys).to_numpy()
    of_set = chosen.groupby("evaluation", sort=False, observed=True)["cell"].nunique()
    table["cells"] = table["evaluation"].map(of_set).astype(int)
    missing = chosen[chosen[measure].isna()].groupby(["evaluation", "mixture"], observed=True)["cell"].nunique()
    table["without_value"] = missing.reindex(keys).fillna(0).to_numpy(dtype=int)
    return table


def by_cell_type(scores: pd.DataFrame) -> pd.DataFrame:
    """Give quartiles of R² for each evaluation set, cell type and mixture, over cells and seeds.

    Returns
    -------
    A row a (evaluation, cell_type, mixture): `cells`, `low` (first quartile), `median`, `high` (third quartile).
    """
    keys = ["evaluation", "cell_type", "mixture"]
    groups = scores.groupby(keys, sort=False, observed=True)
    quartiles = groups["r2"].quantile(np.array([0.25, 0.5, 0.75])).unstack()
    quartiles.columns = pd.Index(["low", "median", "high"])
    return groups["cell"].nunique().rename("cells").to_frame().join(quartiles).reset_index()


def seed_pairs(scores: pd.DataFrame) -> pd.DataFrame:
    """Put the first two seeds side by side.

    Returns
    -------
    A row a (evaluation, mixture, cell): R² in columns `first` and `second`. Empty with a single seed.
    """
    seeds = sorted(scores["seed"].unique())[:2]
    if len(seeds) < 2:
        return pd.DataFrame(columns=["evaluation", "mixture", "cell", "cell_type", "first", "second"])
    keys = ["evaluation", "mixture", "cell", "cell_type"]
    first, second = (
        scores.loc[scores["seed"] == seed, [*keys, "r2"]].rename(columns={"r2": name})
        for seed, name in zip(seeds, ("first", "second"), strict=True)
    )
    return first.merge(second, on=keys, validate="one_to_one")


def seed_medians(scores: pd.DataFrame) -> pd.DataFrame:
    """Give the median R² over cells of every trained model: a row a (evaluation, mixture, seed), column `median`."""
    groups = scores.groupby(["evaluation", "mixture", "seed"], sort=False, observed=True)
    return groups["r2"].median().rename("median").reset_index()


def last_improvement(history: pd.DataFrame) -> pd.DataFrame:
    """Give how much the held-out loss of each model fell at the end, over a tenth of the epochs or more.

    Of its measurements, the last is compared with the last one that lies before the last tenth.

    Parameters
    ----------
    history
        A row a (baseline, mixture, seed, epoch), with `elbo_validation`.

    Returns
    -------
    A row a (baseline, mixture, seed): `fall`, as a fraction of the loss before, positive where it fell; `before` and
    `last`, the epochs compared; `rise`, how much the loss had risen up to `before` since the measurement ahead of it,
    as a fraction of that, NaN where there is none; `peak`, the largest held-out loss in times the last. All are NaN
    where no held-out loss is finite, or none was measured in the last tenth, or none before.
    """

    def change(curve: pd.DataFrame) -> pd.Series:
        known = curve.dropna(subset=["elbo_validation"])
        early = known["epoch"] <= (1 - LAST_EPOCHS) * curve["epoch"].max()
        if early.all() or not early.any():
            return pd.Series(dict.fromkeys(("fall", "before", "last", "rise", "peak"), np.nan))
        before, last = known[early].iloc[-1], known.iloc[-1]
        lost = known.loc[early, "elbo_validation"]
        fall = 1 - last["elbo_validation"] / before["elbo_validation"]
        rise = lost.iloc[-1] / lost.iloc[-2] - 1 if len(lost) > 1 else np.nan
        peak = known["elbo_validation"].max() / last["elbo_validation"]
        return pd.Series({"fall": fall, "before": before["epoch"], "last": last["epoch"], "rise": rise, "peak": peak})

    columns = ["epoch", "elbo_validation"]
    return history.groupby(["baseline", "mixture", "seed"], sort=False)[columns].apply(change).reset_index()
