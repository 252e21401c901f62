import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from datamix.corpora.mixtures import draw_blocks, list_mixtures
from datamix.project.errors import DatamixError
from datamix.project.profile import Profile

SIZES = {"b": 400, "a": 517, "m": 90, "c": 300, "k": 120, "j": 130, "t": 250}


def make_profile(**changes):
    return Profile.model_validate(
        {
            "name": "t", "title": "t", "about": "t", "simulated": True, "cells": 101,
            "baselines": {"blood": {"label": "Blood", "dataset": "b"}, "atlas": {"label": "Atlas", "dataset": "a"}},
            "added": {
                "bone_marrow": {"label": "M", "datasets": ["m"], "cells": "all"},
                "blood_cancer": {"label": "C", "datasets": ["c"]},
                "perturb_seq": {"label": "P", "datasets": ["k", "j"]},
                "tf_atlas": {"label": "T", "datasets": ["t"], "reseed": True},
            },
            "evaluations": {},
        }
        | changes
    )  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1, 7])
@pytest.mark.parametrize(("baseline", "dataset"), [("blood", "b"), ("atlas", "a")])
def test_draws_are_the_published_ones(seed, baseline, dataset):
    """The procedure of the published scripts, played with NumPy's global generator."""
    blocks = draw_blocks(make_profile(), baseline, seed=seed, sizes=SIZES)
    np.random.seed(seed)  # noqa: NPY002
    one, two = train_test_split(range(SIZES[dataset]), test_size=0.5, random_state=seed)
    expected = [np.random.choice(pool, 101, replace=False) for pool in (one, two)]  # noqa: NPY002
    expected += [np.random.choice(n, k, replace=False) for n, k in ((300, 101), (120, 50), (130, 51))]  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    expected += [np.random.choice(250, 101, replace=False)]  # noqa: NPY002
    drawn = [p for name in ("baseline", "control", "blood_cancer", "perturb_seq", "tf_atlas") for p in blocks[name]]
    assert [p.dataset for p in drawn] == [dataset, dataset, "c", "k", "j", "t"]
    for part, rows in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(part.rows, rows)
    np.testing.assert_array_equal(blocks["bone_marrow"][0].rows, np.arange(90))


def test_baseline_and_control_share_no_cell():
    blocks = draw_blocks(make_profile(cells="all"), "blood", seed=3, sizes=SIZES)
    one, two = (set(blocks[b][0].rows.tolist()) for b in ("baseline", "control"))
    assert not one & two
    assert one | two == set(range(400))


def test_ten_mixtures_in_the_order_of_the_heat_map():
    mixtures = list_mixtures(make_profile(), "blood")
    assert [m.name for m in mixtures] == [
        "blood", "bone_marrow", "blood_cancer", "perturb_seq", "tf_atlas",
        "blood+blood", "blood+bone_marrow", "blood+blood_cancer", "blood+perturb_seq", "blood+tf_atlas",
    ]  # fmt: skip
    assert [m.group for m in mixtures] == ["baseline"] + ["alone"] * 4 + ["added"] * 5
    assert mixtures[5].blocks == ("baseline", "control")


def test_too_few_cells():
    with pytest.raises(DatamixError, match=r"asks for 101 cells of c, which has 100 after QC.*\n.*`cells`"):
        draw_blocks(make_profile(), "blood", seed=0, sizes=SIZES | {"c": 100})
    with pytest.raises(DatamixError, match=r"half of b .* has 100 after QC"):
        draw_blocks(make_profile(), "blood", seed=0, sizes=SIZES | {"b": 200})


def test_unknown_baseline():
    with pytest.raises(DatamixError, match="no baseline 'lung'; it has: blood, atlas"):
        list_mixtures(make_profile(), "lung")


def test_published_seeds_evaluate_one_model():
    """fault 1."""
    profile = make_profile(seeds=[0, 1, 2])
    assert [profile.model_seed(s) for s in profile.seeds] == [0, 1, 2]
    published = make_profile(seeds=[0, 1, 2], protocol="published")
    assert [published.model_seed(s) for s in published.seeds] == [0, 0, 0]
