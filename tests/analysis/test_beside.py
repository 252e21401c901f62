import pandas as pd
import pytest

from datamix.analysis.beside import beside_each, simple_models_in_words, summarise_yardsticks


def test_medians_over_cells_are_averaged_over_seeds():
    rows = [
        {"evaluation": "a", "mixture": "m", "model": "pca", "seed": seed, "r2": r2 + seed / 10, "r2_held_out": r2 / 2,
         "reliability": 0.5, "ceiling": ceiling}
        for seed in (0, 1)
        for r2, ceiling in ((0.1, 0.0), (0.2, 0.4), (0.6, 0.8))
    ]  # fmt: skip
    found = summarise_yardsticks(pd.DataFrame(rows)).iloc[0]
    assert found["r2"] == pytest.approx((0.2 + 0.3) / 2)
    assert found["r2_held_out"] == pytest.approx(0.1)
    # A cell of no ceiling has no share of it.
    assert found["share"] == pytest.approx(((0.2 / 0.4 + 0.6 / 0.8) / 2 + (0.3 / 0.4 + 0.7 / 0.8) / 2) / 2)


def yardsticks(**r2):
    rows = [
        {"evaluation": e, "mixture": m, "model": model, "seed": 0, "r2": value, "r2_held_out": 0.1,
         "reliability": 0.5, "ceiling": 0.8}
        for e in ("a", "b")
        for m in ("one", "two")
        for model, value in ({"ldvae": 0.4, "mean": 0.3, "nearest": 0.2} | r2).items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_what_stands_beside_each_model_is_a_row():
    found = beside_each(yardsticks(pca=0.5, nmf=0.6)).set_index(["evaluation", "mixture"])
    assert len(found) == 4
    assert found.loc[("b", "one")].to_dict() == pytest.approx(
        {"ceiling": 0.8, "share": 0.5, "simple_mean": 0.3, "simple_nearest": 0.2, "simple_nmf": 0.6, "simple_pca": 0.5}
    )


@pytest.mark.parametrize(
    ("pca", "nmf", "said"),
    [
        (0.5, 0.6, "non-negative factors describe these cells better than the LDVAE: of 4 pairs"),
        (0.3, 0.3, "The LDVAE describes these cells better"),
        (0.5, 0.3, "Neither"),
        (0.4, 0.4, "The LDVAE describes"),
    ],
)
def test_the_words_follow_the_numbers(pca, nmf, said):
    found = simple_models_in_words(summarise_yardsticks(yardsticks(pca=pca, nmf=nmf)))
    assert said in found
    assert found.endswith(f"in {4 * (pca > 0.4)}, the factors in {4 * (nmf > 0.4)}.")
