"""Plots of the benchmark's tables; nothing is computed here."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from datamix.figures import style

TRAINERS = {"stock": style.NEUTRAL, "ours": "#0072B2", "matrix products alone": "#E69F00"}
_SHAPES = {"stock": "s", "published": "s", "ours": "o", "matrix products alone": "^"}

_PLAIN = StrMethodFormatter("{x:,g}")


def training_growth(table: pd.DataFrame) -> Figure:
    """Draw the rate and the memory of training one model on one thread, as cells and as genes grow.

    Parameters
    ----------
    table
        A row a (grows, size, trainer): `grows` (cells or genes), `cells`, `genes`, `trainer` (a key of `TRAINERS`),
        `rate` (cells trained in a second), `low` and `high` (over repeats), `peak_mb` (NaN: not measured).

    Returns
    -------
    The figure, 183 mm wide.
    """
    fig, axes = style.figure(width=style.WIDE, height=58, ncols=3)
    for ax, grows, column, name in zip(
        axes,
        ("cells", "genes", "cells"),
        ("rate", "rate", "peak_mb"),
        ("Cells trained in a second", "Cells trained in a second", "Memory beyond the cells, MB"),
        strict=True,
    ):
        for trainer, colour in TRAINERS.items():
            part = table[(table["grows"] == grows) & (table["trainer"] == trainer)].dropna(subset=[column])
            if len(part):
                _line(ax, part, x=grows, y=column, ranges=column == "rate", colour=colour, label=trainer)
        ax.set(xlabel=f"{grows.capitalize()}{_fixed(table, grows)}", ylabel=name)
        if column == "rate":
            _logarithmic(ax)
        else:
            ax.set_ylim(bottom=0)
            ax.yaxis.set_major_formatter(_PLAIN)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return fig


def ten_models(table: pd.DataFrame) -> Figure:
    """Draw the time of an epoch of ten models, a bar a way to train them.

    Parameters
    ----------
    table
        A row a way: `way`, `trainer` (ours or stock), `seconds` (of an epoch of ten models), `low`, `high`.

    Returns
    -------
    The figure, 89 mm wide.
    """
    fig, ax = style.figure(width=style.NARROW, height=18 + 7 * len(table))
    places = range(len(table))
    errors = [table["seconds"] - table["low"], table["high"] - table["seconds"]]
    ax.barh(places, table["seconds"], height=0.7, color=[TRAINERS[t] for t in table["trainer"]])
    ax.errorbar(table["seconds"], places, xerr=errors, fmt="none", color="black", linewidth=0.6)
    for place, row in zip(places, table.itertuples(), strict=True):
        ax.annotate(
            f"{row.seconds:.1f}", (row.high, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=6
        )
    ax.set_yticks(places, [way.replace(", ", ",\n", 1) for way in table["way"]])
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set_xlim(left=0)
    ax.set_xlabel("Ten models, an epoch, s")
    return fig


def scoring_cost(table: pd.DataFrame) -> Figure:
    """Draw time and peak memory of scoring against the number of cells.

    Parameters
    ----------
    table
        A row a (cells, way): `cells`, `way` (published or ours), `seconds`, `low` and `high` (over repeats), `peak_mb`.

    Returns
    -------
    The figure, 183 mm wide.
    """
    fig, axes = style.figure(width=style.WIDE, height=55, ncols=2)
    for ax, column, name in zip(
        axes, ("seconds", "peak_mb"), ("Time to score, s", "Memory beyond the cells, MB"), strict=True
    ):
        for way, colour in (("published", TRAINERS["stock"]), ("ours", TRAINERS["ours"])):
            part = table[table["way"] == way]
            _line(ax, part, x="cells", y=column, ranges=column == "seconds", colour=colour, label=way)
        ax.set(xlabel="Evaluation cells", ylabel=name)
        _logarithmic(ax)
    axes[0].legend()
    return fig


def held_out_bounds(table: pd.DataFrame) -> Figure:
    """Draw the held-out bound of every seed, with mean and standard error of each trainer.

    Parameters
    ----------
    table
        A row a (trainer, seed): `trainer` (stock or ours), `seed`, `bound` (nats a cell), `mean`, `standard_error`.

    Returns
    -------
    The figure, 89 mm wide.
    """
    fig, ax = style.figure(width=style.NARROW, height=34)
    names = list(table["trainer"].unique())
    for place, name in enumerate(names):
        part = table[table["trainer"] == name]
        ax.plot(part["bound"], [place] * len(part), "o", color=TRAINERS[name], alpha=0.6)
        ax.errorbar(
            part["mean"].iloc[:1], [place + 0.25], xerr=part["standard_error"].iloc[:1], fmt="D", color=TRAINERS[name]
        )
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlabel("Held-out bound, nats a cell (lower is better)")
    return fig


def _line(ax: Axes, part: pd.DataFrame, *, x: str, y: str, ranges: bool, colour: str, label: str) -> None:
    part = part.sort_values(x)
    errors = [part[y] - part["low"], part["high"] - part[y]] if ranges else None
    ax.errorbar(
        part[x], part[y], yerr=errors, fmt=f"{_SHAPES[label]}-", color=colour, label=label, elinewidth=0.6, capsize=1.5
    )
    ax.set_xlim(left=0)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.xaxis.set_major_formatter(_PLAIN)


def _logarithmic(ax: Axes) -> None:
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(_PLAIN)


def _fixed(table: pd.DataFrame, grows: str) -> str:
    other = "genes" if grows == "cells" else "cells"
    found = table[table["grows"] == grows][other]
    return f" ({found.iloc[0]:,} {other})" if len(found) else ""
