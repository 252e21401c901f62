"""The paper's findings as tests: for each a statistic, an interval, a threshold and a verdict.

Findings: Nadig et al. 2025, doi:10.1101/2025.02.19.639127, abstract. The statistics and thresholds are ours.

A verdict is an interval held against a threshold. The intervals are 95 %, so that each of the two wrong verdicts,
"supported" and "not supported" of a truth that lies at the threshold, is to come in at most 2.5 % of repetitions;
`tests/analysis/test_claims.py` simulates that it comes in at most 5 %, with one set and three, two seeds and five.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from datamix.analysis.bootstrap import LEVEL, SEED, draw_medians
from datamix.corpora.mixtures import Mixture, control_of
from datamix.project.profile import Profile
from datamix.sources.formats.cell_labels import NOT_LABELLED

Array = npt.NDArray[np.floating]

MARGIN = 0.05
"""Median R². A smaller difference is called no improvement.

The scale is that of the published control, which has more cells and no other composition: it moves by 0.08 on one of
the five evaluation sets, and by 0.01 or less on the other four (draft heat map). The value between is ours, the same
for all profiles and findings. What another margin would say can be read off the interval.
"""

GENERALISES = 0.1
"""Median R². Unseen cell types that lose less than this against seen ones are not called poorly modelled (ours)."""

STANDS_FOR = {
    "blood_cancer": ("blood_cancer", "carcinoma_lines", "lymphoma"),
    "tf_atlas": ("tf_atlas", "stem_cell_cultures"),
}
"""The added sets that a finding is about: the paper's own, else the one that stands in for it in small profiles."""

_OF_PAPER = {"blood_cancer": "blood cancer", "tf_atlas": "the TF atlas"}

SUPPORTED, NOT_SUPPORTED, UNDECIDED, NOT_COMPUTABLE = "supported", "not supported", "undecided", "not computable"


@dataclass(frozen=True)
class Claim:
    """A finding and how it is tested."""

    name: str
    finding: str
    statistic: str
    """What is measured, in words."""
    rule: str
    """When it counts as supported, and when as not supported."""


CLAIMS = {
    claim.name: claim
    for claim in (
        Claim(
            "unseen",
            "The models generalise poorly to cell types that they have not seen.",
            "median R² of the baseline on evaluation cells of types that its training corpus has (without cell types: "
            "on the evaluation set of the same name; where a profile says which sets hold seen types: on these), less "
            "that on the set out of distribution",
            f"supported above {GENERALISES}, not supported below",
        ),
        Claim(
            "left_out",
            "The models generalise poorly to cell types that they have not seen (one type left out).",
            "median R² of the baseline less that of a model trained without one cell type, on the cells of that type, "
            "all types that were left out together",
            f"supported above {MARGIN}, not supported below",
        ),
        Claim(
            "cancer",
            "Adding malignant cells does not necessarily improve the modelling of unseen malignant cells.",
            "the smallest gain, over the cancer sets, of baseline + malignant cells over the control of the same size",
            f"supported where at least one set gains less than {MARGIN} (tested set by set, Bonferroni over the sets), "
            "not supported where each gains more (each set tested at the full level: intersection–union)",
        ),
        Claim(
            "tf_atlas",
            "Adding the transcription-factor atlas improves out-of-distribution performance.",
            "gain of baseline + atlas over the control of the same size, on the set out of distribution",
            f"supported above {MARGIN}, not supported below",
        ),
    )
}
"""The findings of the abstract, each with a test that can fail."""


def verdict(low: float, high: float, *, threshold: float, above: bool = True) -> str:
    """Hold an interval against a threshold.

    Parameters
    ----------
    low, high
        The interval.
    threshold
        What it is held against.
    above
        Whether the claim is that the statistic lies above the threshold, or below.

    Returns
    -------
    "supported" where the whole interval lies on the claimed side, "not supported" where it lies on the other, and
    "undecided" where it holds the threshold.
    """
    if low > threshold:
        return SUPPORTED if above else NOT_SUPPORTED
    if high < threshold:
        return NOT_SUPPORTED if above else SUPPORTED
    return UNDECIDED


def smallest(measured: Array, drawn: Array) -> tuple[float, float, float]:
    """Give the smallest of several quantities with its interval.

    The minimum of draws is no draw of the minimum: where several quantities are equal, one of them is low by chance, so
    that percentiles of the smallest lie too low. The ends are therefore tests, one a quantity. The lower end: that the
    smallest lies above a threshold is said where each does, each at the full level, whichever is the smallest
    (intersection–union; Berger 1982, doi:10.1080/00401706.1982.10487790). The upper end: that it lies below is said
    where at least one does, each at the level divided by their number (Bonferroni).

    Parameters
    ----------
    measured
        (n,).
    drawn
        (resamples, n).

    Returns
    -------
    The smallest, and the ends, each of which is wrong with a probability of at most 2.5 %.
    """
    tail = 50 * (1 - LEVEL)
    low = np.percentile(drawn, tail, axis=0).min()
    high = np.percentile(drawn, 100 - tail / drawn.shape[1], axis=0).min()
    return float(measured.min()), float(low), float(high)


