import pandas as pd

from datamix.analysis.shared_donors import about_donors, shared_donors
from datamix.project.profile_files import read_profile


def gains(**over_control):
    """One added set and two evaluation sets of the profile `mini`, or another added set."""
    pairs = {
        "same": ("lymphoma", "lymphoma"), "other": ("lymphoma", "blood"), "gut": ("gut", "lymphoma"),
    }  # fmt: skip
    rows = [
        {
            "added": a,
            "evaluation": e,
            "over_control": over_control[name],
            "mixture_label": f"+ {a}",
            "evaluation_label": e,
        }
        for name, (a, e) in pairs.items()
        if name in over_control
    ]
    return pd.DataFrame(rows, index=range(7, 7 + len(rows)))


def test_the_reason_is_the_profiles():
    mini = read_profile("mini")
    reason = mini.evaluations["lymphoma"].shares_donors_with["malt_lymphoma"]
    assert shared_donors(mini, added="lymphoma", evaluation="lymphoma") == reason
    assert shared_donors(mini, added="gut", evaluation="lymphoma") == ""
    assert shared_donors(mini, added="lymphoma", evaluation="blood") == ""


def test_a_furthest_gain_within_one_donor_is_said_to_be_one():
    mini = read_profile("mini")
    text = about_donors(gains(same=0.2, other=-0.01, gut=0.05), mini)
    assert mini.evaluations["lymphoma"].shares_donors_with["malt_lymphoma"] in text
    assert text.startswith(" But “+ lymphoma” and lymphoma share donors")
    assert text.endswith("is that of “+ gut” on lymphoma, 0.05.")
    assert about_donors(gains(same=0.2, other=-0.01), mini).endswith("on blood, −0.01.")
    assert about_donors(gains(same=0.2), mini).endswith("No pair without shared donors is at hand.")


def test_other_gains_need_no_word():
    assert about_donors(gains(same=0.2, other=0.21), read_profile("mini")) == ""
