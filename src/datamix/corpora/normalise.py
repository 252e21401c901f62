"""Cells of an evaluation set as a model sees them: its genes, log-normalised, in chunks, the most variable genes."""

from collections.abc import Iterator, Sequence

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from datamix.project.errors import DatamixError

COUNTS_PER_CELL = 1e4
"""Cells are compared after scaling to this total."""
CHUNK_CELLS = 4096
"""Cells normalised at a time; a matter of memory only."""


def align(evaluation: ad.AnnData, genes: Sequence[str] | pd.Index) -> ad.AnnData:
    """Bring cells into a model's genes: its order, missing genes zero, others dropped.

    Parameters
    ----------
    evaluation
        Counts, CSR, with unique gene names; not changed.
    genes
        The model's genes.

    Returns
    -------
    Cells × genes, CSR float32, with `evaluation`'s obs.

    Raises
    ------
    DatamixError
        If no gene is in common, a gene is repeated, or the matrix is not CSR.
    """
    genes = pd.Index(genes)
    counts = evaluation.X
    if not (sp.issparse(counts) and counts.format == "csr"):
        msg = f"An evaluation set is expected as CSR, found {type(counts).__name__}."
        raise DatamixError(msg, fix="adata.X = scipy.sparse.csr_matrix(adata.X)")
    if not evaluation.var_names.is_unique:
        repeated = evaluation.var_names[evaluation.var_names.duplicated()][0]
        msg = f"The evaluation set has the gene {repeated} more than once."
        raise DatamixError(msg, fix="sum or drop repeated genes before scoring")
    place = genes.get_indexer(evaluation.var_names)
    if (place < 0).all():
        msg = f"No gene is in common: the model has {genes[0]} …, the evaluation set {evaluation.var_names[0]} …."
        raise DatamixError(msg, fix="use Ensembl ids without version as var_names on both sides")
    if evaluation.n_vars == len(genes) and (place == np.arange(len(genes))).all():
        aligned = sp.csr_matrix(counts, dtype=np.float32)
    else:
        kept = place[counts.indices] >= 0
        before = np.concatenate([[0], np.cumsum(kept)])
        data, columns = counts.data[kept].astype(np.float32), place[counts.indices[kept]]
        aligned = sp.csr_matrix((data, columns, before[counts.indptr]), shape=(evaluation.n_obs, len(genes)))
        aligned.sort_indices()
    return ad.AnnData(aligned, obs=evaluation.obs.copy(), var=pd.DataFrame(index=genes))


def variable_genes(aligned: ad.AnnData, n_top_genes: int = 1000) -> pd.Index:
    """Choose the most variable genes of an evaluation set.

    The choice of scanpy's `highly_variable_genes` (flavour "seurat") on log1p of counts scaled to 10,000, with the
    moments taken chunk by chunk, so that no normalised copy of the cells is made.

    Parameters
    ----------
    aligned
        Raw counts, CSR.
    n_top_genes
        How many; all genes that vary where there are fewer. Ties at the last place are all kept.

    Returns
    -------
    Gene names, in the order of `aligned`.

    References
    ----------
    Satija et al. 2015, doi:10.1038/nbt.3192.
    """
    total, squares = np.zeros(aligned.n_vars), np.zeros(aligned.n_vars)
    for _, counts in chunks(aligned, CHUNK_CELLS):
        # scanpy takes its moments of expm1(log1p(x)) in single precision; the same here, so that ties fall alike.
        values = np.expm1(log_normalised(counts).data).astype(np.float64)
        total += np.bincount(counts.indices, values, minlength=aligned.n_vars)
        squares += np.bincount(counts.indices, values**2, minlength=aligned.n_vars)
    mean = total / aligned.n_obs
    variance = (squares / aligned.n_obs - mean**2) * aligned.n_obs / max(aligned.n_obs - 1, 1)
    mean[mean == 0] = 1e-12
    dispersion = variance / mean
    dispersion[dispersion == 0] = np.nan
    table = pd.DataFrame({"mean": np.log1p(mean), "dispersion": np.log(dispersion)})
    grouped = table.groupby(pd.cut(table["mean"], bins=20), observed=True)["dispersion"]
    centre, spread = grouped.transform("mean"), grouped.transform("std")
    # The only gene of its bin has no spread: scanpy sets its normalised dispersion to 1.
    alone = spread.isna()
    normalised = ((table["dispersion"] - centre.where(~alone, 0)) / spread.where(~alone, centre)).to_numpy()
    ranked = np.sort(normalised[~np.isnan(normalised)])[::-1]
    if len(ranked) == 0:
        return aligned.var_names[:0]
    return aligned.var_names[normalised >= ranked[min(n_top_genes, len(ranked)) - 1]]


def mean_profile(training: ad.AnnData) -> pd.Series:
    """Average the log1p of counts scaled to 10,000 over cells.

    Returns
    -------
    Gene → mean, in the order of `training`.
    """
    total = np.zeros(training.n_vars)
    for _, counts in chunks(training, CHUNK_CELLS):
        total += np.asarray(log_normalised(counts).sum(axis=0, dtype=np.float64)).ravel()
    return pd.Series(total / training.n_obs, index=training.var_names, name="mean")


def chunks(cells: ad.AnnData, chunk_cells: int) -> Iterator[tuple[slice, sp.csr_matrix]]:
    """Walk over cells: rows and their counts (CSR), `chunk_cells` at a time."""
    whole = cells.X
    for start in range(0, cells.n_obs, chunk_cells):
        rows = slice(start, min(start + chunk_cells, cells.n_obs))
        first, last = whole.indptr[rows.start], whole.indptr[rows.stop]
        # A view: slicing would copy.
        parts = whole.data[first:last], whole.indices[first:last], whole.indptr[rows.start : rows.stop + 1] - first
        yield rows, sp.csr_matrix(parts, shape=(rows.stop - rows.start, whole.shape[1]), copy=False)


def log_normalised(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Return log1p of counts scaled to 10,000 a cell (CSR, single precision); an empty cell stays empty."""
    total = np.asarray(counts.sum(axis=1)).ravel()
    scaled = counts.data * np.repeat(
        np.float32(COUNTS_PER_CELL) / np.where(total > 0, total, 1), np.diff(counts.indptr)
    )
    return sp.csr_matrix((np.log1p(scaled, dtype=np.float32), counts.indices, counts.indptr), shape=counts.shape)
