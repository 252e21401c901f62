import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.neighbors import NearestNeighbors

from datamix.analysis.latent_spaces import (
    PENALTIES,
    SEED,
    linear_cka,
    neighbour_overlap,
    procrustes,
    uniqueness,
    unpredicted,
)
from datamix.project.errors import DatamixError


@pytest.fixture
def spaces():
    """Two spaces of 120 cells that share three of five dimensions."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(120, 5)) * [3, 2, 1, 1, 0.2]
    y = x[:, :3] @ rng.normal(size=(3, 5)) + 0.5 * rng.normal(size=(120, 5))
    return x, y


def moved(x, *, seed=0):
    """Rotate, shift and scale a space."""
    return 7.3 * x @ ortho_group.rvs(x.shape[1], random_state=seed) + 11


MEASURES = [uniqueness, linear_cka, procrustes, lambda x, y: neighbour_overlap(x, y, k=8, permutations=0)[0]]


@pytest.mark.parametrize("measure", MEASURES)
def test_rotation_shift_and_scale_change_nothing(spaces, measure):
    x, y = spaces
    before = measure(x, y)
    assert 0.01 < before < 0.99
    assert measure(moved(x), y) == pytest.approx(before, rel=1e-6)
    assert measure(x, moved(y, seed=1)) == pytest.approx(before, rel=1e-6)


@pytest.mark.parametrize("measure", MEASURES[1:])
def test_the_order_of_cells_and_of_dimensions_changes_nothing(spaces, measure):
    x, y = spaces
    cells, dimensions = np.random.default_rng(2).permutation(120), [4, 2, 0, 1, 3]
    assert measure(x[cells], y[cells]) == pytest.approx(measure(x, y))
    assert measure(x[:, dimensions], y) == pytest.approx(measure(x, y))


def test_uniqueness_of_other_folds_is_nearly_the_same(spaces):
    x, y = spaces
    order = np.random.default_rng(2).permutation(120)
    assert uniqueness(x[:, [4, 2, 0, 1, 3]], y) == pytest.approx(uniqueness(x, y))
    assert uniqueness(x[order], y[order]) == pytest.approx(uniqueness(x, y), rel=0.15)


def test_a_stretched_dimension_counts_by_its_variance(spaces):
    """Unlike the others, uniqueness is not of the pair as a whole: it weighs dimensions of y, and is not symmetric."""
    x, _ = spaces
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(120, 1))
    known = x[:, :1] / x[:, 0].std()
    assert uniqueness(x, np.hstack([known, noise])) == pytest.approx(0.5, abs=0.1)
    assert uniqueness(x, np.hstack([3 * known, noise])) == pytest.approx(0.1, abs=0.04)
    assert uniqueness(np.hstack([known, noise]), known) == pytest.approx(0, abs=1e-3)


def test_uniqueness_agrees_with_ridge_of_scikit_learn(spaces):
    x, y = spaces
    error = total = 0.0
    for train, test in KFold(5, shuffle=True, random_state=0).split(x):
        singular = np.linalg.svd(x[train] - x[train].mean(axis=0), compute_uv=False)
        alphas = np.array(PENALTIES) * np.mean(singular**2)
        # Leave one out by leaving one out.
        left_out = [
            sum(
                ((Ridge(alpha=a).fit(x[np.delete(train, i)], y[np.delete(train, i)]).predict(x[[c]]) - y[c]) ** 2).sum()
                for i, c in enumerate(train[:40])
            )
            for a in alphas
        ]
        best = Ridge(alpha=alphas[np.argmin(left_out)]).fit(x[train], y[train])
        error += ((best.predict(x[test]) - y[test]) ** 2).sum()
        total += ((y[train].mean(axis=0) - y[test]) ** 2).sum()
    assert uniqueness(x, y) == pytest.approx(error / total, rel=1e-3)


def test_spaces_of_nothing_in_common_are_unique():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 10)), rng.normal(size=(400, 10))
    assert 0.97 < uniqueness(x, y) < 1.1
    assert linear_cka(x, y) < 0.1
    assert procrustes(x, y) > 0.85
    overlap, null = neighbour_overlap(x, y, k=15, permutations=30)
    assert overlap == pytest.approx(15 / 399, abs=0.01)
    assert null.mean() == pytest.approx(15 / 399, abs=0.003)
    assert null.min() <= overlap <= null.max() + 0.005


def test_a_collapsed_dimension_and_a_collapsed_space(spaces):
    x, y = spaces
    flat = np.hstack([x, np.zeros((120, 2))])
    assert uniqueness(flat, y) == pytest.approx(uniqueness(x, y), rel=0.05)
    assert uniqueness(np.zeros((120, 3)), y) == pytest.approx(1)


def test_what_a_target_gives_does_not_depend_on_its_company(spaces):
    x, y = spaces
    alone = unpredicted(x, {"y": y})["y"]
    among = unpredicted(x, {"x": x, "y": y})
    np.testing.assert_allclose(alone.error, among["y"].error, rtol=1e-9)
    assert among["x"].uniqueness < 1e-3
    assert alone.error.shape == alone.total.shape == (120,)


def test_cka_is_the_rv_coefficient_of_hoggorm(spaces):
    hoggorm = pytest.importorskip("hoggorm")
    x, y = (s - s.mean(axis=0) for s in spaces)
    assert linear_cka(*spaces) == pytest.approx(hoggorm.RVcoeff([x, y])[0, 1])


def test_procrustes_is_what_the_singular_values_leave(spaces):
    x, y = (s - s.mean(axis=0) for s in spaces)
    singular = np.linalg.svd((x / np.linalg.norm(x)).T @ (y / np.linalg.norm(y)), compute_uv=False)
    assert procrustes(*spaces) == pytest.approx(1 - singular.sum() ** 2)


def test_neighbours_are_those_of_a_plain_count(spaces):
    x, y = spaces
    first, second = (NearestNeighbors(n_neighbors=9).fit(s).kneighbors(s, return_distance=False)[:, 1:] for s in spaces)
    expected = np.mean([len(set(a) & set(b)) / 8 for a, b in zip(first, second, strict=True)])
    assert neighbour_overlap(x, y, k=8, permutations=0)[0] == pytest.approx(expected)
    assert neighbour_overlap(x, x, k=8, permutations=0)[0] == 1


def test_the_null_is_of_shuffled_cells(spaces):
    """Renaming neighbours gives what shuffling the cells gives."""
    x, _ = spaces
    _, null = neighbour_overlap(x, x, k=8, permutations=3)
    generator = np.random.default_rng(SEED)
    for value in null:
        order = generator.permutation(120)
        shuffled = np.empty_like(x)
        shuffled[order] = x
        assert value == pytest.approx(neighbour_overlap(x, shuffled, k=8, permutations=0)[0])


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((20, 3)), np.zeros((21, 3)), r"found x \(20, 3\) and y \(21, 3\)"),
        (np.zeros(20), np.zeros((20, 3)), r"found x \(20,\)"),
        (np.zeros((9, 3)), np.zeros((9, 3)), "hold 9 cells, expected at least 10"),
    ],
)
def test_what_cannot_be_compared(x, y, message):
    with pytest.raises(DatamixError, match=message):
        uniqueness(x, y)
