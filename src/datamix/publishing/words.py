"""Numbers as words of a sentence, where the value alone would leave the sentence wrong."""

import numpy as np
import pandas as pd


def counted(number: int, noun: str) -> str:
    """Say how many there are: `one seed`, `3 seeds`, `1,200 cells`."""
    return f"one {noun}" if number == 1 else f"{number:,} {noun}s"


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
    `0.123 (−0.010 to 0.256)`; without the brackets where there are no ends, and `–` where there is no value.
    """
    if value != value:
        return "–"
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
    if baseline is None:
        return (
            f"Furthest above lies “{best['mixture_label']}” on {best['evaluation_label']}, held against "
            f"“{best['control_label']}”, by {_difference(best, '.2f')}."
        )
    above = (
        f"Furthest above lies {best['mixture_label']} on {best['evaluation_label']}: the baseline has "
        f"{baseline[best['evaluation']]:.2f}, this mixture {best['median']:.2f}, and the difference from its control, "
        f"“{best['control_label']}”, is {_difference(best, '.3f')}."
    )
    if len(additions) == 1:
        return above
    return (
        f"{above} Furthest below lies {worst['mixture_label']} on {worst['evaluation_label']}, held against "
        f"“{worst['control_label']}”, with {_difference(worst, '.3f')}."
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


def _difference(row: pd.Series, spec: str) -> str:
    ends = (row[f"over_control_{end}_all"] for end in ("low", "high"))
    return interval_in_words(row["over_control"], *ends, spec=spec)
