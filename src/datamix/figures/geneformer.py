"""The plots of Geneformer's figure. Each takes a tidy table, the panel's source data; nothing is computed here."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from datamix.figures import style
from datamix.project.mixture_names import read_name
from datamix.project.profile import Profile

_MARKERS = ("s", "D")


def by_mixture(table: pd.DataFrame, profile: Profile, *, measure: str, references: Mapping[str, str]) -> Figure:
    """Draw a measure of every mixture on every evaluation set, with what needs no model beside it.

    Parameters
    ----------
    table
        A row a (evaluation, mixture): `evaluation_label`, `mixture_label`, `median`, `low`, `high`, and a column for
        each of `references`.
    profile
        For colours.
    measure
        Label of the axis.
    references
        Column → label in the legend.

    Returns
    -------
    The figure, 183 mm wide: a part an evaluation set, a row a mixture.
    """
    evaluations = table["evaluation"].unique()
    mixtures = table.drop_duplicates("mixture")
    places = {name: i for i, name in enumerate(mixtures["mixture"])}
    fig, axes = style.figure(
        width=style.WIDE, height=24 + 4.4 * len(mixtures), ncols=len(evaluations), sharey=True, sharex=True,
        squeeze=False,
    )  # fmt: skip
    for ax, evaluation in zip(axes[0], evaluations, strict=True):
        part = table[table["evaluation"] == evaluation]
        y = part["mixture"].map(places)
        for column, marker in zip(references, _MARKERS, strict=False):
            ax.plot(part[column], y, marker, markersize=3, markerfacecolor="white", color=style.NEUTRAL, zorder=1)
        for row, place in zip(part.itertuples(), y, strict=True):
            colour = style.colour(str(row.mixture), profile=profile)
            ax.hlines(place, row.low, row.high, color=colour, linewidth=1)
            ax.plot([row.median], [place], "o", color=colour, markersize=3.5)
        ax.set_title(part["evaluation_label"].iloc[0])
    axes[0, 0].set_yticks(range(len(places)), mixtures["mixture_label"].tolist())
    axes[0, 0].invert_yaxis()
    fig.supxlabel(measure, fontsize=6)
    handles = [Line2D([], [], linestyle="", marker="o", color="black", markersize=3.5)]
    handles += [
        Line2D([], [], linestyle="", marker=m, color=style.NEUTRAL, markerfacecolor="white", markersize=3)
        for m, _ in zip(_MARKERS, references, strict=False)
    ]
    fig.legend(handles, ["Model", *references.values()], loc="outside upper center", ncols=len(handles))
    return fig


def curves(table: pd.DataFrame, profile: Profile) -> Figure:
    """Draw the masked loss of each model against training steps.

    Parameters
    ----------
    table
        A row a (mixture, seed, step): `mixture_label`, `smoothed` (loss, nats a hidden gene).

    Returns
    -------
    The figure, 89 mm wide.
    """
    fig, ax = style.figure(width=style.NARROW, height=58)
    for (mixture, _), line in table.groupby(["mixture", "seed"], sort=False):
        dashes = (0, (3, 1)) if read_name(str(mixture)).added else "-"
        colour = style.colour(str(mixture), profile=profile)
        ax.plot(
            line["step"], line["smoothed"], color=colour, linestyle=dashes, linewidth=0.8, markersize=2.5,
            marker=style.marker(str(mixture), profile=profile), markevery=len(line) // 8 or 1,
        )  # fmt: skip
    ax.set(xlabel="Step", ylabel="Masked loss in training,\nnats a hidden gene")
    names = table.drop_duplicates("mixture")
    handles = [
        Line2D(
            [],
            [],
            color=style.colour(m, profile=profile),
            marker=style.marker(m, profile=profile),
            markersize=2.5,
            linestyle=(0, (3, 1)) if read_name(m).added else "-",
        )
        for m in names["mixture"]
    ]
    fig.legend(handles, names["mixture_label"].tolist(), loc="outside right center", fontsize=5)
    return fig


def additions(table: pd.DataFrame, profile: Profile, *, asked: str) -> Figure:
    """Draw what each added set brings over the control on each evaluation set, a part a measure.

    Parameters
    ----------
    table
        A row a (measure, evaluation, mixture): `evaluation_label`, `mixture_label`, `added`, `over_control`,
        `over_control_low`, `over_control_high`.
    profile
        For colours.
    asked
        The added set that is asked about: drawn large, the others small.

    Returns
    -------
    The figure, 183 mm wide.
    """
    measures, evaluations = table["measure"].unique(), table.drop_duplicates("evaluation")
    sets = [name for name in table["added"].unique() if name != asked] + [asked]
    fig, axes = style.figure(
        width=style.WIDE, height=24 + 8 * len(evaluations), ncols=len(measures), sharey=True, squeeze=False
    )
    step = 0.7 / len(sets)
    for ax, measure in zip(axes[0], measures, strict=True):
        ax.axvline(0, color=style.NEUTRAL, linestyle=":", linewidth=0.8)
        for i, name in enumerate(sets):
            part = table[(table["measure"] == measure) & (table["added"] == name)].set_index("evaluation")
            part = part.loc[evaluations["evaluation"]]
            y = [place + (i - (len(sets) - 1) / 2) * step for place in range(len(part))]
            colour = style.colour(name, profile=profile)
            large = name == asked
            ax.hlines(y, part["over_control_low"], part["over_control_high"], color=colour, linewidth=1 + 0.6 * large)
            ax.plot(part["over_control"], y, "o", color=colour, markersize=3 + 1.5 * large)
        ax.set_title(measure)
    axes[0, 0].set_yticks(range(len(evaluations)), evaluations["evaluation_label"].tolist())
    axes[0, 0].invert_yaxis()
    axes[0, 0].tick_params(axis="y", length=0)
    fig.supxlabel("Baseline + added set, minus baseline + more of its own cells", fontsize=6)
    names = table.drop_duplicates("added").set_index("added")["mixture_label"]
    handles = [Line2D([], [], marker="o", color=style.colour(s, profile=profile)) for s in sets]
    fig.legend(handles, [names[s] for s in sets], loc="outside upper center", ncols=len(sets))
    return fig
