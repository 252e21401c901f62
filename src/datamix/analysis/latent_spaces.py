"""Two latent spaces of the same cells compared: what one holds that the other does not predict, and how alike they are.

Embedding uniqueness is named in Figure 1D of the paper (doi:10.1101/2025.02.19.639127) and defined in none of its
published scripts: the definition here is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.spatial
from sklearn.model_selection import KFold
from sklearn.neighbors import NearestNeighbors

from datamix.project.errors import DatamixError

Array = npt.NDArray[np.floating]
Model = tuple[str, int]
"""A mixture and a seed."""

FOLDS = 5
"""Of the cross-validation in which one space is predicted from another."""

SEED = 0
"""Decides the folds, and the shuffles of `neighbour_overlap`."""

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Ridge penalties that are tried, in units of the predictor's mean squared singular value."""


@dataclass(frozen=True)
class Unpredicted:
    """Squared errors of a held-out prediction of one latent space from another, a number a cell.

    Attributes
    ----------
    error
        (n_cells,) squared distance between the cell and its prediction, summed over dimensions.
    total
        (n_cells,) the same for the mean of the other cells as the prediction.
    """

    error: Array
    total: Array

    @property
    def uniqueness(self) -> float:
        """1 − R² over all cells; R² of each dimension enters with the weight of its variance."""
        return float(self.error.sum() / self.total.sum())


def uniqueness(x: Array, y: Array) -> float:
    """Measure how much of one latent space another does not predict.

    1 − R² of a ridge regression from `x` to `y`, on cells held out of the fit, the R² of each dimension of `y` weighted
    by its variance. Each of `FOLDS` parts is predicted from the others, with the penalty of the least leave-one-out
    error there. Rotating, shifting or scaling either space as a whole changes nothing. What is linear in `x` counts as
    predicted; the measure is of the pair (x, y), and in general another for (y, x).

    Parameters
    ----------
    x, y
        Latent means of the same cells in two models, (n_cells, n_latent) each; the dimensions need not agree.

    Returns
    -------
    0 where `x` predicts `y` to the last digit, about 1 where it predicts nothing; above 1 where it misleads.

    Raises
    ------
    DatamixError
        If the spaces have different cells, or too few.
    """
    return unpredicted(x, {"y": y})["y"].uniqueness


def unpredicted(x: Array, targets: Mapping[str, Array]) -> dict[str, Unpredicted]:
    """Predict several latent spaces from one; as `uniqueness`, with the errors of every cell.

    Parameters
    ----------
    x
        (n_cells, n_latent).
    targets
        Name → (n_cells, n_latent) of the same cells; a target's result does not depend on its company.

    Returns
    -------
    Name → squared errors of each cell.
    """
    for name, y in targets.items():
        _check_pair(x, y, name=name, least=2 * FOLDS)
    x = np.asarray(x, dtype=np.float64)
    spaces = [np.asarray(y, dtype=np.float64) for y in targets.values()]
    # All side by side: each step is one product for all of them.
    y = np.hstack(spaces)
    first = np.cumsum([0, *(space.shape[1] for space in spaces[:-1])])
    error, total = np.empty((len(x), len(spaces))), np.empty((len(x), len(spaces)))
    for train, test in KFold(FOLDS, shuffle=True, random_state=SEED).split(x):
        centre, mean = x[train].mean(axis=0), y[train].mean(axis=0)
        u, s, vt = np.linalg.svd(x[train] - centre, full_matrices=False)
        weights = _ridge(u, s, y[train] - mean, first)
        predicted = mean + (x[test] - centre) @ (vt.T @ weights)
        error[test] = np.add.reduceat((y[test] - predicted) ** 2, first, axis=1)
        total[test] = np.add.reduceat((y[test] - mean) ** 2, first, axis=1)
    return {name: Unpredicted(error[:, i], total[:, i]) for i, name in enumerate(targets)}


def spaces_of_models(table: pd.DataFrame) -> dict[Model, Array]:
    """Return the latent means of one evaluation set by model, (n_cells, n_latent), the cells in one order.

    Parameters
    ----------
    table
        A row a (seed, mixture, cell), with `z_0`, `z_1` …; the cells of a model in any order, the same in all.
    """
    columns = dimensions(table)
    groups = table.set_index("cell").groupby(["mixture", "seed"], sort=False)[columns]
    spaces = {(str(mixture), int(str(seed))): group for (mixture, seed), group in groups}
    cells = next(iter(spaces.values())).index
    return {model: space.loc[cells].to_numpy(dtype=np.float64) for model, space in spaces.items()}


def dimensions(table: pd.DataFrame) -> list[str]:
    """Name the columns that hold a latent space: `z_0`, `z_1` …."""
    return table.columns[table.columns.str.startswith("z_")].tolist()


