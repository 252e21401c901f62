import gzip
import io

import numpy as np
import pytest
from layouts import matrix_market, simulate_counts, truncate
from scipy.io import mmread

from datamix.project.errors import DatamixError
from datamix.sources.formats import matrix_market as reader
from datamix.sources.formats.archives import Member
from datamix.sources.formats.matrix_market import stream_cells

COUNTS = simulate_counts(50, 12)
COUNTS[[0, 7, 8, 49]] = 0  # cells without an entry, also the first and the last


def write(path, text=None):
    text = matrix_market(COUNTS) if text is None else text
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return Member(path, path.name)


def stream(member, **options):
    options = {"genes": np.arange(12), "n_cells": 50, "wanted": np.arange(50), "block_cells": 7, **options}
    return list(stream_cells(member, **options))


@pytest.mark.parametrize("name", ["matrix.mtx", "matrix.mtx.gz"])
@pytest.mark.parametrize("entries", [1, 13, 1000])
def test_blocks_together_are_the_matrix(tmp_path, monkeypatch, name, entries):
    monkeypatch.setattr(reader, "ENTRIES", entries)
    member = write(tmp_path / name)
    blocks = stream(member)
    assert [b.shape[0] for b in blocks] == [7] * 7 + [1]
    expected = mmread(io.BytesIO(matrix_market(COUNTS).encode())).toarray().T
    assert (np.vstack([b.toarray() for b in blocks]) == expected).all()


def test_wanted_cells_dropped_genes_and_skipped_blocks(tmp_path):
    member = write(tmp_path / "matrix.mtx")
    wanted = np.array([0, 3, 8, 20, 21, 22, 40, 49])
    genes = np.array([-1, 2, 1, 0, *[-1] * 8])
    blocks = stream(member, wanted=wanted, genes=genes, block_cells=3)
    assert (np.vstack([b.toarray() for b in blocks]) == COUNTS[wanted][:, [3, 2, 1]]).all()
    for skip in range(4):
        later = stream(member, wanted=wanted, genes=genes, block_cells=3, skip=skip)
        assert len(later) == 3 - skip
        assert all((a != b).nnz == 0 for a, b in zip(later, blocks[skip:], strict=True))


def test_truncated_text_and_truncated_gzip(tmp_path):
    text = matrix_market(COUNTS)
    lines = text.splitlines(keepends=True)
    with pytest.raises(DatamixError, match=r"matrix\.mtx has \d+ entries, its header says \d+: it is truncated"):
        stream(write(tmp_path / "matrix.mtx", "".join(lines[:-3])))
    with pytest.raises(DatamixError, match=r"matrix\.mtx: entry \d+ is '\d+ \d+ nan'"):
        stream(write(tmp_path / "matrix.mtx", text.rstrip().rpartition(" ")[0]))
    member = write(tmp_path / "matrix.mtx.gz")
    truncate(member.source)
    with pytest.raises(DatamixError, match=r"matrix\.mtx\.gz.* truncated"):
        stream(member)


def test_not_sorted_by_cell(tmp_path, monkeypatch):
    lines = matrix_market(COUNTS).splitlines(keepends=True)
    for entries in (1, 1000):  # within a piece, and from one to the next
        monkeypatch.setattr(reader, "ENTRIES", entries)
        with pytest.raises(DatamixError, match=r"not sorted by cell.*\n.*sort -s -n -k2,2"):
            stream(write(tmp_path / "matrix.mtx", "".join([*lines[:3], lines[-1], *lines[3:-1]])))


def test_values_that_are_no_counts(tmp_path):
    text = matrix_market(COUNTS)
    first = text.splitlines()[3]
    for value in ("1.5", "-1"):
        changed = text.replace(first, first.rpartition(" ")[0] + f" {value}", 1)
        with pytest.raises(DatamixError, match=rf"entry 1 is '\d+ \d+ {value}'; expected raw counts"):
            stream(write(tmp_path / "matrix.mtx", changed))


def test_other_size_and_other_file(tmp_path):
    with pytest.raises(DatamixError, match="is 12 × 50; the files beside it list 12 genes and 51 cells"):
        stream(write(tmp_path / "matrix.mtx"), n_cells=51, wanted=np.arange(51))
    with pytest.raises(DatamixError, match="expected '%%MatrixMarket matrix coordinate"):
        stream(write(tmp_path / "matrix.mtx", "cell,gene\n1,2\n"))
    with pytest.raises(DatamixError, match=r"gene, cell and value within 12 × 50"):
        stream(write(tmp_path / "matrix.mtx", matrix_market(COUNTS).replace("\n1 ", "\n13 ")))


def test_matrix_without_entries(tmp_path):
    text = "%%MatrixMarket matrix coordinate integer general\n12 50 0\n"
    assert sum(b.nnz for b in stream(write(tmp_path / "matrix.mtx", text))) == 0
