from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau
from small_grid import small_layout

from datamix.analysis import second_round, share_tables
from datamix.analysis.advice import advise
from datamix.analysis.shapley import attribute
from datamix.corpora import shares
from datamix.project.errors import DatamixError
from datamix.project.mixture_names import read_depth, read_shares
from datamix.project.profile import Composition, Evaluation


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    layout = small_layout(tmp_path_factory.mktemp("tables"))
    sets = {
        name: Evaluation(label=name, dataset="e", group=group)
        for name, group in (("blood", "non-disease"), ("neurons", "out of distribution"))
    }
    composition = Composition(cells=100, mixtures=9, doses=(10, 20, 50))
    return layout.profile.model_copy(update={"evaluations": sets, "composition": composition})


def worth(mixture, evaluation):
    """Blood is for blood; of `other`, twenty cells bring all that there is for neurons, and more than 80 harm."""
    other = read_shares(mixture).get("other", 0)
    if read_depth(mixture):  # thinned cells bring as much as a fifth of them
        other /= 5
    if evaluation == "blood":
        return 0.6 - 0.002 * other
    return 0.1 + 0.2 * min(other, 20) / 20 - 0.01 * max(0, other - 80)


def scores_of(names, *, noise=0.001):
    rng = np.random.default_rng(0)
    tables = []
    for model, factor in (("ldvae", 1.0), ("pca", 0.5), ("nmf", -1.0)):
        for evaluation in ("blood", "neurons"):
            own = rng.normal(0, 0.05, 40)
            about = pd.DataFrame({"cell": [f"{evaluation}{i}" for i in range(40)], "cell_type": "t", "donor": "d"})
            for name in names:
                for seed in (0, 1):
                    r2 = factor * worth(name, evaluation) + own + rng.normal(0, noise)
                    about = about.assign(model=model, evaluation=evaluation, mixture=name, seed=seed, r2=r2)
                    tables.append(about)
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="module")
def world(profile):
    first = shares.first_round(profile)
    plan = second_round.choose(second_round.medians_of(scores_of(first)), profile, depth=500)
    scores = scores_of([*first, *plan["mixtures"]])
    plan["dosed"] = {b: {int(d): name for d, name in of.items()} for b, of in plan["dosed"].items()}
    return scores, plan, share_tables.draw(scores, resamples=100)


def test_every_mixture_stands_with_its_shares(world, profile):
    scores, plan, _ = world
    table = share_tables.mixture_table(scores, profile)
    assert len(table) == 2 * (len(shares.first_round(profile)) + len(plan["mixtures"]))
    np.testing.assert_allclose(table[["blood", "other"]].sum(axis=1), 1)
    row = table[(table["mixture"] == "blood=50+other=50") & (table["evaluation"] == "blood")].iloc[0]
    assert row["other"] == 0.5
    assert row["median"] == pytest.approx(0.5, abs=0.03)


def test_predictions_of_unseen_mixtures_stand_beside_what_was_found(world, profile):
    points, accuracy = share_tables.unseen_mixtures(world[0], profile)
    assert len(points) == 2 * 9
    of = accuracy.set_index("evaluation").loc["blood"]
    assert of["mixtures"] == 9
    assert of["rank_correlation"] > 0.9
    assert of["error"] < 0.2 * of["error_of_average"]
    few = profile.model_copy(update={"composition": Composition(cells=100, mixtures=0)})
    assert share_tables.unseen_mixtures(world[0], few)[0].empty


