import numpy as np
import pandas as pd
import pytest

from datamix.project.profile import Composition
from datamix.project.profile_files import read_profile
from datamix.publishing.share_words import (
    apart_in_words,
    chosen_in_words,
    fitted_in_words,
    halves_in_words,
    law_in_words,
    left_aside,
    mixed_in_words,
    recommended_in_words,
    thinned_in_words,
    worth_in_words,
)


@pytest.fixture(scope="module")
def mini():
    return read_profile("mini")


def worth(**sets):
    """Values of blocks by evaluation set, each with an interval of 0.1 to both sides."""
    rows = [
        {"evaluation": evaluation, "block": block, "value": value, "low_all": value - 0.1, "high_all": value + 0.1}
        for evaluation, blocks in sets.items()
        for block, value in blocks.items()
    ]
    return pd.DataFrame(rows)


def test_what_is_not_mixed_is_said_with_the_donors_that_it_shares(mini):
    assert left_aside(mini.blocks, mini) == "Not mixed: Lymphoma, which shares donors with Lymphoma (held out)."
    assert left_aside(["blood", *mini.added], mini) == ""
    told = mixed_in_words(["blood", "gut", "lymphoma", "carcinoma_lines"], mini)
    assert told == (
        "The sets that are mixed: Blood (the baseline's own), Gut, Lymphoma and Carcinoma lines. "
        "Not mixed: Stimulated blood; Stem-cell cultures."
    )


def test_a_set_is_worth_most_where_it_stands_apart_from_all_others(mini):
    table = worth(
        blood={"blood": 0.9, "gut": 0.1, "lymphoma": 0.5},
        lymphoma={"blood": 0.1, "gut": 0.5, "lymphoma": 0.4},
        bone_marrow={"blood": 0.1, "gut": 0.2, "lymphoma": 0.15},
    )
    assert worth_in_words(table, mini) == (
        "On Blood, Blood is worth most, 0.900 (0.800 to 1.000), more than any other set beyond the intervals. "
        "On Lymphoma (held out), Gut has the highest value, 0.500 (0.400 to 0.600); its interval overlaps with that "
        "of 1 of 2 other sets. "
        "On Bone marrow, Gut has the highest value, 0.200 (0.100 to 0.300); its interval overlaps with those of "
        "2 of 2 other sets."
    )
    told = apart_in_words(table, mini)
    assert "Blood (the baseline's own), Gut and Lymphoma, one is worth more than all" in told
    assert "on 1 of 3 evaluation sets: Blood on Blood. Not mixed: " in told
    assert "on 1 of 3 evaluation sets. Not mixed: " in apart_in_words(table, mini, which=False)
    none = apart_in_words(table[table["evaluation"] == "bone_marrow"], mini)
    assert "on no evaluation set. Not mixed: " in none


def test_of_two_sets_and_without_intervals(mini):
    two = worth(blood={"blood": 0.2, "gut": 0.1})
    assert worth_in_words(two, mini).endswith("(0.100 to 0.300); its interval overlaps with that of the other set.")
    unknown = two.assign(low_all=np.nan, high_all=np.nan)
    assert worth_in_words(unknown, mini).endswith("the highest value, 0.200, of which no interval is known.")
    assert "on no evaluation set" in apart_in_words(unknown, mini)


def test_a_law_is_counted_with_and_without_its_interval():
    accuracy = pd.DataFrame(
        {"error": [0.01, 0.02, 0.03], "error_of_average": [0.02, 0.03, 0.02], "seed_distance": [0.02, 0.01, 0.04]}
    )
    told = law_in_words(accuracy, clear=1)
    assert "on 2 of 3 evaluation sets; beyond its 95 % interval over mixtures, each set alone, on 1 of 3" in told
    assert told.endswith("between two seeds of one mixture on 2 of 3 evaluation sets.")
    one_seed = law_in_words(accuracy[:1].assign(seed_distance=np.nan), clear=0)
    assert "on the one evaluation set; beyond its 95 % interval over mixtures on no evaluation set." in one_seed
    assert one_seed.endswith("With one seed of each mixture, nothing says how much two trainings differ.")
    assert law_in_words(accuracy[:0], clear=0).startswith("There are too few mixtures")


def test_recommended_mixtures_are_held_against_equal_shares_and_the_best_set_alone():
    table = pd.DataFrame(
        {
            "over_uniform_low": [0.1, -0.1, 0.2], "over_uniform_high": [0.2, 0.1, 0.3],
            "over_single_low": [-0.2, -0.1, 0.1], "over_single_high": [-0.1, 0.1, 0.2],
        }
    )  # fmt: skip
    assert recommended_in_words(table) == (
        "Recommended mixtures: 3. Against equal shares, beyond the 95 % interval, each alone: better 2, worse 0. "
        "Against the best set alone, which was chosen on the same cells, beyond the 95 % interval, each alone: "
        "better 1, worse 1."
    )
    lone = recommended_in_words(table[:1].assign(over_single_low=np.nan, over_single_high=np.nan))
    assert lone == "Recommended mixtures: 1. Against equal shares, beyond the 95 % interval: better 1, worse 0."


def doses(*rows):
    columns = ["evaluation", "gain", "gain_low", "gain_high", "lost", "lost_low", "lost_high"]
    return pd.DataFrame(rows, columns=columns).assign(block="gut")