def judge(
    scores: pd.DataFrame,
    profile: Profile,
    mixtures: list[Mixture],
    *,
    trained_types: set[str],
    left_out: pd.DataFrame | None = None,
    resamples: int,
) -> pd.DataFrame:
    """Test every claim on the per-cell scores of one baseline.

    Intervals are those of `datamix.analysis.bootstrap`: evaluation cells are drawn by donor, cell type and cell, and
    the scatter between trainings is pooled over all mixtures that hold the baseline.

    Parameters
    ----------
    scores
        A row a (mixture, seed, evaluation, cell), as `Results.scores` gives them.
    profile
        Says which evaluation sets are cancer and which are out of distribution.
    mixtures
        Those on the baseline, the baseline first, as `list_mixtures` gives them; they say what control a gain is held
        against.
    trained_types
        Cell types of the baseline's training corpus.
    left_out
        Scores of the types that were left out of training, as `unseen_types.with_and_without` gives them.
    resamples
        Draws behind each interval.

    Returns
    -------
    A row a claim: `claim`, `finding`, `statistic`, `rule`, `about` (the mixture and evaluation sets), `value`, `low`,
    `high` (95 %), `threshold`, `verdict`, `why` (where it is not computable, or what stands in for what), `seeds`.
    """
    # Models that hold the baseline are trained alike; an added set alone is another matter.
    alike = scores[scores["mixture"].isin([m.name for m in mixtures if m.group != "alone"])]
    rows = [
        _unseen(alike, profile, mixtures[0].name, trained_types, resamples),
        _left_out(alike, mixtures[0].name, left_out, resamples),
        _cancer(alike, profile, mixtures, resamples),
        _tf_atlas(alike, profile, mixtures, resamples),
    ]
    seeds = int(scores["seed"].nunique())
    described = [
        {
            "claim": row["claim"],
            "finding": CLAIMS[str(row["claim"])].finding,
            "statistic": CLAIMS[str(row["claim"])].statistic,
            "rule": CLAIMS[str(row["claim"])].rule,
            "seeds": seeds,
        }
        | row
        for row in rows
    ]
    return pd.DataFrame(described)


def _unseen(
    scores: pd.DataFrame, profile: Profile, baseline: str, trained_types: set[str], resamples: int
) -> dict[str, object]:
    outside = _of_group(profile, "out of distribution")
    if not outside:
        return not_computable("unseen", "the profile has no set out of distribution")
    healthy = scores["evaluation"].isin(_of_group(profile, "non-disease"))
    seen = scores[healthy & scores["cell_type"].isin(trained_types - {NOT_LABELLED})].assign(part="seen")
    types = seen["cell_type"].nunique()
    kinds = "one seen cell type" if types == 1 else f"{types} seen cell types"
    named = [name for name, evaluation in profile.evaluations.items() if evaluation.seen]
    if named:
        seen, kinds = scores[scores["evaluation"].isin(named)].assign(part="seen"), ", ".join(named)
    if seen.empty:
        # As in the draft heat map, where cell types are not told apart either.
        seen = scores[healthy & (scores["evaluation"] == baseline)].assign(part="seen")
        kinds = f"{baseline} (training cells without cell types)"
    if seen.empty:
        return not_computable("unseen", "no evaluation cell has a cell type of the training corpus")
    unseen = scores[scores["evaluation"].isin(outside)].assign(part="unseen")
    difference = _differences(
        pd.concat([_told_apart(seen), _told_apart(unseen)]),
        [(("seen", baseline), ("unseen", baseline))],
        resamples=resamples,
    )
    return row_of("unseen", f"{kinds} and {', '.join(outside)}", smallest(*difference), threshold=GENERALISES)


def _left_out(scores: pd.DataFrame, baseline: str, left_out: pd.DataFrame | None, resamples: int) -> dict[str, object]:
    if left_out is None or left_out.empty:
        return not_computable("left_out", "no cell type is frequent enough to be left out")
    # The other mixtures, on the same cells, say how far trainings differ; "with" is the baseline itself.
    others = _told_apart(scores[scores["mixture"] != baseline]).assign(part="left out")
    others = others[others["cell"].isin(left_out["cell"])]
    difference = _differences(
        pd.concat([left_out, others]), [(("left out", "with"), ("left out", "without"))], resamples=resamples
    )
    types = sorted(left_out["cell_type"].unique())
    return row_of("left_out", f"cells of {', '.join(types)}", smallest(*difference), threshold=MARGIN)


