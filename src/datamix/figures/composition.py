"""Drawings of mixtures by shares (Figures 7 and 8), and of the yardsticks beside every R² (Figure S9)."""

from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from datamix.figures import style
from datamix.figures.labels import evaluation_label, look_up
from datamix.project.mixture_names import read_shares
from datamix.project.profile import Profile

MODELS = {
    "ldvae": ("LDVAE", "o", "#000000"),
    "pca": ("PCA", "s", "#0072B2"),
    "nmf": ("NMF", "D", "#009E73"),
    "nearest": ("Nearest training cell", "^", "#E69F00"),
    "mean": ("Mean profile", "v", "#CC79A7"),
}
"""Label, marker and colour of each kind of model."""

FAMILIES = {name: label for name, (label, _, _) in MODELS.items()} | {"geneformer": "Geneformer"}
"""Label of each kind of model, Geneformer among them."""

KINDS = {"recommended": ("Recommended", "o"), "uniform": ("Equal shares", "s"), "single": ("Best set alone", "^")}


def block_label(block: str, profile: Profile) -> str:
    """Return the label of a block: of an added set, or of a baseline."""
    labels = {name: of.label for name, of in profile.baselines.items()}
    return look_up(block, labels | {name: of.label for name, of in profile.added.items()}, profile)


def shares_label(mixture: str, profile: Profile) -> str:
    """Return what a mixture by shares is made of, the most first: '60 % Blood, 40 % TF atlas'."""
    cells = read_shares(mixture)
    ordered = sorted(cells.items(), key=lambda item: -item[1])
    return ", ".join(f"{n / sum(cells.values()):.0%} {block_label(block, profile)}" for block, n in ordered).replace(
        "%", " %"
    )


WORTH = {
    "shapley": "Shapley value: its part of the R² of all sets together",
    "alone": "Alone: R² of a model trained on this set only",
    "left_out": "Left out: what is lost without it",
}
"""Quantity → title of its map."""

MEASURES = {
    "r2": ("ceiling", "Median R² of whole cells, predicted from themselves"),
    "r2_held_out": ("reliability", "Median R² of one half of the molecules, predicted from the other"),
}
"""Measure of the cells → its ceiling, and what its axis says."""


def value_maps(table: pd.DataFrame, profile: Profile) -> Figure:
    """Draw what each block is worth on each evaluation set, a map a quantity, with its interval below each value.

    Parameters
    ----------
    table
        A row a (quantity, block, evaluation): `value`, `low_all`, `high_all`; quantities of `WORTH`.

    Returns
    -------
    The figure, 183 mm wide. Each evaluation set has its own colours, from its lowest to its highest value of a
    quantity, so that blocks are compared within a set.
    """
    blocks, sets = table["block"].unique(), table["evaluation"].unique()
    titles = {quantity: title for quantity, title in WORTH.items() if (table["quantity"] == quantity).any()}
    height = 14 + (9 + 7.5 * len(blocks)) * len(titles)
    fig, axes = style.figure(width=style.WIDE, height=height, nrows=len(titles), squeeze=False)
    for ax, (quantity, title) in zip(axes[:, 0], titles.items(), strict=True):
        part = table[table["quantity"] == quantity]
        values, low, high = (
            part.pivot(index="block", columns="evaluation", values=v).reindex(index=blocks, columns=sets)
            for v in ("value", "low_all", "high_all")
        )
        spread = (values.max() - values.min()).replace(0, 1)
        shade = (values - values.min()) / spread
        sns.heatmap(shade, cmap=style.SEQUENTIAL, vmin=0, vmax=1, cbar=False, linewidths=0.8, ax=ax)
        for (i, j), value in np.ndenumerate(values.to_numpy()):
            ends = float(low.to_numpy()[i, j]), float(high.to_numpy()[i, j])
            # Adding 0 makes of −0.000 a 0.000.
            printed = [f"{round(number, 3) + 0:.3f}".replace("-", "−") for number in (float(value), *ends)]
            words = f"{printed[0]}\n{printed[1]} to {printed[2]}"
            dark = shade.to_numpy()[i, j] < 0.55
            ax.text(j + 0.5, i + 0.5, words, ha="center", va="center", fontsize=5, color="white" if dark else "black")
        ax.set(xlabel="", ylabel="", title=title)
        ax.set_yticks(ax.get_yticks(), [block_label(b, profile) for b in blocks], rotation=0)
        ax.set_xticks(ax.get_xticks(), [evaluation_label(e, profile=profile) for e in sets], rotation=0)
        ax.tick_params(length=0)
    return fig


