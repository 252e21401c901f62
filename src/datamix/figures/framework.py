"""Figure 1, drawn from the profile: the tree with its training sources, the LDVAE, evaluation sets and strategy."""

from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

from datamix.figures import style
from datamix.project.profile import Profile

TREE = {
    "ESC": (0, 6.0, None), "HSC": (1, 6.0, "ESC"), "MPP": (2, 6.0, "HSC"), "CMP": (3, 3.0, "MPP"),
    "CLP": (3, 9.0, "MPP"), "MEP": (4, 1.0, "CMP"), "GMP": (4, 4.0, "CMP"), "RBC": (5, 0.0, "MEP"),
    "Plt": (5, 2.0, "MEP"), "Gran": (5, 3.2, "GMP"), "Mono": (5, 4.4, "GMP"), "DC": (5, 5.6, "GMP"),
    "T": (5, 8.0, "CLP"), "B": (5, 9.2, "CLP"), "NK": (5, 10.4, "CLP"),
}  # fmt: skip
"""Haematopoietic tree of Figure 1A: state → (depth, horizontal place, parent)."""


def training_sources(profile: Profile, titles: dict[str, str]) -> pd.DataFrame:
    """List the training sources of a profile: the data of Figure 1A.

    Parameters
    ----------
    profile
        Its baselines and added sets.
    titles
        Titles of the datasets in the manifest, by id.

    Returns
    -------
    A row a source: `source`, `label`, `role` (baseline or added), `datasets`, `titles`, `covers` (states of the tree).
    """
    baselines = [(n, b.label, "baseline", (b.dataset,), b.covers) for n, b in profile.baselines.items()]
    added = [(n, a.label, "added", a.datasets, a.covers) for n, a in profile.added.items()]
    return pd.DataFrame(
        [
            {
                "source": name,
                "label": label,
                "role": role,
                "datasets": " ".join(datasets),
                "titles": "; ".join(titles[d] for d in datasets),
                "covers": " ".join(covers),
            }
            for name, label, role, datasets, covers in baselines + added
        ]
    )


def tree(sources: pd.DataFrame, profile: Profile) -> Figure:
    """Draw the haematopoietic tree and, beside it, over which of its states each training source lies.

    Parameters
    ----------
    sources
        What `training_sources` returned.
    profile
        For colours.

    Returns
    -------
    The figure, 183 mm wide.
    """
    fig, (left, right) = style.figure(width=style.WIDE, height=78, ncols=2, width_ratios=[1.25, 1])
    place = {node: (x, -depth) for node, (depth, x, _) in TREE.items()}
    for node, (_, _, parent) in TREE.items():
        if parent:
            (x0, y0), (x1, y1) = place[parent], place[node]
            left.plot([x0, x0, x1, x1], [y0, y0 - 0.5, y0 - 0.5, y1], color="#9A9A9A", linewidth=0.8, zorder=1)
    for node, (x, y) in place.items():
        left.text(
            x, y, node, ha="center", va="center", zorder=3, fontsize=6.5,
            bbox={"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": "#555555", "linewidth": 0.6},
        )  # fmt: skip
        covering = [s for s in sources.itertuples() if node in str(s.covers).split()]
        for i, source in enumerate(covering):
            colour = style.colour(str(source.source), profile=profile)
            shape = style.marker(str(source.source), profile=profile)
            left.plot(x - 0.16 * (len(covering) - 1) + 0.32 * i, y - 0.36, shape, color=colour, markersize=4, zorder=4)
    left.set(xlim=(-0.8, 11.2), ylim=(-5.7, 0.5))
    left.axis("off")
    right.axis("off")
    right.set(xlim=(0, 1), ylim=(-len(sources) + 0.2, 0.9))
    elsewhere = "no state of the tree named" if profile.own_datasets else "tissues beyond the tree"
    for i, source in enumerate(sources.itertuples()):
        colour = style.colour(str(source.source), profile=profile)
        right.plot(0.015, -i, style.marker(str(source.source), profile=profile), color=colour, markersize=7)
        role = "baseline" if source.role == "baseline" else "added set"
        right.text(0.06, -i + 0.04, f"{source.label}", va="bottom", fontsize=7, fontweight="bold")
        covers = str(source.covers).replace(" ", ", ")
        lies = f"{role}, over {covers}" if covers else f"{role}, {elsewhere}"
        right.text(0.06, -i - 0.02, lies, va="top", fontsize=6, color="#444444")
    return fig


