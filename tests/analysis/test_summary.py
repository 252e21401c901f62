import numpy as np
import pandas as pd
import pytest

from datamix.analysis.published_numbers import published_r2
from datamix.analysis.summary import by_cell_type, last_improvement, seed_medians, seed_pairs, summarise
from datamix.corpora.mixtures import Mixture

MIXTURES = [
    Mixture("blood", "blood", None, "baseline", ("baseline",)),
    Mixture("blood+blood", "blood", "blood", "added", ("baseline", "control")),
    Mixture("blood+x", "blood", "x", "added", ("baseline", "x")),
]


@pytest.fixture
def scores():
    rng = np.random.default_rng(1)
    rows = []
    for evaluation, level in (("blood", 0.6), ("neurons", 0.1)):
        cells = rng.normal(0, 0.05, 80)
        for mixture, effect in (("blood", 0), ("blood+blood", 0), ("blood+x", 0.1)):
            for seed in (0, 1):
                r2 = np.clip(level + effect + cells + rng.normal(0, 0.01, 80), 0, 1)
                rows += [
                    (evaluation, mixture, seed, f"{evaluation}:{i}", "even" if i % 2 == 0 else "odd", v)
                    for i, v in enumerate(r2)
                ]
    return pd.DataFrame(rows, columns=["evaluation", "mixture", "seed", "cell", "cell_type", "r2"]).assign(donor="a")


def test_medians_are_of_each_seed_then_averaged(scores):
    summary = summarise(scores, MIXTURES).set_index(["evaluation", "mixture"])
    assert len(summary) == 6
    for (evaluation, mixture), row in summary.iterrows():
        part = scores[(scores["evaluation"] == evaluation) & (scores["mixture"] == mixture)]
        medians = part.groupby("seed")["r2"].median()
        assert row["median"] == pytest.approx(medians.mean())
        assert row["seed_range"] == pytest.approx(medians.max() - medians.min())
        assert row["mean"] == pytest.approx(part["r2"].mean())
        assert (row["cells"], row["seeds"], row["without_value"]) == (80, 2, 0)
    base, added = summary.loc[("neurons", "blood")], summary.loc[("neurons", "blood+x")]
    assert added["log2_fold_change"] == pytest.approx(np.log2(added["median"] / base["median"]))
    assert added["gain"] == pytest.approx(added["median"] - base["median"])


def test_intervals_tell_an_effect_from_none(scores):
    summary = summarise(scores, MIXTURES).set_index(["evaluation", "mixture"])
    for evaluation in ("blood", "neurons"):
        assert summary.loc[(evaluation, "blood"), ["gain_low", "gain_high"]].tolist() == [0, 0]
        assert summary.loc[(evaluation, "blood+x"), "gain_low"] > 0
        low, high = summary.loc[(evaluation, "blood+blood"), ["gain_low", "gain_high"]]
        assert low < 0.01
        assert high > -0.01
        assert (summary["low"] <= summary["median"]).all()
        assert (summary["median"] <= summary["high"]).all()


def test_paired_intervals_are_narrower_than_unpaired(scores):
    """Cells vary far more than models on the same cells: the gain must be known better than the median."""
    of_cell = np.random.default_rng(0).normal(0, 0.2, scores["cell"].nunique())
    scores["r2"] += scores["cell"].map(dict(zip(scores["cell"].unique(), of_cell, strict=True)))
    summary = summarise(scores, MIXTURES).set_index(["evaluation", "mixture"])
    row = summary.loc[("blood", "blood+x")]
    assert row["gain_high"] - row["gain_low"] < 0.6 * (row["high"] - row["low"])


def test_the_largest_of_many_is_held_in_a_wider_interval(scores):
    summary = summarise(scores, MIXTURES).set_index(["evaluation", "mixture"])
    for column, compared in (("gain", ["blood+blood", "blood+x"]), ("over_control", ["blood+x"])):
        rows = summary.loc[(slice(None), compared), :]
        assert (rows[f"{column}_low_all"] < rows[f"{column}_low"]).all()
        assert (rows[f"{column}_high_all"] > rows[f"{column}_high"]).all()
    assert set(summary["compared"]) == {2}


