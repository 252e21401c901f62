"""The plots of Figure 3: latent spaces of mixtures compared. Each draws a tidy table; nothing is computed here."""

from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from datamix.figures import style
from datamix.project.profile import Profile

DIRECTIONS = {"gained": "new in the mixture", "lost": "lost from the baseline"}


def umaps(table: pd.DataFrame, profile: Profile) -> Figure:
    """Draw evaluation cells laid out by UMAP, a part a model, coloured by evaluation set.

    Parameters
    ----------
    table
        A row a (mixture, cell): `mixture_label`, `evaluation`, `evaluation_label`, `x`, `y`.
    profile
        For colours.

    Returns
    -------
    The figure, 183 mm wide; the points are rasterised.
    """
    models = table["mixture_label"].unique()
    fig, axes = style.figure(width=style.WIDE, height=60, ncols=len(models), squeeze=False)
    sets = table.drop_duplicates("evaluation").set_index("evaluation")["evaluation_label"]
    colours = {name: style.colour(name, profile=profile) for name in sets.index}
    shuffled = table.sample(frac=1, random_state=0)  # so that no set hides the others
    for ax, model in zip(axes[0], models, strict=True):
        part = shuffled[shuffled["mixture_label"] == model]
        for start in range(0, len(part), 50):  # a few of each set by turns
            for name, few in part.iloc[start : start + 50].groupby("evaluation"):
                shape = style.marker(str(name), profile=profile)
                ax.scatter(few["x"], few["y"], color=colours[name], marker=shape, s=5, linewidths=0, rasterized=True)
        ax.set(title=model, xticks=[], yticks=[], xlabel="UMAP 1", box_aspect=1)
    axes[0, 0].set_ylabel("UMAP 2")
    handles = [
        Line2D([], [], linestyle="", marker=style.marker(name, profile=profile), color=colours[name])
        for name in sets.index
    ]
    fig.legend(handles, sets.tolist(), loc="outside lower center", ncols=len(sets))
    return fig


def umaps_by_set(table: pd.DataFrame) -> Figure:
    """Draw the cells of each evaluation set laid out by UMAP, a row a set and a column a model, coloured by cell type.

    Parameters
    ----------
    table
        A row a (evaluation, mixture, cell): `evaluation_label`, `mixture_label`, `cell_type`, `x`, `y`.

    Returns
    -------
    The figure, 183 mm wide; the points are rasterised. The eight most frequent types of a set have colours of their
    own, the others are grey.
    """
    sets, models = table["evaluation_label"].unique(), table["mixture_label"].unique()
    fig, axes = style.figure(width=style.WIDE, height=12 + 33 * len(sets), nrows=len(sets), ncols=len(models) + 1,
                             squeeze=False, width_ratios=[*[1] * len(models), 0.7])  # fmt: skip
    for row, evaluation in zip(axes, sets, strict=True):
        of_set = table[table["evaluation_label"] == evaluation]
        types = of_set["cell_type"].value_counts().index
        looks = {name: (style.EIGHT[i], style.MARKERS[i]) for i, name in enumerate(types[:8])}
        other = (style.NEUTRAL, ".")
        for ax, model in zip(row, models, strict=False):
            part = of_set[of_set["mixture_label"] == model]
            for name, few in part.groupby("cell_type"):
                colour, shape = looks.get(name, other)
                ax.scatter(few["x"], few["y"], color=colour, marker=shape, s=5, linewidths=0, rasterized=True)
            ax.set(xticks=[], yticks=[], box_aspect=1)
        row[0].set_ylabel(evaluation, fontsize=7)
        row[-1].axis("off")
        labels = [*looks, "other"] if len(types) > len(looks) else [*looks]
        handles = [
            Line2D([], [], linestyle="", marker=shape, color=colour)
            for colour, shape in (looks.get(name, other) for name in labels)
        ]
        row[-1].legend(handles, labels, loc="center left", fontsize=5, handletextpad=0.2, borderaxespad=0)
    for ax, model in zip(axes[0], models, strict=False):
        ax.set_title(model)
    return fig


