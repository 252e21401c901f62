"""Genes of a source as Ensembl ids: which of its columns are kept, and what they are called."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from datamix.corpora.gene_spelling import PAR_Y, Spellings, other_organisms, spell
from datamix.project.errors import DatamixError

MOST = 0.5
"""The least share of its genes that a source of human cells has known names for."""
_FOREIGN = 0.05  # genes of another organism, above which a source is not one of human cells
_EXAMPLES = 3


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
    known: np.ndarray
    """Whether each gene of the source (n_source,) has an Ensembl id, kept or not."""
    dropped: dict[str, int]
    """Genes left out, by reason."""
    named_by: dict[str, int]
    """Genes with an id, by how their name was understood: `symbol`, `Ensembl id with version`, `make.names` …"""


def map_genes(var: pd.DataFrame, *, gene_ids: str, table: pd.DataFrame | None, where: str) -> GeneMap:
    """Map the genes of a source to Ensembl ids.

    The rule is fixed. Each name is understood by itself (`gene_spelling.spell`): an Ensembl id, with or without
    version, prefix of a genome or symbol beside it; a symbol of the table, present or earlier; a symbol as R or a
    spreadsheet spoilt it. Of a name that repeats in the source the first column is kept; a name that nothing explains
    is dropped, as is the copy of a gene on the Y chromosome (`_PAR_Y`); of columns that come to the same id the first
    is kept. All of them count towards `total_counts`, as QC precedes this.

    Parameters
    ----------
    var
        Indexed by the source's gene names (n_source,); where it has them, `ensembl` (ids) and `symbol`.
    gene_ids
        What the source is said to name its genes by, `ensembl` or `symbol`; a column that holds both is understood
        either way.
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
        If ids have neither symbols nor a table, symbols no table, the genes are not those of human cells, are not
        what `gene_ids` says, or fewer than half of them are known.
    """
    names = pd.Series(var.index.astype(str))
    found = spell(names, table=table)
    told_apart = pd.Series(data=False, index=names.index)
    if "ensembl" in var.columns:
        _require_one_organism(found, where=where)
        beside = spell(pd.Series(var["ensembl"].astype(str).to_numpy()), table=None)
        found, told_apart = found.preferring(beside), beside.ids.notna()  # two genes may share a symbol
    _require_human(found, where=where)
    symbols = _symbols(var, names, found, gene_ids=gene_ids, table=table, where=where)
    _require_known(found, gene_ids=gene_ids, where=where, mapped="symbols" if table is not None else "")
    ids = found.ids
    par_y = pd.Series(found.how == PAR_Y)
    repeated = (names.duplicated() & ~told_apart) | found.repeats
    unmapped = ids.isna() & ~repeated
    usable = ~repeated & ~unmapped & ~par_y
    same_id = usable & ids.where(usable).duplicated()
    kept = usable & ~same_id
    return GeneMap(
        source=var.index,
        columns=np.flatnonzero(kept),
        genes=ids[kept].to_numpy(dtype=object),
        symbols=symbols.where(symbols.notna() & (symbols != ""), ids)[kept].to_numpy(dtype=object),
        mito=symbols.fillna("").str.upper().str.startswith("MT-").to_numpy(),
        known=found.ids.notna().to_numpy(),
        dropped={
            "repeated name": int((repeated & ~par_y).sum()),
            "no Ensembl id": int(unmapped.sum()),
            "repeated id": int(same_id.sum()),
        }
        | ({"copy on the Y chromosome": int(par_y.sum())} if par_y.any() else {}),
        named_by={str(how): int(n) for how, n in found.how[ids.notna() & ~par_y].value_counts().sort_index().items()},
    )


def _symbols(
    var: pd.DataFrame, names: pd.Series, found: Spellings, *, gene_ids: str, table: pd.DataFrame | None, where: str
) -> pd.Series:
    """Name each gene by the source's own symbol, else as its name was understood, else by the table."""
    own = (
        pd.Series(var["symbol"].astype(str).to_numpy())
        if "symbol" in var.columns
        else pd.Series(None, index=names.index, dtype=object)
    )
    own = own.mask(own.isin(["", "nan", "None", "<NA>"]) | own.str.fullmatch(r"ENSG\d{11}.*"))
    if table is None and "symbol" not in var.columns and not found.symbols.notna().any():
        kind = "Ensembl ids without symbols, so mitochondrial genes cannot be told"
        msg = f"{where}: its genes are {kind if gene_ids == 'ensembl' else 'symbols, and no gene table maps them'}."
        raise DatamixError(msg, fix="name a gene_table for it in data_manifest.yaml")
    result = own.where(own.notna(), found.symbols)
    if table is not None:
        present = found.ids.map(table.drop_duplicates("gene").set_index("gene")["symbol"])
        result = result.where(result.notna(), present)
    # A name that is not understood still tells a mitochondrial gene.
    return result.where(result.notna(), names.where(found.ids.isna()))


def _require_one_organism(found: Spellings, *, where: str) -> None:
    """Refuse names of a mouse beside Ensembl ids of man, or of any organism: one of them is wrong."""
    known = int(found.ids.notna().sum())
    if found.looks_like_mouse and known < MOST * len(found.ids):
        msg = (
            f"{where}: {known:,} of its {len(found.ids):,} gene names are human symbols; "
            f"others, such as '{found.names[found.ids.isna()].iloc[0]}', are written as mouse genes are, whatever the "
            "Ensembl ids beside them say."
        )
        raise DatamixError(
            msg, fix="this project compares human cells: take human cells, or mend the names of the genes"
        )


def _require_human(found: Spellings, *, where: str) -> None:
    organisms = other_organisms(found)
    if sum(organisms.values()) <= _FOREIGN * len(found.ids):
        return
    listed = ", ".join(f"{n:,} are of {name}" for name, n in organisms.items())
    known = int((found.ids.notna() & found.organism.isna()).sum())
    msg = (
        f"{where}: expected human genes; of {len(found.ids):,} genes {listed} (such as '{found.example_of_foreign}'), "
        f"{known:,} are human."
    )
    raise DatamixError(msg, fix="this project compares human cells: take human cells, or genes mapped to human ones")


def _require_known(found: Spellings, *, gene_ids: str, where: str, mapped: str) -> None:
    n = len(found.ids)
    known = int(found.ids.notna().sum())
    ensembl = int(found.is_ensembl.sum())
    unknown = found.names[found.ids.isna()]
    examples = ", ".join(f"'{name}'" for name in unknown[:_EXAMPLES])
    if gene_ids == "ensembl" and n and ensembl < MOST * n:
        others = f", {known - ensembl:,} are known symbols" if mapped else ""
        strangers = ", ".join(repr(name) for name in found.names[~found.is_ensembl][:_EXAMPLES])
        msg = (
            f"{where}: its genes are said to be Ensembl ids (gene_ids: ensembl), but of {n:,} names {ensembl:,} are "
            f"(ENSG and eleven digits){others}; others are {strangers}."
        )
        raise DatamixError(msg, fix="say `gene_ids: symbol` and name a gene_table in data_manifest.yaml")
    if known and known >= MOST * n:
        return
    msg = (
        f"{where}: {known:,} of its {n:,} genes ({known / max(n, 1):.0%}) are known; expected at least {MOST:.0%}. "
        f"Not known are {examples}."
    )
    if found.looks_like_mouse:
        msg += " They are written as mouse genes are, Actb for ACTB."
    raise DatamixError(
        msg,
        fix="check what names the genes, whether the cells are human, and the dataset's gene_ids and gene_table",
    )
