"""The plots of the claims: statistics with intervals, and unseen cell types. Nothing is computed here."""

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from datamix.figures import style
from datamix.project.profile import Profile

VERDICT_COLOURS = {"supported": "#0072B2", "not supported": "#D55E00", "undecided": "#8C8C8C"}


def claims(table: pd.DataFrame) -> Figure:
    """Draw the statistic of each claim, one part a claim, at most four beside each other, one row a source of numbers.

    Parameters
    ----------
    table
        A row a (claim, source): `claim`, `title`, `source` (profile or "published"), `value`, `low`, `high` (NaN where
        no interval is known), `threshold`, `verdict`.

    Returns
    -------
    The figure, 183 mm wide.
    """
    names, sources = table["claim"].unique(), table["source"].unique()
    rows = -(-len(names) // 4)
    columns = -(-len(names) // rows)
    height = 8 + rows * (16 + 6 * len(sources))
    fig, axes = style.figure(width=style.WIDE, height=height, nrows=rows, ncols=columns, sharey=True, squeeze=False)
    for ax in axes.ravel()[len(names) :]:
        ax.axis("off")
    for ax, name in zip(axes.ravel(), names, strict=False):
        part = table[table["claim"] == name].set_index("source").reindex(sources)
        for y, row in enumerate(part.itertuples()):
            colour = VERDICT_COLOURS.get(str(row.verdict), "black")
            ax.plot([row.low, row.high], [y, y], color=colour, linewidth=1.2)
            known = np.isfinite(row.low) if row.low is not None else False
            ax.plot(row.value, y, "o" if known else "D", color=colour, markersize=3.5)
        threshold = part["threshold"].dropna()
        if len(threshold):
            ax.axvline(threshold.iloc[0], color="black", linestyle=":", linewidth=0.8)
        ax.axvline(0, color="#CCCCCC", linewidth=0.6, zorder=0)
        ax.set(xlabel="Difference of median R²")
        ax.set_title(fill(part["title"].dropna().iloc[0], 114 // columns))
        ax.xaxis.set_major_locator(MaxNLocator(5))
    axes[0, 0].set_yticks(range(len(sources)), sources)
    axes[0, 0].set_ylim(len(sources) - 0.4, -0.6)
    handles = [Line2D([], [], marker="o", color=c) for c in VERDICT_COLOURS.values()]
    handles += [
        Line2D([], [], linestyle="", marker="D", color="black"), Line2D([], [], linestyle=":", color="black"),
    ]  # fmt: skip
    labels = [*VERDICT_COLOURS, "published, no interval", "threshold"]
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return fig


def distance(table: pd.DataFrame, profile: Profile) -> Figure:
    """Draw R² of each cell type against its distance from the nearest type in training.

    Parameters
    ----------
    table
        A row a (evaluation, cell_type, seen): `evaluation`, `evaluation_label`, `cell_type`, `seen` ("as trained",
        "left out"), `distance`, `r2`, `r2_low`, `r2_high`.
    profile
        For colours.

    Returns
    -------
    The figure, 183 mm wide: filled points as trained, open ones with the type left out, joined to the same type.
    """
    fig, ax = style.figure(width=style.WIDE, height=85)
    left_out = []
    for evaluation, part in table.groupby("evaluation", sort=False):
        colour = style.colour(str(evaluation), profile=profile)
        trained = part[part["seen"] == "as trained"].set_index("cell_type")[["distance", "r2"]].T.to_dict("list")
        for row in part.itertuples():
            ax.plot([row.distance] * 2, [row.r2_low, row.r2_high], color=colour, linewidth=0.7)
            face = "white" if row.seen == "left out" else colour
            ax.plot(row.distance, row.r2, "o", color=colour, markerfacecolor=face, markersize=4)
            if row.seen == "left out" and row.cell_type in trained:
                x, y = trained[row.cell_type]
                ax.plot([x, row.distance], [y, row.r2], color=colour, linestyle=":", linewidth=0.8, zorder=0)
        left_out.append(part[part["seen"] == "left out"])
    labels = pd.concat(left_out)
    for row, y in zip(labels.itertuples(), _apart(labels), strict=True):
        ax.annotate(
            row.cell_type, (row.distance, row.r2), xytext=(row.distance + 0.012 * table["distance"].max(), y),
            fontsize=5, va="center",
        )  # fmt: skip
    names = table.drop_duplicates("evaluation").set_index("evaluation")["evaluation_label"]
    handles = [Line2D([], [], linestyle="", marker="o", color=style.colour(e, profile=profile)) for e in names.index]
    handles += [Line2D([], [], linestyle="", marker="o", color="black", markerfacecolor="white")]
    fig.legend(handles, [*names, "type left out"], loc="outside lower center", ncols=len(handles))
    ax.set(xlabel="Distance to the nearest cell type in training", ylabel="Median R²", ylim=(0, None), xlim=(0, None))
    return fig


def _apart(points: pd.DataFrame) -> list[float]:
    """Return heights for labels beside points, near ones moved apart; in the order of the points."""
    near, step = 0.1 * points["distance"].max(), 0.022
    placed: dict[int, tuple[float, float]] = {}
    order = points["r2"].to_numpy().argsort(kind="stable")
    for i in order:
        x, y = points["distance"].iloc[i], points["r2"].iloc[i]
        for other_x, other_y in sorted(placed.values(), key=lambda place: place[1]):
            if abs(x - other_x) < near and y < other_y + step:
                y = other_y + step
        placed[int(i)] = (x, y)
    return [placed[i][1] for i in range(len(points))]
