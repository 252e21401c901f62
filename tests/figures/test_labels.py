import pandas as pd
import pytest

from datamix.figures.labels import label_claims, with_labels
from datamix.project.profile_files import read_profile


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("blood and fetal_cortex", "Blood and Fetal cortex"),
        (
            "blood+carcinoma_lines on lymphoma, breast_carcinoma",
            "Blood + Carcinoma lines on Lymphoma (held out), Breast carcinoma",
        ),
        ("blood_same_laboratory, every set", "Blood (same laboratory), every set"),
        ("blood-borne cells of my_blood", "blood-borne cells of my_blood"),
    ],
)
def test_names_within_a_text_are_labelled(text, expected):
    assert with_labels(text, read_profile("mini")) == expected


def test_cell_types_are_not_taken_for_names():
    claims = pd.DataFrame({"claim": ["left_out", "unseen", "cancer"], "about": ["cells of gut", "gut", float("nan")]})
    assert list(label_claims(claims, read_profile("mini"))["about_label"]) == ["cells of gut", "Gut", ""]
