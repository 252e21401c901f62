"""Sentences about mixtures by shares: what sets are worth, what a law of shares predicts, and what doses bring."""

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from datamix.analysis.shared_donors import shared_donors
from datamix.figures.composition import block_label
from datamix.figures.labels import evaluation_label
from datamix.project.profile import Profile
from datamix.publishing.words import counted, interval_in_words, of_sets

_SPEC = ".3f"
_ASKED = {"out of distribution": "on cells out of distribution", "cancer": "on cancer"}


def mixed_in_words(blocks: Collection[str], profile: Profile) -> str:
    """Say which sets are mixed, the baseline's own among them, and which added sets are not.

    Parameters
    ----------
    blocks
        The sets that are mixed.
    profile
        The profile, which says what else it adds, and what shares donors with what it is evaluated on.
    """
    return " ".join(filter(None, [f"The sets that are mixed: {_named(blocks, profile)}.", left_aside(blocks, profile)]))


def left_aside(blocks: Collection[str], profile: Profile) -> str:
    """Say which added sets are not mixed, and with which evaluation sets they share donors; empty where all are."""
    aside = []
    for name in (name for name in profile.added if name not in blocks):
        sets = [
            evaluation_label(evaluation, profile=profile)
            for evaluation in profile.evaluations
            if shared_donors(profile, added=name, evaluation=evaluation)
        ]
        aside.append(block_label(name, profile) + (f", which shares donors with {_listed(sets)}" if sets else ""))
    return f"Not mixed: {'; '.join(aside)}." if aside else ""


def apart_in_words(shapley: pd.DataFrame, profile: Profile, *, which: bool = True) -> str:
    """Say on which evaluation sets one of the mixed sets is worth more than all others, beyond the intervals.

    Parameters
    ----------
    shapley
        As of `worth_in_words`.
    profile
        The profile.
    which
        Whether to name them.
    """
    ranked = _ranked(shapley)
    apart = [
        f"{block_label(best['block'], profile)} on {evaluation_label(name, profile=profile)}"
        for name, (best, others) in ranked.items()
        if not _overlapping(best, others)
    ]
    blocks = list(dict.fromkeys(shapley["block"]))
    where = f": {', '.join(apart)}" if apart and which else ""
    said = (
        f"Of the sets mixed, {_named(blocks, profile)}, one is worth more than all others, beyond the intervals, on "
        f"{of_sets(len(apart), len(ranked))}{where}."
    )
    return " ".join(filter(None, [said, left_aside(blocks, profile)]))


def worth_in_words(shapley: pd.DataFrame, profile: Profile) -> str:
    """Say which set has the highest Shapley value on each evaluation set, and from how many others it stands apart.

    Parameters
    ----------
    shapley
        A row a (evaluation, block): `value`, and its simultaneous interval, `low_all` and `high_all`.
    profile
        The profile.
    """
    sentences = []
    for name, (best, others) in _ranked(shapley).items():
        number = interval_in_words(best["value"], best["low_all"], best["high_all"], spec=_SPEC)
        overlapping = _overlapping(best, others)
        highest = f"has the highest value, {number}; its interval overlaps with"
        if best["low_all"] != best["low_all"]:
            said = f"has the highest value, {number}, of which no interval is known"
        elif not overlapping:
            said = f"is worth most, {number}, more than any other set beyond the intervals"
        elif len(others) == 1:
            said = f"{highest} that of the other set"
        else:
            which = "that" if overlapping == 1 else "those"
            said = f"{highest} {which} of {overlapping} of {len(others)} other sets"
        sentences.append(f"On {evaluation_label(name, profile=profile)}, {block_label(best['block'], profile)} {said}.")
    return " ".join(sentences)


def law_in_words(accuracy: pd.DataFrame, *, clear: int) -> str:
    """Say on how many evaluation sets a law errs less than the average, and than two seeds differ.

    Parameters
    ----------
    accuracy
        A row an evaluation set, as `datamix.analysis.share_tables.unseen_mixtures` gives it.
    clear
        On how many the law's error is smaller beyond the interval of the set alone
        (`datamix.analysis.claims_of_shares.error_saved`).
    """
    sets = len(accuracy)
    if not sets:
        return "There are too few mixtures of random shares to hold a law against."
    better = int((accuracy["error"] < accuracy["error_of_average"]).sum())
    alone = ", each set alone," if sets > 1 else ""
    said = (
        "The law's mean error is smaller than that of the average mixture, which needs no law, on "
        f"{of_sets(better, sets)}; beyond its 95 % interval over mixtures{alone} on {of_sets(clear, sets)}."
    )
    if not accuracy["seed_distance"].notna().any():
        return f"{said} With one seed of each mixture, nothing says how much two trainings differ."
    within = int((accuracy["error"] <= accuracy["seed_distance"]).sum())
    return f"{said} It is no larger than the distance between two seeds of one mixture on {of_sets(within, sets)}."


