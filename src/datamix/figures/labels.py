"""What readers see of the names of mixtures and evaluation sets."""

import pandas as pd

from datamix.figures.style import look_up
from datamix.project.profile import Profile

GROUPS = {"baseline": "Baseline", "alone": "Added set alone", "added": "Baseline + added set"}
"""Column groups of the heat map, in the order of the paper."""


def label_mixtures(table: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Add what a reader sees: `evaluation_label`, and `mixture_label` (`+ TF atlas` within the group of additions)."""
    added = {name: part.label for name, part in profile.added.items()}
    added |= {name: part.label for name, part in profile.baselines.items()}

    def label(mixture: str) -> str:
        _, plus, name = mixture.rpartition("+")
        return f"+ {added[name]}" if plus else added[name]

    labelled = table.assign(mixture_label=[label(m) for m in table["mixture"]])
    if "evaluation" in table:
        labelled["evaluation_label"] = [profile.evaluations[e].label for e in table["evaluation"]]
    return labelled


def label_models(table: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Add what a reader sees: `<column>_label` for `evaluation`, `mixture`, `known` and `new`, where they are there."""
    labels = {"evaluation": lambda name: evaluation_label(name, profile=profile)}
    labels |= dict.fromkeys(("mixture", "known", "new"), lambda name: mixture_label(name, profile=profile))
    return table.assign(**{f"{c}_label": table[c].map(label) for c, label in labels.items() if c in table})


def mixture_label(mixture: str, *, profile: Profile) -> str:
    """Return the label of a mixture, such as 'Blood + TF atlas', made of the labels in the profile.

    Raises
    ------
    DatamixError
        If the profile has no such baseline or added set.
    """
    labels = {name: part.label for name, part in profile.added.items()}
    labels |= {name: part.label for name, part in profile.baselines.items()}
    return " + ".join(look_up(part, labels, profile) for part in mixture.split("+"))


def evaluation_label(evaluation: str, *, profile: Profile) -> str:
    """Return the label of an evaluation set, such as 'Cancer (AML)'.

    Raises
    ------
    DatamixError
        If the profile has no such evaluation set.
    """
    return look_up(evaluation, {name: part.label for name, part in profile.evaluations.items()}, profile)
