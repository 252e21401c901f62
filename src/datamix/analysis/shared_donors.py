"""Gains that a set owes to donors that it shares with what it is evaluated on, as the profile says."""

from datamix.project.profile import Profile


def shared_donors(profile: Profile, *, added: str, evaluation: str) -> str:
    """Say why an added set and an evaluation set share donors, in the profile's words; empty where they share none."""
    allowed = profile.evaluations[evaluation].shares_donors_with
    return " ".join(allowed[dataset] for dataset in profile.added[added].datasets if dataset in allowed)
