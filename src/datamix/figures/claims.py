"""The plots of the claims: statistics with intervals, and unseen cell types. Nothing is computed here."""

from textwrap import fill

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from datamix.figures import style
from datamix.project.profile import Profile

_NOT_COMPUTABLE = "not computable"
VERDICTS = {"supported": ("#0072B2", "o"), "not supported": ("#D55E00", "X"), "undecided": ("#8C8C8C", "s")}
"""Colour and shape of the point of a claim with that verdict."""


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
            colour, shape = VERDICTS.get(str(row.verdict), ("black", "D"))
            ax.plot([row.low, row.high], [y, y], color=colour, linewidth=1.2)
            ax.plot(row.value, y, shape, color=colour, markersize=3.5)
            if row.verdict == _NOT_COMPUTABLE:
                ax.annotate(row.verdict, (0.02, y), xycoords=("axes fraction", "data"), va="center", color="#666666")
        threshold = part["threshold"].dropna()
        if len(threshold):
            ax.axvline(threshold.iloc[0], color="black", linestyle=":", linewidth=0.8)
        ax.axvline(0, color="#CCCCCC", linewidth=0.6, zorder=0)
        ax.set(xlabel="Difference of median R²")
        ax.set_title(fill(part["title"].dropna().iloc[0], 114 // columns))
        ax.xaxis.set_major_locator(MaxNLocator(5))
    axes[0, 0].set_yticks(range(len(sources)), sources)
    axes[0, 0].set_ylim(len(sources) - 0.4, -0.6)
    handles = [Line2D([], [], marker=shape, color=colour) for colour, shape in VERDICTS.values()]
    handles += [
        Line2D([], [], linestyle="", marker="D", color="black"), Line2D([], [], linestyle=":", color="black"),
    ]  # fmt: skip
    labels = [*VERDICTS, "published, no interval", "threshold"]
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
        colour, shape = (look(str(evaluation), profile=profile) for look in (style.colour, style.marker))
        trained = part[part["seen"] == "as trained"].set_index("cell_type")[["distance", "r2"]].T.to_dict("list")
        for row in part.itertuples():
            ax.plot([row.distance] * 2, [row.r2_low, row.r2_high], color=colour, linewidth=0.7)
            face = "white" if row.seen == "left out" else colour
            ax.plot(row.distance, row.r2, shape, color=colour, markerfacecolor=face, markersize=4)
            if row.seen == "left out" and row.cell_type in trained:
                x, y = trained[row.cell_type]
                ax.plot([x, row.distance], [y, row.r2], color=colour, linestyle=":", linewidth=0.8, zorder=0)
        left_out.append(part[part["seen"] == "left out"])
    labels = pd.concat(left_out)
    for row, (x, y) in zip(labels.itertuples(), _beside(labels, table), strict=True):
        ax.plot([row.distance, x], [row.r2, y], color=style.NEUTRAL, linewidth=0.4, zorder=0)
        ax.annotate(
            row.cell_type, (x, y), xytext=(1.5, 0), textcoords="offset points", fontsize=5, va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.3},
        )  # fmt: skip
    names = table.drop_duplicates("evaluation").set_index("evaluation")["evaluation_label"]
    handles = [
        Line2D([], [], linestyle="", marker=style.marker(e, profile=profile), color=style.colour(e, profile=profile))
        for e in names.index
    ]
    shown = list(names)
    if len(labels):
        handles += [Line2D([], [], linestyle="", marker="o", color="black", markerfacecolor="white")]
        shown += ["type left out"]
    fig.legend(handles, shown, loc="outside lower center", ncols=len(handles))
    ax.set(xlabel="Distance to the nearest cell type in training", ylabel="Median R²", ylim=(0, None), xlim=(0, None))
    return fig


def _beside(points: pd.DataFrame, everything: pd.DataFrame) -> list[tuple[float, float]]:
    """Return where labels of points stand: those of a crowd in a column on its right, one above the other.

    Parameters
    ----------
    points
        What is labelled: `distance`, `r2`.
    everything
        All that is drawn, which labels are not to cover.

    Returns
    -------
    The left end of each label, in the order of the points.
    """
    near, step = 0.05 * everything["distance"].max(), 0.032 * everything["r2_high"].max()
    order = points["distance"].argsort(kind="stable")
    crowd = (points["distance"].iloc[order].diff() > near).cumsum().to_numpy()
    places: dict[int, tuple[float, float]] = {}
    for _, members in pd.Series(order.to_numpy()).groupby(crowd):
        there = points.iloc[members]
        # Points that follow one another so closely that a label between them would lie on the next.
        right = there["distance"].max()
        for x in sorted(everything["distance"]):
            right = x if right < x < right + near / 2 else right
        heights: list[float] = []
        rising = there["r2"].argsort(kind="stable")
        for y in there["r2"].iloc[rising]:
            heights.append(max(y, heights[-1] + step) if heights else y)
        lower = sum(heights) / len(heights) - there["r2"].mean()
        for member, y in zip(members.iloc[rising], heights, strict=True):
            places[int(member)] = (right + near / 4, y - lower)
    return [places[i] for i in range(len(points))]
