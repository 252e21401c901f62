import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from datamix.project.profile_files import read_profile
from datamix.publishing.drawings import redraw
from datamix.publishing.panels import PNG_DPI
from datamix.publishing.website.places import as_script, can_be_pointed_at, places

ROOT = Path(__file__).parents[3]


def recorded(name: str, profile: str = "demo") -> pd.DataFrame:
    return pd.read_csv(ROOT / "recorded" / profile / "panels" / f"fig{name}.csv")


def cells() -> pd.DataFrame:
    """Return two layouts of thirty cells of two evaluation sets."""
    random = np.random.default_rng(0)
    sets = ["blood", "aml"] * 15
    of_each = pd.DataFrame(
        {
            "evaluation": sets,
            "evaluation_label": [name.upper() for name in sets],
            "cell_type": ["monocyte", "B cell", "T cell"] * 10,
        }
    )
    layouts = [
        of_each.assign(x=random.normal(size=30), y=random.normal(size=30) * scale, mixture=name, mixture_label=name)
        for name, scale in (("blood", 1), ("blood+blood", 9))
    ]
    return pd.concat(layouts, ignore_index=True)


def picture(name: str, table: pd.DataFrame, tmp_path: Path) -> np.ndarray:
    path = tmp_path / "panel.png"
    redraw(name, table, read_profile("demo", ROOT)).savefig(path, dpi=PNG_DPI)
    return plt.imread(path)[..., :3]


@pytest.mark.parametrize("name", ["2a", "S4a", "7a"])
def test_each_cell_of_a_map_is_where_the_picture_has_it(name, tmp_path):
    table = recorded(name)
    found = places(name, table, read_profile("demo", ROOT))
    assert len(found) == len(table)
    assert len({place.words for place in found}) == len(found)
    pixels = picture(name, table, tmp_path)
    height, width, _ = pixels.shape
    for place in found:
        # Cells are parted by white lines.
        row = round((place.y + 0.1 * place.height) * height)
        for edge in (place.x, place.x + place.width):
            column = round(edge * width)
            assert (pixels[row, column - 2 : column + 3].min(axis=1) > 0.99).any(), place


@pytest.mark.parametrize("name", ["3a", "3b"])
def test_each_point_of_a_layout_is_where_the_picture_has_it(name, tmp_path):
    found = places(name, cells(), read_profile("demo", ROOT))
    assert len(found) == 60
    pixels = picture(name, cells(), tmp_path)
    height, width, _ = pixels.shape
    for place in found:
        assert (place.width, place.height) == (0, 0)
        assert pixels[round(place.y * height), round(place.x * width)].min() < 0.95, place
    kinds = {"monocyte", "B cell", "T cell"}
    assert {place.words.split(" (")[0] for place in found} == kinds


def test_a_cell_says_its_numbers_and_what_was_published():
    table = recorded("2a")
    told = {place.words for place in places("2a", table, read_profile("demo", ROOT))}
    row = table[(table["mixture"] == "blood+tf_atlas") & (table["evaluation"] == "neurons")].iloc[0]
    (words,) = (each for each in told if each.startswith("+ TF atlas on Neurons:"))
    assert f"R² {row['median']:.2f} ({row['low']:.2f} to {row['high']:.2f})" in words
    assert f"published {row['published']:.2f}" in words
    assert f"over its control “+ Blood” {row['over_control']:.2f}" in words
    # A control is held against nothing, and of what nobody published, nothing is said.
    assert not any(each.startswith("+ Blood on") and "over its control" in each for each in told)
    alone = places("2a", table.drop(columns="published"), read_profile("demo", ROOT))
    assert not any("published" in place.words for place in alone)


def test_places_are_a_script_that_a_page_can_load():
    table = recorded("4b")
    script = as_script("4b", places("4b", table, read_profile("demo", ROOT)))
    (content,) = re.findall(r'^datamixPlaces\("4b", (.*)\);\n$', script)
    read = json.loads(content)
    assert len(read["at"]) == len(table)
    assert all(len(at) == 5 and min(at[:4]) >= 0 and max(at[:4]) <= 10_000 for at in read["at"])
    assert {at[4] for at in read["at"]} == set(range(len(read["words"])))


def test_what_is_no_map_has_no_places():
    assert not can_be_pointed_at("2b", recorded("2b"))
    assert not can_be_pointed_at("2a", pd.DataFrame({"x": [1]}))
    assert places("2b", recorded("2b"), read_profile("demo", ROOT)) == []
