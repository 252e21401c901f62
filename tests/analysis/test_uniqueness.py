import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, ortho_group

from datamix.analysis.latent_spaces import uniqueness
from datamix.analysis.likeness import NEIGHBOURS, similarity, umap_positions
from datamix.analysis.uniqueness import (
    FEWEST,
    compare_mixtures,
    compare_pairs,
    leave_out_small_sets,
    predict_pairs,
    what_is_added,
)
from datamix.corpora.mixtures import Mixture
from datamix.project.errors import NotInProfileError

CELLS = 150
MIXTURES = [
    Mixture("blood", "blood", None, "baseline", ("baseline",)),
    Mixture("blood+blood", "blood", "blood", "added", ("baseline", "control")),
    Mixture("blood+tf_atlas", "blood", "tf_atlas", "added", ("baseline", "tf_atlas")),
]


def spaces(rng, *, mixtures=MIXTURES, seeds=(0, 1), sees=(), noise=0.3, cells=CELLS):
    """Two evaluation sets; on `neurons` the mixtures in `sees` see a programme that the others are blind to.

    Every training has coordinates and noise of its own, and another share of noise.
    """
    tables = []
    for evaluation in ("blood", "neurons"):
        programmes, hidden = rng.normal(size=(cells, 4)), rng.normal(size=(cells, 2))
        about = pd.DataFrame({"cell": [f"{evaluation}:{i}" for i in range(cells)], "cell_type": "t", "donor": "a"})
        for seed in seeds:
            for mixture in mixtures:
                seen = evaluation == "neurons" and mixture.name in sees
                known = np.hstack([programmes, 1.5 * hidden if seen else 0 * hidden])
                scale = noise * np.exp(rng.normal(0, 0.15))
                z = known @ ortho_group.rvs(6, random_state=rng) + scale * rng.normal(size=(cells, 6))
                table = pd.concat([about, pd.DataFrame(z).add_prefix("z_")], axis=1)
                table = table.assign(seed=seed, mixture=mixture.name, evaluation=evaluation)
                # The order of cells in a file means nothing.
                tables.append(table.sample(frac=1, random_state=rng.integers(1000)))
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="module")
def latents():
    return spaces(np.random.default_rng(0), sees=("blood+tf_atlas",))


def as_sets(count):
    """So many sets of trainings, under names of their own, that are all of the same mixture."""
    return [Mixture(f"set {i}", "set 0", None, "baseline", ("baseline",)) for i in range(count)]


def test_of_tables_in_which_nothing_differs_one_in_twenty_says_so_at_most():
    tables, false, before = 30, 0, 0
    for i in range(tables):
        pairs = list(predict_pairs(spaces(np.random.default_rng(i), mixtures=as_sets(5), cells=60)))
        table = compare_pairs(pairs, resamples=200, seed=i)
        false += bool(table["differs"].any())
        own = table[table["known"] == table["new"]].set_index(["evaluation", "new"])["band_high"]
        others = table[table["known"] != table["new"]]
        band = np.maximum(
            own.loc[list(zip(others["evaluation"], others["known"], strict=True))].to_numpy(),
            own.loc[list(zip(others["evaluation"], others["new"], strict=True))].to_numpy(),
        )
        before += bool((others["uniqueness"] > band).any())
    # At a rate of 5 % more than this are found once in a hundred times.
    assert false <= binom.ppf(0.99, tables, 0.05)
    # A bare comparison with the band between seeds, of so many pairs, would not pass.
    assert before > binom.ppf(0.99, tables, 0.05)


def test_a_programme_that_only_some_mixtures_saw_is_found():
    """Of ten worlds, in nearly all: with two seeds, and allowing for all pairs."""
    sets = as_sets(6)
    found, worlds = 0, 10
    for i in range(worlds):
        pairs = predict_pairs(spaces(np.random.default_rng(i), mixtures=sets, sees=("set 4", "set 5"), cells=80))
        table = compare_pairs(pairs, resamples=300, seed=i).set_index(["evaluation", "known", "new"])
        found += bool(table.loc[("neurons", "set 0", "set 4"), "differs"])
        row = table.loc[("neurons", "set 0", "set 4")]
        assert row["low"] < row["uniqueness"] < row["high"]
        assert row["excess_low_all"] < row["excess_low"] < row["excess"] < row["excess_high"] < row["excess_high_all"]
    assert found >= 0.9 * worlds


