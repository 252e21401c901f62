import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from datamix.analysis.bootstrap import _medians, draw_cells, draw_medians, interval, simultaneous


def world(rng, *, mixtures=6, seeds=2, donors=4, types=3, cells=15, training=0.03, cell=0.1):
    """Scores of models that differ by nothing but their training: every true median is 0.5."""
    of_donor = rng.normal(0, 0.02, (donors, 1, 1)) + rng.normal(0, 0.02, (donors, types, 1))
    shared = (of_donor + rng.normal(0, cell, (donors, types, cells))).ravel()
    donor, cell_type, _ = np.unravel_index(np.arange(shared.size), (donors, types, cells))
    models = [(f"m{k}", s, rng.normal(0, training)) for k in range(mixtures) for s in range(seeds)]
    about = pd.DataFrame({"cell": np.arange(shared.size).astype(str), "donor": donor, "cell_type": cell_type})
    tables = [
        about.assign(part="p", mixture=k, seed=s, r2=0.5 + shared + shift + rng.normal(0, 0.02, shared.size))
        for k, s, shift in models
    ]
    return pd.concat(tables, ignore_index=True)


def test_donors_are_drawn_whole():
    """With all variation between donors, cells say little: the interval is that of a mean of few donors."""
    cells = pd.DataFrame({"donor": np.repeat(["a", "b", "c", "d"], 50), "cell_type": "t"})
    value = np.repeat([0.0, 1.0, 2.0, 3.0], 50)

    def spread(cells):
        counts = draw_cells(cells, resamples=600, generator=np.random.default_rng(0))
        return ((counts @ value) / counts.sum(axis=1)).std()

    assert spread(cells) == pytest.approx(value.std(ddof=0) / np.sqrt(3), rel=0.1)  # the sample variance over four
    # With one donor and one type it is the plain bootstrap.
    assert spread(cells.assign(donor="a")) == pytest.approx(np.sqrt(1.25 / 200), rel=0.1)
    # Types are drawn within donors.
    assert spread(cells.assign(donor="a", cell_type=cells["donor"])) == pytest.approx(np.sqrt(1.25 / 4), rel=0.1)


def test_medians_are_those_of_the_cells_drawn():
    scores = world(np.random.default_rng(0), mixtures=1, seeds=1)
    scores.loc[3, "r2"] = np.nan
    medians = draw_medians(scores, resamples=40, seed=1)
    counts = draw_cells(scores[["donor", "cell_type"]], resamples=40, generator=np.random.default_rng(1))
    expected = [np.nanmedian(np.repeat(scores["r2"].to_numpy(), count)) for count in counts]
    np.testing.assert_allclose(medians.drawn[:, 0], expected)
    assert medians.measured[0] == pytest.approx(np.nanmedian(scores["r2"]))
    assert medians.degrees[0] == 0
    assert np.isnan(medians.training_sd[0])


def test_a_median_of_a_draw_is_that_of_its_cells_as_often_as_they_were_drawn():
    rng = np.random.default_rng(0)
    values, counts = rng.random((4, 50)).round(1), rng.poisson(1, (30, 50))
    values[1, 5:30], values[2] = np.nan, np.nan
    counts[7] = 0
    found = _medians(values, counts)
    for i, drawn in enumerate(counts):
        for j, row in enumerate(values):
            known = ~np.isnan(row)
            cells = np.repeat(row[known], drawn[known])
            assert found[i, j] == pytest.approx(np.median(cells) if len(cells) else np.nan, nan_ok=True, abs=1e-15)


