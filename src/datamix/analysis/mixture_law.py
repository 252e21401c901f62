"""A law of mixtures: R² as a smooth function of the shares of the training sets, made to predict unseen ones (ours).

The function is Scheffé's quadratic polynomial, Σ β_i p_i + Σ β_ij p_i p_j over shares p that add up to 1: what each
block gives alone, and what two give more together than their shares say. It is fitted by ridge regression, shrunk
towards the average R², with the penalty chosen by leaving out one mixture at a time. What it is good for is measured on
mixtures that it was not fitted to.

References
----------
Scheffé 1958, doi:10.1111/j.2517-6161.1958.tb00299.x. Fitting a law of mixtures to small trainings, for language models:
Liu et al. 2024, arXiv:2407.01492.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV

from datamix.analysis.shapley import all_coalitions
from datamix.project.errors import DatamixError

Array = npt.NDArray[np.floating]

PENALTIES = tuple(np.logspace(-5, 1, 25).tolist())
FEWEST = 3
"""Mixtures that a law is fitted to."""
FOLDS = 3
"""Parts of the mixtures that are left out in turn: each law is fitted to two thirds of them."""


@dataclass(frozen=True)
class Law:
    """A fitted law for one evaluation set."""

    blocks: tuple[str, ...]
    average: float
    """R² that the coefficients are shrunk to."""
    coefficients: Array
    """Of the shares, then of four times the product of each pair, so that all reach up to 1: added to `average`."""
    penalty: float

    def predict(self, shares: pd.DataFrame) -> pd.Series:
        """Predict the R² of mixtures: a row of `shares` a mixture, a column a block, rows adding up to 1."""
        terms = _terms(shares[list(self.blocks)].to_numpy(dtype=np.float64))
        return pd.Series(self.average + terms @ self.coefficients, index=shares.index, name="predicted")


def fit(shares: pd.DataFrame, r2: pd.Series) -> Law:
    """Fit a law to the R² of mixtures on one evaluation set.

    Parameters
    ----------
    shares
        Mixtures × blocks, 0 to 1; rows add up to 1.
    r2
        Of the same mixtures.

    Raises
    ------
    DatamixError
        If rows do not add up to 1, a value is missing, or there are too few mixtures to choose a penalty by.
    """
    given = shares.to_numpy(dtype=np.float64)
    values = r2.reindex(shares.index).to_numpy(dtype=np.float64)
    if len(given) < FEWEST or not np.isfinite(values).all():
        known = int(np.isfinite(values).sum())
        msg = f"A law is fitted to three mixtures or more, each with its R²; found {len(given)}, {known} with R²."
        raise DatamixError(msg, fix="train and score more mixtures")
    if not np.allclose(given.sum(axis=1), 1):
        msg = f"Shares of a mixture add up to 1; those of {shares.index[~np.isclose(given.sum(axis=1), 1)][0]} do not."
        raise DatamixError(msg, fix="divide the cells of each block by those of the mixture")
    average = float(values.mean())
    ridge = RidgeCV(PENALTIES, fit_intercept=False).fit(_terms(given), values - average)
    return Law(tuple(map(str, shares.columns)), average, ridge.coef_, float(ridge.alpha_))


def predict_unseen(
    shares: pd.DataFrame, r2: pd.Series, *, unseen: Sequence[str], folds: int = FOLDS, seed: int = 0
) -> pd.Series:
    """Predict mixtures, each by a law that was fitted without it.

    Parameters
    ----------
    shares, r2
        As in `fit`: all mixtures, coalitions among them.
    unseen
        The mixtures to predict. They are dealt into `folds` parts at random, and each part is predicted by the law that
        is fitted to all other mixtures.
    folds, seed
        Parts, and what deals them.

    Returns
    -------
    Mixture → predicted R², in the order of `unseen`. Where there is no law to be found, their correlation with what was
    found is a little below zero: what is high among the left-out is missing from the average of the others.
    """
    order = np.random.default_rng(seed).permutation(len(unseen))
    parts = [[unseen[i] for i in order[part::folds]] for part in range(folds)]
    found = [
        fit(shares.drop(index=part), r2.drop(index=part)).predict(shares.loc[part]) for part in parts if len(part) > 0
    ]
    return pd.concat(found).reindex(list(unseen)) if found else pd.Series(dtype=np.float64, name="predicted")


@dataclass(frozen=True)
class Accuracy:
    """How well mixtures were predicted that a law was not fitted to."""

    mixtures: int
    rank_correlation: float
    """Spearman's, of predicted and found R²; NaN below three mixtures."""
    error: float
    """Mean absolute difference of predicted and found R²."""
    error_of_average: float
    """The same for a prediction without a law: every mixture is as good as the average of all others."""
    seed_distance: float
    """Mean absolute difference between two seeds of one mixture: what training alone does. NaN with one seed."""


