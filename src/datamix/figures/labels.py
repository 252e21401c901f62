"""What readers see of the names of mixtures and evaluation sets."""

import re

import pandas as pd

from datamix.figures.style import look_up
from datamix.project.mixture_names import MixtureName, read_name
from datamix.project.profile import Profile

GROUPS = {
    "baseline": "Baseline",
    "alone": "Added set alone",
    "added": "Baseline + added set",
    "control": "Controls of other sizes",
    "own": "Yours",
}
"""Column groups of the heat map: those of the paper in its order, ours, where sizes are unequal, then a reader's."""


def label_mixtures(table: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Add what a reader sees: `mixture_label` (`+ TF atlas`); `evaluation_label`, `control_label` where they apply."""

    def label(mixture: str) -> str:
        last = _parts(mixture, profile)[-1]
        return last if read_name(mixture).added is None else f"+ {last}"

    labelled = table.assign(mixture_label=[label(m) for m in table["mixture"]])
    if "control" in table:
        labelled["control_label"] = [label(m) if isinstance(m, str) else "" for m in table["control"]]
    if "evaluation" in table:
        labelled["evaluation_label"] = [profile.evaluations[e].label for e in table["evaluation"]]
    return labelled


def label_models(table: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Add what a reader sees: `<column>_label` for `evaluation`, `mixture`, `known` and `new`, where they are there."""
    labels = {"evaluation": lambda name: evaluation_label(name, profile=profile)}
    labels |= dict.fromkeys(("mixture", "known", "new"), lambda name: mixture_label(name, profile=profile))
    return table.assign(**{f"{c}_label": table[c].map(label) for c, label in labels.items() if c in table})


def mixture_label(mixture: str, *, profile: Profile) -> str:
    """Return the label of a mixture, such as 'Blood + TF atlas' or 'Blood + Blood (690 cells)'.

    Raises
    ------
    DatamixError
        If the profile has no such baseline or added set.
    """
    return " + ".join(_parts(mixture, profile))


def _parts(mixture: str, profile: Profile) -> list[str]:
    labels = {name: part.label for name, part in profile.added.items()}
    labels |= {name: part.label for name, part in profile.baselines.items()}
    name = read_name(mixture)
    parts = [look_up(part, labels, profile) for part in (name.first, name.added) if part is not None]
    return parts if name.cells is None else [*parts[:-1], f"{parts[-1]} ({name.cells:,} cells)"]


def evaluation_label(evaluation: str, *, profile: Profile) -> str:
    """Return the label of an evaluation set, such as 'Cancer (AML)'.

    Raises
    ------
    DatamixError
        If the profile has no such evaluation set.
    """
    return look_up(evaluation, {name: part.label for name, part in profile.evaluations.items()}, profile)


def with_labels(text: str, profile: Profile) -> str:
    """Put labels for the names of mixtures, sets and evaluation sets in a text; a name that is none of them stays."""
    labels = {name: part.label for name, part in (profile.added | profile.baselines | profile.evaluations).items()}
    for first in profile.baselines:
        mixtures = (str(MixtureName(first, added)) for added in (first, *profile.added))
        labels |= {mixture: mixture_label(mixture, profile=profile) for mixture in mixtures}
    names = "|".join(re.escape(name) for name in sorted(labels, key=len, reverse=True))
    return re.sub(rf"(?<![\w+-])({names})(?![\w+-])", lambda found: labels[found[0]], text)


def label_claims(claims: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Add `about_label`, what each claim is measured on: `about` with labels; cell types are no names of ours."""
    pairs = zip(claims["claim"], claims["about"].fillna(""), strict=True)
    return claims.assign(about_label=[a if claim == "left_out" else with_labels(a, profile) for claim, a in pairs])
