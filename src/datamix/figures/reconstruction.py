"""The figures' plots. Each takes a tidy table, the panel's source data, and draws it; nothing is computed here."""

from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from datamix.figures import style
from datamix.figures.labels import GROUPS
from datamix.project.profile import Profile

YARDSTICKS = {"simple_mean": "Mean profile", "simple_pca": "PCA", "ceiling": "Ceiling"}
"""Columns of the strip beside the heat map, and their labels."""

MOST_FLAT = 15
"""Columns whose names stand side by side on a figure of full width; of more, they stand upright."""


def heat_map(table: pd.DataFrame) -> Figure:
    """Draw Figure 2A: evaluation sets × mixtures, the median R² printed, log2 fold change as colour.

    Parameters
    ----------
    table
        A row a (evaluation, mixture), in the order of rows and columns: `evaluation_label`, `mixture_label`, `group`
        (a key of `GROUPS`), `median`, `log2_fold_change`. Where it has the columns of `YARDSTICKS`, those of the
        baseline stand in a strip of their own, without colour.

    Returns
    -------
    The figure, 183 mm wide.
    """
    present = [g for g in GROUPS if (table["group"] == g).any()]
    widths = [table.loc[table["group"] == g, "mixture_label"].nunique() for g in present]
    rows = table["evaluation_label"].nunique()
    has_strip = set(YARDSTICKS) <= set(table)
    # Names of more columns would run into each other.
    flat = sum(widths) + len(YARDSTICKS) * has_strip <= MOST_FLAT
    fig, axes = style.figure(
        width=style.WIDE,
        height=20 + 8 * rows + (0 if flat else 12),
        ncols=len(present) + has_strip,
        width_ratios=widths + [len(YARDSTICKS)] * has_strip,
        squeeze=False,
    )
    changes = table["log2_fold_change"].abs()
    limit = float(np.clip(np.ceil(changes.max()), 1, 5)) if changes.notna().any() else 1.0
    for ax, group in zip(axes[0], present, strict=False):
        part = table[table["group"] == group]
        median, change = (
            part.pivot(index="evaluation_label", columns="mixture_label", values=v).reindex(
                index=part["evaluation_label"].unique(), columns=part["mixture_label"].unique()
            )
            for v in ("median", "log2_fold_change")
        )
        ax.set_facecolor("#E6E6E6")  # where there is no fold change
        sns.heatmap(change, vmin=-limit, vmax=limit, cmap=style.DIVERGING, cbar=False, linewidths=0.8, ax=ax)
        for (i, j), value in np.ndenumerate(median.to_numpy()):
            dark = abs(np.nan_to_num(change.to_numpy()[i, j])) > 0.65 * limit
            ax.text(j + 0.5, i + 0.5, f"{value:.2f}", ha="center", va="center", color="white" if dark else "black")
        ax.set(xlabel="", ylabel="", title=GROUPS[group])
        _name_columns(ax, [t.get_text() for t in ax.get_xticklabels()], flat=flat)
        ax.tick_params(length=0)
        if ax is axes[0, 0]:
            ax.set_yticks(ax.get_yticks(), [t.get_text() for t in ax.get_yticklabels()], rotation=0)
        else:
            ax.set_yticks([])
    if has_strip:
        _strip(axes[0, -1], table[table["group"] == "baseline"], flat=flat)
    colours = plt.cm.ScalarMappable(plt.Normalize(-limit, limit), style.DIVERGING)
    bar = fig.colorbar(colours, ax=axes[0].tolist(), fraction=0.025, pad=0.01, aspect=14)
    bar.set_label("log₂ fold change of R²\nagainst the baseline")
    bar.ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    bar.outline.set_visible(False)
    return fig


def _name_columns(ax: Axes, names: list[str], *, flat: bool) -> None:
    ax.set_xticks(ax.get_xticks(), [_in_lines(name) if flat else name for name in names], rotation=0 if flat else 90)


def _in_lines(name: str) -> str:
    """Break a name to the width of a narrow column; a plus sign stays with what is added."""
    whole = "+\N{NO-BREAK SPACE}"
    return fill(name.replace("+ ", whole), 10, break_long_words=False).replace(whole, "+ ")


def _strip(ax: Axes, baseline: pd.DataFrame, *, flat: bool) -> None:
    values = baseline.drop_duplicates("evaluation_label")[list(YARDSTICKS)]
    sns.heatmap(values * 0, cmap=ListedColormap(["#F0F0F0"]), cbar=False, linewidths=0.8, ax=ax)
    for (i, j), value in np.ndenumerate(values.to_numpy()):
        ax.text(j + 0.5, i + 0.5, f"{value:.2f}", ha="center", va="center")
    ax.set(xlabel="", ylabel="", title="Yardsticks")
    _name_columns(ax, list(YARDSTICKS.values()), flat=flat)
    ax.set_yticks([])
    ax.tick_params(length=0)


