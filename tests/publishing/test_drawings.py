"""Figures in grey: what a legend tells apart, it tells apart without colour."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from datamix.project.profile_files import read_profile
from datamix.publishing.drawings import redraw

ROOT = Path(__file__).parents[2]
PANELS = sorted((ROOT / "recorded" / "demo" / "panels").glob("*.csv"))
APART = 15
"""Of lightness (CIE L*, 0 to 100), from which two greys are told apart beside each other."""


def lightness(colour) -> float:
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16)


def alike(one: Line2D, other: Line2D) -> bool:
    """Tell whether two entries of a legend are the same in grey."""
    shape = [(line.get_marker(), line.get_linestyle(), line.is_dashed()) for line in (one, other)]
    faces = [line.get_markerfacecolor() if line.get_marker() != "None" else line.get_color() for line in (one, other)]
    return shape[0] == shape[1] and abs(lightness(faces[0]) - lightness(faces[1])) < APART


def entries(figure):
    legends = [legend for legend in figure.findobj(Legend) if legend.get_visible()]
    return [[line for line in legend.legend_handles if isinstance(line, Line2D)] for legend in legends]


@pytest.mark.parametrize("path", PANELS, ids=lambda path: path.stem)
def test_legends_need_no_colour(path):
    name = path.stem.removeprefix("fig")
    profile = read_profile("mini" if name.startswith("6") else "demo", ROOT)
    for lines in entries(redraw(name, pd.read_csv(path), profile)):
        assert not [(a.get_label(), b.get_label()) for a, b in combinations(lines, 2) if alike(a, b)]


def test_colours_that_are_one_grey_are_noticed():
    same = [Line2D([], [], marker="o", color=colour) for colour in ("#D55E00", "#009E73")]
    assert alike(*same)
    assert not alike(same[0], Line2D([], [], marker="s", color="#009E73"))
    assert not alike(same[0], Line2D([], [], marker="o", color="black"))