def test_thinned_cells_may_gain_more_or_less_and_fall_below_no_dose(mini):
    thinned = doses(
        ("blood", -0.3, -0.4, -0.2, 0.3, 0.2, 0.4),
        ("lymphoma", 0.3, 0.2, 0.4, -0.1, -0.2, 0.05),
        ("bone_marrow", 0.1, -0.1, 0.2, 0.2, 0.1, 0.3),
    )
    halves = doses(
        ("blood", 0.0, -0.1, 0.1, 0, 0, 0),
        ("lymphoma", 0.2, 0.1, 0.3, 0, 0, 0),
        ("bone_marrow", 0.3, 0.2, 0.4, 0, 0, 0),
    )
    told = thinned_in_words(thinned, halves, mini, depth=1200)
    assert "every cell with more than 1,200 counts" in told
    assert "over no dose: 2; thinned cells still gain beyond the interval in 1, gain less" in told
    assert "than whole ones beyond theirs in 1, and more in 0." in told
    assert (
        "Gut on Lymphoma (held out) gains 0.300 (0.200 to 0.400) with thinned cells, 0.100 (−0.050 to 0.200) more"
        in told
    )
    assert "Gut on Bone marrow gains 0.100 (−0.100 to 0.200) with thinned cells, 0.200 (0.100 to 0.300) less" in told
    assert "lower R² beyond the interval in 2 of 3 pairs: Gut on Blood, 0.300 (0.200 to 0.400); Gut on Bone" in told
    assert told.endswith("fall below it beyond the interval in 1: Gut on Blood, −0.300 (−0.400 to −0.200).")


def test_nothing_is_thinned_and_nothing_gained(mini):
    none = doses()
    assert thinned_in_words(none, none, mini, depth=None).startswith("This profile does not ask")
    flat = doses(("blood", 0.0, -0.1, 0.1, 0.0, -0.1, 0.1))
    told = thinned_in_words(flat, flat, mini, depth=1200)
    assert "whole cells gain over" not in told
    assert told.endswith("in 0 of 1 pairs. Against no dose at all, they fall below it beyond the interval in 0.")


def values(group, sets=1, **blocks):
    """A value with its simultaneous interval, for each added set."""
    keys = ("value", "low_all", "high_all")
    return pd.DataFrame(
        [
            {"group": group, "sets": sets, "block": block} | dict(zip(keys, of, strict=True))
            for block, of in blocks.items()
        ]
    )


def test_why_sets_are_given_in_doses(mini):
    far = values("out of distribution", stimulated_blood=(0.0, -0.003, 0.002), gut=(-0.001, -0.004, 0.001))
    cancer = values("cancer", 3, carcinoma_lines=(0.2, 0.1, 0.3), gut=(0.15, 0.05, 0.25), stimulated_blood=(0, 0, 0.05))
    said = chosen_in_words(mini, pd.concat([far, cancer]).reset_index(drop=True), dosed=2)
    assert (
        "On cells out of distribution, Stimulated blood has the largest value of the added sets, 0.000 (−0.003 to "
        "0.002): none is shown to be worth anything there."
    ) in said
    assert (
        "On cancer (mean of 3 evaluation sets), Carcinoma lines has the largest value of the added sets, 0.200 (0.100 "
        "to 0.300); its interval overlaps with 1 of 2 others."
    ) in said
    apart = chosen_in_words(mini, cancer.iloc[[0, 2]], dosed=1)
    assert "0.200 (0.100 to 0.300), beyond the intervals." in apart
    nan = float("nan")
    alone = chosen_in_words(mini, values("all", gut=(0.1, nan, nan)), dosed=1)
    assert "Over all evaluation sets, Gut has the largest value of the added sets, 0.100, of which no" in alone


def test_sets_in_doses_that_were_not_chosen(run):
    none = values("all")
    profile = run.profile.model_copy(update={"composition": Composition(cells=20, doses=(5,))})
    one = profile.model_copy(update={"added": dict(list(profile.added.items())[:1])})
    assert chosen_in_words(one, none, dosed=1) == "No other set is mixed with the baseline's."
    named = Composition(cells=20, doses=(5,), dosed=("tf_atlas",))
    by_name = profile.model_copy(update={"composition": named})
    assert chosen_in_words(by_name, none, dosed=1) == "The profile names this set."
    assert chosen_in_words(by_name, none, dosed=2) == "The profile names these sets."


def test_what_the_law_had_seen_is_told():
    assert fitted_in_words(0, 6) == "The law was fitted before any of them was trained."
    assert fitted_in_words(0, 1) == ""
    assert fitted_in_words(1, 6).startswith("One of these recommends a mixture that had been trained before")
    assert fitted_in_words(2, 6).startswith("2 of these recommend a mixture")
    assert fitted_in_words(1, 1).startswith("All of it")


def test_half_of_a_gain_is_said_with_the_doses_that_lose(mini):
    pair = {"block": "carcinoma_lines", "evaluation": "thyroid_carcinoma"}
    curve = [(0, 0.0, 0.0, 0.0), (30, -0.086, -0.162, -0.014), (145, 0.113, 0.042, 0.181)]
    curves = pd.DataFrame(
        [pair | dict(zip(("dose", "gain", "gain_low", "gain_high"), of, strict=True)) for of in curve]
    )
    halves = curves.iloc[[2]].assign(half_dose=89.2)
    assert halves_in_words(curves, halves, mini) == (
        "Carcinoma lines on Thyroid carcinoma, 0.113 (0.042 to 0.181): half of it comes with 89 cells; at 30 cells it "
        "is a loss, −0.086 (−0.162 to −0.014)."
    )
    assert halves_in_words(curves, halves.assign(half_dose=float("nan")), mini) == "There is no gain to halve."