def test_with_one_seed_intervals_are_over_cells(scores):
    one = summarise(scores[scores["seed"] == 0], MIXTURES)
    assert set(one["training_degrees"]) == {0}
    assert one["training_sd"].isna().all()
    assert (one["low"] < one["high"]).all()
    two = summarise(scores, MIXTURES)
    assert set(two["training_degrees"]) == {3}


def test_cells_without_a_value_are_counted_not_hidden(scores):
    scores.loc[(scores["cell"] == "blood:3") & (scores["mixture"] == "blood+x"), "r2"] = np.nan
    summary = summarise(scores, MIXTURES).set_index(["evaluation", "mixture"])
    assert summary.loc[("blood", "blood+x"), "without_value"] == 1
    assert summary.loc[("blood", "blood"), "without_value"] == 0
    assert summary["median"].notna().all()


def test_no_fold_change_from_a_baseline_of_zero(scores):
    scores.loc[scores["mixture"] == "blood", "r2"] = 0.0
    summary = summarise(scores, MIXTURES)
    assert summary["log2_fold_change"].isna().all()


def test_by_cell_type_counts_each_cell_once(scores):
    table = by_cell_type(scores).set_index(["evaluation", "cell_type", "mixture"])
    assert table["cells"].eq(40).all()
    part = scores.query("evaluation == 'blood' and cell_type == 'odd' and mixture == 'blood'")["r2"]
    row = table.loc[("blood", "odd", "blood"), ["low", "median", "high"]]
    np.testing.assert_allclose(row.to_numpy(dtype=float), np.percentile(part, [25, 50, 75]))


def test_seed_pairs_join_on_the_cell(scores):
    pairs = seed_pairs(scores.sample(frac=1, random_state=0))
    assert len(pairs) == len(scores) // 2
    row = pairs.query("cell == 'blood:7' and mixture == 'blood+x'").iloc[0]
    one = scores.query("cell == 'blood:7' and mixture == 'blood+x'").set_index("seed")["r2"]
    assert (row["first"], row["second"]) == (one[0], one[1])
    assert seed_pairs(scores[scores["seed"] == 0]).empty
    assert len(seed_medians(scores)) == 12


def test_last_improvement():
    history = pd.DataFrame(
        {
            "baseline": "blood", "mixture": "blood", "seed": 0, "epoch": range(100),
            "elbo_validation": [np.nan if e % 10 else 200 - e for e in range(100)],
        }
    )  # fmt: skip
    # Validated at epochs 80 (loss 120) and 90 (loss 110): the last tenth begins at 89.1.
    row = last_improvement(history).iloc[0]
    assert row[["before", "last"]].tolist() == [80, 90]
    assert row[["fall", "rise", "peak"]].tolist() == pytest.approx([10 / 120, -10 / 130, 200 / 110])
    assert np.isnan(last_improvement(history[history["epoch"] > 79])["rise"].item())

    def unknown(curve):
        return last_improvement(curve)["fall"].isna().item()

    assert unknown(history.assign(elbo_validation=np.nan))
    # A loss held against itself never moves: none of 79 epochs is measured in the last tenth, and of one none before.
    assert unknown(history[history["epoch"] < 79])
    assert unknown(history[history["epoch"] < 1])


def test_published_values():
    published = published_r2("blood").set_index(["evaluation", "mixture"])["published"]
    assert len(published) == 50
    assert published[("aml", "blood+blood_cancer")] == 0.39
    assert published[("neurons", "blood+tf_atlas")] == 0.12
    assert published[("bone_marrow", "tf_atlas")] == 0.04
    assert published.sum() == pytest.approx(14.60)
    assert published_r2("atlas").empty
