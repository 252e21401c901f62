"""Gene tables: which Ensembl id a gene symbol stands for."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from datamix.project.errors import DatamixError
from datamix.sources.formats.r_objects import r_object

HUMAN_GENE = r"^ENSG\d{11}(?:\.\d+)?$"
# UCSC and GENCODE write chr7, Ensembl and BioMart 7.
_MAIN_CHROMOSOMES = {f"{chr_}{c}" for chr_ in ("chr", "") for c in (*range(1, 23), "X", "Y", "M", "MT")}


def read_gene_table(
    files: Mapping[str, Path],
    *,
    gene: str = "gene_id",
    symbol: str = "gene_name",
    biotype: str | None = None,
    chromosome: str | None = None,
    earlier: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Read a table of human genes.

    Only rows with a human Ensembl gene id and a symbol are taken; versions are cut off. Where several ids share a
    symbol, one is chosen by a fixed rule: protein-coding before others, then those on a main chromosome, then the
    smallest id, which is the oldest and so the one that older references use.

    Parameters
    ----------
    files
        One csv file, which may be compressed, and the file of `earlier`.
    gene, symbol, biotype, chromosome
        The names of its columns; the last two only serve the choice and may be absent.
    earlier
        An R file that knows what genes were called before: its name (`file`), and where it keeps ids (`gene`) and
        symbols (`symbol`). A symbol that the table does not have is taken from there, if the table has the id.

    Returns
    -------
    Columns `gene` and `symbol`, a row a symbol, sorted by gene, the present symbol of a gene before earlier ones.

    Raises
    ------
    DatamixError
        If the file lacks a column, or holds no human Ensembl id.
    """
    names = [name for name in files if earlier is None or name != earlier["file"]]
    if len(names) != 1:
        msg = f"The reader 'gene_table' takes one table, the manifest entry lists {', '.join(names) or 'none'}."
        raise DatamixError(msg, fix="correct the dataset's files and options in data_manifest.yaml")
    path = files[names[0]]
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    wanted = [c for c in (gene, symbol, biotype, chromosome) if c is not None]
    absent = [c for c in wanted if c not in table.columns]
    if absent:
        msg = f"{path} has no column {', '.join(absent)}; it has {', '.join(table.columns)}."
        raise DatamixError(msg, fix="name the columns in the dataset's options in data_manifest.yaml")
    table = table[table[gene].str.match(HUMAN_GENE) & (table[symbol] != "")]
    if table.empty:
        msg = f"{path}: column {gene} holds no human Ensembl gene id (ENSG and eleven digits)."
        raise DatamixError(msg, fix="check the file, or name another column in data_manifest.yaml")
    ranked = pd.DataFrame(
        {
            "gene": table[gene].str.split(".").str[0],
            "symbol": table[symbol],
            "other": table[biotype] != "protein_coding" if biotype else False,
            "off_main": ~table[chromosome].isin(_MAIN_CHROMOSOMES) if chromosome else False,
        }
    ).sort_values(["other", "off_main", "gene"], kind="stable")
    chosen = ranked.drop_duplicates("symbol").drop_duplicates("gene")[["gene", "symbol"]]
    if earlier is not None:
        before = _read_earlier(files, **earlier)
        chosen = pd.concat([chosen, before[before["gene"].isin(ranked["gene"])]]).drop_duplicates("symbol")
    return chosen.sort_values("gene", kind="stable", ignore_index=True)


def _read_earlier(files: Mapping[str, Path], *, file: str, gene: str, symbol: str) -> pd.DataFrame:
    if file not in files:
        msg = f"earlier: the dataset has no file '{file}', only {', '.join(files)}."
        raise DatamixError(msg, fix="correct the dataset's options in data_manifest.yaml")
    ids, symbols = (pd.Series(r_object(files[file], place)).astype(str) for place in (gene, symbol))
    return pd.DataFrame({"gene": ids, "symbol": symbols})[ids.str.match(HUMAN_GENE)]
