import pandas as pd
import pytest

from datamix.analysis.protocol_faults import demonstrate, screen_cells_that_differ
from datamix.figures.protocols import faults
from datamix.publishing.panels import TEXT_SIZES


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return demonstrate().set_index("fault")


def test_every_fault_is_shown(table):
    assert table.index.tolist() == list(range(1, 16))
    assert (table["published"] != table["corrected"]).all()
    assert table[["published_share", "corrected_share"]].stack().between(0, 1).all()


def test_corrected_leaves_nothing_wrong(table):
    unwanted = [2, 3, 4, 5, 10, 11, 13]
    assert (table.loc[unwanted, "corrected"] == 0).all()
    assert (table.loc[unwanted, "published"] > 0).all()
    wanted = [1, 6, 7, 8, 9, 12, 14, 15]
    assert (table.loc[wanted, "corrected"] == table.loc[wanted, "whole"]).all()
    assert (table.loc[wanted, "published"] < table.loc[wanted, "whole"]).all()


def test_zero_shot_cells_are_shared_as_chance_has_it(table):
    """Two draws of 500 of 2,000 share 125 on average, give or take 8 (hypergeometric)."""
    assert table.loc[12, "whole"] == 500
    assert 125 - 4 * 8.4 < table.loc[12, "published"] < 125 + 4 * 8.4


def test_metadata_by_position_are_latent(table):
    """Without the order by name nearly all cells are mixed up; the reader, which keeps it, gives the same cells."""
    assert table.loc[11, "published"] > 30
    assert screen_cells_that_differ() == 0


def test_plot_says_what_is_counted(table):
    fig = faults(table.reset_index())
    (ax,) = fig.axes
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == [f"{row.counted} ({row.Index})" for row in table.itertuples()]
    written = [text.get_text() for text in ax.texts]
    assert "10 → 0 of 10" in written
    assert min(text.get_fontsize() for text in ax.texts) >= TEXT_SIZES[0]
