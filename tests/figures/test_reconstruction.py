import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text

from datamix.figures import framework, labels, reconstruction, style
from datamix.project.profile_files import read_profile


@pytest.fixture
def profile():
    return read_profile("demo")


@pytest.fixture
def summary(profile):
    from datamix.corpora.mixtures import list_mixtures

    rng = np.random.default_rng(0)
    rows = [
        {"evaluation": e, "mixture": m.name, "group": m.group, "median": rng.random(), "log2_fold_change": rng.normal()}
        for e in profile.evaluations
        for m in list_mixtures(profile, "blood")
    ]
    return labels.label_mixtures(pd.DataFrame(rows), profile)


def texts(fig):
    found = {id(t): t.get_text().replace("\n", " ") for t in fig.findobj(Text) if t.get_text()}
    return list(found.values())


def test_labels(summary):
    labels = summary.drop_duplicates("mixture").set_index("mixture")["mixture_label"]
    assert labels["blood"] == "Blood"
    assert labels["blood+blood"] == "+ Blood"
    assert labels["blood+tf_atlas"] == "+ TF atlas"
    assert labels["tf_atlas"] == "TF atlas"


def test_heat_map_prints_every_median_and_its_csv_alone_redraws_it(summary):
    fig = reconstruction.heat_map(summary)
    shown = texts(fig)
    for value in summary["median"]:
        assert f"{value:.2f}" in shown
    assert {"Baseline", "Added set alone", "Baseline + added set", "+ Bone marrow", "Neurons"} <= set(shown)
    read_back = pd.read_csv(io.StringIO(summary.to_csv(index=False)))
    again = reconstruction.heat_map(read_back)
    images = []
    for f in (fig, again):
        buffer = io.BytesIO()
        f.savefig(buffer, format="png", dpi=60)
        images.append(buffer.getvalue())
    assert images[0] == images[1]


def test_each_mixture_has_axes_of_its_own_for_its_cells_under_two_seeds(profile):
    """No colour is needed to tell a mixture, and every point is in the axes of its pair."""
    pairs = [(e, m) for e in ("blood", "aml") for m in ("blood", "tf_atlas", "blood+tf_atlas")]
    table = pd.DataFrame(
        [
            {"evaluation": e, "mixture": m, "cell": f"c{i}", "first": x, "second": x / 2}
            for n, (e, m) in enumerate(pairs)
            for i, x in enumerate(np.linspace(0.1, 0.9, n + 1))
        ]
    )
    fig = reconstruction.seed_scatter(labels.label_mixtures(table, profile), profile)
    assert [len(ax.collections[0].get_offsets()) for ax in fig.axes] == [1, 2, 3, 4, 5, 6]
    assert [ax.get_title() for ax in fig.axes] == ["Blood", "TF atlas", "+ TF atlas", "", "", ""]
    assert [ax.get_ylabel() for ax in fig.axes] == ["Blood", "", "", "AML", "", ""]


def test_heat_map_without_fold_changes(summary):
    fig = reconstruction.heat_map(summary.assign(log2_fold_change=np.nan))
    assert f"{summary['median'].iloc[0]:.2f}" in texts(fig)


def test_yardsticks_of_the_baseline_stand_beside_the_heat_map(summary):
    without = texts(reconstruction.heat_map(summary))
    beside = summary.assign(simple_mean=0.111, simple_pca=0.222, ceiling=0.95).round(4)
    beside.loc[beside["group"] != "baseline", ["simple_mean", "simple_pca", "ceiling"]] = 0.777
    shown = texts(reconstruction.heat_map(pd.read_csv(io.StringIO(beside.to_csv(index=False)))))
    assert "Ceiling" not in without
    assert {"Mean profile", "PCA", "Ceiling"} <= set(shown)
    sets = summary["evaluation"].nunique()
    added = [shown.count(text) - without.count(text) for text in ("0.11", "0.22", "0.95", "0.78")]
    assert added == [sets, sets, sets, 0]


def test_cell_types_shows_each_type_once(profile):
    quartiles = {"low": 0.1, "median": 0.2, "high": 0.3}
    table = pd.DataFrame(
        [
            {"evaluation": e, "cell_type": f"type {i}", "mixture": m, "cells": 10 + i} | quartiles
            for e, n in (("blood", 9), ("bone_marrow", 3), ("aml", 1), ("neurons", 2))
            for i in range(n)
            for m in ("blood", "blood+tf_atlas")
        ]
    )  # fmt: skip
    fig = reconstruction.cell_types(labels.label_mixtures(table, profile), profile, shown=["blood", "blood+tf_atlas"])
    shown = texts(fig)
    shown_types = [[t.get_text() for t in ax.get_yticklabels()] for ax in fig.findobj(Axes) if ax.axison]
    assert sorted(len(found) for found in shown_types) == [1, 2, 3, 9]
    assert max(shown_types, key=len) == [f"type {i} ({10 + i})" for i in range(9)]
    assert {"Blood", "Bone marrow", "AML", "Neurons", "+ TF atlas"} <= set(shown)


def test_tree_marks_each_covered_state(profile):
    titles = dict.fromkeys(profile.training_datasets, "t")
    sources = framework.training_sources(profile, titles)
    fig = framework.tree(sources, profile)
    marks = [line for line in fig.axes[0].lines if line.get_marker() != "None"]
    assert len(marks) == sum(len(b.covers) for b in (*profile.baselines.values(), *profile.added.values()))
    assert {line.get_color() for line in marks} <= set(style.colours(profile).values())
    assert set(framework.TREE) <= set(texts(fig))
