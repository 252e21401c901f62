"""A panel to save, for tests."""

import pandas as pd

from datamix.figures import style

TABLE = pd.DataFrame({"set": ["a", "b"], "r2": [1 / 3, 2.0]})


def draw(**size):
    fig, axes = style.figure(**{"width": 89, "height": 40} | size)
    axes.scatter([0, 1, 2], [2, 1, 0], rasterized=True, label="µ cells")
    axes.set_ylabel("Median R²")
    axes.legend()
    return fig