def test_the_recommended_mixture_is_held_against_equal_shares(world, profile):
    scores, plan, drawn = world
    table = share_tables.recommended(scores, plan, profile, drawn=drawn).set_index(["asked", "kind"])
    assert set(table.index.get_level_values("asked")) == {"blood", "neurons", second_round.EVERY_SET}
    assert table.loc[("blood", "recommended"), "mixture"] == "blood=100"
    assert table.loc[("blood", "recommended"), "over_uniform"] == pytest.approx(0.1, abs=0.01)
    assert table.loc[("blood", "recommended"), "over_uniform_low"] > 0.05
    assert table.loc[("blood", "single"), "mixture"] == "blood=100"
    assert (table.loc[pd.IndexSlice[:, "uniform"], "over_uniform"] == 0).all()
    single = table.loc[pd.IndexSlice[:, "single"], ["over_single", "over_single_low", "over_single_high"]]
    assert (single == 0).all(axis=None)
    both = table.loc[second_round.EVERY_SET]
    difference = both.loc["recommended", "found"] - both.loc["single", "found"]
    assert both.loc["recommended", "over_single"] == pytest.approx(difference)
    assert both.loc["recommended", "over_single_low"] < difference < both.loc["recommended", "over_single_high"]
    own = table.loc[(second_round.EVERY_SET, "recommended")]
    of = scores[(scores["model"] == "ldvae") & (scores["mixture"] == own["mixture"])]
    expected = of.groupby(["evaluation", "seed"])["r2"].median().mean()
    assert own["found"] == pytest.approx(expected)


def test_half_of_the_gain_comes_at_half_of_the_dose_that_is_enough(world, profile):
    _, plan, drawn = world
    assert list(plan["dosed"]) == ["other"]
    table = share_tables.dose_response(plan, profile, drawn=drawn)
    neurons = table[table["evaluation"] == "neurons"]
    assert list(neurons["dose"]) == [0, 10, 20, 50]
    assert neurons["gain"].iloc[0] == neurons["gain_high"].iloc[0] == 0
    found = share_tables.half_gain(table).set_index("evaluation")
    assert found.loc["neurons", "half_dose"] == pytest.approx(10, abs=1)
    assert np.isnan(found.loc["blood", "half_dose"])  # it only loses
    assert found.loc["blood", "gain_high"] < 0


def test_the_sets_in_doses_are_those_of_the_largest_value(world, profile):
    _, plan, drawn = world
    table = share_tables.worth_of_added(drawn, profile)
    assert list(table["block"]) == ["other"] * len(table)
    assert list(plan["dosed"]) == list(dict.fromkeys(table["block"]))
    blood = attribute(drawn, shares.coalitions(profile), blocks=profile.blocks)
    of = blood[(blood["quantity"] == "shapley") & (blood["block"] == "other")].set_index("evaluation")["value"]
    groups = {name: e.group for name, e in profile.evaluations.items()}
    for row in table.itertuples():
        sets = [name for name, group in groups.items() if row.group in (group, "all")]
        assert row.sets == len(sets)
        assert row.value == pytest.approx(of[sets].mean())
        assert row.low_all < row.value < row.high_all


def test_a_gain_is_held_against_that_of_thinned_cells(world, profile):
    scores, plan, drawn = world
    assert plan["thinned"] == {"other": "blood=50+other=50@500"}
    table = share_tables.thinned_doses(plan, profile, drawn=drawn).set_index("evaluation")
    neurons = table.loc["neurons"]
    assert (neurons["block"], neurons["dose"]) == ("other", 50)
    assert neurons["gain"] == pytest.approx(0.1, abs=0.02)
    assert neurons["gain_low"] > 0.05
    assert neurons["lost"] == pytest.approx(0.1, abs=0.02)
    assert neurons["lost_low"] < neurons["lost"] < neurons["lost_high"]
    assert table.loc["blood", "gain"] == pytest.approx(-0.02, abs=0.01)
    own = share_tables.mixture_table(scores, profile).set_index(["evaluation", "mixture"])["thinned_to"]
    assert own["neurons", "blood=50+other=50@500"] == 500
    assert np.isnan(own["neurons", "blood=50+other=50"])
    without = share_tables.thinned_doses(plan | {"thinned": {}}, profile, drawn=drawn)
    assert without.empty
    assert list(without) == [*share_tables.dose_response(plan, profile, drawn=drawn), "lost", "lost_low", "lost_high"]


