from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from datamix.figures import labels, style
from datamix.project.errors import DatamixError
from datamix.project.profile import Added, Profile
from datamix.project.profile_files import read_profile

# Machado, Oliveira & Fernandes 2009, doi:10.1109/TVCG.2009.113: linear RGB as seen without one kind of cone.
SEEN_BY = {
    "everyone": np.eye(3),
    "protanopes": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopes": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopes": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def lab(colour, seen_by):
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(seen_by @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    f = np.cbrt(to_xyz @ linear / [0.9505, 1, 1.089])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def with_sets(profile: Profile, *names: str) -> Profile:
    added = dict(profile.added) | {name: Added(label=name, datasets=("sim_blood",)) for name in names}
    return profile.model_copy(update={"added": added})


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_sets_that_are_drawn_together_stay_apart(run, eyes):
    colours = style.colours(run.profile)
    trained = ([baseline, *run.profile.added] for baseline in run.profile.baselines)
    for group in (*trained, list(run.profile.evaluations)):
        for a, b in combinations(group, 2):
            distance = np.linalg.norm(lab(colours[a], SEEN_BY[eyes]) - lab(colours[b], SEEN_BY[eyes]))
            assert distance > 10, (a, b)


def test_a_mixture_has_the_colour_of_what_is_added(run):
    assert style.colour("blood+tf_atlas", profile=run.profile) == style.colour("tf_atlas", profile=run.profile)
    assert style.colour("blood+tf_atlas", profile=run.profile) != style.colour("blood", profile=run.profile)


def test_a_new_set_gets_a_free_colour_and_changes_no_other(run):
    one = style.colours(with_sets(run.profile, "mine"))
    two = style.colours(with_sets(run.profile, "mine", "yours"))
    assert len(set(two.values())) == len(two)
    assert {name: two[name] for name in one} == one
    assert {name: one[name] for name in style.colours(run.profile)} == style.colours(run.profile)


def test_labels_come_from_the_profile(run):
    assert labels.mixture_label("blood+tf_atlas", profile=run.profile) == "Blood + TF atlas"
    assert labels.mixture_label("blood+blood_1690", profile=run.profile) == "Blood + Blood (1,690 cells)"
    table = pd.DataFrame(
        {"mixture": ["blood", "blood+blood_90", "tf_atlas"], "control": ["blood+blood", None, "blood"]}
    )
    table = labels.label_mixtures(table, run.profile)
    assert table["mixture_label"].tolist() == ["Blood", "+ Blood (90 cells)", "TF atlas"]
    assert table["control_label"].tolist() == ["+ Blood", "", "Blood"]
    assert labels.evaluation_label("aml", profile=run.profile) == run.profile.evaluations["aml"].label


def test_an_unknown_set_is_named_with_the_known_ones(run):
    with pytest.raises(DatamixError, match=r"(?s)profile 'demo' has no set 'bloood'; it has blood, .*config/demo.yaml"):
        style.colour("bloood", profile=run.profile)
    with pytest.raises(DatamixError, match="no set 'nerves'"):
        labels.evaluation_label("nerves", profile=run.profile)


def test_figures_are_measured_in_millimetres():
    fig, _ = style.figure(width=89, height=50.8)
    plt.close(fig)
    np.testing.assert_allclose(fig.get_size_inches(), [89 / 25.4, 2])


@pytest.mark.parametrize("name", ["demo", "mini", "paper"])
def test_the_points_of_each_set_have_a_shape_of_their_own(name):
    profile = read_profile(name)
    shapes = [style.marker(each, profile=profile) for each in style.colours(profile)]
    assert len(set(shapes)) == len(shapes)
    assert style.marker("blood+blood", profile=profile) == style.marker("blood", profile=profile) == "o"


def test_a_set_more_changes_no_other_shape():
    demo = read_profile("demo")
    before = {name: style.marker(name, profile=demo) for name in style.colours(demo)}
    more = with_sets(demo, "one", "two")
    assert before.items() <= {name: style.marker(name, profile=more) for name in style.colours(more)}.items()
    with pytest.raises(DatamixError, match="no set 'three'"):
        style.marker("three", profile=more)


def test_cell_types_have_shapes_beside_colours():
    assert len(style.MARKERS) >= len(style.EIGHT)
    assert len(set(style.MARKERS)) == len(style.MARKERS)