def errors(predicted: pd.Series, of_seeds: pd.DataFrame) -> pd.DataFrame:
    """Give the error of each prediction, and that of a prediction without a law.

    Without a law, a mixture is as good as the average of all others, those that the law was fitted to among them: with
    coefficients of zero, the law says the same.

    Parameters
    ----------
    predicted, of_seeds
        As in `accuracy`.

    Returns
    -------
    A row a mixture of `predicted`: `error` and `error_of_average`, absolute differences from what was found.
    """
    every = of_seeds.mean(axis=1)
    found = every[predicted.index]
    of_others = (every.sum() - found) / max(len(every) - 1, 1)
    return pd.DataFrame({"error": (predicted - found).abs(), "error_of_average": (of_others - found).abs()})


def accuracy(predicted: pd.Series, of_seeds: pd.DataFrame) -> Accuracy:
    """Compare predictions with what was found.

    Parameters
    ----------
    predicted
        Mixture → R², from `predict_unseen`.
    of_seeds
        Mixtures (in any order, others may be among them) × seeds: the median R² of each model.
    """
    models = of_seeds.loc[predicted.index]
    found, apart = models.mean(axis=1), errors(predicted, of_seeds)
    pairs = [(models[a] - models[b]).abs().mean() for a, b in combinations(models.columns, 2)]
    return Accuracy(
        mixtures=len(found),
        rank_correlation=float(spearmanr(predicted, found).statistic) if len(found) > 2 else np.nan,
        error=float(apart["error"].mean()),
        error_of_average=float(apart["error_of_average"].mean()),
        seed_distance=float(np.mean(pairs)) if pairs else np.nan,
    )


def recommend(laws: Mapping[str, Law], weights: Mapping[str, float]) -> pd.Series:
    """Find the shares at which laws promise most.

    Parameters
    ----------
    laws
        Evaluation set → its law, all of the same blocks.
    weights
        Evaluation set → its weight, not below 0, some above: {"neurons": 1} asks for one set only.

    Returns
    -------
    Block → share, adding up to 1. The weighted R² may have several maxima: it is climbed from every coalition in equal
    shares, and the highest is taken. A share below half a per cent is left out.
    """
    blocks = laws[next(iter(weights))].blocks
    # A weighted sum of laws is a law.
    coefficients = np.sum([weight * laws[name].coefficients for name, weight in weights.items()], axis=0)

    def loss(shares: Array) -> float:
        return -float(_terms(shares[None, :])[0] @ coefficients)

    starts = [np.array([(b in c) / len(c) for b in blocks]) for c in all_coalitions(blocks)]
    sums_to_one = {"type": "eq", "fun": lambda shares: shares.sum() - 1, "jac": np.ones_like}
    climbed = [
        minimize(loss, start, method="SLSQP", bounds=[(0, 1)] * len(blocks), constraints=[sums_to_one]).x
        for start in starts
    ]
    candidates = [_clean(shares) for shares in climbed] + starts
    return pd.Series(min(candidates, key=loss), index=list(blocks), name="share")


def _clean(shares: Array) -> Array:
    kept = np.where(shares < 0.005, 0, shares)
    return kept / kept.sum()


def _terms(shares: Array) -> Array:
    """Return shares and four times the products of pairs, (mixtures, k + k(k − 1) / 2)."""
    pairs = [4 * shares[:, i] * shares[:, j] for i, j in combinations(range(shares.shape[1]), 2)]
    return np.column_stack([shares, *pairs])
