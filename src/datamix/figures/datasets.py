"""Drawings of what quality control keeps (Figure S1)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from datamix.figures import style


def cells_kept(table: pd.DataFrame) -> Figure:
    """Draw how many cells each dataset has, kept by QC and dropped.

    Parameters
    ----------
    table
        A row a dataset: `dataset`, `role` (training or evaluation), `read`, `kept`.

    Returns
    -------
    The figure, 183 mm wide.
    """
    fig, ax = style.figure(width=style.WIDE, height=23 + 4.5 * len(table))
    y = np.arange(len(table))
    shades = table["role"].map({"training": "#0072B2", "evaluation": "#E69F00"})
    ax.barh(y, table["read"], color="#DDDDDD", height=0.7)
    ax.barh(y, table["kept"], color=shades, height=0.7)
    for i, row in enumerate(table.itertuples()):
        ax.text(row.read, i, f"  {row.kept:,} of {row.read:,}", va="center")
    ax.set_yticks(y, table["dataset"].tolist())
    ax.set(xlabel="Cells", xlim=(0, 1.2 * table["read"].max()))
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    keys = {"training, kept": "#0072B2", "evaluation, kept": "#E69F00", "dropped by QC": "#DDDDDD"}
    handles = [Line2D([], [], linestyle="", marker="s", color=c, markersize=5) for c in keys.values()]
    # Above the bars: the longest may end anywhere, and its number behind it.
    ax.legend(handles, list(keys), loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0)
    return fig


def qc_distributions(table: pd.DataFrame, *, min_counts: float, max_mito: float) -> Figure:
    """Draw total counts and mitochondrial fraction of the kept cells, with the thresholds.

    Parameters
    ----------
    table
        A row a (dataset, quantile): `quantile` (0.05, 0.25, 0.5, 0.75, 0.95), `total_counts`, `mito_fraction` (0 to 1).
    min_counts, max_mito
        Thresholds of QC.

    Returns
    -------
    The figure, 183 mm wide: quartile boxes with whiskers from the 5th to the 95th percentile.
    """
    datasets = table["dataset"].unique().tolist()
    fig, axes = style.figure(width=style.WIDE, height=18 + 4.5 * len(datasets), ncols=2, sharey=True)
    columns = {
        "total_counts": ("Total counts of a cell", min_counts),
        "mito_fraction": ("Mitochondrial fraction", max_mito),
    }
    lines = {"linewidth": 0.6}
    for ax, (column, (name, threshold)) in zip(axes, columns.items(), strict=True):
        quantiles = table.pivot(index="dataset", columns="quantile", values=column).loc[datasets]
        names = dict(zip(quantiles.columns, ("whislo", "q1", "med", "q3", "whishi"), strict=True))
        ax.bxp(
            quantiles.rename(columns=names).to_dict("records"), positions=np.arange(len(datasets)), widths=0.6,
            orientation="horizontal", showfliers=False, medianprops={"color": "#D55E00"}, boxprops=lines,
            whiskerprops=lines, capprops=lines,
        )  # fmt: skip
        ax.axvline(threshold, color=style.NEUTRAL, linestyle=":", linewidth=0.8)
        ax.set_xlabel(name)
    axes[0].set_xscale("log")
    axes[0].set_yticks(np.arange(len(datasets)), datasets)
    axes[0].invert_yaxis()
    return fig