def interactions(table: pd.DataFrame, profile: Profile) -> Figure:
    """Draw the interaction of each pair of blocks, a panel an evaluation set.

    Parameters
    ----------
    table
        A row a (evaluation, block, other): `value`, `low_all`, `high_all`.

    Returns
    -------
    The figure, 183 mm wide.
    """
    sets = table["evaluation"].unique()
    pairs = list(table[["block", "other"]].drop_duplicates().itertuples(index=False, name=None))
    fig, axes = style.figure(
        width=style.WIDE, height=18 + 4 * len(pairs), ncols=len(sets), sharey=True, sharex=True, squeeze=False
    )
    for ax, evaluation in zip(axes[0], sets, strict=True):
        part = table[table["evaluation"] == evaluation].set_index(["block", "other"]).loc[pairs]
        y = np.arange(len(pairs))
        ax.axvline(0, color=style.NEUTRAL, linewidth=0.6)
        ax.hlines(y, part["low_all"], part["high_all"], color="black", linewidth=0.8)
        ax.plot(part["value"], y, "o", color="black")
        ax.set_title(evaluation_label(evaluation, profile=profile))
        ax.tick_params(axis="x", labelrotation=45)
    names = [f"{block_label(one, profile)} – {block_label(other, profile)}" for one, other in pairs]
    axes[0, 0].set_yticks(range(len(pairs)), names)
    axes[0, 0].set_ylim(len(pairs) - 0.5, -0.5)
    fig.supxlabel("Interaction, R²", fontsize=6)
    return fig


def predicted_and_found(table: pd.DataFrame, profile: Profile) -> Figure:
    """Draw the R² of mixtures that a law was not fitted to, predicted against found, a panel an evaluation set.

    Parameters
    ----------
    table
        A row a (evaluation, mixture): `predicted`, `found`.

    Returns
    -------
    The figure, 183 mm wide; each panel has its own scale.
    """
    sets = table["evaluation"].unique()
    fig, axes = style.figure(width=style.WIDE, height=30 + 100 / len(sets), ncols=len(sets), squeeze=False)
    for ax, evaluation in zip(axes[0], sets, strict=True):
        part = table[table["evaluation"] == evaluation]
        ends = part[["predicted", "found"]].to_numpy()
        margin = 0.05 * (ends.max() - ends.min() + 1e-3)
        limits = ends.min() - margin, ends.max() + margin
        ax.plot(limits, limits, ":", color=style.NEUTRAL, linewidth=0.8)
        ax.plot(part["predicted"], part["found"], "o", color=style.colour(evaluation, profile=profile))
        ax.set(xlim=limits, ylim=limits, aspect="equal", title=evaluation_label(evaluation, profile=profile))
        ax.tick_params(axis="x", labelrotation=45)
    axes[0, 0].set_ylabel("Median R², found")
    fig.supxlabel("Median R², predicted", fontsize=6)
    return fig


def recommended(table: pd.DataFrame, profile: Profile) -> Figure:
    """Draw each recommended mixture beside equal shares and the best block alone, a panel what it is recommended for.

    Parameters
    ----------
    table
        A row a (asked, kind): `mixture`, `found`, `low`, `high`, `predicted`.

    Returns
    -------
    The figure, 183 mm wide: points and lines are found, with 95 % interval; crosses are predicted.
    """
    asked = table["asked"].unique()
    fig, axes = style.figure(width=style.WIDE, height=12 + 18 * len(asked), nrows=len(asked), squeeze=False)
    for ax, name in zip(axes[:, 0], asked, strict=True):
        part = table[table["asked"] == name].reset_index(drop=True)
        y = np.arange(len(part))
        ax.hlines(y, part["low"], part["high"], color="black", linewidth=0.8)
        ax.plot(part["predicted"], y, "x", color="#D55E00")
        for i, row in part.iterrows():
            ax.plot(row["found"], i, KINDS[row["kind"]][1], color="black")
        words = [_described(row, profile) for row in part.itertuples()]
        ax.set_yticks(y, words, fontsize=5)
        ax.set_ylim(len(part) - 0.5, -0.5)
        label = evaluation_label(name, profile=profile) if name in profile.evaluations else "All evaluation sets alike"
        ax.set_title(label, loc="left")
    axes[-1, 0].set_xlabel("Median R²")
    handles = [Line2D([], [], color="black", marker="o"), Line2D([], [], color="#D55E00", marker="x", linestyle="")]
    fig.legend(handles, ["found, 95 % interval", "predicted by the law"], loc="outside upper right", ncols=2)
    return fig


