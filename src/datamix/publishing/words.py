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
    numbers = [format(number, spec) for number in (value, low, high)]
    # A number that rounds to nothing has no sign.
    said = [number.removeprefix("-") if not set(number) & set("123456789") else number for number in numbers]
    ends = f" ({said[1]} to {said[2]})" if low == low else ""
    return f"{said[0]}{ends}".replace("-", "−")
