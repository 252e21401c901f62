import pandas as pd
import pytest

from datamix.analysis.beside import summarise_yardsticks


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