def _ridge(u: Array, s: Array, y: Array, first: npt.NDArray[np.integer]) -> Array:
    """Return ridge weights in the basis of the right singular vectors.

    Each target, the columns from one of `first` to the next, has the penalty of its least leave-one-out error.
    """
    projected = u.T @ y
    best, weights = np.full(len(first), np.inf), np.zeros_like(projected)
    widths = np.diff([*first, y.shape[1]])
    for penalty in PENALTIES:
        kept = s**2 / np.maximum(s**2 + penalty * np.mean(s**2), np.finfo(float).tiny)
        leverage = (u**2) @ kept + 1 / len(u)  # 1/n for the mean
        residual = (y - u @ (kept[:, None] * projected)) / (1 - leverage)[:, None]
        errors = np.add.reduceat((residual**2).sum(axis=0), first)
        shrunk = np.divide(kept, s, out=np.zeros_like(s), where=s > 0)
        better = np.repeat(errors < best, widths)
        weights[:, better] = shrunk[:, None] * projected[:, better]
        best = np.minimum(best, errors)
    return weights


def linear_cka(x: Array, y: Array) -> float:
    """Compare two spaces by linear centred kernel alignment, which is the RV coefficient of the centred matrices.

    Parameters
    ----------
    x, y
        (n_cells, n_latent) each; the same cells.

    Returns
    -------
    0 to 1; unchanged by rotating, shifting or scaling either space as a whole.

    References
    ----------
    Kornblith et al. 2019, arXiv:1905.00414; Robert & Escoufier 1976, doi:10.2307/2347233.
    """
    _check_pair(x, y)
    x, y = _centred(x), _centred(y)
    cross = np.linalg.norm(y.T @ x) ** 2
    return float(cross / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


def procrustes(x: Array, y: Array) -> float:
    """Compare two spaces after the best rotation, shift and scaling (orthogonal Procrustes, by scipy).

    Parameters
    ----------
    x, y
        (n_cells, n_latent) each; the same cells, and the same number of dimensions.

    Returns
    -------
    What remains of the summed squared distances, 0 (the same up to these) to 1.

    References
    ----------
    Gower 1975, doi:10.1007/BF02291478.
    """
    _check_pair(x, y)
    return float(scipy.spatial.procrustes(x, y)[2])


def neighbour_overlap(x: Array, y: Array, *, k: int, permutations: int) -> tuple[float, Array]:
    """Compare the neighbourhoods of cells: the share of a cell's k nearest neighbours that both spaces agree on.

    Parameters
    ----------
    x, y
        (n_cells, n_latent) each; the same cells.
    k
        Neighbours of a cell; below n_cells − 1.
    permutations
        How often the cells of `y` are shuffled for the null distribution.

    Returns
    -------
    The mean overlap over cells, 0 to 1, and (permutations,) its values for shuffled cells. By chance alone it is
    `k / (n_cells − 1)`. Rotating, shifting or scaling either space as a whole changes nothing.
    """
    _check_pair(x, y, least=k + 2)
    first, second = (_neighbours(space, k) for space in (x, y))
    is_near = np.zeros((len(first), len(first)), dtype=bool)
    np.put_along_axis(is_near, first, values=True, axis=1)

    def overlap(near: npt.NDArray[np.int64]) -> float:
        return float(np.take_along_axis(is_near, near, axis=1).mean())

    generator = np.random.default_rng(SEED)
    null = []
    for _ in range(permutations):
        order = generator.permutation(len(second))
        renamed = np.empty_like(second)
        renamed[order] = order[second]  # cell i is called order[i]
        null.append(overlap(renamed))
    return overlap(second), np.array(null)


def _neighbours(space: Array, k: int) -> npt.NDArray[np.int64]:
    # Without a query, a cell is not its own neighbour.
    return NearestNeighbors(n_neighbors=k).fit(space).kneighbors(return_distance=False)


def _centred(x: Array) -> Array:
    x = np.asarray(x, dtype=np.float64)
    return x - x.mean(axis=0)


def _check_pair(x: Array, y: Array, *, name: str = "y", least: int = 3) -> None:
    if np.ndim(x) != 2 or np.ndim(y) != 2 or len(x) != len(y):
        msg = f"Two latent spaces of the same cells are compared; found x {np.shape(x)} and {name} {np.shape(y)}."
        raise DatamixError(msg, fix="give both as (n_cells, n_latent), the cells in the same order")
    if len(x) < least:
        msg = f"The latent spaces hold {len(x)} cells, expected at least {least}."
        raise DatamixError(msg, fix="compare them on an evaluation set with more cells, or with fewer neighbours")
