"""Sentences about trainings of one mixture: how far seeds agree, whether losses still fall, how often a rule errs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from datamix.project.mixture_names import read_name
from datamix.publishing.words import counted, range_in_words

_FAR = 1_000  # times the last held-out loss


def agreement_in_words(pairs: pd.DataFrame) -> str:
    """Say how far the first two seeds agree, cell by cell.

    Parameters
    ----------
    pairs
        As `summary.seed_pairs` returns them, a row a (evaluation, mixture, cell), R² in `first` and `second`.

    Returns
    -------
    A sentence with the median and the lowest correlation over evaluation sets and mixtures, or that there is none.
    """
    of_mixtures = pairs.groupby(["evaluation", "mixture"], observed=True)[["first", "second"]]
    known = of_mixtures.apply(lambda cells: cells["first"].corr(cells["second"])).dropna()
    if not len(known):
        return "Each seed draws evaluation cells of its own, and too few are in common for a correlation."
    return (
        "The correlation between the seeds, over the cells of one evaluation set and mixture, "
        f"is {known.median():.2f} in the median and {known.min():.2f} at its lowest."
    ).replace("-", "−")


def seed_spread_in_words(medians: pd.DataFrame, *, baseline: str, intervals: str) -> str:
    """Say how far the trainings of a mixture lie apart, and what tells mixtures apart.

    Parameters
    ----------
    medians
        As `summary.seed_medians` returns them, a row a (evaluation, mixture, seed), with labels.
    baseline
        The baseline: where a set without it spans most, what spans most with it is told too.
    intervals
        The figure whose intervals hold this scatter; none where it is empty.

    Returns
    -------
    Two sentences or three; nothing where no mixture has a median.
    """
    keys = ["mixture", "mixture_label", "evaluation_label"]
    spread = medians.groupby(keys, sort=False)["median"].agg(np.ptp).dropna().reset_index()
    if spread.empty:
        return ""
    holds = spread["mixture"].map(lambda name: read_name(name).first == baseline)

    def most(rows: pd.DataFrame) -> str:
        row = rows.iloc[int(rows["median"].argmax())]
        by_itself = "" if read_name(row["mixture"]).first == baseline else ", trained alone,"
        return f"{row['median']:.3f}, for {row['mixture_label']}{by_itself} on {row['evaluation_label']}"

    rest = ""
    if holds.any() and not holds.iloc[int(spread["median"].argmax())]:
        rest = f"; those of a mixture that holds the baseline, at most {most(spread[holds])}"
    told = (
        f"The medians of the {medians['seed'].nunique()} seeds of a mixture span {spread['median'].median():.3f} in "
        f"the median over mixtures and evaluation sets, and at most {most(spread)}{rest}."
    )
    if not intervals:
        return told
    return (
        f"{told} Whether means over seeds differ between mixtures is told by the intervals of {intervals}, which hold "
        "this scatter."
    )


def convergence_in_words(changes: pd.DataFrame, *, epochs: int, every: int) -> str:
    """Say whether the held-out loss still changed at the end, and of which model most.

    Parameters
    ----------
    changes
        As `summary.last_improvement` returns them, with `label` (of the mixture), `baseline_label` and `is_control`.
    epochs
        How long models were trained.
    every
        Epochs from one measurement of the held-out loss to the next.

    Returns
    -------
    One sentence or more.
    """
    known = changes.dropna(subset=["fall"])
    if known.empty:
        return (
            f"The held-out loss is measured every {every} epochs; of this profile's {epochs} that is too seldom to say "
            "whether it still changed at the end, or it was never finite."
        )
    # Epochs count from 0.
    before, last = (
        range_in_words(known[end].min() + 1, known[end].max() + 1, spec=".0f") for end in ("before", "last")
    )
    size = known["fall"].abs()
    most = known.iloc[int(size.argmax())]
    way = "fell" if most["fall"] > 0 else "rose"
    rise = f", after a rise of {most['rise']:.1%}" if most["fall"] > 0 and most["rise"] > 0 else ""
    named = f"{most['label']} ({most['baseline_label']} Baseline, seed {most['seed']})"
    span = f"Between epoch {before} and epoch {last} of {epochs}"
    held = " Added sets are held against this mixture, a control." if most["is_control"] else ""
    missing = len(changes) - len(known)
    none = f" Models without two finite held-out losses to compare: {missing}." if missing else ""
    high = int((known["peak"] > _FAR).sum())
    none += (
        f" Models whose held-out loss was once more than {_FAR:,} times what it was at the end: {high}." if high else ""
    )
    if len(known) == 1:
        told = f"{span}, the held-out loss of {named} {way} by {size.max():.1%}{rise}."
    else:
        told = (
            f"{span}, the held-out loss changed by {size.median():.1%} in the median model, and by more than 1 % in "
            f"{(size > 0.01).sum()} of {len(known)}; it fell in {(known['fall'] > 0).sum()}. "
            f"It changed most in {named}, where it {way} by {size.max():.1%}{rise}.{held}"
        )
    return told + none


def rates_in_words(rates: Mapping[int, float], *, tables: int, designed: float) -> str:
    """Hold measured rates of error against the one that a rule was made for.

    Parameters
    ----------
    rates
        Seeds of a mixture → the share of tables with an error.
    tables
        How many tables each rate is of.
    designed
        The rate that the rule is to keep to, at most.

    Returns
    -------
    A sentence with the exact binomial interval (Clopper–Pearson) of each rate, and whether it holds the designed one.
    """
    from scipy.stats import binomtest

    told = []
    for seeds, rate in rates.items():
        ends = binomtest(round(rate * tables), tables).proportion_ci(method="exact")
        reading = "below" if ends.high < designed else "above" if ends.low > designed else "compatible with"
        told.append(f"{ends.low:.1%} to {ends.high:.1%} with {counted(seeds, 'seed')}, {reading} it")
    return (
        f"The rule was made to err in {designed:.0%} at most; the exact 95 % intervals of these rates, tables taken as "
        f"independent, are {'; '.join(told)}."
    )
