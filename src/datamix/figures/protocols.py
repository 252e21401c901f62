"""The plot of the two protocols: what each fault concerns, as published and corrected."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from datamix.figures import style


def faults(table: pd.DataFrame) -> Figure:
    """Draw each fault's share under both protocols, with the counts beside it.

    Parameters
    ----------
    table
        A row a fault: `fault`, `counted`, `published`, `corrected`, `whole`, `published_share`, `corrected_share`.

    Returns
    -------
    The figure, 183 mm wide.
    """
    fig, ax = style.figure(width=style.WIDE, height=14 + 6 * len(table))
    y = np.arange(len(table))
    ax.hlines(y, table["published_share"], table["corrected_share"], color=style.NEUTRAL, linewidth=0.8, zorder=1)
    ax.scatter(table["published_share"], y, s=20, color="white", edgecolor="black", linewidth=0.8, label="published")
    ax.scatter(table["corrected_share"], y, s=20, color="black", label="corrected")
    for position, row in zip(y, table.itertuples(), strict=True):
        ax.text(1.05, position, f"{row.published} → {row.corrected} of {row.whole}", va="center")
    ax.set_yticks(y, [f"{row.counted} ({row.fault})" for row in table.itertuples()])
    ax.set(xlim=(-0.03, 1.25), ylim=(len(table) - 0.5, -0.5), xlabel="Share of the whole", xticks=[0, 0.5, 1])
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, handletextpad=0.2)
    return fig
