import numpy as np
import pandas as pd
import pytest
from small_grid import small_layout

from datamix.analysis import second_round
from datamix.corpora import shares
from datamix.project.mixture_names import read_shares
from datamix.project.profile import Composition, Evaluation


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    """Blood is for blood, `other` for neurons and cancer."""
    layout = small_layout(tmp_path_factory.mktemp("second"))
    sets = {
        name: Evaluation(label=name, dataset="e", group=group)
        for name, group in (("blood", "non-disease"), ("aml", "cancer"), ("neurons", "out of distribution"))
    }
    composition = Composition(cells=100, mixtures=10, doses=(10, 50))
    return layout.profile.model_copy(update={"evaluations": sets, "composition": composition})


def medians(profile, names):
    """Two seeds that do not differ; neurons are best at three quarters of `other`."""
    share = pd.Series(shares.shares_of(names, profile)[:, 1], index=names)
    of = {"blood": 0.6 - 0.3 * share, "aml": 0.2 + 0.1 * share, "neurons": 0.3 - (share - 0.75) ** 2}
    table = pd.concat(of, names=["evaluation", "mixture"]).to_frame(0)
    return table.assign(**{"1": table[0]})


def test_what_the_law_recommends_and_what_is_worth_most_is_trained_next(profile):
    first = shares.first_round(profile)
    found = second_round.choose(medians(profile, first), profile)
    assert list(found["recommended"]) == ["blood", "aml", "neurons", second_round.EVERY_SET]
    assert found["recommended"]["blood"] == "blood=100"
    assert found["recommended"]["aml"] == "other=100"
    assert read_shares(found["recommended"]["neurons"])["other"] == pytest.approx(75, abs=2)
    assert found["dosed"] == {"other": {"0": "blood=100", "10": "blood=90+other=10", "50": "blood=50+other=50"}}
    assert set(found["mixtures"]) == {
        "blood=90+other=10", found["recommended"]["neurons"], found["recommended"][second_round.EVERY_SET]
    } - set(first)  # fmt: skip


def test_without_cancer_and_sets_out_of_distribution_all_sets_say_what_is_dosed(profile):
    """As in a profile of one's own cells, where nothing says of which kind they are."""
    only = profile.model_copy(update={"evaluations": {"blood": profile.evaluations["blood"]}})
    table = medians(only, shares.first_round(only)).loc[["blood"]]
    assert list(second_round.choose(table, only)["dosed"]) == ["other"]


def test_named_blocks_are_dosed_and_none_without_doses(profile):
    table = medians(profile, shares.first_round(profile))
    none = profile.model_copy(update={"composition": profile.composition.model_copy(update={"doses": ()})})
    assert second_round.choose(table, none)["dosed"] == {}
    composition = Composition(cells=100, mixtures=2, coalitions=False, dosed=("other",), doses=(20,))
    few = profile.model_copy(update={"composition": composition})
    names = shares.first_round(few)
    found = second_round.choose(medians(few, names), few)
    assert found["recommended"] == {}  # two mixtures make no law
    assert found["mixtures"] == ["blood=100", "blood=80+other=20"]


def test_medians_are_of_one_kind_of_model():
    rows = [
        (m, x, s, e, v) for m in ("ldvae", "pca") for x in "ab" for s in (0, 1) for e in ("p", "q") for v in range(3)
    ]
    scores = pd.DataFrame(rows, columns=["model", "mixture", "seed", "evaluation", "r2"])
    scores["r2"] += np.where(scores["model"] == "pca", 10, 0) + np.where(scores["seed"] == 1, 5, 0)
    assert second_round.medians_of(scores).loc[("p", "a")].tolist() == [1, 6]
    assert second_round.medians_of(scores, model="pca").loc[("q", "b")].tolist() == [11, 16]