def uniqueness_matrices(table: pd.DataFrame) -> Figure:
    """Draw the uniqueness of each mixture given each other one, a matrix an evaluation set.

    Parameters
    ----------
    table
        A row a (evaluation, known, new), the diagonal included: `evaluation_label`, `known_label`, `new_label`,
        `uniqueness`, `differs`.

    Returns
    -------
    The figure, 183 mm wide: rows are what is known, columns what is new; a dot marks what `differs`: more is
    unpredicted than by another training of the new mixture.
    """
    sets = table["evaluation_label"].unique()
    fig, axes = style.figure(
        width=style.WIDE, height=36 + 150 / len(sets), ncols=len(sets), sharex=True, sharey=True, squeeze=False
    )
    names = table["known_label"].unique().tolist()
    highest = float(np.ceil(10 * table["uniqueness"].max()) / 10)
    for ax, evaluation in zip(axes[0], sets, strict=True):
        part = table[table["evaluation_label"] == evaluation]
        square, differs = (
            part.pivot(index="known_label", columns="new_label", values=value).loc[names, names].to_numpy()
            for value in ("uniqueness", "differs")
        )
        ax.imshow(square.astype(float), vmin=0, vmax=highest, cmap=style.SEQUENTIAL)
        y, x = np.nonzero(differs.astype(bool))
        dark = square[y, x].astype(float) < 0.6 * highest
        ax.scatter(x, y, c=np.where(dark, "white", "black"), s=1.5, linewidths=0)
        ax.set_title(evaluation)
        ax.set_xticks(range(len(names)), names, rotation=90, fontsize=5)
        ax.set_yticks(range(len(names)), names, fontsize=5)
        ax.tick_params(length=0)
        for spine in ax.spines.values():
            spine.set_visible(False)
    fig.supxlabel("New: whose latent space is predicted", fontsize=6)
    fig.supylabel("Known: what it is predicted from", fontsize=6)
    bar = fig.colorbar(
        plt.cm.ScalarMappable(plt.Normalize(0, highest), style.SEQUENTIAL),
        ax=axes.ravel().tolist(), fraction=0.02, pad=0.01, aspect=20,
    )  # fmt: skip
    bar.set_label("Uniqueness (share not predicted)")
    bar.outline.set_visible(False)
    return fig


def what_is_added(table: pd.DataFrame, profile: Profile) -> Figure:
    """Draw the uniqueness of what each added set brings and takes, with intervals, over the seed-to-seed band.

    Parameters
    ----------
    table
        A row a (evaluation, mixture, direction): `evaluation_label`, `mixture_label`, `uniqueness`, `low`, `high`,
        `band_low`, `band_high`.
    profile
        For colours.

    Returns
    -------
    The figure, 183 mm wide: filled points what the mixture has and the baseline has not, open ones the reverse; grey
    the range between two seeds of what is predicted. Intervals that go far beyond all points, as those of a few cells
    do, are cut off.
    """
    sets = table["evaluation"].unique()
    mixtures = table.drop_duplicates("mixture")
    fig, axes = style.figure(
        width=style.WIDE, height=24 + 7 * len(mixtures), ncols=len(sets), sharex=True, sharey=True, squeeze=False
    )
    places = {name: i for i, name in enumerate(mixtures["mixture"])}
    for ax, evaluation in zip(axes[0], sets, strict=True):
        part = table[table["evaluation"] == evaluation]
        for row in part.itertuples():
            lost = row.direction == "lost"
            y, colour = places[row.mixture] + (0.2 if lost else -0.2), style.colour(row.mixture, profile=profile)
            ax.fill_betweenx([y - 0.2, y + 0.2], row.band_low, row.band_high, color="#DDDDDD", linewidth=0)
            ax.plot([row.low, row.high], [y, y], color=colour, linewidth=0.9)
            ax.plot(row.uniqueness, y, "o", color=colour, markersize=3, markerfacecolor="white" if lost else colour)
        ax.set_title(fill(part["evaluation_label"].iloc[0], 100 // len(sets)))
    axes[0, 0].set_yticks(range(len(mixtures)), mixtures["mixture_label"].tolist())
    points = table[["uniqueness", "band_high"]].to_numpy(dtype=float)
    right = min(float(table["high"].max()), 1.5 * float(points.max()))
    axes[0, 0].set(ylim=(len(mixtures) - 0.4, -0.6), xlim=(0, 1.05 * right))
    fig.supxlabel("Uniqueness (share of one latent space that the other does not predict)", fontsize=6)
    handles = [
        Line2D([], [], linestyle="", marker="o", color="black", markerfacecolor="black"),
        Line2D([], [], linestyle="", marker="o", color="black", markerfacecolor="white"),
        Patch(color="#DDDDDD"),
    ]
    fig.legend(handles, [*DIRECTIONS.values(), "between two seeds"], loc="outside upper center", ncols=3)
    return fig
