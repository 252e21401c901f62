import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from datamix.corpora.controls import control_cells
from datamix.corpora.mixtures import control_of, draw_blocks, list_mixtures
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
    assert [m.name for m in mixtures if m.is_control] == ["blood+blood"]
    assert [m.added for m in mixtures if m.is_addition] == list(make_profile().added)


UNEQUAL = {"cells": "all", "baselines": {"blood": {"label": "Blood", "dataset": "a"}}}
"""517 cells of blood, so halves of 258 and 259; added are 90, 300, 120 + 130 and 250 cells."""


def test_each_gain_is_held_against_a_control_of_its_own_size():
    mixtures = list_mixtures(make_profile(**UNEQUAL), "blood", sizes=SIZES)
    held = {m.added: control_of(mixtures, m.name) for m in mixtures if m.is_addition}
    assert {added: control.name for added, control in held.items()} == {
        "bone_marrow": "blood+blood_90", "blood_cancer": "blood+blood", "perturb_seq": "blood+blood",
        "tf_atlas": "blood+blood",
    }  # fmt: skip
    assert held["bone_marrow"].cells == 258 + 90
    assert held["blood_cancer"].cells == 258 + 259
    assert [m.name for m in mixtures if m.group == "control"] == ["blood+blood_90"]
    assert mixtures[-1].blocks == ("baseline", "control_90")
    for m in mixtures:
        assert control_of(mixtures, m.name).is_control
        blocks = draw_blocks(make_profile(**UNEQUAL), "blood", seed=2, sizes=SIZES)
        assert m.cells == sum(len(part.rows) for block in m.blocks for part in blocks[block])


@pytest.mark.parametrize(("bone_marrow", "adds"), [(78, 78), (82, 82), (83, 101), (101, 101), (121, 101), (122, 122)])
def test_a_tenth_of_the_cells_is_no_difference(bone_marrow, adds):
    """A baseline of 101 cells: the published control has 202, a tenth more is 222, a tenth less 184."""
    sizes = SIZES | {"m": bone_marrow}
    cells = control_cells(make_profile(), "atlas", sizes=sizes)
    assert cells == {"bone_marrow": adds, "blood_cancer": 101, "perturb_seq": 101, "tf_atlas": 101}


def test_a_control_has_no_more_than_the_second_half():
    mixtures = list_mixtures(make_profile(), "blood", sizes=SIZES | {"m": 390})
    control = control_of(mixtures, "blood+bone_marrow")
    assert control.name == "blood+blood_200"
    assert control.cells == 301
    profile = make_profile(**UNEQUAL)
    assert control_of(list_mixtures(profile, "blood", sizes=SIZES | {"m": 900}), "blood+bone_marrow").cells == 258 + 259


def test_the_published_protocol_has_the_published_control_only():
    profile = make_profile(**UNEQUAL, protocol="published")
    mixtures = list_mixtures(profile, "blood", sizes=SIZES)
    assert len(mixtures) == 10
    assert {control_of(mixtures, m.name).name for m in mixtures} == {"blood+blood"}


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("bone_marrow", [20, 170])
def test_controls_of_other_sizes_are_cells_of_the_second_half_and_disturb_no_draw(seed, bone_marrow):
    """A smaller one is part of the published control, a larger one holds it."""
    sizes = SIZES | {"m": bone_marrow}
    blocks = draw_blocks(make_profile(), "blood", seed=seed, sizes=sizes)
    published = draw_blocks(make_profile(protocol="published"), "blood", seed=seed, sizes=sizes)
    assert set(blocks) - set(published) == {f"control_{bone_marrow}"}
    for name, parts in published.items():
        for part, same in zip(parts, blocks[name], strict=True):
            np.testing.assert_array_equal(part.rows, same.rows)
    rows, block = blocks[f"control_{bone_marrow}"][0].rows, blocks["control"][0].rows
    assert len(set(rows.tolist())) == len(rows) == bone_marrow
    np.testing.assert_array_equal(rows[:101], block[:bone_marrow])
    _, second = train_test_split(np.arange(SIZES["b"]), test_size=0.5, random_state=seed)
    assert set(rows.tolist()) <= set(second.tolist())


def test_no_set_is_named_as_a_control():
    with pytest.raises(ValueError, match="blood_690 is the name of a control"):
        make_profile(added={"blood_690": {"label": "B", "datasets": ["b"]}})


def test_control_of_a_mixture_that_is_not_there():
    with pytest.raises(DatamixError, match=r"no mixture 'blood\+lung'.*\n.*blood\+blood"):
        control_of(list_mixtures(make_profile(), "blood"), "blood+lung")


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