def recommended_in_words(recommended: pd.DataFrame) -> str:
    """Count the recommended mixtures that are better, and worse, than equal shares and than the best set alone.

    Parameters
    ----------
    recommended
        A row a recommended mixture, as `datamix.analysis.share_tables.recommended` gives them.
    """
    said = [f"Recommended mixtures: {len(recommended)}."]
    against = {"uniform": "equal shares", "single": "the best set alone, which was chosen on the same cells"}
    for other, words in against.items():
        low, high = (recommended[f"over_{other}_{end}"] for end in ("low", "high"))
        if low.notna().any():
            each = ", each alone" if len(recommended) > 1 else ""
            better, worse = int((low > 0).sum()), int((high < 0).sum())
            said.append(f"Against {words}, beyond the 95 % interval{each}: better {better}, worse {worse}.")
    return " ".join(said)


def fitted_in_words(before: int, recommended: int) -> str:
    """Say which of the recommended mixtures the law had seen when it was fitted.

    Parameters
    ----------
    before
        Recommended ones that had been trained before.
    recommended
        All of them.
    """
    if not before:
        return "The law was fitted before any of them was trained." if recommended > 1 else ""
    if before == recommended:
        return "All of it had been trained before, and the law was fitted to it."
    which = "One of these recommends" if before == 1 else f"{before} of these recommend"
    return (
        f"{which} a mixture that had been trained before, and to which the law was fitted; the others were trained "
        "after it was fitted."
    )


def thinned_in_words(thinned: pd.DataFrame, halves: pd.DataFrame, profile: Profile, *, depth: int | None) -> str:
    """Say what is left of the largest dose where its cells are thinned to the baseline's depth.

    Parameters
    ----------
    thinned
        A row a (block, evaluation), as `datamix.analysis.share_tables.thinned_doses` gives them.
    halves
        Of the same doses with whole cells, as `datamix.analysis.share_tables.half_gain` gives them.
    profile
        The profile.
    depth
        The counts that cells are thinned to; none where no mixture is of matched depth.
    """
    if depth is None or thinned.empty:
        return (
            "This profile does not ask whether a gain survives where its cells are thinned (composition.depth_matched)."
        )
    keys = ["block", "evaluation"]
    gained = halves.loc[halves["gain_low"] > 0, keys]
    gains = thinned.merge(gained, on=keys)
    survive, smaller, larger = (
        int(found.sum()) for found in (gains["gain_low"] > 0, gains["lost_low"] > 0, gains["lost_high"] < 0)
    )
    each = " Intervals are those of each pair alone." if len(thinned) > 1 else ""
    said = [
        f"So the largest dose is given once more, every cell with more than {depth:,} counts in the shared genes, the "
        f"median of {block_label(profile.composed_baseline, profile)}, thinned to as many in expectation; cells with "
        f"fewer stay whole.{each}"
    ]
    if len(gains):
        said.append(
            f"Pairs in which whole cells gain over no dose: {len(gains)}; thinned cells still gain beyond the interval "
            f"in {survive}, gain less than whole ones beyond theirs in {smaller}, and more in {larger}."
        )
    for row in gains.to_dict("records"):
        than = "less" if row["lost"] > 0 else "more"
        ends = (row["lost"], row["lost_low"], row["lost_high"])
        ends = ends if row["lost"] > 0 else (-ends[0], -ends[2], -ends[1])
        said.append(
            f"{_pair(row, profile)} gains {_number(row, 'gain')} with thinned cells, "
            f"{interval_in_words(*ends, spec=_SPEC)} {than} than with whole ones."
        )
    lower, below = thinned[thinned["lost_low"] > 0], thinned[thinned["gain_high"] < 0]
    said.append(
        f"Whether whole cells gain or not, thinned ones have the lower R² beyond the interval in {len(lower)} of "
        f"{len(thinned)} pairs{_by(lower, 'lost', profile)}."
    )
    said.append(
        f"Against no dose at all, they fall below it beyond the interval in {len(below)}{_by(below, 'gain', profile)}."
    )
    return " ".join(said)


