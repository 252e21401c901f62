"""Simple models beside the LDVAE, fitted to the same training cells: what any ten components, or a look-up, would do.

Each takes log1p counts per 10,000 over the models' genes, and predicts the same of a cell that it is shown:

- `pca`: the cell projected on the leading principal components of the training cells, and put together again;
- `nmf`: the same with parts that are not negative (non-negative matrix factorisation), as an LDVAE's shares are not;
- `nearest`: the training cell that is nearest in the space of these principal components;
- `mean`: the mean of the training cells, whatever the cell.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence

import anndata as ad
import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
import torch
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls
from scipy.spatial import cKDTree
from sklearn.decomposition import NMF, PCA
from sklearn.exceptions import ConvergenceWarning

from datamix.corpora.normalise import chunks, log_normalised, mean_profile
from datamix.project.errors import DatamixError
from datamix.scoring.correlation import CHUNK_CELLS, correlate, target_of
from datamix.scoring.kinds import SIMPLE_MODELS

Array = npt.NDArray[np.floating]
Places = npt.NDArray[np.integer]
NMF_ROUNDS = 60
"""After so many, its error on the demo's cells is within one per cent of that after scikit-learn's 200."""

Predict = Callable[[sp.csr_matrix, Places], Array]
"""From raw counts (n_cells, n_genes) and the positions of some genes to log1p counts per 10,000 of these, dense."""

COMPONENTS = 10
"""As many as the LDVAE has latent dimensions in the paper."""


def fit_simple_models(
    training: ad.AnnData, *, seed: int, names: Sequence[str] = SIMPLE_MODELS, components: int = COMPONENTS
) -> dict[str, Predict]:
    """Fit simple models to the same training cells.

    Parameters
    ----------
    training
        Raw counts, CSR, (n_cells, n_genes), on the models' genes.
    seed
        Starts the solvers.
    names
        Of the models, of `SIMPLE_MODELS`.
    components
        Of PCA and NMF; fewer where there are fewer cells or genes.

    Returns
    -------
    Name → prediction. Held in memory are the training cells, sparse, and two tables of `components` × genes; cells are
    predicted a chunk at a time.

    Raises
    ------
    DatamixError
        If there are fewer than three cells or genes.
    """
    if min(training.shape) < 3:
        msg = f"Simple models are fitted to three cells and genes or more, found {training.n_obs} × {training.n_vars}."
        raise DatamixError(msg, fix="give the mixture more cells")
    cells = log_normalised(sp.csr_matrix(training.X))
    n = min(components, min(cells.shape) - 1)
    found: dict[str, Predict] = {}
    if {"pca", "nearest"} & set(names):
        space = PCA(n, svd_solver="arpack", random_state=seed).fit(cells)
        axes, centre = space.components_.astype(np.float64), space.mean_.astype(np.float64)
        found |= {"pca": _pca(axes, centre), "nearest": _nearest(cells, axes)}
    if "nmf" in names:
        found["nmf"] = _nmf(cells, n, seed=seed)
    if "mean" in names:
        found["mean"] = _mean(mean_profile(training).to_numpy())
    return {name: found[name] for name in names}


def _pca(axes: Array, centre: Array) -> Predict:
    def predict(counts: sp.csr_matrix, places: Places) -> Array:
        coordinates = log_normalised(counts) @ axes.T - centre @ axes.T
        return coordinates @ axes[:, places] + centre[places]

    return predict


def _nearest(cells: sp.csr_matrix, axes: Array) -> Predict:
    neighbours = cKDTree(cells @ axes.T)

    def predict(counts: sp.csr_matrix, places: Places) -> Array:
        _, rows = neighbours.query(log_normalised(counts) @ axes.T)
        return cells[rows][:, places].toarray()

    return predict


def _nmf(cells: sp.csr_matrix, components: int, *, seed: int) -> Predict:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        parts = (
            NMF(components, init="nndsvda", max_iter=NMF_ROUNDS, random_state=seed)
            .fit(cells)
            .components_.astype(np.float64)
        )
    # A part that nothing is left for has no weight in any cell.
    parts = parts[parts.sum(axis=1) > 0]
    root = cholesky(parts @ parts.T + 1e-10 * np.eye(len(parts)) * (parts**2).sum(axis=1).max(), lower=False)

    def predict(counts: sp.csr_matrix, places: Places) -> Array:
        # The weights of each cell are the non-negative least-squares solution: with R'R = HH', min |Rw − R'⁻¹Hx|.
        sides = solve_triangular(root, (log_normalised(counts) @ parts.T).T, trans="T").T
        weights = np.array([nnls(root, side)[0] for side in sides]).reshape(len(sides), len(parts))
        return weights @ parts[:, places]

    return predict


def _mean(profile: Array) -> Predict:
    return lambda counts, places: np.tile(profile[places], (counts.shape[0], 1))


def score_predictions(
    models: Mapping[str, Predict],
    evaluation: ad.AnnData,
    *,
    variable: pd.Index,
    target: ad.AnnData | None = None,
) -> pd.DataFrame:
    """Score predictions of cells as `datamix.scoring.reconstruction.score` scores those of LDVAEs.

    Parameters
    ----------
    models
        Name → prediction.
    evaluation
        Raw counts, CSR, on the models' genes (`datamix.corpora.normalise.align`), with `obs.cell_type`, `obs.donor`.
    variable
        The genes to compare on.
    target
        The cells to compare with, where they are not those shown to the models: the same cells and genes in order.

    Returns
    -------
    One row a model and cell: `model`, `cell`, `cell_type`, `donor`, `r`, `r2`; NaN where cell or prediction does not
    vary.
    """
    chosen = np.flatnonzero(evaluation.var_names.isin(variable))
    r = {name: np.empty(evaluation.n_obs) for name in models}
    compared = chunks(evaluation if target is None else target, CHUNK_CELLS)
    for (rows, counts), (_, others) in zip(chunks(evaluation, CHUNK_CELLS), compared, strict=True):
        wanted = target_of(others, chosen)
        for name, predict in models.items():
            predicted = torch.from_numpy(np.asarray(predict(counts, chosen), dtype=np.float32).copy())
            r[name][rows] = correlate(wanted, predicted).numpy()
    about = evaluation.obs[["cell_type", "donor"]].astype(object).rename_axis("cell").reset_index()
    tables = [about.assign(model=name, r=values, r2=values**2) for name, values in r.items()]
    return pd.concat(tables, ignore_index=True)[["model", "cell", "cell_type", "donor", "r", "r2"]]
