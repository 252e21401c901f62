"""Whether a corpus looks like raw counts of single cells, whatever its file says; what does not is named, not refused.

The bounds are ours: far outside of what droplet and plate methods give, so that a note is worth reading.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_DEEP = 100_000  # median counts of a cell: UMIs of a cell seldom pass it, reads do
_LARGE = 50_000  # one gene's count in one cell
_FULL = 0.7  # share of values that are not 0
_MANY_GENES = 5_000  # fewer are a panel, of which many are counted in every cell
_SAME = 0.005  # spread of the cells' totals, as a share of their mean
_CELLS = 10
LEAST_KNOWN_COUNTS = 0.1
"""The least share of a source's counts that lies in genes with a known name."""


def measure(values: npt.NDArray[Any], total: npt.NDArray[Any], mito: npt.NDArray[Any]) -> dict[str, float]:
    """Measure a block of cells before any is left out.

    Parameters
    ----------
    values
        The counts that are not 0.
    total, mito
        Counts of each cell (n_cells,), and those of its mitochondrial genes.
    """
    return {
        "largest_count": float(values.max(initial=0)),
        "values": float(np.count_nonzero(values)),
        "counts": float(total.sum()),
        "squares": float((total**2).sum()),
        "mito_counts": float(mito.sum()),
    }


def implausible(found: Sequence[Mapping[str, Any]], *, totals: npt.NDArray[Any], max_mito: float) -> list[str]:
    """Say what is unlike raw counts of cells.

    Parameters
    ----------
    found
        `measure` of each block, with `cells_read`, `genes_read` and `mito_genes`.
    totals
        Counts of the cells that are kept (n_cells,).
    max_mito
        The bound of the filter on mitochondrial counts, for the message.

    Returns
    -------
    A sentence each; none where nothing is unusual.
    """
    cells, genes = sum(f["cells_read"] for f in found), found[0]["genes_read"]
    notes = []
    unfiltered = f"so the filter (mito_fraction below {max_mito:g}) passes every cell"
    if not found[0]["mito_genes"]:
        notes.append(f"none of its {genes:,} genes is known as mitochondrial (MT-…), {unfiltered}")
    elif not any(f["mito_counts"] for f in found):
        notes.append(f"no cell has a count of its {found[0]['mito_genes']} mitochondrial genes, {unfiltered}")
    largest = max(f["largest_count"] for f in found)
    median = float(np.median(totals)) if len(totals) else 0.0
    if median > _DEEP:
        notes.append(f"half of the cells have more than {median:,.0f} counts: these look like reads, not molecules")
    elif largest > _LARGE:
        notes.append(f"the largest count of a gene in a cell is {largest:,.0f}: are these reads, or sums of cells?")
    if largest == 1:
        notes.append("no count is above 1: is it only said whether a gene is seen?")
    share = sum(f["values"] for f in found) / max(1, cells * genes)
    if genes > _MANY_GENES and share > _FULL:
        notes.append(
            f"{share:.0%} of the values are not 0; in single cells few are: are these sums of cells, or imputed?"
        )
    mean = sum(f["counts"] for f in found) / max(1, cells)
    spread = max(0.0, sum(f["squares"] for f in found) / max(1, cells) - mean**2) ** 0.5
    if cells >= _CELLS and mean > 0 and spread < _SAME * mean:
        notes.append(f"all cells have the same {mean:,.0f} counts: they look scaled to one depth and rounded")
    return notes