def cell_types(table: pd.DataFrame, profile: Profile, *, shown: list[str]) -> Figure:
    """Draw quartiles of R² for each cell type of each evaluation set, under a few mixtures.

    Parameters
    ----------
    table
        A row a (evaluation, cell_type, mixture): `evaluation_label`, `mixture_label`, `low`, `median`, `high`.
    profile
        For colours.
    shown
        Mixtures to draw, in the order of the legend.

    Returns
    -------
    The figure, 183 mm wide: a part an evaluation set, with as much height as it has cell types.
    """
    sizes = table.groupby("evaluation", sort=False)["cell_type"].nunique()
    columns = _balance(sizes, 3)
    tallest = max(sum(sizes[e] + 3 for e in column) for column in columns)
    fig = style.empty_figure(width=style.WIDE, height=10 + 3.4 * tallest)
    widest = 1.05 * table["high"].max()
    for part, column in zip(fig.subfigures(ncols=len(columns), squeeze=False)[0], columns, strict=True):
        unused = tallest - sum(sizes[e] + 3 for e in column)
        heights = [sizes[e] + 1 for e in column] + ([unused] if unused else [])
        axes = part.subplots(nrows=len(heights), height_ratios=heights, squeeze=False)[:, 0]
        for ax in axes[len(column) :]:
            ax.axis("off")
        for ax, evaluation in zip(axes, column, strict=False):
            _cell_types_of(ax, table[table["evaluation"] == evaluation], profile, shown=shown)
            ax.set_xlim(0, widest)
        axes[len(column) - 1].set_xlabel("R² of a cell: median and quartiles")
    names = table.drop_duplicates("mixture").set_index("mixture")["mixture_label"]
    handles = [
        Line2D([], [], marker="o", color=style.NEUTRAL)
        if m == shown[0]
        else Line2D([], [], marker=style.marker(m, profile=profile), color=style.colour(m, profile=profile))
        for m in shown
    ]
    fig.legend(handles, [names[m] for m in shown], loc="outside upper center", ncols=len(shown))
    return fig


def _cell_types_of(ax: Axes, part: pd.DataFrame, profile: Profile, *, shown: list[str]) -> None:
    first = part[part["mixture"] == shown[0]].sort_values("median", ascending=False).set_index("cell_type")
    offsets = np.linspace(-0.22, 0.22, len(shown)) if len(shown) > 1 else [0.0]
    for mixture, offset in zip(shown, offsets, strict=True):
        line = part[part["mixture"] == mixture].set_index("cell_type").reindex(first.index)
        y = np.arange(len(line)) + offset
        colour = style.NEUTRAL if mixture == shown[0] else style.colour(mixture, profile=profile)
        ax.hlines(y, line["low"], line["high"], color=colour, linewidth=0.9)
        shape = "o" if mixture == shown[0] else style.marker(mixture, profile=profile)
        ax.plot(line["median"], y, shape, color=colour, markersize=2.5)
    ax.set_yticks(range(len(first)), [f"{name} ({n:,})" for name, n in first["cells"].items()], fontsize=5)
    ax.set_ylim(len(first) - 0.4, -0.6)
    ax.set_title(part["evaluation_label"].iloc[0])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _balance(sizes: pd.Series, n: int) -> list[list[str]]:
    """Put sets in at most `n` columns of about the same height, each in its order."""
    columns: list[list[str]] = [[] for _ in range(min(n, len(sizes)))]
    for name in sizes.sort_values(ascending=False, kind="stable").index:
        min(columns, key=lambda column: sum(sizes[e] + 3 for e in column)).append(str(name))
    order = {str(name): i for i, name in enumerate(sizes.index)}
    return sorted((sorted(c, key=order.__getitem__) for c in columns), key=lambda c: order[c[0]])


def reconstruction_scatter(table: pd.DataFrame, profile: Profile) -> Figure:
    """Draw predicted against observed expression of one cell, a panel a mixture.

    Parameters
    ----------
    table
        A row a (mixture, gene): `mixture`, `mixture_label`, `observed`, `predicted` (both log1p of counts per 10,000),
        `r2`.

    Returns
    -------
    The figure, 89 mm wide.
    """
    mixtures = table["mixture"].unique()
    fig, axes = style.figure(
        width=style.NARROW, height=50, ncols=len(mixtures), sharex=True, sharey=True, squeeze=False
    )
    limit = 1.05 * table[["observed", "predicted"]].to_numpy().max()
    for ax, mixture in zip(axes[0], mixtures, strict=True):
        part = table[table["mixture"] == mixture]
        colour = style.colour(mixture, profile=profile)
        ax.plot(part["observed"], part["predicted"], ".", color=colour, alpha=0.5, markersize=2.5, rasterized=True)
        _identity(ax, limit)
        ax.set_title(f"{part['mixture_label'].iloc[0]}: R² = {part['r2'].iloc[0]:.2f}")
    fig.supxlabel("Observed, log(1 + counts per 10,000)", fontsize=6)
    axes[0, 0].set_ylabel("Predicted")
    return fig


