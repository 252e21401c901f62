from datamix.analysis.shared_donors import shared_donors
from datamix.project.profile_files import read_profile


def test_the_reason_is_the_profiles():
    mini = read_profile("mini")
    reason = mini.evaluations["lymphoma"].shares_donors_with["malt_lymphoma"]
    assert shared_donors(mini, added="lymphoma", evaluation="lymphoma") == reason
    assert shared_donors(mini, added="gut", evaluation="lymphoma") == ""
    assert shared_donors(mini, added="lymphoma", evaluation="blood") == ""
