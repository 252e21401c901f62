"""Gains that a set owes to donors that it shares with what it is evaluated on, as the profile says."""

import pandas as pd

from datamix.project.profile import Profile


def shared_donors(profile: Profile, *, added: str, evaluation: str) -> str:
    """Say why an added set and an evaluation set share donors, in the profile's words; empty where they share none."""
    allowed = profile.evaluations[evaluation].shares_donors_with
    return " ".join(allowed[dataset] for dataset in profile.added[added].datasets if dataset in allowed)


def about_donors(additions: pd.DataFrame, profile: Profile) -> str:
    """Tell the reader where the furthest gain is between cells of one donor, and which is furthest without.

    Parameters
    ----------
    additions
        A row a (evaluation, mixture) of the additions: `evaluation`, `added`, `over_control`, `evaluation_label`,
        `mixture_label`.
    profile
        The profile that they are of.

    Returns
    -------
    Sentences that begin with a space; empty where the furthest gain is between sets that share no donor.
    """
    best = additions.iloc[int(additions["over_control"].to_numpy().argmax())]
    why = shared_donors(profile, added=best["added"], evaluation=best["evaluation"])
    if not why:
        return ""
    names = f"“{best['mixture_label']}” and {best['evaluation_label']}"
    said = f" But {names} share donors, so that this is no gain on unseen ones: “{why}”"
    pairs = zip(additions["added"], additions["evaluation"], strict=True)
    others = additions.loc[[not shared_donors(profile, added=a, evaluation=e) for a, e in pairs]]
    if others.empty:
        return f"{said} No pair without shared donors is at hand."
    next_best = others.iloc[int(others["over_control"].to_numpy().argmax())]
    gain = f"{next_best['over_control']:.2f}".replace("-", "−")
    said += f" Of the pairs that share none, the largest difference is that of “{next_best['mixture_label']}” on "
    return f"{said}{next_best['evaluation_label']}, {gain}."
