import gseapy
import pytest

from datamix.project.errors import DatamixError
from datamix.sources.formats.gmt import read_gmt


def saved(path, text):
    path.write_text(text)
    return {path.name: path}


def test_sets_in_order_with_each_gene_once(tmp_path):
    found = read_gmt(saved(tmp_path / "a.gmt", "ONE\ta text of words\tB\tA\tB\n\nTWO\t\tC\t\n"))
    assert list(found.itertuples(index=False, name=None)) == [("ONE", "B"), ("ONE", "A"), ("TWO", "C")]
    assert list(found.columns) == ["source", "target"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ONE\tx\tA\nONE\tx\tB\n", r"a\.gmt, line 2: gene set 'ONE' stands twice"),
        ("ONE\tx\n", r"a\.gmt, line 1: gene set 'ONE' has no genes"),
        ("ONE x A B\n", r"gene set 'ONE x A B' has no genes; expected name, description, genes"),
    ],
)
def test_lines_that_are_no_gene_set(tmp_path, text, message):
    with pytest.raises(DatamixError, match=message):
        read_gmt(saved(tmp_path / "a.gmt", text))


def test_real_hallmark_sets_as_gseapy_reads_them(real_data):
    (path,) = real_data.rglob("h.all.v7.4.symbols.gmt")
    found = read_gmt({path.name: path}).groupby("source")["target"].apply(set).to_dict()
    assert len(found) == 50
    assert found == {name: set(genes) for name, genes in gseapy.read_gmt(str(path)).items()}
