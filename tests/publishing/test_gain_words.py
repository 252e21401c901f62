import numpy as np
import pandas as pd
import pytest

from datamix.project.profile_files import read_profile
from datamix.publishing.gain_words import (
    about_donors,
    answer_in_words,
    best_and_worst_in_words,
    changes_in_words,
    elsewhere_in_words,
    findings_in_words,
    furthest_in_words,
)


def additions(*over_control):
    rows = [
        {
            "evaluation": f"e{i}", "evaluation_label": f"E{i}", "mixture_label": f"+ M{i}", "control_label": "+ own",
            "median": 0.5, "over_control": d, "over_control_low_all": d - 0.1, "over_control_high_all": d + 0.1,
        }
        for i, d in enumerate(over_control)
    ]  # fmt: skip
    return pd.DataFrame(
        rows, columns=list(rows[0]) if rows else ["evaluation", "over_control"], index=range(5, 5 + len(rows))
    )


def test_the_furthest_of_none_of_one_and_of_several():
    medians = pd.Series({"e0": 0.3, "e1": 0.4})
    assert furthest_in_words(additions(), medians) == furthest_in_words(additions()) == "This profile adds no set."
    one = furthest_in_words(additions(0.2), medians)
    assert one.startswith("The one pair is + M0 on E0: the baseline has 0.30, this mixture 0.50, and the difference")
    assert "Furthest below" not in one
    assert furthest_in_words(additions(0.2)) == (
        "The one pair, “+ M0” on E0, differs from its control, “+ own”, by 0.200 (0.100 to 0.300)."
    )
    both = furthest_in_words(additions(-0.3, 0.2), medians)
    assert "above lies + M1 on E1: the baseline has 0.40" in both
    assert both.endswith("below lies + M0 on E0, held against “+ own”, with −0.300 (−0.400 to −0.200).")
    short = "Furthest above lies “+ M1” on E1, held against “+ own”, by 0.200 (0.100 to 0.300)."
    assert furthest_in_words(additions(-0.3, 0.2)) == short
    none = "None lies above; least far below lies “+ M1” on E1, held against “+ own”, by −0.200 (−0.300 to −0.100)."
    assert furthest_in_words(additions(-0.3, -0.2)) == none


@pytest.mark.parametrize(
    ("difference", "reading"), [(0.2, "better"), (-0.2, "worse"), (0.05, "better or worse cannot be told")]
)
def test_the_answer_for_one_added_set_is_no_list(difference, reading):
    told = answer_in_words(additions(difference), controls(0.1))
    assert told.startswith("“+ M0” differs on E0 from its control, “+ own”, by ")
    assert told.endswith(f"): {reading}.")


def test_the_answer_for_several_sets_counts_them():
    told = answer_in_words(additions(0.2, -0.3, 0.05), controls(0.1, 0.1))
    assert told.startswith("Pairs of an added set and an evaluation set: 3; above")
    assert "for all of them: 1; below it: 1. Furthest above lies “+ M0”" in told


def controls(*gains):
    return pd.DataFrame(
        [
            {"evaluation_label": f"E{i}", "gain": gain, "gain_low_all": gain - 0.1, "gain_high_all": gain + 0.1}
            for i, gain in enumerate(gains)
        ]
    )


def test_the_answer_without_added_sets_is_what_more_cells_bring():
    one = "With all cells in place of half of them, the median R² of E0 changes by 0.200 (0.100 to 0.300): better."
    assert answer_in_words(additions(), controls(0.2)) == one
    several = answer_in_words(additions(), controls(0.05, -0.2, 0.02))
    assert several.endswith("half of them: 1 of 3; E1 changes most, by −0.200 (−0.300 to −0.100).")
    unknown = controls(0.2).assign(gain_low_all=np.nan, gain_high_all=np.nan)
    assert answer_in_words(additions(), unknown).endswith("E0 changes by 0.200.")


def test_one_evaluation_set_is_neither_best_nor_worst():
    table = pd.DataFrame({"evaluation_label": ["A", "B"], "median": [0.2, 0.6], "low": [0.1, 0.5], "high": [0.3, 0.7]})
    two = "describes B best, with a median R² of 0.6 (0.5 to 0.7), and A worst, with 0.2 (0.1 to 0.3)"
    assert best_and_worst_in_words(table, spec=".1f") == two
    assert best_and_worst_in_words(table[:1], spec=".1f") == "describes A with a median R² of 0.2 (0.1 to 0.3)"


def gains(**over_control):
    """One added set and two evaluation sets of the profile `mini`, or another added set."""
    pairs = {"same": ("lymphoma", "lymphoma"), "other": ("lymphoma", "blood"), "gut": ("gut", "lymphoma")}
    table = additions(*over_control.values())
    added, evaluations = zip(*(pairs[name] for name in over_control), strict=True)
    labels = [f"+ {name}" for name in added]
    return table.assign(added=added, evaluation=evaluations, evaluation_label=evaluations, mixture_label=labels)