def _described(row: Any, profile: Profile) -> str:
    kind = KINDS[row.kind][0]
    # What equal shares are needs no percentages.
    return kind if row.kind == "uniform" else f"{kind}: {fill(shares_label(row.mixture, profile), 60)}"


def dose_curves(table: pd.DataFrame, profile: Profile) -> Figure:
    """Draw R² against the cells of a block that take the place of the baseline's, a panel an evaluation set.

    Parameters
    ----------
    table
        A row a (block, evaluation, dose, thinned): `median`, `low`, `high`; `thinned` says whether the cells of the
        block are thinned to the baseline's depth.

    Returns
    -------
    The figure, 183 mm wide: lines are of whole cells, open diamonds of thinned ones.
    """
    sets, blocks = table["evaluation"].unique(), table["block"].unique()
    fig, axes = style.figure(width=style.WIDE, height=55, ncols=len(sets), squeeze=False)
    for ax, evaluation in zip(axes[0], sets, strict=True):
        for block in blocks:
            of_block = table[(table["evaluation"] == evaluation) & (table["block"] == block)]
            part, thinned = of_block[~of_block["thinned"]], of_block[of_block["thinned"]]
            colour = style.colour(block, profile=profile)
            # Beside the end of the line, so that both intervals can be seen.
            beside = 1.35 * thinned["dose"]
            ax.vlines(beside, thinned["low"], thinned["high"], color=colour, linewidth=0.8)
            ax.plot(beside, thinned["median"], "D", color=colour, markerfacecolor="white")
            ax.fill_between(part["dose"], part["low"], part["high"], color=colour, alpha=0.2, linewidth=0)
            ax.plot(part["dose"], part["median"], "o-", color=colour)
        ax.set_xscale("symlog", linthresh=max(1, table.loc[table["dose"] > 0, "dose"].min()))
        doses = sorted(table["dose"].unique())
        ax.set_xticks(doses, [str(dose) for dose in doses], rotation=90)
        ax.minorticks_off()
        ax.set_title(evaluation_label(evaluation, profile=profile))
    axes[0, 0].set_ylabel("Median R²")
    fig.supxlabel("Cells of the set in place of the baseline's", fontsize=6)
    handles = [Line2D([], [], color=style.colour(b, profile=profile), marker="o") for b in blocks]
    names = [block_label(b, profile) for b in blocks]
    if table["thinned"].any():
        handles.append(Line2D([], [], color="black", marker="D", markerfacecolor="white", linestyle=""))
        names.append("thinned to the baseline's depth")
    fig.legend(handles, names, loc="outside upper center", ncols=len(names))
    return fig


def published_doses(table: pd.DataFrame) -> Figure:
    """Draw a published dose–response, a panel an evaluation set.

    Parameters
    ----------
    table
        A row a (evaluation, sampling, dose): `r2`.

    Returns
    -------
    The figure, 183 mm wide.
    """
    sets, samplings = table["evaluation"].unique(), table["sampling"].unique()
    fig, axes = style.figure(width=style.WIDE, height=50, ncols=len(sets), sharey=True, squeeze=False)
    for ax, evaluation in zip(axes[0], sets, strict=True):
        for sampling, colour, shape in zip(samplings, style.EIGHT, style.MARKERS, strict=False):
            part = table[(table["evaluation"] == evaluation) & (table["sampling"] == sampling)]
            ax.plot(part["dose"], part["r2"], f"{shape}-", color=colour, label=f"{sampling} sampling")
        ax.set(xscale="log", title=str(evaluation).capitalize(), ylim=(0, 1))
    axes[0, 0].set_ylabel("Mean R²")
    axes[0, -1].legend(loc="upper right")
    fig.supxlabel("Atlas cells among 100,000", fontsize=6)
    return fig