def test_the_scatter_of_trainings_is_pooled_over_mixtures_and_shared_by_parts():
    scores = pd.concat([world(np.random.default_rng(0), cell=0.001).assign(part=part) for part in ("a", "b")])
    medians = draw_medians(scores, resamples=4000, seed=0)
    pooled = scores.groupby(["mixture", "seed"])["r2"].median().groupby("mixture").var().mean() ** 0.5
    assert medians.training_sd == pytest.approx(pooled, rel=0.1)
    assert set(medians.degrees) == {6}
    # The same models have the same luck in both parts.
    drawn = pd.DataFrame(medians.drawn, columns=medians.keys)
    assert np.corrcoef(drawn["a", "m0"], drawn["b", "m0"])[0, 1] > 0.6
    assert abs(np.corrcoef(drawn["a", "m0"], drawn["a", "m1"])[0, 1]) < 0.3
    # In groups, each has a scatter of its own.
    apart = draw_medians(scores, resamples=10, seed=0, alike={f"m{k}": "first" if k < 2 else "rest" for k in range(6)})
    assert set(apart.degrees) == {2, 4}


@pytest.mark.parametrize(("mixtures", "seeds"), [(6, 2), (3, 4)])
def test_intervals_hold_the_truth(mixtures, seeds):
    """Of worlds without any difference, at most one in twenty shows one; a bootstrap of two seeds shows far more."""
    worlds = 100
    alone, together, narrow = 0, 0, 0
    for i in range(worlds):
        scores = world(np.random.default_rng(i), mixtures=mixtures, seeds=seeds)
        drawn = draw_medians(scores, resamples=300, seed=i).drawn
        differences = drawn[:, 1:] - drawn[:, :1]
        low, high = interval(differences)
        alone += bool(low[0] > 0 or high[0] < 0)
        low, high = simultaneous(differences)
        together += bool((low > 0).any() or (high < 0).any())
        # Seeds drawn with replacement, as it would be done without pooling.
        of_models = scores.groupby(["mixture", "seed"])["r2"].median().unstack().to_numpy()
        draws = np.random.default_rng(i).integers(seeds, size=(300, seeds))
        low, high = interval((of_models[1] - of_models[0])[draws].mean(axis=1)[:, None])
        narrow += bool(low[0] > 0 or high[0] < 0)
    # At a rate of 5 % more than this are found once in a hundred times.
    most = binom.ppf(0.99, worlds, 0.05)
    assert alone <= most
    assert together <= most
    assert narrow > most or seeds > 2


def test_a_difference_is_found():
    found = 0
    for i in range(20):
        scores = world(np.random.default_rng(i))
        scores.loc[scores["mixture"] == "m1", "r2"] += 0.25
        drawn = draw_medians(scores, resamples=200, seed=0).drawn
        found += interval(drawn[:, 1:2] - drawn[:, :1])[0].item() > 0
    assert found >= 19


def test_mixtures_share_their_draws_of_cells():
    """A constant difference between mixtures has an interval of no width, however much cells differ."""
    table = world(np.random.default_rng(0), mixtures=1, seeds=2, training=0, cell=0.2)
    table["r2"] = table.groupby("cell")["r2"].transform("first")
    both = pd.concat([table, table.assign(mixture="other", r2=table["r2"] + 0.25)])
    medians = draw_medians(both, resamples=30, seed=0)
    assert medians.measured[1] - medians.measured[0] == pytest.approx(0.25)
    assert medians.drawn[:, 1] - medians.drawn[:, 0] == pytest.approx(0.25)


def test_simultaneous_intervals_hold_all_columns_at_once():
    drawn = np.random.default_rng(0).normal(size=(4000, 20))
    drawn[:, 3] = 0
    low, high = simultaneous(drawn)
    within = ((low <= drawn) & (drawn <= high)).all(axis=1).mean()
    assert within == pytest.approx(0.95, abs=0.01)
    assert (low[3], high[3]) == (0, 0)
    # Sidak's for independent columns; columns that say the same cost nothing.
    assert np.delete(high, 3).mean() == pytest.approx(3.0, abs=0.15)
    low, high = simultaneous(np.repeat(drawn[:, :1], 20, axis=1))
    assert high == pytest.approx(interval(drawn[:, :1])[1].repeat(20), rel=0.03)
