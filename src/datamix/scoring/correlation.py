"""Cells as a score sees them, and their correlation with what is predicted of them."""

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

from datamix.corpora.normalise import COUNTS_PER_CELL, align, chunks
from datamix.project.errors import DatamixError
from datamix.project.threads import one_thread
from datamix.scoring.kernels import normalised_columns

CHUNK_CELLS = 384
"""Cells held densely at a time; a matter of memory only."""


def mean_profile_scores(profiles: pd.DataFrame, evaluation: ad.AnnData, *, variable: pd.Index) -> pd.DataFrame:
    """Score the simplest prediction: every cell looks like the mean of the training cells.

    Parameters
    ----------
    profiles
        Genes × names: each column what `mean_profile` returned for a training mixture, on the models' genes.
    evaluation, variable
        As in `datamix.scoring.reconstruction.score`. All profiles are scored in one pass over the cells.

    Returns
    -------
    One row a profile and cell: `model` (the column's name), `cell`, `cell_type`, `donor`, `r`, `r2`, comparable with
    `datamix.scoring.reconstruction.score`'s.
    """
    cells = align(evaluation, profiles.index)
    require_columns(cells)
    chosen = np.flatnonzero(cells.var_names.isin(variable))
    predicted = torch.from_numpy(profiles.to_numpy(dtype=np.float32).T[:, chosen])
    # A prediction that is the same for every cell is centred and scaled once; the rest is one matrix product.
    predicted = standardise(predicted)
    r = np.empty((cells.n_obs, profiles.shape[1]))
    with one_thread():
        for rows, counts in chunks(cells, CHUNK_CELLS):
            target = standardise(target_of(counts, chosen))
            r[rows] = (target @ predicted.T).numpy()
    tables = [table_of(cells, {"r": r[:, i], "r2": r[:, i] ** 2}).assign(model=str(n)) for i, n in enumerate(profiles)]
    return pd.concat(tables, ignore_index=True)[["model", *tables[0].columns[:-1]]]


def target_of(counts: sp.csr_matrix, chosen: np.ndarray) -> torch.Tensor:
    """Return `log_normalised` cells of some genes, dense, without making those of all genes."""
    places = np.full(counts.shape[1], -1, dtype=np.int32)
    places[chosen] = np.arange(len(chosen))
    scaled = normalised_columns(counts.indptr, counts.indices, counts.data, places, len(chosen), COUNTS_PER_CELL)
    return torch.from_numpy(scaled).log1p_()


def require_columns(cells: ad.AnnData) -> None:
    """Raise a `DatamixError` where cells have no `cell_type` or no `donor`."""
    missing = [column for column in ("cell_type", "donor") if column not in cells.obs]
    if missing:
        msg = (
            f"The evaluation set lacks obs.{' and obs.'.join(missing)}; it has {', '.join(cells.obs) or 'no columns'}."
        )
        raise DatamixError(msg, fix="make its corpus again; its reader must fill both columns")


def standardise(target: torch.Tensor) -> torch.Tensor:
    """Centre rows and scale them to length 1; NaN where a row does not vary."""
    centred = target - target.mean(dim=1, keepdim=True)
    varies = target.amax(dim=1) > target.amin(dim=1)
    return centred / torch.where(varies, centred.norm(dim=1), torch.nan)[:, None]


def correlate(target: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
    """Correlate rows of two tables (cells × genes): (n_cells,), NaN where a row does not vary or is not finite."""
    return correlation(standardise(target), predicted.clone())


def correlation(standardised: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
    """Correlate rows with standardised ones; NaN where one does not vary or is not finite; overwrites `predicted`."""
    varies = predicted.amax(dim=1) > predicted.amin(dim=1)
    centred = predicted.sub_(predicted.mean(dim=1, keepdim=True))
    # What lies at the end of single precision has an infinite norm or product, and no correlation.
    found = torch.linalg.vecdot(standardised, centred) / torch.where(varies, centred.norm(dim=1), torch.nan)
    return torch.where(found.isfinite(), found, torch.nan)


def table_of(cells: ad.AnnData, scores: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return a row a cell: `cell`, `cell_type`, `donor`, and the scores."""
    about = {column: cells.obs[column].to_numpy(dtype=object) for column in ("cell_type", "donor")}
    return pd.DataFrame({"cell": cells.obs_names.to_numpy(dtype=object), **about, **scores})
