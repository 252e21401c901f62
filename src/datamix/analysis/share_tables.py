"""Tables of Figures 7 and 8, and of `datamix advise`: what mixtures by shares say, with intervals."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import kendalltau

from datamix.analysis import mixture_law
from datamix.analysis.bootstrap import LEVEL, SEED, Medians, draw_medians, interval, simultaneous
from datamix.analysis.second_round import EVERY_SET, fit_laws, medians_of, shares_table
from datamix.analysis.shapley import shapley_weights
from datamix.corpora import shares as by_shares
from datamix.project.files import replacing
from datamix.project.layout import Layout
from datamix.project.mixture_names import name_shares, read_depth
from datamix.project.profile import Profile
from datamix.scoring.kinds import LDVAE

Array = npt.NDArray[np.floating]
_WORDS = ["evaluation", "mixture"]
_DOSES = ["block", "evaluation", "dose", "mixture", "median", "low", "high", "gain", "gain_low", "gain_high"]


def of_model(scores: pd.DataFrame, model: str = LDVAE) -> pd.DataFrame:
    """Give the scores of one kind of model: a row a (mixture, seed, evaluation, cell)."""
    return scores[scores["model"] == model].reset_index(drop=True)


def draw(scores: pd.DataFrame, *, resamples: int = 1000) -> Medians:
    """Draw the medians of all mixtures on all evaluation sets anew, all trainings taken to scatter alike."""
    own = of_model(scores)
    return draw_medians(own.assign(part=own["evaluation"]), resamples=resamples, seed=SEED)


def mixture_table(scores: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Give shares and scores of every mixture, for others to fit their own law to.

    Returns
    -------
    A row a (evaluation, mixture): `median` R², averaged over seeds, `seed_range`, and a column for the share of each
    block; `thinned_to`, the counts that cells of added blocks are thinned to, NaN where they are whole.
    """
    medians = medians_of(scores)
    names = list(dict.fromkeys(medians.index.get_level_values("mixture")))
    table = pd.DataFrame({"median": medians.mean(axis=1), "seed_range": medians.max(axis=1) - medians.min(axis=1)})
    table = table.reset_index().merge(shares_table(names, profile), left_on="mixture", right_index=True)
    return table.assign(thinned_to=table["mixture"].map(read_depth).astype(float))


def write_mixtures(layout: Layout) -> Path:
    """Write `mixture_table` as `composition/mixtures.csv`, for others to read."""
    table = mixture_table(pd.read_parquet(layout.composition_scores), layout.profile)
    with replacing(layout.mixtures_by_shares) as beside:
        table.to_csv(beside, index=False, float_format="%.6g")
    return layout.mixtures_by_shares