def chosen_in_words(profile: Profile, worth: pd.DataFrame, *, dosed: int) -> str:
    """Say why so many sets are given in doses: named, the only one, or worth most where the second round looks.

    Parameters
    ----------
    profile
        The profile.
    worth
        A row a (group, block), as `datamix.analysis.share_tables.worth_of_added` gives them.
    dosed
        How many sets are given in doses.
    """
    if profile.composition is not None and profile.composition.dosed is not None:
        return f"The profile names {'this set' if dosed == 1 else 'these sets'}."
    if len(profile.blocks) <= 2:  # one is the baseline's
        return "No other set is mixed with the baseline's."
    said = []
    for group, part in worth.groupby("group", sort=False):
        ordered = part.sort_values("value", ascending=False)
        best, others = ordered.iloc[0], ordered.iloc[1:]
        overlapping = _overlapping(best, others)
        where = _ASKED.get(str(group), "over all evaluation sets")
        mean = f" (mean of {best['sets']} evaluation sets)" if best["sets"] > 1 else ""
        number = interval_in_words(best["value"], best["low_all"], best["high_all"], spec=_SPEC)
        if best["low_all"] != best["low_all"]:
            told = ", of which no interval is known"
        elif not (part["low_all"] > 0).any():
            told = ": none is shown to be worth anything there"
        elif not overlapping:
            told = ", beyond the intervals"
        else:
            told = f"; its interval overlaps with {overlapping} of {len(others)} others"
        said.append(
            f"{where[0].upper()}{where[1:]}{mean}, {block_label(best['block'], profile)} has the largest value of the "
            f"added sets, {number}{told}."
        )
    return (
        "The choice goes by Shapley values (Figure 7), on the same evaluation sets, so that the curves may "
        f"promise a little too much. {' '.join(said)}"
    )


def halves_in_words(curves: pd.DataFrame, halves: pd.DataFrame, profile: Profile) -> str:
    """Say which dose brings half of each gain, and which smaller doses are a loss beyond their interval.

    Parameters
    ----------
    curves
        A row a (block, evaluation, dose), as `datamix.analysis.share_tables.dose_response` gives them.
    halves
        Of the same, as `datamix.analysis.share_tables.half_gain` gives them.
    profile
        The profile.
    """
    said = []
    for row in halves.dropna(subset=["half_dose"]).to_dict("records"):
        of_pair = curves[(curves["block"] == row["block"]) & (curves["evaluation"] == row["evaluation"])]
        losses = [
            f"; at {counted(int(dose['dose']), 'cell')} it is a loss, {_number(dose, 'gain')}"
            for dose in of_pair[of_pair["gain_high"] < 0].sort_values("dose").to_dict("records")
        ]
        said.append(
            f"{_pair(row, profile)}, {_number(row, 'gain')}: half of it comes with {row['half_dose']:,.0f} cells"
            f"{''.join(losses)}."
        )
    return " ".join(said) or "There is no gain to halve."


def _ranked(shapley: pd.DataFrame) -> dict[str, tuple[pd.Series, pd.DataFrame]]:
    """Give, for each evaluation set, the block of the highest value, and the others."""
    ordered = {
        str(name): part.sort_values("value", ascending=False)
        for name, part in shapley.groupby("evaluation", sort=False)
    }
    return {name: (part.iloc[0], part.iloc[1:]) for name, part in ordered.items()}


def _overlapping(best: pd.Series, others: pd.DataFrame) -> int:
    """Count the others that do not lie below, beyond the intervals; where none are known, all."""
    return int((~(others["high_all"] < best["low_all"])).sum())


def _named(blocks: Collection[str], profile: Profile) -> str:
    own = profile.composed_baseline
    return _listed([block_label(b, profile) + (" (the baseline's own)" if b == own else "") for b in blocks])


def _pair(row: Mapping[Any, Any], profile: Profile) -> str:
    where = evaluation_label(row["evaluation"], profile=profile)
    return f"{block_label(row['block'], profile)} on {where}"


def _number(row: Mapping[Any, Any], of: str) -> str:
    return interval_in_words(row[of], row[f"{of}_low"], row[f"{of}_high"], spec=_SPEC)


def _by(pairs: pd.DataFrame, of: str, profile: Profile) -> str:
    """List pairs with their numbers, after a colon."""
    said = [f"{_pair(row, profile)}, {_number(row, of)}" for row in pairs.to_dict("records")]
    return f": {'; '.join(said)}" if said else ""


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
