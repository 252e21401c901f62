from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from datamix.analysis.bootstrap import draw_medians
from datamix.analysis.shapley import (
    all_coalitions,
    attribute,
    interaction_weights,
    left_out_weights,
    matrix,
    shapley_weights,
)
from datamix.project.errors import DatamixError

BLOCKS = ["blood", "marrow", "cancer", "screen", "atlas"]


def scores_of(worth, *, blocks=BLOCKS, seeds=2, cells=30, noise=0.02, evaluations=("a",)):
    """Per-cell scores of models of every coalition whose expected median is its worth."""
    rng = np.random.default_rng(0)
    tables, names = [], {}
    for evaluation in evaluations:
        shared = rng.normal(0, 0.1, cells)
        about = pd.DataFrame({"cell": [f"{evaluation}:{i}" for i in range(cells)], "donor": "d", "cell_type": "t"})
        for coalition in all_coalitions(blocks):
            name = "+".join(b for b in blocks if b in coalition)
            names[name] = coalition
            for seed in range(seeds):
                r2 = worth(coalition) + shared + rng.normal(0, noise)
                tables.append(about.assign(evaluation=evaluation, mixture=name, seed=seed, r2=r2))
    return pd.concat(tables, ignore_index=True), names


def drawn(scores, *, resamples, seed=0):
    return draw_medians(scores.assign(part=scores["evaluation"]), resamples=resamples, seed=seed)


def test_values_are_the_mean_gain_over_all_orders():
    """The definition that users know: add the blocks one by one, in every order, and average what each added."""
    rng = np.random.default_rng(1)
    blocks = BLOCKS[:4]
    worth = {c: rng.random() for c in all_coalitions(blocks)} | {frozenset(): 0.0}
    orders = list(permutations(blocks))
    expected = dict.fromkeys(blocks, 0.0)
    for order in orders:
        for place, block in enumerate(order):
            before = frozenset(order[:place])
            expected[block] += (worth[before | {block}] - worth[before]) / len(orders)
    found = shapley_weights(blocks) @ np.array([worth[c] for c in all_coalitions(blocks)])
    np.testing.assert_allclose(found, [expected[b] for b in blocks], atol=1e-12)
    # A pair's interaction is the value of the pair as one block, less that of each where the other is not to be had.
    one, two = blocks[:2]

    def value(names, of, join=None):
        of_players = {c: worth[frozenset(b for m in c for b in ((one, two) if m == join else (m,)))] for c in
                      all_coalitions(names)}  # fmt: skip
        return float(shapley_weights(names).loc[of] @ np.array([of_players[c] for c in all_coalitions(names)]))

    apart = value([one, *blocks[2:]], one) + value([two, *blocks[2:]], two)
    expected_pair = value(["pair", *blocks[2:]], "pair", join="pair") - apart
    pairs = interaction_weights(blocks) @ np.array([worth[c] for c in all_coalitions(blocks)])
    assert pairs[one, two] == pytest.approx(expected_pair, abs=1e-12)


@pytest.mark.parametrize("k", [1, 2, 5, 8])
def test_values_add_up_to_the_worth_of_everything(k):
    blocks = [f"b{i}" for i in range(k)]
    weights = shapley_weights(blocks)
    assert weights.shape == (k, 2**k - 1)
    worth = np.random.default_rng(k).normal(0, 100, 2**k - 1)
    assert float((weights @ worth).sum()) == pytest.approx(worth[-1], abs=1e-12 * max(1, np.abs(worth).max()))
    assert len(interaction_weights(blocks)) == k * (k - 1) // 2


def test_attribution_adds_up_in_every_evaluation_set():
    scores, coalitions = scores_of(lambda c: 0.2 + 0.1 * len(c) ** 0.5, evaluations=("a", "b"))
    table = attribute(drawn(scores, resamples=50), coalitions, blocks=BLOCKS)
    for name in ("a", "b"):
        of = table[table["evaluation"] == name].set_index("quantity")
        assert of.loc["shapley", "value"].sum() == pytest.approx(of.loc["all", "value"], abs=1e-12)
        assert (of["low_all"] <= of["low"]).all()
        assert (of["high"] <= of["high_all"]).all()
        assert of["value"].between(of["low"] - 0.05, of["high"] + 0.05).all()
    values = matrix(table, "shapley")
    assert list(values.index) == BLOCKS
    assert list(values.columns) == ["a", "b"]
    # The transfer matrix is the worth of each block alone, what is lost without one the difference at the top.
    medians = scores.groupby(["evaluation", "mixture", "seed"])["r2"].median().groupby(level=[0, 1]).mean()
    assert matrix(table, "alone").loc["cancer", "b"] == pytest.approx(medians["b", "cancer"])
    without = "+".join(b for b in BLOCKS if b != "cancer")
    lost = medians["b", "+".join(BLOCKS)] - medians["b", without]
    assert matrix(table, "left_out").loc["cancer", "b"] == pytest.approx(lost)


def test_two_equal_blocks_are_worth_the_same_and_bring_the_same():
    """Marrow and cancer hold the same: either will do, both are no more than one."""
    scores, coalitions = scores_of(lambda c: 0.1 * ("blood" in c) + 0.3 * bool({"marrow", "cancer"} & c), noise=1e-9)
    table = attribute(drawn(scores, resamples=20), coalitions, blocks=BLOCKS)
    offset = scores[scores["mixture"] == "screen"]["r2"].median()  # what any coalition has, over none
    values = matrix(table, "shapley")["a"]
    assert values["marrow"] == pytest.approx(values["cancer"], abs=1e-6)
    assert values["marrow"] == pytest.approx(0.15 + offset / 5, abs=1e-6)
    pairs = table[table["quantity"] == "interaction"].set_index(["block", "other"])["value"]
    assert pairs["marrow", "cancer"] < pairs.drop(("marrow", "cancer")).min()
    assert pairs["marrow", "cancer"] < 0
    assert matrix(table, "left_out").loc["marrow", "a"] == pytest.approx(0, abs=1e-6)
    assert matrix(table, "left_out").loc["blood", "a"] == pytest.approx(0.1, abs=1e-6)


def test_a_block_of_nothing_has_an_interval_that_holds_nothing():
    """A coalition is worth what its useful blocks bring, whatever else is in it; so nothing has no value."""
    empty = 0
    for i in range(20):
        rng = np.random.default_rng(i)
        luck = {(c, s): rng.normal(0, 0.02) for c in all_coalitions(BLOCKS) for s in range(2)}
        scores, coalitions = scores_of(lambda c: 0.1 * len(c - {"screen"}), noise=0)
        scores["r2"] += [luck[coalitions[m], s] for m, s in zip(scores["mixture"], scores["seed"], strict=True)]
        table = attribute(drawn(scores, resamples=200, seed=i), coalitions, blocks=BLOCKS)
        row = table[(table["quantity"] == "left_out") & (table["block"] == "screen")].iloc[0]
        empty += bool(row["low"] <= 0 <= row["high"])
    assert empty >= 16  # of 20 at 95 %: fewer than 16 come once in 400


def test_a_missing_coalition_is_named():
    scores, coalitions = scores_of(len)
    lacking = scores[scores["mixture"] != "marrow+screen"]
    with pytest.raises(DatamixError, match="none of marrow \\+ screen"):
        attribute(drawn(lacking, resamples=5), coalitions, blocks=BLOCKS)


def test_weights_without_a_block():
    weights = left_out_weights(BLOCKS)
    assert (weights.sum(axis=1) == 0).all()
    assert (weights.abs().sum(axis=1) == 2).all()
