"""What `datamix advise` says: which training set is worth most, what to mix, and what is too uncertain to say."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from datamix.analysis.second_round import EVERY_SET
from datamix.analysis.shapley import attribute
from datamix.analysis.share_tables import draw, recommended, unseen_mixtures
from datamix.corpora.shares import coalitions, composition_of
from datamix.project.errors import DatamixError
from datamix.project.mixture_names import read_shares
from datamix.project.profile import Profile


def advise(
    scores: pd.DataFrame, plan: Mapping[str, Any], profile: Profile, *, on: str | None, resamples: int = 1000
) -> list[str]:
    """Say in lines which training data to take.

    Parameters
    ----------
    scores, plan
        Of mixtures by shares, both rounds, and how the second was planned.
    profile
        The profile.
    on
        An evaluation set; nothing: each in turn, and all alike.
    resamples
        Bootstrap draws.

    Returns
    -------
    The lines.

    Raises
    ------
    DatamixError
        If there is no such evaluation set, or the profile has no coalitions.
    """
    if on is not None and on not in profile.evaluations:
        msg = f"Profile {profile.name} has no evaluation set {on!r}; it has {', '.join(profile.evaluations)}."
        raise DatamixError(msg, fix="name one of them after --on")
    settings = composition_of(profile)
    if not settings.coalitions:
        msg = f"Profile {profile.name} has no coalitions, on which advice rests."
        raise DatamixError(msg, fix=f"set `composition.coalitions: true` in config/{profile.name}.yaml")
    sets = [on] if on else list(profile.evaluations)
    drawn = draw(scores, resamples=resamples)
    values = attribute(drawn, coalitions(profile), blocks=profile.blocks)
    values = values[values["quantity"] == "shapley"]
    _, accuracy = unseen_mixtures(scores, profile)
    advised = recommended(scores, plan, profile, drawn=drawn)
    lines = [
        f"Profile {profile.name}: {scores['mixture'].nunique()} mixtures of {settings.cells:,} cells each, "
        f"{len(settings.seeds)} seeds, {settings.max_epochs} epochs. "
        + ("Simulated cells. " if profile.simulated else "")
        + "Other sizes and longer trainings may rank otherwise.",
    ]
    for name in sets:
        lines += ["", f"{profile.evaluations[name].label} ({name})", *_ranking(values, profile, on=name)]
        lines += _mixture(advised[advised["asked"] == name], accuracy[accuracy["evaluation"] == name], profile)
    if len(sets) > 1:
        lines += ["", "All evaluation sets alike"]
        lines += _mixture(advised[advised["asked"] == EVERY_SET], accuracy.iloc[:0], profile)
    return lines


def _ranking(values: pd.DataFrame, profile: Profile, *, on: str) -> list[str]:
    own = values[values["evaluation"] == on].sort_values("value", ascending=False)
    first = own.iloc[0]
    lines = [
        f"  {rank}. {_label(str(row.block), profile)}: {row.value:.3f} ({row.low_all:.3f} to {row.high_all:.3f})"
        for rank, row in enumerate(own.itertuples(), start=1)
    ]
    alike = own[(own["high_all"] >= first["low_all"]) & (own["block"] != first["block"])]["block"]
    said = ", ".join(_label(block, profile) for block in alike)
    lines.insert(0, "  Shapley values, median R² (simultaneous 95 % intervals):")
    lines.append(f"  Too close to the first to say: {said}." if said else "  The first stands apart from all others.")
    return lines


def _mixture(advised: pd.DataFrame, accuracy: pd.DataFrame, profile: Profile) -> list[str]:
    of = advised.set_index("kind") if len(advised) else advised
    if "recommended" not in of.index:
        return ["  No mixture is recommended: there are too few to fit a law to."]
    best = of.loc["recommended"]
    cells = sorted(read_shares(str(best["mixture"])).items(), key=lambda item: -item[1])
    whole = sum(n for _, n in cells)
    shares = ", ".join(f"{n / whole:.0%} {_label(block, profile)}" for block, n in cells)
    lines = [
        f"  Recommended: {shares}; found {best['found']:.3f} ({best['low']:.3f} to {best['high']:.3f}), "
        f"the law had promised {best['predicted']:.3f}."
    ]
    for other, words in (("uniform", "equal shares of all sets"), ("single", "the best set alone")):
        if other not in of.index:
            continue
        value, low, high = (best[f"over_{other}{end}"] for end in ("", "_low", "_high"))
        certain = "." if low > 0 or high < 0 else "; too uncertain to say."
        lines.append(f"  Against {words}: {value:+.3f} ({low:+.3f} to {high:+.3f}){certain}")
    for row in accuracy.to_dict("records"):
        seeds = row["seed_distance"]
        beside = "" if np.isnan(seeds) else f"; two seeds of one mixture: {seeds:.3f}"
        lines.append(
            f"  The law's mean error on mixtures that it had not seen: {row['error']:.3f} (the average of the others: "
            f"{row['error_of_average']:.3f}{beside})."
        )
    return lines


def _label(block: str, profile: Profile) -> str:
    return profile.added[block].label if block in profile.added else profile.baselines[block].label
