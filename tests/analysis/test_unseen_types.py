import numpy as np
import pandas as pd
import pytest

from datamix.analysis.unseen_types import trend

NAMES = [f"type {i}" for i in range(10)]


def made(distance, r2, *, evaluation="blood", names=NAMES):
    columns = {"evaluation": evaluation, "cell_type": names, "distance": distance, "r2": r2}
    return pd.DataFrame(columns).assign(seen="as trained")


def test_a_trend_within_a_set():
    found = trend(made(np.arange(10.0), 1 / (1 + np.arange(10.0))))
    assert (found.overall, found.within, found.types) == (pytest.approx(-1), pytest.approx(-1), 10)
    assert found.p < 0.002


def test_sets_that_differ_are_no_trend_within_them():
    """Near types of one set are predicted well, far ones of another badly; within neither does distance matter."""
    rng = np.random.default_rng(0)
    near = made(rng.uniform(1, 2, 10), rng.uniform(0.6, 0.7, 10))
    far = made(
        rng.uniform(8, 9, 10), rng.uniform(0.1, 0.2, 10), evaluation="cortex", names=[f"n {i}" for i in range(10)]
    )
    found = trend(pd.concat([near, far]))
    assert found.overall < -0.6
    assert abs(found.within) < 0.5
    assert found.p > 0.05


def test_a_type_in_two_sets_counts_once():
    rng = np.random.default_rng(1)
    once = made(rng.normal(size=10), rng.normal(size=10))
    both = trend(pd.concat([once, once.assign(evaluation="bone_marrow")]))
    assert both.types == 10
    assert (both.within, both.p) == pytest.approx((trend(once).within, trend(once).p))


def test_without_named_types_there_is_no_trend():
    table = made(np.arange(10.0), np.arange(10.0), names="not labelled")
    assert np.isnan(trend(table).within)
    assert trend(table).types == 0
    alone = pd.concat(
        [made([d], [r], evaluation=e, names=["x"]) for d, r, e in ((1, 3, "a"), (2, 2, "b"), (3, 1, "c"))]
    )
    assert trend(alone).overall == pytest.approx(-1)
    assert trend(alone).types == 0


def test_no_relation_is_called_one_in_five_of_a_hundred():
    rng = np.random.default_rng(2)
    p = []
    for _ in range(200):
        marrow = made(
            rng.normal(size=16), rng.normal(size=16), evaluation="marrow", names=[f"type {i}" for i in range(16)]
        )
        blood = marrow.iloc[:8].assign(evaluation="blood")
        blood["r2"] += rng.normal(0, 0.3, 8)  # the same types again, predicted much alike
        p.append(trend(pd.concat([marrow, blood])).p)
    assert np.mean(np.array(p) <= 0.05) <= 0.09  # 200 draws: at most 18 with 99 % probability, if it is 5 %
