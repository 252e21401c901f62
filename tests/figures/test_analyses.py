import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from datamix.figures import claims, key_genes, labels, latent_spaces, speed
from datamix.project.profile_files import read_profile

ADDED = ("blood", "bone_marrow", "tf_atlas")


@pytest.fixture
def profile():
    return read_profile("demo")


def texts(fig):
    return {t.get_text().replace("\n", " ") for t in fig.findobj(Text) if t.get_text()}


def png(fig):
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=50)
    return buffer.getvalue()


def redrawn(draw, table):
    """Draw a table, and again what its csv holds; return the first figure."""
    fig = draw(table)
    again = draw(pd.read_csv(io.StringIO(table.to_csv(index=False))))
    assert png(fig) == png(again)
    return fig


def umap_table():
    rng = np.random.default_rng(0)
    rows = [
        {"mixture": m, "evaluation": e, "x": rng.normal(), "y": rng.normal()}
        for m in ("blood", "blood+tf_atlas")
        for e in ("aml", "neurons")
        for _ in range(9)
    ]
    return pd.DataFrame(rows)


def comparison():
    rng = np.random.default_rng(0)
    names = ["blood", *(f"blood+{a}" for a in ADDED)]
    rows = [
        {"evaluation": e, "known": k, "new": n, "uniqueness": rng.random(), "differs": bool(rng.random() > 0.5)}
        for e in ("aml", "neurons")
        for k in names
        for n in names
    ]
    return pd.DataFrame(rows)


def test_umaps_by_set(profile):
    table = labels.label_models(umap_table(), profile)
    # More types than colours: the two rarest are grey.
    table["cell_type"] = [f"type {min(i % 18, 9)}" for i in range(len(table))]
    fig = redrawn(latent_spaces.umaps_by_set, table)
    assert {"AML", "Neurons", "Blood", "Blood + TF atlas", "type 9", "other"} <= texts(fig)
    assert len(fig.axes) == 2 * 3


def test_umaps(profile):
    table = labels.label_models(umap_table(), profile)
    fig = redrawn(lambda t: latent_spaces.umaps(t, profile), table)
    assert {"Blood", "Blood + TF atlas", "AML", "Neurons"} <= texts(fig)


def test_matrices_are_whole(profile):
    table = labels.label_models(comparison(), profile)
    fig = redrawn(latent_spaces.uniqueness_matrices, table)
    images = [ax.images[0].get_array() for ax in fig.axes if ax.images]
    assert [image.shape for image in images] == [(4, 4)] * 2
    cell = table.query("evaluation == 'neurons' and known == 'blood' and new == 'blood+tf_atlas'")["uniqueness"].iloc[0]
    assert images[1][0, 3] == pytest.approx(cell)  # known in rows, new in columns
    dots = [len(ax.collections[0].get_offsets()) for ax in fig.axes if ax.images]
    assert dots == table.groupby("evaluation")["differs"].sum().tolist()


def test_what_is_added(profile):
    table = comparison().query("known == 'blood' and new != 'blood'")
    table = pd.concat([table.assign(direction="gained"), table.assign(direction="lost")])
    table = table.assign(mixture=table["new"], low=0.1, high=0.9, band_low=0.2, band_high=0.3)
    labelled = labels.label_models(table, profile)
    fig = redrawn(lambda t: latent_spaces.what_is_added(t, profile), labelled)
    points = [line for ax in fig.axes for line in ax.lines if line.get_marker() == "o"]
    assert len(points) == 2 * 2 * 3
    assert sum(line.get_markerfacecolor() == "white" for line in points) == 6
    assert {"Blood + Blood", "new in the mixture", "between two seeds"} <= texts(fig)


