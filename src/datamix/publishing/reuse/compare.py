"""What differs between two books: numbers, verdicts, the panels' tables, times; what left its interval first."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from datamix.publishing.reuse.book import Book
from datamix.publishing.values import Value

Kind = Literal["beyond", "changed", "within", "times"]
TITLES: dict[Kind, str] = {
    "beyond": "Beyond the interval, and verdicts",
    "changed": "Changed, and no interval is known",
    "within": "Changed within the interval",
    "times": "Times of this and that machine",
}
"""Kinds of difference in the order in which they are told. Times alone do not make two books differ."""

TOLERANCE = 1e-5
"""Relative; the tables of panels have six digits."""

LONGEST = 60
"""Letters of a text that are shown."""

OF_TIME = frozenset({"s", "s an epoch", "seconds", "minutes", "hours"})
_VERDICTS = frozenset({"verdict", "verdict_mean", "differs", "agrees"})
_ESTIMATES = ("median", "value", "r2", "score", "gain")
"""Columns whose interval is in columns `low` and `high`, without a name before."""


@dataclass(frozen=True)
class Difference:
    """One thing that differs."""

    kind: Kind
    where: str
    """`value fig2.aml.blood`, `panel 2a: aml, blood: median`, `claims: cancer: verdict`."""
    before: str
    after: str
    interval: str = ""
    """The interval of what was before, where one is known."""


def compare(before: Book, after: Book, *, tolerance: float = TOLERANCE) -> list[Difference]:
    """Compare two books, `results/demo` and `recorded/demo` say.

    A number that has an interval in both is *beyond* it where one lies outside the other's; a verdict that changed
    counts with these.

    Parameters
    ----------
    before, after
        The books. A panel that only one of them has is one difference; where one is a record, which keeps small tables
        and what differs by profile only, it is none.
    tolerance
        Relative; differences up to it are none.

    Returns
    -------
    What differs, in the order of `TITLES`.
    """
    found = [
        *_values(before, after, tolerance),
        *_tables(before, after, tolerance),
    ]
    order = list(TITLES)
    return sorted(found, key=lambda one: order.index(one.kind))


def differ(differences: Iterable[Difference]) -> bool:
    """Say whether two books differ by more than times."""
    return any(one.kind != "times" for one in differences)


def _values(before: Book, after: Book, tolerance: float) -> Iterator[Difference]:
    one, two = dict(before.values), dict(after.values)
    if _is_record(before) or _is_record(after):  # a record leaves out notebooks that say the same in every profile
        notebooks = {value.notebook for value in one.values()} & {value.notebook for value in two.values()}
        one, two = ({key: value for key, value in of.items() if value.notebook in notebooks} for of in (one, two))
    for key in sorted(one.keys() | two.keys()):
        if key not in one or key not in two:
            yield _only(f"value {key}", key in one, (one.get(key) or two[key]).value)
            continue
        old, new = one[key], two[key]
        if _same(old.value, new.value, tolerance):
            continue
        intervals = [_interval_of_value(values, key) for values in (one, two)]
        yield Difference(
            "times" if old.unit in OF_TIME or old.notebook == "speed" else _kind(old.value, new.value, *intervals),
            f"value {key}",
            _text(old.value),
            _text(new.value),
            _text_of_interval(intervals[0]),
        )


def _interval_of_value(values: dict[str, Value], key: str) -> tuple[float, float] | None:
    stem = key.removesuffix("_low").removesuffix("_high")
    stem = stem.removesuffix(".median") if f"{stem}_low" not in values else stem
    for low, high in ((f"{stem}_low", f"{stem}_high"), (f"{stem}.low", f"{stem}.high")):
        if low in values and high in values and key not in (low, high):
            return _pair(values[low].value, values[high].value)
    return None


def _tables(before: Book, after: Book, tolerance: float) -> Iterator[Difference]:
    recorded = _is_record(before) or _is_record(after)
    for name in sorted({*before.panels, *after.panels}):
        if name in before.panels and name in after.panels:
            tables = [book.panel(name).table() for book in (before, after)]
            times = before.panel(name).provenance.get("notebook") == "speed"
            yield from _table(f"panel {name}", *tables, tolerance=tolerance, times=times)
        elif not recorded:
            yield _only(f"panel {name}", name in before.panels, "its table")
    for name in ("claims", "ledger"):
        if all(book.has(f"{name}.csv") for book in (before, after)):
            tables = [getattr(book, name)() for book in (before, after)]
            yield from _table(name, *tables, tolerance=tolerance, times=False)


def _is_record(book: Book) -> bool:
    return (book.folder / "provenance.json").is_file()


def _table(where: str, old: pd.DataFrame, new: pd.DataFrame, *, tolerance: float, times: bool) -> Iterator[Difference]:
    """Compare two tables by the columns that tell their rows apart."""
    old, new = old.rename(columns=str), new.rename(columns=str)
    for column in sorted({*map(str, old)} ^ {*map(str, new)}):
        yield _only(f"{where}: column {column}", column in old, "")
    shared = [str(column) for column in old if column in set(new)]
    keys = _keys(old[shared], new[shared])
    if keys is None:
        if not old[shared].equals(new[shared]):
            yield Difference("changed", where, f"{len(old)} rows", f"{len(new)} rows")
        return
    both = old.merge(new, on=keys, how="outer", suffixes=("", "\0"), indicator=True, sort=False)
    for found in both.to_dict("records"):
        row = {str(column): value for column, value in found.items()}
        named = f"{where}: {', '.join(_text(row[key]) for key in keys)}"
        if row["_merge"] != "both":
            yield _only(named, row["_merge"] == "left_only", "a row")
            continue
        for column in (column for column in shared if column not in keys):
            one, two = row[column], row[f"{column}\0"]
            if _same(one, two, tolerance):
                continue
            intervals = [_interval_of_column(row, column, end) for end in ("", "\0")]
            kind = "beyond" if column in _VERDICTS else _kind(one, two, *intervals)
            if column.endswith(("low", "high", "low_all", "high_all")):
                kind = "within"  # the end of an interval: what it is of has a line of its own
            interval = _text_of_interval(intervals[0])
            yield Difference("times" if times else kind, f"{named}: {column}", _text(one), _text(two), interval)


def _keys(old: pd.DataFrame, new: pd.DataFrame) -> list[str] | None:
    """Choose the columns that tell the rows of both tables apart: words first, then whole numbers, then others."""
    rank = {"O": 0, "b": 0, "i": 1, "u": 1}
    candidates = sorted((str(c) for c in old if c not in _VERDICTS), key=lambda c: rank.get(old[c].dtype.kind, 2))
    keys: list[str] = []
    distinct = 0
    for column in candidates:
        counted = [len(table.drop_duplicates([*keys, column])) for table in (old, new)]
        if min(counted) > distinct:
            keys, distinct = [*keys, column], min(counted)
        if counted == [len(old), len(new)]:
            return keys
    return None


def _interval_of_column(row: dict[str, object], column: str, end: str) -> tuple[float, float] | None:
    names = [(f"{column}_low_all", f"{column}_high_all"), (f"{column}_low", f"{column}_high")]
    if column in _ESTIMATES:
        names.append(("low", "high"))
    for low, high in names:
        found = _pair(row.get(f"{low}{end}"), row.get(f"{high}{end}"))
        if found is not None:
            return found
    return None


def _pair(low: object, high: object) -> tuple[float, float] | None:
    known = all(isinstance(end, int | float) and np.isfinite(end) for end in (low, high))
    return (float(low), float(high)) if known else None  # type: ignore[arg-type]


def _kind(one: object, two: object, *intervals: tuple[float, float] | None) -> Kind:
    numbers = [value for value in (one, two) if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < 2 or any(interval is None for interval in intervals):
        return "changed"
    # Each is held against the interval of the other.
    inside = [low <= number <= high for number, (low, high) in zip(numbers[::-1], intervals, strict=True)]  # type: ignore[misc]
    return "within" if all(inside) else "beyond"


def _same(one: object, two: object, tolerance: float) -> bool:
    if isinstance(one, int | float) and isinstance(two, int | float):
        return bool(np.isclose(one, two, rtol=tolerance, atol=1e-12, equal_nan=True))
    return one == two or (pd.isna(one) and pd.isna(two))  # type: ignore[call-overload]


def _only(where: str, in_first: bool, content: object) -> Difference:  # noqa: FBT001
    text = _text(content) or "here"
    return Difference("changed", where, text if in_first else "–", "–" if in_first else text)


def _text(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value).strip()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _text_of_interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.4g} to {interval[1]:.4g}"


def report(
    differences: Sequence[Difference], *, names: tuple[str, str], markdown: bool = False, most: int = 20
) -> list[str]:
    """Tell the differences in lines, a part a kind.

    Parameters
    ----------
    differences
        As `compare` returns them.
    names
        Of the two books.
    markdown
        As tables of Markdown, for a pull request.
    most
        Lines of each kind; how many more there are is said.
    """
    if not differences:
        return [f"{names[0]} and {names[1]} say the same."]
    parts = {kind: [one for one in differences if one.kind == kind] for kind in TITLES}
    lines = [f"{names[0]} → {names[1]}: {', '.join(f'{len(of)} {kind}' for kind, of in parts.items())}"]
    for kind, of in parts.items():
        if not of:
            continue
        heading = f"{TITLES[kind]} ({len(of)})"
        lines += (
            ["", f"### {heading}", "", "| what | before | after | interval before |", "|---|---|---|---|"]
            if (markdown)
            else ["", heading]
        )
        for one in of[:most]:
            if markdown:
                cells = (one.where, one.before, one.after, one.interval)
                lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
            else:
                interval = f"  (interval {one.interval})" if one.interval else ""
                lines.append(f"  {one.where}: {one.before} → {one.after}{interval}")
        if len(of) > most:
            lines += [*([""] if markdown else []), f"  … and {len(of) - most} more"]
    return lines
