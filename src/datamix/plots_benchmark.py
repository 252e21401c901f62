"""Plots of the benchmark's tables; nothing is computed here."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from datamix import style

TRAINERS = {"stock": "#8C8C8C", "ours": "#0072B2", "matrix products alone": "#E69F00"}


def training_rate(table: pd.DataFrame) -> Figure:
    """Draw cells trained in a second by one model on one thread.

    Parameters
    ----------
    table
        A row a (size, trainer): `size` (text), `trainer` (a key of `TRAINERS`), `cells_per_second`.

    Returns
    -------
    The figure, 89 mm wide.
    """
    sizes = table["size"].unique()
    fig, ax = style.figure(width=style.NARROW, height=24 + 10 * len(sizes))
    for i, (trainer, colour) in enumerate(TRAINERS.items()):
        part = table[table["trainer"] == trainer].set_index("size").reindex(sizes)
        y = [place + 0.26 * (i - 1) for place in range(len(sizes))]
        ax.barh(y, part["cells_per_second"], height=0.24, color=colour, label=trainer)
    ax.set_yticks(range(len(sizes)), sizes)
    ax.invert_yaxis()
    ax.set_xlabel("Cells trained in a second, one thread")
    ax.xaxis.set_major_locator(MaxNLocator(4))
    fig.legend(loc="outside upper center", ncols=3)
    return fig


def scoring_cost(table: pd.DataFrame) -> Figure:
    """Draw time and peak memory of scoring against the number of cells.

    Parameters
    ----------
    table
        A row a (cells, way): `cells`, `way` (published or ours), `seconds`, `peak_mb`.

    Returns
    -------
    The figure, 183 mm wide.
    """
    fig, axes = style.figure(width=style.WIDE, height=55, ncols=2)
    for ax, column, name in zip(
        axes, ("seconds", "peak_mb"), ("Time to score, s", "Memory beyond the cells, MB"), strict=True
    ):
        for way, colour in (("published", TRAINERS["stock"]), ("ours", TRAINERS["ours"])):
            part = table[table["way"] == way].sort_values("cells")
            ax.plot(part["cells"], part[column], "o-", color=colour, label=way)
        ax.set(xlabel="Evaluation cells", ylabel=name, yscale="log")
    axes[0].legend()
    return fig
