import pandas as pd
import pytest
from foreign_cells import made_up

from datamix.project.errors import DatamixError
from datamix.sources.formats.text_tables import open_count_table


def test_a_word_among_counts_is_no_label(tmp_path):
    """The column would be left out of the counts without a word."""
    counts = made_up().to_df().astype(int).astype(object)
    counts.iloc[30, 50] = "many"
    counts.to_csv(tmp_path / "a.csv")
    with pytest.raises(DatamixError, match="text among its counts"):
        open_count_table(tmp_path / "a.csv")


def test_labels_beside_the_counts_stay_labels(tmp_path):
    cells = made_up()
    counts = (
        cells.to_df().astype(int).assign(celltype=list(cells.obs["celltype"]), batch=[f"b{i % 3}" for i in range(40)])
    )
    counts.to_csv(tmp_path / "a.csv")
    file = open_count_table(tmp_path / "a.csv")
    assert file.columns == ("celltype", "batch")
    assert list(file.obs(["celltype"])["celltype"]) == list(cells.obs["celltype"])
    assert len(file.var) == 100
    assert isinstance(file.var, pd.DataFrame)
