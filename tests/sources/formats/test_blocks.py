import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.sources.formats.blocks import count_blocks, cut, make_block, require_columns, require_file, unique_names
from datamix.sources.formats.raw_counts import holds_counts


def test_unique_names():
    assert unique_names(["A", "B", "A", "A"]).tolist() == ["A", "B", "A-1", "A-2"]
    assert unique_names(["A", "A", "A-1"]).tolist() == ["A", "A-2", "A-1"]


@pytest.mark.parametrize("n", [0, 1, 6, 7])
def test_cutting_into_blocks(n):
    rows = np.arange(n) * 10
    pieces = [rows[piece].tolist() for piece in cut(rows, skip=0, block_cells=3)]
    assert [row for piece in pieces for row in piece] == rows.tolist()
    assert len(pieces) == count_blocks(rows, block_cells=3)
    assert [rows[piece].tolist() for piece in cut(rows, skip=1, block_cells=3)] == pieces[1:]


@pytest.mark.parametrize("value", [0.5, -1, np.nan, np.inf])
def test_what_is_no_count_is_named(value):
    counts = sparse.csr_matrix(np.array([[1, 0, 2], [0, 7, 3]], dtype=np.float32))
    frames = {"obs": pd.DataFrame(index=["a", "b"]), "var": pd.DataFrame(index=["x", "y", "z"])}
    assert holds_counts(make_block(counts, raw_in="file", **frames))
    counts.data[3] = value
    with pytest.raises(DatamixError, match=rf"file: cell 'b' has {value:g} of gene 'z'; expected raw counts"):
        make_block(counts, raw_in="file", **frames)
    assert not holds_counts(make_block(counts, **frames))


def test_missing_files_and_columns(tmp_path):
    with pytest.raises(DatamixError, match="needs the file 'a'; the manifest entry lists b"):
        require_file({"b": tmp_path}, "a")
    with pytest.raises(DatamixError, match="table has no column 'c', 'd'; it has a, b"):
        require_columns(["a", "b"], ["a", "c", "d"], where="table")
