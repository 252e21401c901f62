"""The genes that all training corpora share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from datamix.corpora.corpus import n_cells, open_corpus, read_rows
from datamix.project.dataset import Dataset
from datamix.project.errors import DatamixError
from datamix.project.files import replacing
from datamix.project.layout import Layout
from datamix.project.profile import Profile
from datamix.project.spreadsheets import as_written, for_spreadsheets
from datamix.sources.formats.h5ad_rows import read_names

_ENTRIES = 1 << 22
"""Entries of a matrix that are looked at in one go."""


def shared_genes(paths: Sequence[Path], *, most_variable: int | None = None) -> pd.DataFrame:
    """Intersect the genes of the training corpora.

    Parameters
    ----------
    paths
        The corpora.
    most_variable
        Keep so many: those of highest normalised dispersion (scanpy `highly_variable_genes`, flavour "seurat", the
        corpora taken together) after scaling each cell to 10,000 counts over the shared genes and log1p. Of each
        corpus at most 5,000 cells, evenly spaced, are looked at. Nothing means all.

    Returns
    -------
    Columns `gene` (Ensembl id) and `symbol` (as the first corpus has it), sorted by gene.

    Raises
    ------
    DatamixError
        If no gene is common to all.
    """
    genes = common_genes(paths)
    if most_variable is not None and most_variable < len(genes):
        genes = _most_variable(paths, genes, most_variable)
    with open_corpus(paths[0]) as file:
        symbols = pd.Series(ad.io.read_elem(file["var/symbol"]), index=read_names(file, "var"))
    return pd.DataFrame({"gene": genes, "symbol": symbols.reindex(genes).astype(str).to_numpy()})


def common_genes(paths: Sequence[Path]) -> list[str]:
    """Intersect the genes of corpora.

    Returns
    -------
    Ensembl ids, sorted.

    Raises
    ------
    DatamixError
        If no gene is common to all.
    """
    names = []
    for path in paths:
        with open_corpus(path) as file:
            names.append(read_names(file, "var"))
    common = set(names[0]).intersection(*names[1:])
    if not common:
        sizes = ", ".join(f"{path.stem} ({len(genes):,})" for path, genes in zip(paths, names, strict=True))
        msg = f"No gene is common to all training corpora: {sizes}."
        raise DatamixError(msg, fix="check gene_ids and gene_table of these datasets in data_manifest.yaml")
    return sorted(common)


def cells_without(path: Path, genes: Sequence[str] | npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Find the cells of a corpus that have a count of none of these genes: no model can be told what they are.

    They pass QC, which counts all genes of the source.

    Parameters
    ----------
    path
        The corpus; a piece of it is in memory at a time.
    genes
        Ensembl ids.

    Returns
    -------
    Row numbers, ascending.
    """
    with open_corpus(path) as file:
        wanted = pd.Index(read_names(file, "var")).isin(pd.Index(genes))
        bounds, indices = file["X/indptr"][:].astype(np.int64), file["X/indices"]
        seen = np.zeros(len(bounds) - 1, dtype=bool)
        for start in range(0, int(bounds[-1]), _ENTRIES):
            places = start + np.flatnonzero(wanted[indices[start : start + _ENTRIES]])
            seen[np.searchsorted(bounds, places, side="right") - 1] = True
    return np.flatnonzero(~seen)


def counts_of_cells(path: Path, genes: Sequence[str] | npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Sum the counts that each cell of a corpus has in some genes.

    Parameters
    ----------
    path
        The corpus; a piece of it is in memory at a time.
    genes
        Ensembl ids.

    Returns
    -------
    (n_cells,).
    """
    with open_corpus(path) as file:
        wanted = pd.Index(read_names(file, "var")).isin(pd.Index(genes))
        bounds, indices, data = file["X/indptr"][:].astype(np.int64), file["X/indices"], file["X/data"]
        totals = np.zeros(len(bounds) - 1)
        for start in range(0, int(bounds[-1]), _ENTRIES):
            kept = np.flatnonzero(wanted[indices[start : start + _ENTRIES]])
            cells = np.searchsorted(bounds, start + kept, side="right") - 1
            totals += np.bincount(cells, weights=data[start : start + _ENTRIES][kept], minlength=len(totals))
    return totals


def needs_training_genes(dataset: Dataset, profile: Profile) -> bool:
    """Say whether a corpus can only be made once the training corpora are there.

    Under the published protocol one evaluation set is, whose genes are looked up in a training file (fault 15).
    """
    return profile.protocol == "published" and bool(dataset.options.get("training_genes_if_published", False))


def _most_variable(paths: Sequence[Path], genes: list[str], n: int) -> list[str]:
    import scanpy as sc

    def sample(path: Path) -> sparse.csr_matrix:
        size = n_cells(path)
        return read_rows(path, np.unique(np.linspace(0, size - 1, min(size, 5_000)).astype(np.int64)), genes)

    counts = sparse.vstack([sample(path) for path in paths], format="csr")
    cells = ad.AnnData(counts, var=pd.DataFrame(index=genes))
    sc.pp.normalize_total(cells, target_sum=1e4)
    sc.pp.log1p(cells)
    found = sc.pp.highly_variable_genes(cells, n_top_genes=n, inplace=False)
    return [gene for gene, chosen in zip(genes, found["highly_variable"], strict=True) if chosen]


def write_genes(layout: Layout, table: pd.DataFrame) -> None:
    """Write the shared genes where `read_genes` finds them; a symbol is whatever a file of cells says it is."""
    with replacing(layout.genes) as beside:
        for_spreadsheets(table).to_csv(beside, index=False)


def read_genes(layout: Layout) -> pd.DataFrame:
    """Read the genes shared by all training corpora: columns `gene` (Ensembl id) and `symbol`."""
    if not layout.genes.is_file():
        msg = f"{layout.genes} does not exist."
        raise DatamixError(msg, fix=f"make book PROFILE={layout.profile.name}")
    return as_written(pd.read_csv(layout.genes, dtype=str, keep_default_na=False))  # a symbol may be NA