def _cancer(scores: pd.DataFrame, profile: Profile, mixtures: list[Mixture], resamples: int) -> dict[str, object]:
    added, sets = _added(profile, "blood_cancer"), _of_group(profile, "cancer")
    if added is None or not sets:
        named = " or ".join(STANDS_FOR["blood_cancer"])
        return not_computable("cancer", f"the profile adds no set called {named}, or evaluates no malignant cells")
    mixture, gains = _gains(scores, mixtures, added, sets, resamples=resamples)
    about = f"{mixture} on {', '.join(sets)}"
    return row_of("cancer", about, smallest(*gains), threshold=MARGIN, above=False) | _stand_in(
        profile, "blood_cancer", added
    )


def _tf_atlas(scores: pd.DataFrame, profile: Profile, mixtures: list[Mixture], resamples: int) -> dict[str, object]:
    added, sets = _added(profile, "tf_atlas"), _of_group(profile, "out of distribution")
    if added is None or not sets:
        named = " or ".join(STANDS_FOR["tf_atlas"])
        return not_computable("tf_atlas", f"the profile adds no set called {named}, or has none out of distribution")
    mixture, (measured, drawn) = _gains(scores, mixtures, added, sets, resamples=resamples)
    mean = smallest(measured.mean(keepdims=True), drawn.mean(axis=1, keepdims=True))
    return row_of("tf_atlas", f"{mixture} on {', '.join(sets)}", mean, threshold=MARGIN) | _stand_in(
        profile, "tf_atlas", added
    )


def _gains(
    scores: pd.DataFrame, mixtures: list[Mixture], added: str, sets: list[str], *, resamples: int
) -> tuple[str, tuple[Array, Array]]:
    """Return the mixture of the baseline and an added set, and what it gains over its control on each set."""
    mixture = next(m.name for m in mixtures if m.group == "added" and m.added == added)
    control = control_of(mixtures, mixture).name
    chosen = scores[scores["evaluation"].isin(sets)]
    pairs = [((e, mixture), (e, control)) for e in sets]
    return mixture, _differences(chosen.assign(part=chosen["evaluation"]), pairs, resamples=resamples)


def _differences(
    scores: pd.DataFrame, pairs: list[tuple[tuple[str, str], tuple[str, str]]], *, resamples: int
) -> tuple[Array, Array]:
    """Return how far the medians of pairs of (part, mixture) differ, measured (pairs,) and drawn (draws, pairs)."""
    medians = draw_medians(scores, resamples=resamples, seed=SEED)
    one, other = (medians.keys.get_indexer(pd.MultiIndex.from_tuples(side)) for side in zip(*pairs, strict=True))
    return medians.measured[one] - medians.measured[other], medians.drawn[:, one] - medians.drawn[:, other]


def _told_apart(scores: pd.DataFrame) -> pd.DataFrame:
    """Name cells by their evaluation set too, since two sets may hold the same cell."""
    return scores.assign(cell=scores["evaluation"].astype(str) + ":" + scores["cell"].astype(str))


def _of_group(profile: Profile, group: str) -> list[str]:
    return [name for name, evaluation in profile.evaluations.items() if evaluation.group == group]


def _added(profile: Profile, name: str) -> str | None:
    return next((added for added in STANDS_FOR[name] if added in profile.added), None)


def _stand_in(profile: Profile, name: str, added: str) -> dict[str, object]:
    return {"why": "" if added == name else f"{profile.added[added].label}, in place of {_OF_PAPER[name]}"}


def row_of(
    claim: str, about: str, value: tuple[float, float, float], *, threshold: float, above: bool = True
) -> dict[str, object]:
    """Hold a statistic, with the ends of its interval, against its threshold: a row of `judge`."""
    measured, low, high = value
    said = verdict(low, high, threshold=threshold, above=above)
    return {
        "claim": claim, "about": about, "value": measured, "low": low, "high": high, "threshold": threshold,
        "verdict": said, "why": "",
    }  # fmt: skip


def not_computable(claim: str, why: str) -> dict[str, object]:
    """Say why a claim cannot be tested: a row of `judge`."""
    missing = dict.fromkeys(("value", "low", "high", "threshold"), np.nan)
    return {"claim": claim, "about": "", "verdict": NOT_COMPUTABLE, "why": why, **missing}