def test_loadings_of_each_factor():
    table = pd.DataFrame(
        [
            {"factor": f"Z_{f}", "rank": r, "gene": f"G{f}{r}", "loading": (-1) ** r / r, "cosine": -0.5, "set": s}
            for f, s in ((0, "HALLMARK_MYC"), (1, ""), (2, "t_cell"))
            for r in (1, 2)
        ]
    )
    shown = texts(redrawn(key_genes.loadings, table))
    assert {"Z_0: myc cosine 0.50", "Z_1: – cosine 0.50", "Z_2: t cell cosine 0.50", "G02"} <= shown


def test_sets_show_score_and_verdict(profile):
    table = pd.DataFrame(
        [
            {"mixture": m, "source": s, "score": 7.4, "change": c, "verdict": v}
            for m, s, c, v in (
                ("blood", "neuronal", 0, ""),
                ("blood", "t_cell", 0, ""),
                ("blood+tf_atlas", "neuronal", 6, "gained"),
                ("blood+tf_atlas", "t_cell", -6, "lost"),
            )
        ]
    )
    labelled = labels.label_models(table, profile)
    shown = texts(redrawn(key_genes.sets_by_mixture, labelled))
    assert {"7", "7 +", "7 −", "neuronal", "t cell"} <= shown


def test_changed_genes(profile):
    table = pd.DataFrame(
        {"symbol": ["A", "B"], "gain": [2.0, 1.0], "low": [1.5, -0.5], "high": [2.5, 3.0], "sets": ["neuronal", ""]}
    )
    fig = redrawn(lambda t: key_genes.changed_genes(t, profile, mixture="tf_atlas"), table)
    assert {"A", "B", "  neuronal"} <= texts(fig)
    # Where every gene is predicted worse, bars and names have room all the same.
    worse = table.assign(gain=-table["gain"], low=-3.5, high=-0.5)
    low, high = redrawn(lambda t: key_genes.changed_genes(t, profile, mixture="tf_atlas"), worse).axes[0].get_xlim()
    assert low < -3.4
    assert high > 1


def test_claims_with_and_without_interval():
    table = pd.DataFrame(
        [
            {"claim": "a", "title": "One", "source": "demo", "value": 0.2, "low": 0.1, "high": 0.3, "threshold": 0.05}
            | {"verdict": "supported"},
            {"claim": "a", "title": "One", "source": "draft", "value": 0.1, "verdict": "no interval known"},
            {"claim": "b", "title": "Two", "source": "demo", "verdict": "not computable"},
        ]
    )
    fig = redrawn(claims.claims, table)
    assert {"One", "Two", "demo", "draft", "supported", "threshold"} <= texts(fig)
    markers = [line.get_marker() for line in fig.axes[0].lines]
    assert (markers.count("o"), markers.count("D")) == (1, 1)
    assert [t.get_text() for ax in fig.axes for t in ax.texts] == ["not computable"]  # a row is never just empty
    # More than four claims take two rows; what is left over is empty.
    five = [table.assign(claim=name, title=name)[:2] for name in "vwxyz"]
    fig = redrawn(claims.claims, pd.concat(five, ignore_index=True))
    assert [ax.axison for ax in fig.axes] == [True] * 5 + [False]
    assert {"v", "z"} <= texts(fig)


def test_distance_joins_a_type_with_itself(profile):
    table = pd.DataFrame(
        [
            {"evaluation": "blood", "cell_type": t, "seen": s, "distance": d, "r2": r, "r2_low": r - 0.1, "r2_high": r}
            for t, s, d, r in (
                ("B cell", "as trained", 2, 0.6),
                ("T cell", "as trained", 3, 0.6),
                ("B cell", "left out", 9, 0.4),
            )
        ]
    )
    labelled = labels.label_models(table, profile)
    fig = redrawn(lambda t: claims.distance(t, profile), labelled)
    dotted = [line for line in fig.axes[0].lines if line.get_linestyle() == ":"]
    assert [line.get_xydata().tolist() for line in dotted] == [[[2, 0.6], [9, 0.4]]]
    assert {"B cell", "type left out"} <= texts(fig)
    none = claims.distance(labelled[labelled["seen"] == "as trained"], profile)
    assert "type left out" not in texts(none)


