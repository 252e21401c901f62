import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from datamix.figures import geneformer, style
from datamix.figures.labels import label_mixtures


@pytest.fixture
def profile(run):
    return run.profile


def points(ax, colour):
    """Return the (x, y) of all filled circles of a colour."""
    lines = [line for line in ax.lines if line.get_marker() == "o" and to_hex(line.get_color()).upper() == colour]
    return [xy for line in lines for xy in zip(line.get_xdata(), line.get_ydata(), strict=True)]


def test_by_mixture_draws_models_and_what_stands_beside_them(profile):
    mixtures, evaluations = ["blood", "tf_atlas", "blood+tf_atlas"], ["blood", "neurons"]
    rows = [
        {"evaluation": e, "mixture": m, "median": i + 0.1 * j, "low": i, "high": i + 1, "published": -i, "corrected": 9}
        for j, e in enumerate(evaluations)
        for i, m in enumerate(mixtures)
    ]
    table = label_mixtures(pd.DataFrame(rows), profile)
    references = {"published": "Mean rank", "corrected": "Other mean rank"}
    fig = geneformer.by_mixture(table, profile, measure="Correlation", references=references)
    first, second = fig.axes
    assert [t.get_text() for t in first.get_yticklabels()] == ["Blood", "TF atlas", "+ TF atlas"]
    assert second.get_title() == "Neurons"
    assert points(first, style.colour("blood", profile=profile)) == [(0, 0)]
    assert points(second, style.colour("tf_atlas", profile=profile)) == [(1.1, 1), (2.1, 2)]
    squares = next(line for line in second.lines if line.get_marker() == "s")
    assert squares.get_xdata().tolist() == [0, -1, -2]
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["Model", "Mean rank", "Other mean rank"]
    plt.close(fig)


def test_curves_draw_a_line_a_model(profile):
    table = pd.DataFrame({"mixture": ["blood"] * 3 + ["blood+blood"] * 3, "seed": 0, "step": [1, 2, 3] * 2})
    table = label_mixtures(table.assign(smoothed=np.arange(6.0), loss=0.0), profile)
    fig = geneformer.curves(table, profile)
    assert [line.get_ydata().tolist() for line in fig.axes[0].lines] == [[0, 1, 2], [3, 4, 5]]
    assert fig.axes[0].lines[1].is_dashed()
    plt.close(fig)


def test_the_set_that_is_asked_about_is_large_and_last(profile):
    rows = [
        {"measure": m, "evaluation": e, "mixture": f"blood+{a}", "added": a, "over_control": v}
        for m in ("R²", "Correlation")
        for e in ("blood", "neurons")
        for a, v in (("tf_atlas", 0.5), ("bone_marrow", -0.5))
    ]
    table = pd.DataFrame(rows).assign(over_control_low=-1.0, over_control_high=1.0)
    fig = geneformer.additions(label_mixtures(table, profile), profile, asked="tf_atlas")
    assert [ax.get_title() for ax in fig.axes] == ["R²", "Correlation"]
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == ["Blood", "Neurons"]
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["+ Bone marrow", "+ TF atlas"]
    large = [line for line in fig.axes[1].lines if line.get_marker() == "o"]
    assert large[1].get_markersize() > large[0].get_markersize()
    assert [x for x, _ in points(fig.axes[1], style.colour("tf_atlas", profile=profile))] == [0.5, 0.5]
    plt.close(fig)
