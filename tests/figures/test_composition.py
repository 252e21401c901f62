import io
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from datamix.analysis.published_numbers import published_doses
from datamix.figures import composition
from datamix.project.errors import DatamixError
from datamix.project.profile_files import read_profile

BLOCKS, SETS = ("blood", "bone_marrow", "tf_atlas"), ("aml", "neurons")


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


def with_intervals(rows, columns):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rows, columns=columns)
    value = rng.normal(0.2, 0.1, len(table))
    return table.assign(value=value, low_all=value - 0.02, high_all=value + 0.03)


def test_maps_print_each_value_with_its_interval(profile):
    table = with_intervals(list(product(("shapley", "alone"), BLOCKS, SETS)), ["quantity", "block", "evaluation"])
    table.loc[0, ["value", "low_all", "high_all"]] = -0.051, -0.1, 0.25
    fig = redrawn(lambda t: composition.value_maps(t, profile), table)
    assert {"−0.051 −0.100 to 0.250", "TF atlas", "Neurons"} <= texts(fig)
    assert {text.partition(":")[0] for text in texts(fig)} >= {"Shapley value", "Alone"}
    assert "Left out: what is lost without it" not in texts(fig)


def test_pairs_and_predictions(profile):
    rows = [(e, *pair) for e in SETS for pair in combinations(BLOCKS, 2)]
    fig = redrawn(
        lambda t: composition.interactions(t, profile), with_intervals(rows, ["evaluation", "block", "other"])
    )
    assert "Bone marrow – TF atlas" in texts(fig)
    rng = np.random.default_rng(0)
    points = pd.DataFrame(list(product(SETS, range(5))), columns=["evaluation", "mixture"])
    points = points.assign(predicted=rng.random(10), found=rng.random(10))
    fig = redrawn(lambda t: composition.predicted_and_found(t, profile), points)
    assert len(fig.axes) == 2
    one = points.iloc[:1]
    composition.predicted_and_found(one, profile)  # a single point has no spread to scale by


def test_recommended_mixtures_are_named_by_their_shares(profile):
    assert composition.shares_label("blood=30+tf_atlas=90", profile) == "75 % TF atlas, 25 % Blood"
    rows = list(product(("neurons", "every set"), ("recommended", "uniform", "single")))
    table = pd.DataFrame(rows, columns=["asked", "kind"])
    table = table.assign(mixture="blood=30+tf_atlas=90", found=0.4, low=0.3, high=0.5, predicted=0.45)
    fig = redrawn(lambda t: composition.recommended(t, profile), table)
    words = {"Neurons", "All evaluation sets alike", "Recommended: 75 % TF atlas, 25 % Blood", "Equal shares"}
    assert words <= texts(fig)


def test_ranks_stand_with_the_number_of_mixtures_and_what_chance_does(profile):
    rows = [("mixtures of equal size", "pca", e, 0.5, 0.8, 43, 0.2) for e in SETS]
    rows += [("mixtures of Figure 2", "geneformer", e, 1.0, np.nan, 4, 1.0) for e in SETS]
    columns = ["over", "model", "evaluation", "tau", "tau_of_seeds", "mixtures", "chance"]
    fig = redrawn(lambda t: composition.rank_agreement(t, profile), pd.DataFrame(rows, columns=columns))
    assert {"PCA: 43 mixtures of equal size", "Geneformer: 4 mixtures of Figure 2", "Neurons"} <= texts(fig)
    bands = [sorted(path.vertices[:, 0].round(2))[0] for c in fig.axes[0].collections for path in c.get_paths()]
    assert bands == [-0.2, -1.0]


def test_dose_curves(profile):
    table = pd.DataFrame(list(product(("tf_atlas", "blood_cancer"), SETS, (0, 10, 100))), columns=["block", "evaluation", "dose"])  # fmt: skip  # noqa: E501
    table = table.assign(median=np.linspace(0.1, 0.5, len(table)))
    table = table.assign(low=table["median"] - 0.05, high=table["median"] + 0.05)
    whole = table.assign(thinned=False)
    fig = redrawn(lambda t: composition.dose_curves(t, profile), whole)
    assert {"TF atlas", "Blood cancer", "100", "Neurons"} <= texts(fig)
    assert not [text for text in texts(fig) if "thinned" in text]
    thinned = table[table["dose"] == 100].assign(thinned=True)
    both = redrawn(lambda t: composition.dose_curves(t, profile), pd.concat([whole, thinned], ignore_index=True))
    assert "thinned to the baseline's depth" in texts(both)
    # One point more for each block, at its median.
    extra = [line for line in both.axes[0].lines if line.get_marker() == "D"]
    of_first = thinned[thinned["evaluation"] == SETS[0]]
    assert [line.get_ydata()[0] for line in extra] == of_first["median"].tolist()


def test_published_doses_are_drawn_as_they_were_published():
    fig = redrawn(composition.published_doses, published_doses())
    assert {"Neurons", "Kidney", "Heart", "standard sampling", "adaptive sampling"} <= texts(fig)
    assert [len(ax.lines[0].get_xdata()) for ax in fig.axes] == [6, 6, 6]


def test_yardsticks_show_the_models_that_are_there_and_the_ceiling(profile):
    table = pd.DataFrame(list(product(SETS, ("Blood", "+ TF atlas"), ("ldvae", "pca"))), columns=["evaluation", "mixture_label", "model"])  # fmt: skip  # noqa: E501
    table = table.assign(r2=np.linspace(0.1, 0.8, len(table)), ceiling=np.repeat([0.8, 0.9], 4))
    fig = redrawn(lambda t: composition.yardsticks(t, profile, measure="r2"), table)
    assert {"LDVAE", "PCA", "ceiling", "+ TF atlas", composition.MEASURES["r2"][1]} <= texts(fig)
    assert "NMF" not in texts(fig)
    dashed = [line for ax in fig.axes for line in ax.lines if line.get_linestyle() == "--"]
    assert [line.get_xdata()[0] for line in dashed] == [0.8, 0.9]
    low, high = sorted(fig.axes[0].get_ylim())
    assert (low < -0.5, high > 1.5) == (True, True)  # no point is cut by an axis


def test_a_block_that_the_profile_lacks_is_refused(profile):
    with pytest.raises(DatamixError, match="no set 'liver'"):
        composition.block_label("liver", profile)
