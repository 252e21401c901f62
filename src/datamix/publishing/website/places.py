"""A picture looked at closer: what stands at each place of it, in words, from the panel's table."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from datamix.figures.composition import WORTH, block_label
from datamix.figures.labels import GROUPS, evaluation_label
from datamix.project.profile import Profile
from datamix.publishing.drawings import redraw
from datamix.publishing.panels import PNG_DPI
from datamix.publishing.words import interval_in_words

_WHOLE = 10_000
"""Of a picture's width and height: places are whole numbers, so that their files are small."""


@dataclass(frozen=True)
class Place:
    """A place of a picture; lengths are parts of its width and height, from the top left."""

    x: float
    y: float
    width: float
    """0 where it is a point, with `x` and `y` its middle."""
    height: float
    words: str


def places(name: str, table: pd.DataFrame, profile: Profile) -> list[Place]:
    """Return what can be pointed at in a panel; nothing where it is no map of cells and no layout of points.

    Parameters
    ----------
    name
        The panel, as in the paper.
    table
        Its source data, as its csv has them. It is drawn again, to see where everything comes to stand.
    profile
        The profile that made it.
    """
    if not can_be_pointed_at(name, table):
        return []
    fig = redraw(name, table, profile)
    fig.set_dpi(PNG_DPI)  # letters, and with them the layout, differ a little between resolutions
    fig.canvas.draw()
    found = list(_PLACES[name][1](fig, table, profile))
    plt.close(fig)
    return found


def can_be_pointed_at(name: str, table: pd.DataFrame) -> bool:
    """Whether a panel has places that can be told."""
    return name in _PLACES and set(_PLACES[name][0]) <= set(table)


def as_script(name: str, found: list[Place]) -> str:
    """Return places as the script that `reading.js` loads when a reader points at the picture."""
    words = list(dict.fromkeys(place.words for place in found))
    index = {each: i for i, each in enumerate(words)}
    at = [
        [*(round(part * _WHOLE) for part in (place.x, place.y, place.width, place.height)), index[place.words]]
        for place in found
    ]
    # As a script, not as data: a page opened from a folder may load the one, not the other.
    return f"datamixPlaces({json.dumps(name)}, {json.dumps({'words': words, 'at': at}, separators=(',', ':'))});\n"


def told(row: Any) -> str:
    """Say a cell of a heat map of R²: with its interval, what was published, and what it is held against."""
    number = interval_in_words(row.median, row.low, row.high, spec=".2f")
    words = f"{row.mixture_label} on {row.evaluation_label}: R² {number}"
    published = getattr(row, "published", float("nan"))
    if published == published:
        words += f"; published {published:.2f}, on the paper’s own cells"
    if row.mixture != row.control and row.over_control_low_all == row.over_control_low_all:
        ends = row.over_control_low_all, row.over_control_high_all
        words += f"; over its control “{row.control_label}” {interval_in_words(row.over_control, *ends, spec='.2f')}"
    return words


def _square(fig: Figure, ax: Axes, left: float, top: float, words: str) -> Place:
    """Return a cell of a map whose cells have sides of 1."""
    corners = ax.transData.transform([(left, top), (left + 1, top + 1)]) / [fig.bbox.width, fig.bbox.height]
    (x, upper), (right, lower) = corners
    return Place(x, 1 - upper, right - x, upper - lower, words)


def _point(fig: Figure, ax: Axes, row: Any, words: str) -> Place:
    x, y = ax.transData.transform((row.x, row.y)) / [fig.bbox.width, fig.bbox.height]
    return Place(x, 1 - y, 0, 0, words)


def _summary(fig: Figure, table: pd.DataFrame, _: Profile) -> Iterator[Place]:
    present = [group for group in GROUPS if (table["group"] == group).any()]
    for ax, group in zip(fig.axes, present, strict=False):
        part = table[table["group"] == group]
        rows, columns = (part[by].unique().tolist() for by in ("evaluation_label", "mixture_label"))
        for row in part.itertuples():
            yield _square(fig, ax, columns.index(row.mixture_label), rows.index(row.evaluation_label), told(row))


