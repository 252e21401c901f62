import gc
import warnings
from contextlib import ExitStack

import pytest
from foreign_cells import GENES, IDS, made_up, write_mex

from datamix.project.errors import DatamixError
from datamix.sources.formats.open_cells import open_cells


@pytest.fixture
def opened(tmp_path):
    def read(genes=None, barcodes=None, entry=None):
        write_mex(tmp_path, made_up(), version=2)
        for name, first in (("genes.tsv", genes), ("barcodes.tsv", barcodes)):
            if first is not None:
                path = tmp_path / name
                path.write_text(first(path.read_text()))
        if entry is not None:
            lines = (tmp_path / "matrix.mtx").read_text().splitlines()
            lines[5] = entry(*lines[5].split())
            (tmp_path / "matrix.mtx").write_text("\n".join(lines) + "\n")
        with ExitStack() as stack:
            ((_, file),) = open_cells({path.name: path for path in sorted(tmp_path.iterdir())}, stack)
            return file

    return read


@pytest.mark.parametrize("titles", ["gene_id\tgene_name\n", "V1\tV2\n", "x\n"])
def test_a_line_of_titles_is_left_out(opened, titles):
    file = opened(genes=lambda text: titles.strip("\n").ljust(3, "\t") + "\n" + text)
    assert list(file.var.index) == IDS
    assert list(file.var["symbol"]) == GENES


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table_of_cells_in_place_of_barcodes(tmp_path, mark):
    write_mex(tmp_path, made_up(), version=2)
    names = (tmp_path / "barcodes.tsv").read_text().splitlines()
    (tmp_path / "barcodes.tsv").unlink()
    lines = [f"cell_name{mark}sample{mark}cell_type", *(f"{name}{mark}s1{mark}T cell" for name in names)]
    (tmp_path / "Cells.csv").write_text("\n".join(lines) + "\n")
    with ExitStack() as stack:
        ((_, file),) = open_cells({path.name: path for path in sorted(tmp_path.iterdir())}, stack)
        assert list(file.read_names(range(40))) == names


@pytest.mark.parametrize("place", ["genes", "barcodes"])
def test_a_name_too_many_is_no_title(opened, place):
    """It would shift every name by one."""
    more = {"genes": "ENSG00000000999\tX\n", "barcodes": "AAACCC-1\n"}[place]
    for change in (lambda text: text + more, lambda text: more + text):
        with pytest.raises(DatamixError, match=r"100 × 40; beside it are 10[01] genes and 4[01] cells"):
            opened(**{place: change})


def test_a_count_below_zero_is_said_before_entries_of_one_place_are_summed(opened):
    with pytest.raises(DatamixError, match=r"has the count -3; expected raw counts"):
        opened(entry=lambda gene, cell, count: f"{gene} {cell} -3")
    with pytest.raises(DatamixError, match=r"has the count nan; expected raw counts"):
        opened(entry=lambda gene, cell, count: f"{gene} {cell} nan")


def test_an_error_leaves_no_file_open(opened):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ResourceWarning)
        with pytest.raises(DatamixError, match="lies outside of 100 genes and 40 cells"):
            opened(entry=lambda gene, cell, count: f"999 {cell} {count}")
        gc.collect()
    assert [str(warning.message) for warning in said] == []