def ldvae(sizes: pd.DataFrame) -> Figure:
    """Draw the linearly decoded variational autoencoder with its sizes.

    Parameters
    ----------
    sizes
        A row a part: `part`, `shape` (text), `meaning`, in the order of the flow; five rows.

    Returns
    -------
    The figure, 183 mm wide.
    """
    fig, ax = style.figure(width=style.WIDE, height=44)
    ax.set(xlim=(0, 10), ylim=(0, 3.2))
    ax.axis("off")
    fills = ["#DCE6F1", "#F5E3CF", "#E4E4E4", "#F5E3CF", "#DCE6F1"]
    for i, row in enumerate(sizes.itertuples()):
        x = 0.1 + 2.0 * i
        narrow = [(x, 0.9), (x, 2.7), (x + 1.5, 2.25), (x + 1.5, 1.35)]
        wide = [(x, 1.35), (x, 2.25), (x + 1.5, 2.7), (x + 1.5, 0.9)]
        square = [(x, 1.0), (x, 2.6), (x + 1.5, 2.6), (x + 1.5, 1.0)]
        corners = {1: narrow, 3: wide}.get(i, square)
        ax.add_patch(Polygon(corners, facecolor=fills[i], edgecolor="#555555", linewidth=0.6))
        ax.text(x + 0.75, 1.95, row.part, ha="center", va="center", fontsize=7)
        ax.text(x + 0.75, 1.6, row.shape, ha="center", va="center", fontsize=6, color="#333333")
        ax.text(x + 0.75, 0.65, row.meaning, ha="center", va="top", fontsize=5.5, color="#444444")
        if i:
            _arrow(ax, (x - 0.47, 1.8), (x - 0.03, 1.8))
    return fig


def evaluation_sets(table: pd.DataFrame, profile: Profile) -> Figure:
    """Draw the evaluation sets by group.

    Parameters
    ----------
    table
        A row a set: `evaluation`, `label`, `group`, `dataset`, `note`.
    profile
        For colours.

    Returns
    -------
    The figure, 183 mm wide.
    """
    groups = table["group"].unique()
    tallest = table["group"].value_counts().max()
    fig, axes = style.figure(width=style.WIDE, height=12 + 15 * tallest, ncols=len(groups), squeeze=False)
    for ax, group in zip(axes[0], groups, strict=True):
        part = table[table["group"] == group]
        ax.set(xlim=(0, 1), ylim=(-tallest + 0.45, 0.55), title=group[0].upper() + group[1:])
        ax.axis("off")
        for i, row in enumerate(part.itertuples()):
            colour = style.colour(str(row.evaluation), profile=profile)
            box = FancyBboxPatch(
                (0.03, -i - 0.36), 0.94, 0.74, boxstyle="round,pad=0.01,rounding_size=0.04", linewidth=1.4,
                facecolor="white", edgecolor=colour,
            )  # fmt: skip
            ax.add_patch(box)
            ax.text(0.08, -i + 0.14, row.label, va="center", fontsize=7, fontweight="bold")
            ax.text(0.08, -i - 0.14, fill(str(row.note), 46), va="center", fontsize=5, color="#333333")
    return fig


def strategy(table: pd.DataFrame) -> Figure:
    """Draw the analysis strategy: three questions, each with what is computed.

    Parameters
    ----------
    table
        A row a column of the drawing: `question`, `measure`, `where` (the page that answers it).

    Returns
    -------
    The figure, 183 mm wide.
    """
    fig, axes = style.figure(width=style.WIDE, height=30, ncols=len(table), squeeze=False)
    for ax, row in zip(axes[0], table.itertuples(), strict=True):
        ax.set(xlim=(0, 1), ylim=(0, 1))
        ax.axis("off")
        ax.add_patch(Rectangle((0.0, 0.0), 1, 1, facecolor="#F4F4F2", edgecolor="none"))
        ax.text(0.05, 0.84, row.question, fontsize=7, fontweight="bold", va="center")
        ax.text(0.05, 0.48, fill(str(row.measure), 44), fontsize=6, va="center")
        ax.text(0.05, 0.12, row.where, fontsize=6, va="center", color="#0072B2")
    return fig


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=7, color="#555555", linewidth=0.8))
