"""The plots of Figure 4: loadings, gene sets, genes behind a gain. Tidy tables are drawn; nothing is computed here."""

from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from datamix.figures import style
from datamix.project.profile import Profile


def loadings(table: pd.DataFrame) -> Figure:
    """Draw the genes with the strongest loadings of each factor.

    Parameters
    ----------
    table
        A row a (factor, rank): `factor`, `rank`, `gene` (its symbol), `loading`, and of the factor `cosine` (with its
        match in another seed) and `set` (the gene set it agrees with most; may be empty).

    Returns
    -------
    The figure, 183 mm wide: a part a factor.
    """
    factors = table["factor"].unique()
    columns = min(5, len(factors))
    rows = -(-len(factors) // columns)
    genes = table["rank"].max()
    fig, axes = style.figure(
        width=style.WIDE, height=10 + rows * (13 + 3.6 * genes), nrows=rows, ncols=columns, sharex=True, squeeze=False
    )
    limit = 1.1 * table["loading"].abs().max()
    for ax, factor in zip(axes.flat, factors, strict=False):
        part = table[table["factor"] == factor].sort_values("rank")
        y = np.arange(len(part))
        ax.barh(y, part["loading"], color=np.where(part["loading"] > 0, "#0072B2", "#D55E00"), height=0.7)
        ax.set_yticks(y, part["gene"].tolist(), fontsize=5)
        ax.axvline(0, color="black", linewidth=0.5)
        name = str(part["set"].fillna("").iloc[0]).replace("HALLMARK_", "").replace("_", " ").lower()
        ax.set_title(f"{factor}: {name[:24] or '–'}\ncosine {abs(part['cosine'].iloc[0]):.2f}", fontsize=6)
        ax.set(xlim=(-limit, limit))
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0)
    for ax in axes.flat[len(factors) :]:
        ax.axis("off")
    fig.supxlabel("Loading", fontsize=6)
    return fig


def sets_by_mixture(table: pd.DataFrame) -> Figure:
    """Draw how strongly each mixture's factors hold each gene set, against the baseline.

    Parameters
    ----------
    table
        A row a (mixture, source): `mixture_label`, `source`, `score`, `change`, `verdict`; in the order of columns and
        rows.

    Returns
    -------
    The figure, 183 mm wide: the score printed, its change against the baseline as colour; + or − where the set is
    gained or lost.
    """
    sets, models = table["source"].unique(), table["mixture_label"].unique()
    fig, ax = style.figure(width=style.WIDE, height=26 + 4.2 * len(sets))
    square = {
        value: table.pivot(index="source", columns="mixture_label", values=value).loc[sets, models].to_numpy()
        for value in ("score", "change", "verdict")
    }
    limit = max(5.0, float(np.nanpercentile(np.abs(square["change"].astype(float)), 98)))
    ax.imshow(square["change"].astype(float), vmin=-limit, vmax=limit, cmap=style.DIVERGING, aspect="auto")
    for (i, j), score in np.ndenumerate(square["score"].astype(float)):
        dark = abs(square["change"][i, j]) > 0.65 * limit
        text = f"{score:.0f}" + {"gained": " +", "lost": " −"}.get(str(square["verdict"][i, j]), "")
        ax.text(j, i, text, ha="center", va="center", color="white" if dark else "black", fontsize=5)
    ax.set_xticks(range(len(models)), [fill(m, 11) for m in models], fontsize=5)
    ax.set_yticks(range(len(sets)), [s.replace("HALLMARK_", "").replace("_", " ").lower() for s in sets], fontsize=5)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    bar = fig.colorbar(plt.cm.ScalarMappable(plt.Normalize(-limit, limit), style.DIVERGING), ax=ax, pad=0.01, aspect=25)
    bar.set_label("Change of the score (|t|) against the baseline")
    bar.outline.set_visible(False)
    return fig


def changed_genes(table: pd.DataFrame, profile: Profile, *, mixture: str) -> Figure:
    """Draw by how much the squared residual of genes falls, with the range over seeds.

    Parameters
    ----------
    table
        A row a gene, from top to bottom: `symbol`, `gain`, `low`, `high`, `sets` (known gene sets it is in).
    profile
        For colours.
    mixture
        The mixture under which it falls.

    Returns
    -------
    The figure, 89 mm wide.
    """
    fig, ax = style.figure(width=style.NARROW, height=14 + 3.6 * len(table))
    y = np.arange(len(table))
    ax.barh(y, table["gain"], color=style.colour(mixture, profile=profile), height=0.7)
    ax.hlines(y, table["low"], table["high"], color="black", linewidth=0.7)
    ax.axvline(0, color="black", linewidth=0.5)
    ends = table[["gain", "high"]].max(axis=1).clip(lower=0)
    for i, (end, sets) in enumerate(zip(ends, table["sets"].fillna(""), strict=True)):
        name = str(sets).replace("HALLMARK_", "").replace("_", " ").lower()
        ax.text(end, i, f"  {name[:38]}", va="center", fontsize=5)
    ax.set_yticks(y, table["symbol"].tolist(), fontsize=5)
    span = max(table["high"].max(), 0) - min(table["low"].min(), 0)
    ax.set(xlabel="Fall of the mean squared residual, (log1p counts per 10,000)²", xlim=(None, ends.max() + 0.6 * span))
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    return fig
