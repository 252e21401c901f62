"""Which side of a table holds the genes: told by names, never by size."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from datamix.project.errors import DatamixError

EVERYWHERE = ("ACTB", "GAPDH", "EEF1A1", "B2M", "TMSB10", "RPL3", "RPS2", "MALAT1")
"""Genes that every human expression matrix has, whatever was filtered."""
_ID = r"(?:^|_)ENS[A-Z]{0,4}G\d{8,}"
_MITO = r"^(?:\w+_)?MT[-.](?:ND\d|CO\d|ATP\d|CYB)"
QC_COLUMNS = (
    r"(?i)^(?:n_?count.*|n_?features?.*|n_?genes?.*|n_?umis?.*|total_counts.*|pct_.*|percent.*"
    r"|(?:seurat_)?clusters?|leiden.*|louvain.*|\w+_snn_res\..*|(?:donor|patient|sample|individual)s?(?:_?id)?|batch(?:_?id)?"
    r"|orig\.ident|age|sex|(?:s|g2m|doublet)[_.]?scores?|(?:umap|tsne|pca?)_?\d+)$"
)
"""Columns of numbers about cells that stand among the genes of a table of cells."""


def genes_are_rows(rows: Sequence[str] | np.ndarray, columns: Sequence[str] | np.ndarray, *, where: str) -> bool:
    """Tell whether the rows of a table are its genes.

    Raises
    ------
    DatamixError
        If neither side, or both, are named like genes.
    """
    scores = [_genes(side) for side in (rows, columns)]
    if scores[0] == scores[1]:
        found = "none" if scores[0] == 0 else "some in both"
        msg = (
            f"{where} ({len(rows):,} × {len(columns):,}): of the genes {', '.join(EVERYWHERE)}, and of Ensembl ids, "
            f"there is {found} of its dimensions, so the gene dimension cannot be told."
        )
        raise DatamixError(msg, fix="take a matrix whose genes are named by human gene symbols or Ensembl ids")
    return scores[0] > scores[1]


def has_genes(names: Sequence[str] | np.ndarray) -> bool:
    """Tell whether any of the names is that of a gene which every human expression matrix has, or an Ensembl id."""
    return _genes(names) > 0


def _genes(names: Sequence[str] | np.ndarray) -> int:
    text = pd.Series(np.asarray(names, dtype=object)).astype(str).str.strip("\"' ")
    known = text.str.upper().str.rpartition("_")[2].isin(EVERYWHERE)
    return int((known | text.str.contains(_ID, regex=True) | text.str.upper().str.match(_MITO)).sum())
