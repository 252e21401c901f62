import numpy as np
import pandas as pd
import pytest
from scipy.stats import ortho_group

from datamix.analysis.latent_spaces import uniqueness
from datamix.analysis.likeness import similarity, umap_positions
from datamix.analysis.uniqueness import compare_mixtures, what_is_added
from datamix.corpora.mixtures import Mixture
from datamix.project.errors import NotInProfileError

CELLS = 150
MIXTURES = [
    Mixture("blood", "blood", None, "baseline", ("baseline",)),
    Mixture("blood+blood", "blood", "blood", "added", ("baseline", "control")),
    Mixture("blood+tf_atlas", "blood", "tf_atlas", "added", ("baseline", "tf_atlas")),
]


@pytest.fixture
def latents():
    """Two evaluation sets; on `neurons` one mixture sees a programme that the others are blind to."""
    rng = np.random.default_rng(0)
    tables = []
    for evaluation in ("blood", "neurons"):
        programmes = rng.normal(size=(CELLS, 4))
        hidden = rng.normal(size=(CELLS, 2))
        for seed in (0, 1):
            for mixture in MIXTURES:
                sees = evaluation == "neurons" and mixture.name == "blood+tf_atlas"
                known = np.hstack([programmes, 1.5 * hidden if sees else 0 * hidden])
                # Every training has coordinates and noise of its own.
                z = known @ ortho_group.rvs(6, random_state=rng) + 0.3 * rng.normal(size=(CELLS, 6))
                table = pd.DataFrame(z).add_prefix("z_")
                table["cell"] = [f"{evaluation}:{i}" for i in range(CELLS)]
                # The order of cells in a file means nothing.
                table = table.assign(cell_type="t", seed=seed, mixture=mixture.name, evaluation=evaluation)
                tables.append(table.sample(frac=1, random_state=rng.integers(1000)))
    return pd.concat(tables, ignore_index=True)


def test_a_programme_that_only_one_mixture_saw_is_found_and_nothing_else(latents):
    table = compare_mixtures(latents, resamples=100)
    differs = table[table["differs"]]
    found = set(zip(differs["evaluation"], differs["known"], differs["new"], strict=True))
    assert ("neurons", "blood", "blood+tf_atlas") in found
    assert ("neurons", "blood+blood", "blood+tf_atlas") in found
    assert not table.loc[table["known"] == table["new"], "differs"].any()
    gain = table.set_index(["evaluation", "known", "new"]).loc[("neurons", "blood", "blood+tf_atlas")]
    assert gain["over_control_low"] > 0.1
    assert gain["low"] < gain["uniqueness"] < gain["high"]
    blood = table[(table["evaluation"] == "blood") & (table["new"] == "blood+tf_atlas")]
    assert (blood["over_control_low"] < 0.1).all()


def test_what_is_reported_is_the_mean_over_pairs_of_different_seeds(latents):
    def space(mixture, seed):
        part = latents.query("evaluation == 'neurons' and mixture == @mixture and seed == @seed").sort_values("cell")
        # The folds go by the order of cells, which is that of the first model.
        return part.set_index("cell").filter(like="z_")

    first = latents.query("evaluation == 'neurons'").groupby(["mixture", "seed"], sort=False)
    order = next(iter(first))[1]["cell"]
    row = compare_mixtures(latents, resamples=10).set_index(["evaluation", "known", "new"])
    row = row.loc[("neurons", "blood", "blood+tf_atlas")]
    pairs = [(0, 1), (1, 0)]
    expected = [
        uniqueness(space("blood", i).loc[order].to_numpy(), space("blood+tf_atlas", j).loc[order].to_numpy())
        for i, j in pairs
    ]
    band = [
        uniqueness(space(m, i).loc[order].to_numpy(), space(m, j).loc[order].to_numpy())
        for m in ("blood", "blood+tf_atlas")
        for i, j in pairs
    ]
    assert row["uniqueness"] == pytest.approx(np.mean(expected))
    assert (row["band_low"], row["band_high"]) == pytest.approx((min(band), max(band)))
    assert row["beyond"] == pytest.approx(np.mean(expected) - max(band))


def test_both_directions_of_what_is_added(latents):
    table = what_is_added(compare_mixtures(latents, resamples=20), MIXTURES)
    assert len(table) == 2 * 2 * 2
    assert set(table.loc[table["direction"] == "gained", "known"]) == {"blood"}
    assert set(table.loc[table["direction"] == "lost", "new"]) == {"blood"}
    assert table.loc[table["direction"] == "lost", "over_control"].isna().all()
    control = table[(table["direction"] == "gained") & (table["added"] == "blood")]
    assert (control["over_control"] == 0).all()


def test_one_seed_has_no_band(latents):
    with pytest.raises(NotInProfileError, match="has one seed"):
        compare_mixtures(latents[latents["seed"] == 0])


def test_likeness_beside_chance(latents):
    table = similarity(latents, MIXTURES, k=10, permutations=5).set_index(["evaluation", "mixture"])
    same, other = table.loc[("neurons", "blood")], table.loc[("neurons", "blood+tf_atlas")]
    assert same["cka"] > other["cka"]
    assert same["procrustes"] < other["procrustes"]
    assert same["neighbours"] > 3 * same["neighbours_null_high"]
    assert same["neighbours_chance"] == pytest.approx(10 / (CELLS - 1))


def test_a_layout_has_each_set_in_equal_parts(latents):
    latents = latents[latents["seed"] == 0]
    table = umap_positions(latents, ["blood", "blood+tf_atlas"], cells=60)
    assert table.groupby(["mixture", "evaluation"]).size().tolist() == [30] * 4
    assert table["x"].notna().all()
    pd.testing.assert_frame_equal(table, umap_positions(latents, ["blood", "blood+tf_atlas"], cells=60))
