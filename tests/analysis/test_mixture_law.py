from itertools import product

import numpy as np
import pandas as pd
import pytest

from datamix.analysis import mixture_law
from datamix.analysis.shapley import all_coalitions
from datamix.project.errors import DatamixError

BLOCKS = ["blood", "marrow", "cancer", "atlas"]


def design(*, mixtures=15, seed=0):
    """Shares of all coalitions and of mixtures at random."""
    rng = np.random.default_rng(seed)
    coalitions = [[(b in c) / len(c) for b in BLOCKS] for c in all_coalitions(BLOCKS)]
    drawn = rng.dirichlet(np.ones(len(BLOCKS)), mixtures)
    names = [f"c{i}" for i in range(len(coalitions))] + [f"m{i}" for i in range(mixtures)]
    return pd.DataFrame(np.vstack([coalitions, drawn]), index=names, columns=BLOCKS)


def truth(shares):
    p = shares.to_numpy().T
    return pd.Series(0.4 * p[0] + 0.3 * p[1] + 0.2 * p[2] + 0.1 * p[3] + 0.5 * p[0] * p[2] - 0.2 * p[1] * p[3],
                     index=shares.index)  # fmt: skip


def test_a_law_of_its_own_form_is_found_and_its_best_mixture():
    shares = design()
    law = mixture_law.fit(shares, truth(shares))
    other = design(seed=5)
    np.testing.assert_allclose(law.predict(other), truth(other), atol=1e-3)
    best = mixture_law.recommend({"a": law}, {"a": 1.0})
    assert best.sum() == pytest.approx(1)
    # By hand: blood and cancer only; 0.4 p + 0.2 (1 - p) + 0.5 p (1 - p) is highest at p = 0.7.
    np.testing.assert_allclose(best, [0.7, 0, 0.3, 0], atol=0.02)


def test_no_mixture_on_a_grid_is_promised_more_than_the_recommended_one():
    rng = np.random.default_rng(3)
    shares = design()
    laws = {
        name: mixture_law.fit(shares, truth(shares) + rng.normal(0, 0.05, len(shares)))
        for name in ("one", "two", "off")
    }
    weights = {"one": 2.0, "two": 1.0, "off": 0.0}
    best = mixture_law.recommend(laws, weights)
    steps = [np.array(p) / 20 for p in product(range(21), repeat=len(BLOCKS)) if sum(p) == 20]
    grid = pd.DataFrame(steps, columns=BLOCKS)
    promised = sum(w * laws[name].predict(grid) for name, w in weights.items())
    own = sum(w * laws[name].predict(best.to_frame().T).iloc[0] for name, w in weights.items())
    assert own >= promised.max() - 1e-3
    assert ((best == 0) | (best >= 0.005)).all()


def test_prediction_of_unseen_mixtures_is_no_better_than_chance_where_there_is_no_law():
    """What a mixture was found to be has no part in what is predicted for it: noise is not predicted."""
    correlations = []
    for i in range(12):
        shares = design(mixtures=30, seed=i)
        r2 = pd.Series(np.random.default_rng(i).normal(0.4, 0.1, len(shares)), index=shares.index)
        unseen = [name for name in shares.index if name.startswith("m")]
        predicted = mixture_law.predict_unseen(shares, r2, unseen=unseen, seed=i)
        found = mixture_law.accuracy(predicted, pd.DataFrame({0: r2, 1: r2}))
        correlations.append(found.rank_correlation)
        changed = r2.copy()
        changed[unseen[0]] += 10
        again = mixture_law.predict_unseen(shares, changed, unseen=unseen, seed=i)
        assert again[unseen[0]] == pytest.approx(predicted[unseen[0]], abs=1e-12)
        assert not np.allclose(again, predicted)
    assert np.mean(correlations) < 0.05


def test_accuracy_says_what_seeds_and_the_average_alone_do():
    shares = design(mixtures=20)
    rng = np.random.default_rng(0)
    of_seeds = pd.DataFrame({seed: truth(shares) + rng.normal(0, 0.01, len(shares)) for seed in (0, 1)})
    unseen = [name for name in shares.index if name.startswith("m")]
    predicted = mixture_law.predict_unseen(shares, of_seeds.mean(axis=1), unseen=unseen)
    assert list(predicted.index) == unseen
    found = mixture_law.accuracy(predicted, of_seeds)
    assert found.mixtures == 20
    assert found.rank_correlation > 0.9
    assert found.error < 0.5 * found.error_of_average
    assert found.seed_distance == pytest.approx((of_seeds.loc[unseen, 0] - of_seeds.loc[unseen, 1]).abs().mean())
    assert np.isnan(mixture_law.accuracy(predicted, of_seeds[[0]]).seed_distance)


def test_shares_that_do_not_add_up_and_missing_values_are_refused():
    shares = design()
    with pytest.raises(DatamixError, match="those of c1 do not"):
        mixture_law.fit(shares.assign(blood=shares["blood"] + (shares.index == "c1")), truth(shares))
    with pytest.raises(DatamixError, match="found 30, 29 with R²"):
        mixture_law.fit(shares, truth(shares).drop("c0"))
    with pytest.raises(DatamixError, match="three mixtures or more"):
        mixture_law.fit(shares.iloc[:2], truth(shares))