def test_a_furthest_gain_within_one_donor_is_said_to_be_one():
    mini = read_profile("mini")
    text = about_donors(gains(same=0.2, other=-0.01, gut=0.05), mini)
    assert mini.evaluations["lymphoma"].shares_donors_with["malt_lymphoma"] in text
    assert text.startswith(" But “+ lymphoma” and lymphoma share donors")
    assert text.endswith(
        "share none: 2; above their control by more than such an interval: 0; below it: 0. "
        "Of them, “+ gut” on lymphoma lies furthest above its control, with 0.050 (−0.050 to 0.150), and "
        "“+ lymphoma” on blood furthest below, with −0.010 (−0.110 to 0.090)."
    )
    one = "The one pair that shares none, “+ lymphoma” on blood, differs from its control by −0.010 (−0.110 to 0.090)."
    assert about_donors(gains(same=0.2, other=-0.01), mini).endswith(one)
    clear = about_donors(gains(same=0.4, other=-0.2, gut=0.3), mini)
    assert "such an interval: 1 (“+ gut” on lymphoma, 0.300 (0.200 to 0.400)); below it: 1. Of them" in clear
    assert about_donors(gains(same=0.2), mini).endswith("No pair without shared donors is at hand.")


def test_of_pairs_that_share_no_donor_none_may_gain_or_lose():
    mini = read_profile("mini")
    below = about_donors(gains(same=0.2, other=-0.01, gut=-0.05), mini)
    assert "“+ lymphoma” on blood lies least far below its control, with −0.010" in below
    above = about_donors(gains(same=0.2, other=0.01, gut=0.05), mini)
    assert "“+ lymphoma” on blood least far above, with 0.010" in above


def test_other_gains_need_no_word_of_donors():
    mini = read_profile("mini")
    assert about_donors(gains(same=0.2, other=0.21), mini) == ""
    assert about_donors(additions(), mini) == ""


def claims(**rows):
    return pd.DataFrame(
        [
            {"claim": name, "value": value, "low": value - 0.1, "high": value + 0.1, "verdict": verdict, "why": why}
            for name, (value, verdict, why) in rows.items()
        ]
    )


def test_the_first_finding_is_told_with_both_of_its_tests():
    judged = claims(
        law=(0.1, "supported", ""),
        unseen=(0.2, "supported", np.nan),
        left_out=(0.0, "not supported", ""),
        cancer=(0.01, "undecided", "Carcinoma lines, in place of blood cancer"),
        tf_atlas=(np.nan, "not computable", "the profile adds no set called tf_atlas"),
    )
    assert findings_in_words(["unseen", "left_out"], judged) == (
        "That unseen cell types are described poorly is supported between cells of different studies, by 0.200 (0.100 "
        "to 0.300) of median R². Of the same cells, with and without their type in training, it is not supported, by "
        "0.000 (−0.100 to 0.100)."
    )
    assert findings_in_words(["cancer", "tf_atlas"], judged) == (
        "That malignant cells (here Carcinoma lines) need not help with others is undecided. That stem cells driven by "
        "factors help far from all others is not computable."
    )
    none = claims(left_out=(np.nan, "not computable", "no cell type is frequent enough to be left out"))
    assert findings_in_words(["unseen", "left_out"], none).endswith(
        "it is not computable: no cell type is frequent enough to be left out."
    )
    assert findings_in_words(["unseen", "left_out"], judged[judged["claim"] == "law"]) == ""


def test_changes_go_from_the_lowest_to_the_highest():
    changes = pd.Series({"A": 0.1, "B": -0.2, "C": np.nan})
    assert changes_in_words(changes) == "by −0.200 (B) to +0.100 (A), and lowers it on 1 of 2 evaluation sets"
    assert changes_in_words(changes[["A"]]) == "on A by +0.100"
    assert changes_in_words(changes[["C"]]) == "on no evaluation set of both"


def test_the_other_sets_are_counted_on_both_sides():
    others = pd.DataFrame(
        {"evaluation_label": ["A", "B", "C"], "over_control_low": [-2, -2, 1], "over_control_high": [-1, 1, 2]}
    )
    assert elsewhere_in_words(others) == " On the other 3 sets: above 1 (C), below 1 (A)."
    assert elsewhere_in_words(others[1:]) == " On the other 2 sets: above 1 (C), below 0."
    one = [elsewhere_in_words(others[i : i + 1]) for i in range(3)]
    assert one == [" On A: below.", " On B: no clear difference.", " On C: above."]
    assert elsewhere_in_words(others[:0]) == ""
