"""Numbers as words of a sentence, where the value alone would leave the sentence wrong."""


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
    ends = f" ({low:{spec}} to {high:{spec}})" if low == low else ""
    return f"{value:{spec}}{ends}".replace("-", "−")
