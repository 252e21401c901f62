"""Numbers as words of a sentence, where the value alone would leave the sentence wrong."""

import numpy as np


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


def of_mixtures(number: int, total: int, *, each: int) -> str:
    """Say of which mixtures there are trainings: `3 for each mixture`, `one for each of 6 of the 17 mixtures`."""
    many = "one" if each == 1 else f"{each:,}"
    which = "mixture" if number == total else f"of {number:,} of the {total:,} mixtures"
    return f"{many} for each {which}"


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


def _fine_enough(spec: str, *numbers: float) -> str:
    """Give as many more decimals, three at most, as the largest number needs for two digits, if all read as 0."""
    said = "".join(format(number, spec) for number in numbers if number == number)
    largest = np.nanmax(np.abs(numbers))
    if not spec.endswith("f") or set(said) & set("123456789") or not largest:
        return spec
    decimals, needed = int(spec[1:-1]), 1 - int(np.floor(np.log10(largest)))
    return f".{needed}f" if needed <= decimals + 3 else spec