def unseen_mixtures(scores: pd.DataFrame, profile: Profile) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict the mixtures of random shares, each by a law that was fitted without it.

    Returns
    -------
    A row a (evaluation, mixture): `predicted`, `found`, and the columns of `datamix.analysis.mixture_law.errors`; and a
    row an evaluation set: the fields of `datamix.analysis.mixture_law.Accuracy`. Both are empty where there are too few
    mixtures.
    """
    medians, unseen = medians_of(scores), by_shares.random_mixtures(profile)
    first = by_shares.first_round(profile)
    points, accuracies = [], []
    if unseen and len(first) - len(unseen) + len(unseen) // mixture_law.FOLDS >= mixture_law.FEWEST:
        for name in profile.evaluations:
            of_seeds = pd.DataFrame(medians.xs(name, level="evaluation")).reindex(first)
            predicted = mixture_law.predict_unseen(shares_table(first, profile), of_seeds.mean(axis=1), unseen=unseen)
            found = of_seeds.mean(axis=1)[unseen]
            of_set = pd.DataFrame({"evaluation": name, "mixture": unseen, "predicted": predicted, "found": found})
            points.append(of_set.join(mixture_law.errors(predicted, of_seeds)))
            accuracies.append({"evaluation": name, **vars(mixture_law.accuracy(predicted, of_seeds))})
    columns = [*_WORDS, "predicted", "found", "error", "error_of_average"]
    return (
        pd.concat(points, ignore_index=True) if points else pd.DataFrame(columns=columns),
        pd.DataFrame(accuracies, columns=["evaluation", *mixture_law.Accuracy.__annotations__]),
    )


def recommended(scores: pd.DataFrame, plan: Mapping[str, Any], profile: Profile, *, drawn: Medians) -> pd.DataFrame:
    """Put each recommended mixture beside equal shares of all blocks, and beside the best single block.

    Parameters
    ----------
    scores, plan
        Of both rounds, and what the second was planned to be.
    profile
        The profile.
    drawn
        From `draw`.

    Returns
    -------
    A row a (asked, evaluation, kind): `asked` is the evaluation set that the mixture is recommended for, or `every set`
    (scores of all sets are then averaged, and `evaluation` is `every set`); `kind` is `recommended`, `uniform` or
    `single`; `mixture`, `found`, `low`, `high`, the law's `predicted`, and the difference of `found` from that of the
    uniform mixture, `over_uniform`, and of the best single block, `over_single`, each with its `_low` and `_high`; NaN
    where that was not trained.
    """
    medians, blocks, first = medians_of(scores), profile.blocks, by_shares.first_round(profile)
    laws = fit_laws(medians, profile, names=first) if plan["recommended"] else {}
    cells = by_shares.composition_of(profile).cells
    uniform = name_shares(by_shares.whole_cells(dict.fromkeys(blocks, 1.0), cells))
    known = set(medians.index.get_level_values("mixture"))
    singles = [name for name in (name_shares({block: cells}) for block in blocks) if name in known]
    rows = []
    for asked in (name for name in (*profile.evaluations, EVERY_SET) if name in plan["recommended"]):
        mixture = plan["recommended"][asked]
        sets = list(profile.evaluations) if asked == EVERY_SET else [asked]

        def value(name: str, sets: list[str] = sets) -> tuple[float, Array]:
            at = drawn.keys.get_indexer(pd.MultiIndex.from_product([sets, [name]]))
            return float(drawn.measured[at].mean()), drawn.drawn[:, at].mean(axis=1)

        kinds = {"recommended": mixture}
        if uniform in known:
            kinds["uniform"] = uniform
        if singles:
            kinds["single"] = max(singles, key=lambda name: value(name)[0])
        for kind, name in kinds.items():
            found, of_draws = value(name)
            low, high = interval(of_draws[:, None])
            predicted = np.mean([laws[e].predict(shares_table([name], profile)).iloc[0] for e in sets])
            row = {"asked": asked, "kind": kind, "mixture": name, "found": found, "low": low[0], "high": high[0]}
            row["predicted"] = float(predicted)
            for other in ("uniform", "single"):
                difference, ends = np.nan, (np.array([np.nan]), np.array([np.nan]))
                if other in kinds:
                    of_other, draws = value(kinds[other])
                    difference, ends = found - of_other, interval((of_draws - draws)[:, None])
                row |= {f"over_{other}": difference, f"over_{other}_low": ends[0][0], f"over_{other}_high": ends[1][0]}
            rows.append(row)
    return pd.DataFrame(rows)


def dose_response(plan: Mapping[str, Any], profile: Profile, *, drawn: Medians) -> pd.DataFrame:
    """Give the R² of the baseline in which a block takes the place of some cells, by dose.

    Returns
    -------
    A row a (block, evaluation, dose): `mixture`, `median`, `low`, `high`; `gain`, `gain_low`, `gain_high` over no dose.
    """
    rows = []
    for block in (name for name in profile.blocks if name in plan["dosed"]):
        doses = plan["dosed"][block]
        for evaluation in profile.evaluations:
            at = drawn.keys.get_indexer(pd.MultiIndex.from_product([[evaluation], list(doses.values())]))
            measured, draws = drawn.measured[at], drawn.drawn[:, at]
            low, high = interval(draws)
            gain_low, gain_high = interval(draws - draws[:, :1])
            table = pd.DataFrame({"dose": list(doses), "mixture": list(doses.values()), "median": measured})
            table = table.assign(low=low, high=high, gain=measured - measured[0], gain_low=gain_low)
            rows.append(table.assign(gain_high=gain_high, block=block, evaluation=evaluation))
    return pd.concat(rows, ignore_index=True)[_DOSES] if rows else pd.DataFrame(columns=_DOSES)


def thinned_doses(plan: Mapping[str, Any], profile: Profile, *, drawn: Medians) -> pd.DataFrame:
    """Give the R² of the baseline with the largest dose of a block, its cells thinned to the baseline's depth.

    Returns
    -------
    Columns of `dose_response`, a row a (block, evaluation), and `lost`, `lost_low`, `lost_high`: how much lower it is
    than with whole cells. Empty where no mixture is of matched depth.
    """
    rows = []
    for block, mixture in plan["thinned"].items():
        doses = plan["dosed"][block]
        dose = max(doses)
        for evaluation in profile.evaluations:
            names = [mixture, doses[0], doses[dose]]
            at = drawn.keys.get_indexer(pd.MultiIndex.from_product([[evaluation], names]))
            measured, draws = drawn.measured[at], drawn.drawn[:, at]
            row = {"block": block, "evaluation": evaluation, "dose": dose, "mixture": mixture}
            for name, weights in (("median", (1, 0, 0)), ("gain", (1, -1, 0)), ("lost", (-1, 0, 1))):
                low, high = interval((draws @ weights)[:, None])
                ends = ("low", "high") if name == "median" else (f"{name}_low", f"{name}_high")
                row |= {name: float(measured @ weights), ends[0]: low[0], ends[1]: high[0]}
            rows.append(row)
    columns = [*_DOSES, "lost", "lost_low", "lost_high"]
    return pd.DataFrame(rows, columns=columns)


def worth_of_added(drawn: Medians, profile: Profile) -> pd.DataFrame:
    """Give the Shapley value of each added set by which `second_round.choose` decides which sets are given in doses.

    Returns
    -------
    A row a (group, block): `group`, one of `out of distribution` and `cancer`, or `all` where the profile has neither;
    `sets`, how many evaluation sets `value` is averaged over; `low_all`, `high_all`, simultaneous over all rows.
    """
    names = list(profile.evaluations)
    of_group = {
        group: [name for name in names if profile.evaluations[name].group == group]
        for group in ("out of distribution", "cancer")
    }
    asked = {group: sets for group, sets in of_group.items() if sets} or {"all": names}
    added = [block for block in profile.blocks if block != profile.composed_baseline]
    weights = shapley_weights(list(profile.blocks)).loc[added].to_numpy().T
    rows, draws = [], []
    for group, sets in asked.items():
        at = drawn.keys.get_indexer(pd.MultiIndex.from_product([sets, list(by_shares.coalitions(profile))]))
        worth = drawn.measured[at].reshape(len(sets), -1).mean(axis=0) @ weights
        draws.append(drawn.drawn[:, at].reshape(len(drawn.drawn), len(sets), -1).mean(axis=1) @ weights)
        rows += [
            {"group": group, "block": block, "sets": len(sets), "value": value}
            for block, value in zip(added, worth, strict=True)
        ]
    low, high = simultaneous(np.concatenate(draws, axis=1))
    return pd.DataFrame(rows).assign(low_all=low, high_all=high)


def half_gain(table: pd.DataFrame) -> pd.DataFrame:
    """Find the dose that brings half of what the largest dose brings.

    Parameters
    ----------
    table
        As `dose_response` gives it.

    Returns
    -------
    A row a (block, evaluation): `gain` of the largest dose, `gain_low`, `gain_high`, and `half_dose`, in cells, between
    doses by a straight line; NaN where the interval of the gain does not lie above zero.
    """
    rows = []
    for (block, evaluation), curve in table.groupby(["block", "evaluation"], sort=False):
        last = curve.sort_values("dose").iloc[-1]
        half = _crossing(curve["dose"].to_numpy(float), curve["gain"].to_numpy(float), last["gain"] / 2)
        row = {"block": block, "evaluation": evaluation, "gain": last["gain"]}
        row |= {"gain_low": last["gain_low"], "gain_high": last["gain_high"]}
        rows.append(row | {"half_dose": half if last["gain_low"] > 0 else np.nan})
    return pd.DataFrame(rows, columns=["block", "evaluation", "gain", "gain_low", "gain_high", "half_dose"])


def rank_agreement(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare how two kinds of model rank the mixtures, so that a cheap one might choose the data for a dear one.

    Parameters
    ----------
    scores
        A row a (model, mixture, seed, evaluation, cell), with `r2`: of mixtures by shares, or of those of Figure 2
        (`Results.yardsticks`), or with Geneformer as a model (`two_families.beside_ldvae`); of a model that has not
        been trained on every mixture, only those count that it has.

    Returns
    -------
    A row a (model, evaluation): Kendall's `tau` (−1 to 1) between the medians of the LDVAEs and of that other model,
    averaged over seeds, and between two seeds of the LDVAEs (`tau_of_seeds`, averaged over pairs; NaN with one seed);
    `mixtures`, their number, and `chance`, as `chance_tau` gives it for so many.
    """
    own = medians_of(scores)
    rows = []
    for model in [str(m) for m in scores["model"].unique() if m != LDVAE]:
        other = medians_of(scores, model=model)
        both = own[own.index.isin(other.index)]
        for evaluation, table in both.groupby(level="evaluation", sort=False):
            of_seeds = [
                kendalltau(table[a], table[b]).statistic for i, a in enumerate(table) for b in list(table)[i + 1 :]
            ]
            tau = kendalltau(table.mean(axis=1), other.loc[table.index].mean(axis=1)).statistic
            row = {"model": model, "evaluation": evaluation, "tau": tau, "mixtures": len(table)}
            row |= {"tau_of_seeds": np.mean(of_seeds) if of_seeds else np.nan, "chance": chance_tau(len(table))}
            rows.append(row)
    return pd.DataFrame(rows, columns=["model", "evaluation", "tau", "tau_of_seeds", "mixtures", "chance"])


def chance_tau(n: int) -> float:
    """Give the size that Kendall's τ of two unrelated rankings of n items stays within, in 95 % of cases.

    Exact, from the number of permutations with so many inversions; 1 where even full agreement is no surprise, as it is
    up to four items.
    """
    if n < 2:
        return 1.0
    share = np.ones(1)
    for items in range(2, n + 1):
        share = np.convolve(share, np.full(items, 1 / items))
    size = np.abs(1 - 2 * np.arange(len(share)) / (len(share) - 1))
    order = np.argsort(size, kind="stable")
    within = np.cumsum(share[order])
    return float(size[order][int(np.flatnonzero(within >= LEVEL - 1e-12)[0])])


def _crossing(doses: Array, gains: Array, level: float) -> float:
    """Return the first dose at which a curve of straight lines reaches a level."""
    reached = np.flatnonzero(gains >= level)
    if not len(reached):
        return float("nan")
    i = int(reached[0])
    if i == 0:
        return float(doses[0])
    part = (level - gains[i - 1]) / (gains[i] - gains[i - 1])
    return float(doses[i - 1] + part * (doses[i] - doses[i - 1]))