def test_labels_of_types_left_out_lie_on_no_point_and_on_no_other_label(profile):
    """Four types of one distance and R², more or less, among others as trained."""
    places = [(9.0, 0.55), (9.1, 0.55), (9.2, 0.54), (9.3, 0.55), (18.0, 0.4)]
    rows = [("left out", f"type {i}", x, y) for i, (x, y) in enumerate(places)]
    rows += [("as trained", f"other {i}", 9.2 + 0.2 * i, 0.53) for i in range(6)]
    table = pd.DataFrame(rows, columns=["seen", "cell_type", "distance", "r2"]).assign(evaluation="blood")
    table = table.assign(r2_low=table["r2"] - 0.02, r2_high=table["r2"] + 0.02)
    fig = claims.distance(labels.label_models(table, profile), profile)
    fig.draw_without_rendering()
    boxes = [text.get_window_extent() for text in fig.axes[0].texts]
    assert len(boxes) == len(places)
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :] if a.overlaps(b)]
    points = fig.axes[0].transData.transform(table[["distance", "r2"]])
    assert not [(x, y) for x, y in points for box in boxes if box.contains(x, y)]


def test_training_growth_leaves_out_what_was_not_measured():
    table = pd.DataFrame(
        [
            {"grows": grows, "cells": c, "genes": g, "trainer": t, "rate": r, "low": 0.9 * r, "high": 1.2 * r}
            | {"peak_mb": np.nan if t == "matrix products alone" else r / 100}
            for grows, c, g in (("cells", 10_000, 5_000), ("cells", 40_000, 5_000), ("genes", 20_000, 15_000))
            for t, r in (("stock", 2_000.0), ("ours", 9_000.0), ("matrix products alone", 12_000.0))
        ]
    )
    fig = redrawn(speed.training_growth, table)
    assert [len(ax.containers) for ax in fig.axes] == [3, 3, 2]
    assert {"Cells (5,000 genes)", "Genes (20,000 cells)", "matrix products alone"} <= texts(fig)
    ours = fig.axes[0].containers[1].lines[0]
    assert ours.get_xydata().tolist() == [[10_000, 9_000], [40_000, 9_000]]


def test_every_way_to_train_ten_models_has_its_bar_and_number():
    table = pd.DataFrame(
        {"way": ["ours, a process a core", "stock at its defaults, one process"], "trainer": ["ours", "stock"]}
        | {"seconds": [2.1, 15.4], "low": [2.0, 15.4], "high": [2.5, 15.4]}
    )
    fig = redrawn(speed.ten_models, table)
    assert {"2.1", "15.4", "stock at its defaults, one process"} <= texts(fig)
    assert sorted(bar.get_width() for bar in fig.axes[0].patches) == [2.1, 15.4]


def test_cost_of_scoring_and_held_out_bounds():
    rows = [(c, w, s) for c in (10, 20) for w, s in (("published", 5.0), ("ours", 1.0))]
    table = pd.DataFrame(rows, columns=["cells", "way", "seconds"]).assign(low=0.5, high=6.0, peak_mb=80.0)
    fig = redrawn(speed.scoring_cost, table)
    assert [len(ax.containers) for ax in fig.axes] == [2, 2]
    bounds = pd.DataFrame({"trainer": ["stock"] * 2 + ["ours"] * 2, "seed": [0, 1] * 2, "bound": [5.0, 7, 6, 8]})
    bounds = bounds.assign(mean=[6.0, 6, 7, 7], standard_error=1.0)
    fig = redrawn(speed.held_out_bounds, bounds)
    assert [line.get_xdata().tolist() for line in fig.axes[0].lines if len(line.get_xdata()) == 2][:1] == [[5.0, 7.0]]
    assert {"stock", "ours"} <= texts(fig)
