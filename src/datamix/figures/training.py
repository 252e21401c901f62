"""Drawings of the training (Figure S3)."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from datamix.figures import style
from datamix.project.mixture_names import read_name
from datamix.project.profile import Profile


def training_curves(table: pd.DataFrame, profile: Profile) -> Figure:
    """Draw the loss of each model against epochs, a row a baseline: training cells left, held-out cells right.

    Parameters
    ----------
    table
        A row a (baseline, mixture, seed, epoch): `mixture_label`, `elbo_train`, `elbo_validation` (negative evidence
        lower bound, nats a cell).

    Returns
    -------
    The figure, 183 mm wide.
    """
    baselines = table["baseline"].unique()
    fig, axes = style.figure(
        width=style.WIDE, height=15 + 50 * len(baselines), nrows=len(baselines), ncols=2, sharex=True, squeeze=False
    )
    for row, baseline in zip(axes, baselines, strict=True):
        part = table[table["baseline"] == baseline]
        for ax, column, name in zip(row, ("elbo_train", "elbo_validation"), ("training", "held-out"), strict=True):
            for (mixture, _), line in part.dropna(subset=[column]).groupby(["mixture", "seed"], sort=False):
                dashes = (0, (3, 1)) if read_name(mixture).added else "-"
                colour = style.colour(mixture, profile=profile)
                few = len(line) // 6 or 1  # points along a line, so that it can be told without its colour
                ax.plot(
                    line["epoch"], line[column], color=colour, linestyle=dashes, linewidth=0.8, markersize=2.5,
                    marker=style.marker(mixture, profile=profile), markevery=few,
                )  # fmt: skip
            ax.set_title(f"{profile.baselines[baseline].label} Baseline, {name} cells")
            ax.set_yscale("log")
            ax.set_ylabel("Negative ELBO, nats a cell")
        names = part.drop_duplicates("mixture")
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
        row[1].legend(handles, names["mixture_label"].tolist(), loc="center left", bbox_to_anchor=(1.02, 0.5))
    for ax in axes[-1]:
        ax.set_xlabel("Epoch")
    return fig