def test_models_that_rank_alike_and_the_other_way_round(world):
    table = share_tables.rank_agreement(world[0]).set_index(["model", "evaluation"])
    assert table.loc[("pca", "blood"), "tau"] > 0.8
    assert table.loc[("nmf", "blood"), "tau"] < -0.8
    assert table.loc[("pca", "blood"), "tau_of_seeds"] > 0.8
    mixtures = world[0]["mixture"].nunique()
    assert set(table["mixtures"]) == {mixtures}
    assert set(table["chance"]) == {share_tables.chance_tau(mixtures)}


def test_a_model_that_has_not_been_trained_on_all_mixtures_is_compared_on_its_own(world):
    scores = world[0]
    few = sorted(scores["mixture"].unique())[:4]
    part = scores[(scores["model"] == "ldvae") | scores["mixture"].isin(few)]
    table = share_tables.rank_agreement(part).set_index(["model", "evaluation"])
    assert set(table["mixtures"]) == {4}
    assert set(table["chance"]) == {1.0}


def test_unrelated_rankings_stay_within_the_chance_of_tau():
    """Exact, by all permutations of six items, and by drawing those of thirty."""
    every = [kendalltau(range(6), order).statistic for order in permutations(range(6))]
    within = share_tables.chance_tau(6)
    assert np.mean(np.abs(every) <= within + 1e-9) >= 0.95
    assert np.mean(np.abs(every) < within - 1e-9) < 0.95
    rng = np.random.default_rng(0)
    drawn = [kendalltau(range(30), rng.permutation(30)).statistic for _ in range(2000)]
    assert np.mean(np.abs(drawn) <= share_tables.chance_tau(30) + 1e-9) == pytest.approx(0.95, abs=0.02)
    assert [share_tables.chance_tau(n) for n in (0, 1, 2, 3, 4)] == [1, 1, 1, 1, 1]
    assert share_tables.chance_tau(5) < 1


def test_advice_ranks_recommends_and_says_what_it_rests_on(world, profile):
    scores, plan, _ = world
    lines = advise(scores, plan, profile, on="blood", resamples=100)
    text = "\n".join(lines)
    assert text.index("1. Blood: ") < text.index("2. Other: ")
    assert "neurons" not in text
    assert "Recommended: 100% Blood; found 0.5" in text or "Recommended: 100% Blood; found 0.6" in text
    assert "2 seeds" in lines[0]
    assert "Simulated cells." in lines[0]
    assert "Against equal shares of all sets: +" in text
    assert "Against the best set alone: +0.000 (+0.000 to +0.000); too uncertain to say." in text
    assert "two seeds of one mixture" in text
    every = "\n".join(advise(scores, plan, profile, on=None, resamples=100))
    assert "All evaluation sets alike" in every
    assert "(neurons)" in every
    one = profile.model_copy(update={"evaluations": {"blood": profile.evaluations["blood"]}})
    alone = advise(scores[scores["evaluation"] == "blood"], plan, one, on=None, resamples=100)
    assert "All evaluation sets alike" not in "\n".join(alone)
    with pytest.raises(DatamixError, match="no evaluation set 'marrow'"):
        advise(scores, plan, profile, on="marrow", resamples=10)
    bare = profile.model_copy(update={"composition": None})
    with pytest.raises(DatamixError, match="no mixtures by shares"):
        advise(scores, plan, bare, on=None, resamples=10)


def test_sets_that_cannot_be_told_apart_are_named(world, profile):
    scores, plan, _ = world
    noisy = scores.assign(r2=scores["r2"] + 0.3 * np.random.default_rng(1).normal(size=len(scores)))
    text = "\n".join(advise(noisy, plan, profile, on="neurons", resamples=100))
    assert "Too close to the first to say" in text
