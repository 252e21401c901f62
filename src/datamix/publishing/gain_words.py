"""Sentences about what added sets bring: over their control, on which evaluation sets, and of the findings."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from datamix.analysis.shared_donors import shared_donors
from datamix.project.profile import Profile
from datamix.publishing.words import interval_in_words, of_sets

_FINDINGS = {
    "unseen": "That unseen cell types are described poorly is {verdict} between cells of different studies{number}.",
    "left_out": "Of the same cells, with and without their type in training, it is {verdict}{number}.",
    "cancer": "That malignant cells{here} need not help with others is {verdict}.",
    "tf_atlas": "That stem cells driven by factors{here} help far from all others is {verdict}.",
}
"""Claim → what is said of it."""
_FEW = 3  # pairs that are named in a sentence
_BEYOND = {"over_control_low_all": 1, "over_control_high_all": -1}


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
    clear = others[others["over_control_low_all"] > 0].sort_values("over_control", ascending=False)
    named = "; ".join(
        f"“{row['mixture_label']}” on {row['evaluation_label']}, {_difference(row, '.3f')}"
        for _, row in clear.head(_FEW).iterrows()
    )
    which = f" ({named}{' and others' if len(clear) > _FEW else ''})" if len(clear) else ""
    lost = int((others["over_control_high_all"] < 0).sum())
    return (
        f"{said} Pairs that share none: {len(others)}; above their control by more than such an interval: "
        f"{len(clear)}{which}; below it: {lost}. Of them, {above} lies {lies}, with {_difference(first, '.3f')}, and "
        f"{below} {ends}, with {_difference(last, '.3f')}."
    )


def findings_in_words(names: Collection[str], claims: pd.DataFrame) -> str:
    """Say what came out of findings of the paper; the first of them has two tests.

    Parameters
    ----------
    names
        Of `unseen`, `left_out`, `cancer` and `tf_atlas`, those to tell of.
    claims
        A row a claim, as `datamix.analysis.claims.judge` gives them.

    Returns
    -------
    Verdicts, those of the first finding with their numbers; nothing of a test that the table lacks.
    """
    of = {row["claim"]: row for row in claims.fillna({"why": ""}).to_dict("records")}
    return " ".join(
        sentence.format(verdict=of[name]["verdict"], number=_by_how_much(of[name]), here=_here(of[name]))
        for name, sentence in _FINDINGS.items()
        if name in names and name in of
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
    return f", by {interval_in_words(row['value'], row['low'], row['high'], spec='.3f')}{unit}"


def _here(row: Mapping[Any, Any]) -> str:
    """Say which set is taken in place of that of the paper, where one is."""
    added, in_place, _ = str(row["why"]).partition(", in place of ")
    return f" (here {added})" if in_place else ""


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