def seed_scatter(table: pd.DataFrame, profile: Profile) -> Figure:
    """Draw the R² of each cell under two trained models that differ by their seed, evaluation sets × mixtures.

    Each pair has axes of its own: in one, ten mixtures could be told by their colours alone.

    Parameters
    ----------
    table
        A row a (evaluation, mixture, cell): `evaluation_label`, `mixture_label`, `first`, `second`.
    profile
        For colours.

    Returns
    -------
    The figure, 183 mm wide, or 89 of at most four mixtures; the points are rasterised.
    """
    mixtures, evaluations = table.drop_duplicates("mixture"), table.drop_duplicates("evaluation")
    flat = len(mixtures) <= MOST_FLAT
    width = style.WIDE if len(mixtures) > 4 else style.NARROW
    fig, axes = style.figure(
        width=width, height=(16 if flat else 32) + len(evaluations) * max(8.5, (width - 30) / len(mixtures)),
        nrows=len(evaluations), ncols=len(mixtures), sharex=True, sharey=True, squeeze=False,
    )  # fmt: skip
    for row, evaluation in zip(axes, evaluations.itertuples(), strict=True):
        of_set = table[table["evaluation"] == evaluation.evaluation]
        for ax, mixture in zip(row, mixtures["mixture"], strict=True):
            part = of_set[of_set["mixture"] == mixture]
            colour = style.colour(mixture, profile=profile)
            ax.scatter(part["first"], part["second"], color=colour, s=1.5, alpha=0.5, linewidths=0, rasterized=True)
            ax.plot([0, 1], [0, 1], color="black", linestyle=":", linewidth=0.6)
            ax.set(aspect="equal", xlim=(-0.05, 1.05), ylim=(-0.05, 1.05), xticks=[0, 1], yticks=[0, 1])
        name = fill(str(evaluation.evaluation_label), 14)
        row[0].set_ylabel(name, rotation=0, horizontalalignment="right", verticalalignment="center")
    for ax, label in zip(axes[0], mixtures["mixture_label"], strict=True):
        ax.set_title(_in_lines(label) if flat else label, fontsize=6, rotation=0 if flat else 90)
    fig.supxlabel("R² of a cell, first seed", fontsize=6)
    fig.supylabel("R² of the same cell, second seed", fontsize=6)
    return fig


def seed_medians(table: pd.DataFrame, profile: Profile) -> Figure:
    """Draw the median R² of every trained model, the seeds of a mixture joined, a panel an evaluation set.

    Parameters
    ----------
    table
        A row a (evaluation, mixture, seed): `evaluation_label`, `mixture_label`, `median`.

    Returns
    -------
    The figure, 183 mm wide.
    """
    evaluations = table["evaluation"].unique()
    mixtures = table.drop_duplicates("mixture")
    fig, axes = style.figure(
        width=style.WIDE, height=20 + 4.2 * len(mixtures), ncols=len(evaluations), sharey=True, squeeze=False
    )
    places = {mixture: i for i, mixture in enumerate(mixtures["mixture"])}
    for ax, evaluation in zip(axes[0], evaluations, strict=True):
        for mixture, part in table[table["evaluation"] == evaluation].groupby("mixture", sort=False):
            colour = style.colour(str(mixture), profile=profile)
            y = [places[str(mixture)]] * len(part)
            ax.plot(part["median"], y, "-", color=colour, linewidth=1.2)
            ax.plot(part["median"], y, "o", color=colour, markersize=3)
        ax.set(title=table.loc[table["evaluation"] == evaluation, "evaluation_label"].iloc[0], xlim=(0, None))
    axes[0, 0].set_yticks(range(len(mixtures)), mixtures["mixture_label"].tolist())
    axes[0, 0].invert_yaxis()
    fig.supxlabel("Median R² of one trained model", fontsize=6)
    return fig


def _identity(ax: Axes, limit: float) -> None:
    ax.plot([0, limit], [0, limit], color=style.NEUTRAL, linestyle=":", linewidth=0.8, zorder=0)
