"""Numbers as words of a sentence, where the value alone would leave the sentence wrong."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from datamix.analysis.shared_donors import shared_donors
from datamix.project.mixture_names import read_name
from datamix.project.profile import Profile

_ASKED = {"out of distribution": "on cells out of distribution", "cancer": "on cancer"}
_FINDINGS = {
    "unseen": "That unseen cell types are described poorly is {verdict} between sets, other cells of other "
    "studies{number}.",
    "left_out": "On the same cells, with and without their type in training, it is {verdict}{number}.",
    "cancer": "That malignant cells{here} need not help with others is {verdict}.",
    "tf_atlas": "That the TF atlas, stem cells driven by transcription factors{here}, helps far from all others is "
    "{verdict}.",
}
"""Claim → what is said of it."""
_BEYOND = {"over_control_low_all": 1, "over_control_high_all": -1}


def counted(number: int, noun: str) -> str:
    """Say how many there are: `one seed`, `3 seeds`, `1,200 cells`."""
    return f"one {noun}" if number == 1 else f"{number:,} {noun}s"


def of_sets(number: int, total: int, noun: str = "evaluation set") -> str:
    """Say how many of all: `2 of 5 evaluation sets`, `no evaluation set`, `the one evaluation set`."""
    if number == 0:
        return f"no {noun}"
    return f"the one {noun}" if total == 1 else f"{number:,} of {total:,} {noun}s"


def over_seeds(number: int) -> str:
    """Say of how many trainings a number is: `averaged over seeds`, or `of one seed`."""
    return "of one seed" if number == 1 else "averaged over seeds"


def range_in_words(low: float, high: float, *, spec: str) -> str:
    """Say from where to where: `0.12 to 0.34`, and where both ends read alike, one of them."""
    ends = dict.fromkeys(format(end, spec).replace("-", "−") for end in (low, high))
    return " to ".join(ends)


def interval_in_words(value: float, low: float, high: float, *, spec: str) -> str:
    """Say a quantity with its interval.

    Parameters
    ----------
    value, low, high
        The quantity and the ends; NaN where it, or they, cannot be computed.
    spec
        Python's format of each, such as `.3f`.

    Returns
    -------
    `0.123 (−0.010 to 0.256)`; without the brackets where there are no ends, and `–` where there is no value. Where all
    of it would read as nothing and is not, up to three more decimals: `0.00003 (−0.00010 to 0.00020)`.
    """
    if value != value:
        return "–"
    spec = _fine_enough(spec, value, low, high)
    numbers = [format(number, spec) for number in (value, low, high)]
    # A number that rounds to nothing has no sign.
    said = [number.removeprefix("-") if not set(number) & set("123456789") else number for number in numbers]
    ends = f" ({said[1]} to {said[2]})" if low == low else ""
    return f"{said[0]}{ends}".replace("-", "−")


def furthest_in_words(additions: pd.DataFrame, baseline: pd.Series | None = None) -> str:
    """Say which added set lies furthest above its control, and on which evaluation set.

    Parameters
    ----------
    additions
        A row a pair of an added set and an evaluation set, as `datamix.analysis.summary.summarise` gives them, with
        labels.
    baseline
        The baseline's median by evaluation set. With it the medians are told, and what lies furthest below, too.

    Returns
    -------
    One or two sentences; where nothing is added, that.
    """
    if additions.empty:
        return "This profile adds no set."
    over = additions["over_control"].to_numpy()
    best, worst = additions.iloc[int(np.nanargmax(over))], additions.iloc[int(np.nanargmin(over))]
    if len(additions) == 1 and baseline is None:
        return (
            f"The one pair, “{best['mixture_label']}” on {best['evaluation_label']}, differs from its control, "
            f"“{best['control_label']}”, by {_difference(best, '.3f')}."
        )
    first = "Furthest above lies" if best["over_control"] > 0 else "None lies above; least far below lies"
    if baseline is None:
        return (
            f"{first} “{best['mixture_label']}” on {best['evaluation_label']}, held against "
            f"“{best['control_label']}”, by {_difference(best, '.3f')}."
        )
    if len(additions) == 1:
        first = "The one pair is"
    above = (
        f"{first} {best['mixture_label']} on {best['evaluation_label']}: the baseline has "
        f"{baseline[best['evaluation']]:.2f}, this mixture {best['median']:.2f}, and the difference from its control, "
        f"“{best['control_label']}”, is {_difference(best, '.3f')}."
    )
    if len(additions) == 1:
        return above
    return (
        f"{above} Furthest below lies {worst['mixture_label']} on {worst['evaluation_label']}, held against "
        f"“{worst['control_label']}”, with {_difference(worst, '.3f')}."
    )


def answer_in_words(additions: pd.DataFrame, control: pd.DataFrame) -> str:
    """Say what came out: of one added set, of several, or of more of the same cells where nothing is added.

    Parameters
    ----------
    additions
        As of `furthest_in_words`.
    control
        A row an evaluation set: the published control, with `gain`, its simultaneous interval and `evaluation_label`.

    Returns
    -------
    One sentence or more.
    """
    if additions.empty:
        row = control.iloc[int(np.nanargmax(control["gain"].abs().to_numpy()))]
        more = "with all cells in place of half of them"
        if len(control) == 1:
            what = f"the median R² of {row['evaluation_label']} changes"
            return f"{more[0].upper()}{more[1:]}, {what} by {_against_none(row, 'gain')}."
        many = int(((control["gain_low_all"] > 0) | (control["gain_high_all"] < 0)).sum())
        return (
            f"Evaluation sets whose median R² changes by more than its interval {more}: {many} of {len(control)}; "
            f"{row['evaluation_label']} changes most, by {_difference(row, '.3f', of='gain')}."
        )
    if len(additions) == 1:
        row = additions.iloc[0]
        return (
            f"“{row['mixture_label']}” differs on {row['evaluation_label']} from its control, "
            f"“{row['control_label']}”, by {_against_none(row, 'over_control')}."
        )
    return f"{pairs_in_words(additions)} {furthest_in_words(additions)}"


def pairs_in_words(additions: pd.DataFrame) -> str:
    """Count, in a sentence, the pairs of an added set and an evaluation set that differ from their control."""
    above, below = ((additions[end] * sign > 0).sum() for end, sign in _BEYOND.items())
    return (
        f"Pairs of an added set and an evaluation set: {len(additions)}; above their control by more than an interval "
        f"that allows for all of them: {above}; below it: {below}."
    )


def about_donors(additions: pd.DataFrame, profile: Profile) -> str:
    """Tell the reader where the furthest gain is between cells of one donor, and what is furthest without.

    Parameters
    ----------
    additions
        As of `furthest_in_words`, with `added`.
    profile
        The profile that they are of.

    Returns
    -------
    Sentences that begin with a space; empty where the furthest gain is between sets that share no donor, and where
    nothing is added.
    """
    if additions.empty:
        return ""
    best = additions.iloc[int(np.nanargmax(additions["over_control"].to_numpy()))]
    why = shared_donors(profile, added=best["added"], evaluation=best["evaluation"])
    if not why:
        return ""
    names = f"“{best['mixture_label']}” and {best['evaluation_label']}"
    said = f" But {names} share donors, so that this is no gain on unseen ones: “{why}”"
    pairs = zip(additions["added"], additions["evaluation"], strict=True)
    others = additions.loc[[not shared_donors(profile, added=a, evaluation=e) for a, e in pairs]]
    if others.empty:
        return f"{said} No pair without shared donors is at hand."
    over = others["over_control"].to_numpy()
    first, last = (others.iloc[int(at(over))] for at in (np.nanargmax, np.nanargmin))
    above, below = (f"“{row['mixture_label']}” on {row['evaluation_label']}" for row in (first, last))
    if len(others) == 1:
        return (
            f"{said} The one pair that shares none, {above}, differs from its control by {_difference(first, '.3f')}."
        )
    lies = "furthest above its control" if first["over_control"] > 0 else "least far below its control"
    ends = "furthest below" if last["over_control"] < 0 else "least far above"
    return (
        f"{said} Of the pairs that share none, {above} lies {lies}, with {_difference(first, '.3f')}, and {below} "
        f"{ends}, with {_difference(last, '.3f')}."
    )


def findings_in_words(claims: pd.DataFrame, profile: Profile) -> str:
    """Say what came out of the paper's three findings, of the first in both its tests.

    Parameters
    ----------
    claims
        A row a claim, as `datamix.analysis.claims.judge` gives them.
    profile
        The profile that they are of.

    Returns
    -------
    Verdicts, those of the first finding with their numbers; nothing of a test that the table lacks.
    """
    of = {row["claim"]: row for row in claims.fillna({"why": ""}).to_dict("records")}
    return " ".join(
        sentence.format(verdict=of[name]["verdict"], number=_by_how_much(of[name]), here=_here(of[name], profile))
        for name, sentence in _FINDINGS.items()
        if name in of
    )


def chosen_in_words(profile: Profile, *, dosed: int) -> str:
    """Say why so many sets are given in doses: named, the only one, or worth most where the second round looks."""
    one = dosed == 1
    if profile.composition is not None and profile.composition.dosed is not None:
        return f"The profile names {'this set' if one else 'these sets'}."
    if len(profile.blocks) <= 2:  # one is the baseline's
        return "No other set is mixed with the baseline's."
    groups = {evaluation.group for evaluation in profile.evaluations.values()}
    asked = [words for group, words in _ASKED.items() if group in groups]
    where = " and ".join(asked) or "over all evaluation sets"
    if one:
        where = f"both {where}" if len(asked) > 1 else where
        return (
            f"It is the added set of the largest Shapley value, {where} (Figure 7); it was chosen on the same "
            "evaluation sets, so its curve may promise a little too much."
        )
    return (
        f"They are the added sets of the largest Shapley value {where} (Figure 7); they were chosen on the same "
        "evaluation sets, so their curves may promise a little too much."
    )


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


def changes_in_words(changes: pd.Series) -> str:
    """Say from where to where a change goes over evaluation sets.

    Parameters
    ----------
    changes
        Label of an evaluation set → the change of its median R².

    Returns
    -------
    What follows `changes the median R²`: `by −0.136 (Blood) to +0.107 (SCC), and lowers it on 3 of 5 evaluation sets`;
    of one set, `on Blood by −0.136`.
    """
    changes = changes.dropna().sort_values()
    if changes.empty:
        return "on no evaluation set of both"
    ends = [f"{change:+.3f}".replace("-", "−") for change in (changes.iloc[0], changes.iloc[-1])]
    if len(changes) == 1:
        return f"on {changes.index[0]} by {ends[0]}"
    lower = of_sets(int((changes < 0).sum()), len(changes))
    return f"by {ends[0]} ({changes.index[0]}) to {ends[1]} ({changes.index[-1]}), and lowers it on {lower}"


def elsewhere_in_words(others: pd.DataFrame) -> str:
    """Say on how many of the other evaluation sets an added set lies above its control, and on how many below.

    Parameters
    ----------
    others
        A row an evaluation set, as `two_families.side_by_side` gives them for one measure, with labels.

    Returns
    -------
    A sentence with a space before it: ` On the other 4 sets: above 0, below 2 (Blood, Bone marrow).` Nothing where
    there is no other set.
    """
    if others.empty:
        return ""
    above, below = others["over_control_low"] > 0, others["over_control_high"] < 0
    if len(others) == 1:
        reading = "above" if above.item() else "below" if below.item() else "no clear difference"
        return f" On {others['evaluation_label'].iloc[0]}: {reading}."

    def told(chosen: pd.Series) -> str:
        names = ", ".join(others.loc[chosen, "evaluation_label"])
        return f"{chosen.sum()} ({names})" if names else "0"

    return f" On the other {len(others)} sets: above {told(above)}, below {told(below)}."


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


def best_and_worst_in_words(baseline: pd.DataFrame, *, spec: str) -> str:
    """Say which evaluation set a model describes best, and which worst.

    Parameters
    ----------
    baseline
        A row an evaluation set: `evaluation_label`, and `median` with its ends `low` and `high`.
    spec
        Python's format of each number.

    Returns
    -------
    What follows its name: `describes Blood best, with a median R² of 0.61 (0.60 to 0.62), and Neurons worst, …`.
    """

    def number(row: pd.Series) -> str:
        return interval_in_words(row["median"], row["low"], row["high"], spec=spec)

    medians = baseline["median"].to_numpy()
    best, worst = baseline.iloc[int(np.nanargmax(medians))], baseline.iloc[int(np.nanargmin(medians))]
    if len(baseline) == 1:
        return f"describes {best['evaluation_label']} with a median R² of {number(best)}"
    return (
        f"describes {best['evaluation_label']} best, with a median R² of {number(best)}, and "
        f"{worst['evaluation_label']} worst, with {number(worst)}"
    )


def _by_how_much(row: Mapping[Any, Any]) -> str:
    """Say, after a verdict, the difference that it rests on; the reason where there is none."""
    if row["value"] != row["value"]:
        return f": {row['why']}"
    unit = " of median R²" if row["claim"] == "unseen" else ""
    return f": by {interval_in_words(row['value'], row['low'], row['high'], spec='.3f')}{unit}"


def _here(row: Mapping[Any, Any], profile: Profile) -> str:
    """Say which set stands in for that of the paper, where one does."""
    added, stands_in, _ = str(row["why"]).partition(" stands in for ")
    return f" (here {profile.added[added].label if added in profile.added else added})" if stands_in else ""


def _fine_enough(spec: str, *numbers: float) -> str:
    """Give as many more decimals, three at most, as the largest number needs for two digits, if all read as 0."""
    said = "".join(format(number, spec) for number in numbers if number == number)
    largest = np.nanmax(np.abs(numbers))
    if not spec.endswith("f") or set(said) & set("123456789") or not largest:
        return spec
    decimals, needed = int(spec[1:-1]), 1 - int(np.floor(np.log10(largest)))
    return f".{needed}f" if needed <= decimals + 3 else spec


def _difference(row: pd.Series, spec: str, *, of: str = "over_control") -> str:
    ends = (row[f"{of}_{end}_all"] for end in ("low", "high"))
    return interval_in_words(row[of], *ends, spec=spec)


def _against_none(row: pd.Series, of: str) -> str:
    """Say a difference of median R², and whether it is one."""
    said, low, high = _difference(row, ".3f", of=of), row[f"{of}_low_all"], row[f"{of}_high_all"]
    if low != low:
        return said
    reading = "better" if low > 0 else "worse" if high < 0 else "better or worse cannot be told"
    return f"{said}: {reading}"