def test_what_is_reported_is_the_mean_over_pairs_of_different_seeds(latents):
    def space(mixture, seed):
        part = latents.query("evaluation == 'neurons' and mixture == @mixture and seed == @seed").sort_values("cell")
        # The folds go by the order of cells, which is that of the first model.
        return part.set_index("cell").filter(like="z_")

    first = latents.query("evaluation == 'neurons'").groupby(["mixture", "seed"], sort=False)
    order = next(iter(first))[1]["cell"]

    def between(known, new):
        pairs = [(space(known, i).loc[order], space(new, j).loc[order]) for i, j in ((0, 1), (1, 0))]
        return np.array([uniqueness(x.to_numpy(), y.to_numpy()) for x, y in pairs])

    table = compare_mixtures(latents).set_index(["evaluation", "known", "new"])
    row = table.loc[("neurons", "blood", "blood+tf_atlas")]
    measured, band = between("blood", "blood+tf_atlas"), between("blood+tf_atlas", "blood+tf_atlas")
    assert row["uniqueness"] == pytest.approx(np.exp(np.log(measured).mean()), rel=1e-4)
    assert (row["band_low"], row["band_high"]) == pytest.approx((min(band), max(band)), rel=1e-4)
    excess = np.exp(np.log(measured).mean() - np.log(band).mean())
    assert row["excess"] == pytest.approx(excess, rel=1e-4)
    control = between("blood", "blood+blood"), between("blood+blood", "blood+blood")
    of_control = np.exp(np.log(control[0]).mean() - np.log(control[1]).mean())
    assert row["over_control"] == pytest.approx(excess / of_control, rel=1e-4)
    assert row["compared"] == 2 * 3 * 2


def test_both_directions_of_what_is_added(latents):
    table = what_is_added(compare_mixtures(latents), MIXTURES)
    assert len(table) == 2 * 2 * 2
    assert set(table.loc[table["direction"] == "gained", "known"]) == {"blood"}
    assert set(table.loc[table["direction"] == "lost", "new"]) == {"blood"}
    assert table.loc[table["direction"] == "lost", "over_control"].isna().all()
    control = table[(table["direction"] == "gained") & (table["added"] == "blood")]
    assert (control["over_control"] == 1).all()


def test_sets_of_too_few_cells_are_left_out_by_name(latents):
    names = latents["evaluation"].unique()
    few = latents[latents["evaluation"] == names[0]]["cell"].unique()[: FEWEST - 1]
    mixed = latents[(latents["evaluation"] != names[0]) | latents["cell"].isin(few)]
    kept, small = leave_out_small_sets(mixed)
    assert small == [names[0]]
    assert set(kept["evaluation"]) == set(names[1:])
    assert leave_out_small_sets(latents)[1] == []
    with pytest.raises(NotInProfileError, match="each evaluation set of this profile has fewer"):
        leave_out_small_sets(mixed[mixed["evaluation"] == names[0]])


def test_one_seed_has_no_band(latents):
    with pytest.raises(NotInProfileError, match="has one seed"):
        compare_mixtures(latents[latents["seed"] == 0])


def test_likeness_beside_chance(latents):
    table = similarity(latents, MIXTURES).set_index(["evaluation", "mixture"])
    same, other = table.loc[("neurons", "blood")], table.loc[("neurons", "blood+tf_atlas")]
    assert same["cka"] > other["cka"]
    assert same["procrustes"] < other["procrustes"]
    assert same["neighbours"] > 3 * same["neighbours_null_high"]
    assert same["neighbours_chance"] == pytest.approx(NEIGHBOURS / (CELLS - 1))


def test_a_layout_has_each_set_in_equal_parts(latents):
    latents = latents[latents["seed"] == 0]
    table = umap_positions(latents, ["blood", "blood+tf_atlas"], cells=60)
    assert table.groupby(["mixture", "evaluation"]).size().tolist() == [30] * 4
    assert table["x"].notna().all()
    pd.testing.assert_frame_equal(table, umap_positions(latents, ["blood", "blood+tf_atlas"], cells=60))