def _uniqueness(fig: Figure, table: pd.DataFrame, _: Profile) -> Iterator[Place]:
    row: Any
    names = table["known_label"].unique().tolist()
    for ax, (evaluation, part) in zip(fig.axes, table.groupby("evaluation_label", sort=False), strict=False):
        for row in part.itertuples():
            number = interval_in_words(row.uniqueness, row.low, row.high, spec=".2f")
            words = f"{evaluation}: of {row.new_label}, not predicted from {row.known_label}: {number}"
            left, top = names.index(row.new_label) - 0.5, names.index(row.known_label) - 0.5
            yield _square(fig, ax, left, top, words)


def _gene_sets(fig: Figure, table: pd.DataFrame, _: Profile) -> Iterator[Place]:
    row: Any
    sets, models = table["source"].unique().tolist(), table["mixture_label"].unique().tolist()
    for row in table.itertuples():
        score = interval_in_words(row.score, row.score_low, row.score_high, spec=".0f")
        change = f"{row.change:+.0f}".replace("-", "−")
        words = f"{row.source} in {row.mixture_label}: score {score}, {change} against the baseline"
        left, top = models.index(row.mixture_label) - 0.5, sets.index(row.source) - 0.5
        yield _square(fig, fig.axes[0], left, top, words)


def _worth(fig: Figure, table: pd.DataFrame, profile: Profile) -> Iterator[Place]:
    row: Any
    blocks, sets = table["block"].unique().tolist(), table["evaluation"].unique().tolist()
    titles = {quantity: title for quantity, title in WORTH.items() if (table["quantity"] == quantity).any()}
    for ax, (quantity, title) in zip(fig.axes, titles.items(), strict=False):
        for row in table[table["quantity"] == quantity].itertuples():
            number = interval_in_words(row.value, row.low_all, row.high_all, spec=".3f")
            of = f"{block_label(row.block, profile)} on {evaluation_label(row.evaluation, profile=profile)}"
            words = f"{title}, {of}: {number}"
            yield _square(fig, ax, sets.index(row.evaluation), blocks.index(row.block), words)


def _layout(fig: Figure, table: pd.DataFrame, _: Profile) -> Iterator[Place]:
    for ax, (_model, part) in zip(fig.axes, table.groupby("mixture_label", sort=False), strict=False):
        for row in part.itertuples():
            yield _point(fig, ax, row, f"{row.cell_type} ({row.evaluation_label})")


def _layouts_by_set(fig: Figure, table: pd.DataFrame, _: Profile) -> Iterator[Place]:
    sets, models = table["evaluation_label"].unique().tolist(), table["mixture_label"].unique().tolist()
    for row in table.itertuples():
        # Each row of the picture ends with its legend.
        ax = fig.axes[sets.index(row.evaluation_label) * (len(models) + 1) + models.index(row.mixture_label)]
        yield _point(fig, ax, row, str(row.cell_type))


_SUMMARY = (
    *("evaluation_label", "mixture_label", "group", "mixture", "control", "control_label"),
    *("median", "low", "high", "over_control", "over_control_low_all", "over_control_high_all"),
)
_CELLS = ("mixture_label", "evaluation_label", "cell_type", "x", "y")

_PLACES: dict[str, tuple[tuple[str, ...], Callable[[Figure, pd.DataFrame, Profile], Iterator[Place]]]] = {
    **dict.fromkeys(("2a", "6a", "S4a"), (_SUMMARY, _summary)),
    "3a": (_CELLS, _layout),
    "3b": (_CELLS, _layouts_by_set),
    "3c": (("evaluation_label", "known_label", "new_label", "uniqueness", "low", "high"), _uniqueness),
    "4b": (("source", "mixture_label", "score", "score_low", "score_high", "change"), _gene_sets),
    "7a": (("block", "evaluation", "quantity", "value", "low_all", "high_all"), _worth),
}
"""Panel → the columns that tell its places, and what finds them in the drawing."""