def rank_agreement(table: pd.DataFrame, profile: Profile) -> Figure:
    """Draw how alike the LDVAEs and each other model rank the mixtures, a row a model and what it is ranked over.

    Parameters
    ----------
    table
        A row a (over, model, evaluation): `tau`, `tau_of_seeds`, `mixtures`, `chance`; `over` are words.

    Returns
    -------
    The figure, 183 mm wide: a filled point an evaluation set, open ones between two seeds of the LDVAEs; grey is where
    unrelated rankings of so many mixtures lie.
    """
    sets = list(table["evaluation"].unique())
    rows = table[["over", "model", "mixtures", "chance"]].drop_duplicates().to_dict("records")
    fig, ax = style.figure(width=style.WIDE, height=20 + 7 * len(rows))
    apart = np.linspace(-0.28, 0.28, len(sets)) if len(sets) > 1 else [0.0]
    for y, row in enumerate(rows):
        chance = row["chance"]
        ax.fill_betweenx([y - 0.42, y + 0.42], -chance, chance, color="#EEEEEE", linewidth=0, zorder=0)
        part = table[(table["over"] == row["over"]) & (table["model"] == row["model"])].set_index("evaluation")
        for name, offset in zip(sets, apart, strict=True):
            colour, shape = style.colour(name, profile=profile), style.marker(name, profile=profile)
            ax.plot(part["tau_of_seeds"].get(name), y + offset, shape, color=colour, markerfacecolor="white")
            ax.plot(part["tau"].get(name), y + offset, shape, color=colour)
    ax.axvline(0, color=style.NEUTRAL, linewidth=0.6)
    ax.set_yticks(range(len(rows)), [f"{FAMILIES[row['model']]}: {row['mixtures']} {row['over']}" for row in rows])
    ax.set(xlim=(-1.02, 1.02), ylim=(len(rows) - 0.5, -0.5), xlabel="Kendall's τ with the LDVAE")
    handles = [
        Line2D([], [], linestyle="", marker=style.marker(n, profile=profile), color=style.colour(n, profile=profile))
        for n in sets
    ]
    handles.append(Line2D([], [], linestyle="", marker="o", color="black", markerfacecolor="white"))
    labels = [*(evaluation_label(name, profile=profile) for name in sets), "two seeds of the LDVAE"]
    fig.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 6))
    return fig


def yardsticks(table: pd.DataFrame, profile: Profile, *, measure: str) -> Figure:
    """Draw every kind of model on every mixture, a panel an evaluation set, and the ceiling as a line.

    Parameters
    ----------
    table
        A row a (evaluation, mixture, model): `mixture_label`, and the columns of the measure and its ceiling.
    measure
        One of `MEASURES`.

    Returns
    -------
    The figure, 183 mm wide.
    """
    ceiling, label = MEASURES[measure]
    sets, names = table["evaluation"].unique(), table["mixture_label"].unique()
    fig, axes = style.figure(
        width=style.WIDE, height=22 + 4.2 * len(names), ncols=len(sets), sharey=True, squeeze=False
    )
    places = {name: i for i, name in enumerate(names)}
    for ax, evaluation in zip(axes[0], sets, strict=True):
        part = table[table["evaluation"] == evaluation]
        _models_of(ax, part, places, measure=measure)
        ax.axvline(part[ceiling].iloc[0], color="#D55E00", linewidth=0.8, linestyle="--")
        ax.set(title=evaluation_label(evaluation, profile=profile), xlim=(0, 1))
    axes[0, 0].set_yticks(list(places.values()), list(places))
    axes[0, 0].set_ylim(len(places) - 0.4, -0.6)
    fig.supxlabel(label, fontsize=6)
    shown = [m for m in MODELS if (table["model"] == m).any()]
    handles = [Line2D([], [], linestyle="", marker=MODELS[m][1], color=MODELS[m][2]) for m in shown]
    handles.append(Line2D([], [], color="#D55E00", linestyle="--", linewidth=0.8))
    fig.legend(handles, [*(MODELS[m][0] for m in shown), "ceiling"], loc="outside upper center", ncols=6)
    return fig


def _models_of(ax: Axes, part: pd.DataFrame, places: dict[str, int], *, measure: str) -> None:
    for model, (_, marker, colour) in MODELS.items():
        of = part[part["model"] == model]
        ax.plot(of[measure], of["mixture_label"].map(places), marker, color=colour, markersize=3, alpha=0.8)
