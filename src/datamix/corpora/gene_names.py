"""Genes of a source as Ensembl ids: which of its columns are kept, and what they are called."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from datamix.project.errors import DatamixError


@dataclass(frozen=True)
class GeneMap:
    """The genes of a source that a corpus keeps."""

    source: pd.Index
    """All names of the source (n_source,)."""
    columns: np.ndarray
    """Positions in the source (n_kept,), ascending."""
    genes: np.ndarray
    """Ensembl ids without version (n_kept,), unique."""
    symbols: np.ndarray
    """Symbols (n_kept,); the id where there is none."""
    mito: np.ndarray
    """Whether each gene of the source (n_source,) is mitochondrial: its symbol starts with `MT-`."""
    dropped: dict[str, int]
    """Genes left out, by reason."""


def map_genes(var: pd.DataFrame, *, gene_ids: str, table: pd.DataFrame | None, where: str) -> GeneMap:
    """Map the genes of a source to Ensembl ids.

    The rule is fixed. Of a name that repeats in the source the first column is kept; a symbol that the gene table does
    not have is dropped; of columns that come to the same Ensembl id the first is kept. All of them count towards
    `total_counts`, as QC precedes this.

    Parameters
    ----------
    var
        Indexed by the source's gene names (n_source,); column `symbol` where they are Ensembl ids.
    gene_ids
        `ensembl` or `symbol`.
    table
        Columns `gene` and `symbol`, a row a symbol (unique), the present symbol of a gene before earlier ones; needed
        for symbols, and for ids without symbols.
    where
        The dataset, for messages.

    Returns
    -------
    The map, with counts of what was dropped and why.

    Raises
    ------
    DatamixError
        If no gene is left, or ids have neither symbols nor a table.
    """
    names = pd.Series(var.index.astype(str))
    if gene_ids == "ensembl":
        ids = names.str.replace(r"(?<=\d)\.\d+$", "", regex=True)
        if "symbol" in var.columns:
            symbols = pd.Series(var["symbol"].astype(str).to_numpy())
        elif table is not None:
            symbols = ids.map(table.drop_duplicates("gene").set_index("gene")["symbol"])
        else:
            msg = f"{where}: its genes are Ensembl ids without symbols, so mitochondrial genes cannot be told."
            raise DatamixError(msg, fix="name a gene_table for it in data_manifest.yaml")
    else:
        if table is None:
            msg = f"{where}: its genes are symbols, and no gene table maps them."
            raise DatamixError(msg, fix="name a gene_table for it in data_manifest.yaml")
        ids, symbols = names.map(table.set_index("symbol")["gene"]), names
    repeated = names.duplicated()
    unmapped = ids.isna() & ~repeated
    usable = ~repeated & ~unmapped
    same_id = usable & ids.where(usable).duplicated()
    kept = usable & ~same_id
    if not kept.any():
        example = names.iloc[0] if len(names) else ""
        msg = f"{where}: none of its {len(names):,} genes (such as '{example}') has an Ensembl id."
        raise DatamixError(msg, fix="check gene_ids and gene_table of the dataset in data_manifest.yaml")
    return GeneMap(
        source=var.index,
        columns=np.flatnonzero(kept),
        genes=ids[kept].to_numpy(dtype=object),
        symbols=symbols.where(symbols.notna() & (symbols != ""), ids)[kept].to_numpy(dtype=object),
        mito=symbols.fillna("").str.startswith("MT-").to_numpy(),
        dropped={
            "repeated name": int(repeated.sum()),
            "no Ensembl id": int(unmapped.sum()),
            "repeated id": int(same_id.sum()),
        },
    )
