import numpy as np
import pytest
from tiny_cells import make_cells

from datamix.corpora.corpus import read_corpus
from datamix.corpora.mixtures import Part
from datamix.geneformer import cells as module
from datamix.geneformer.cells import draw_cells, read_cells
from datamix.project.errors import DatamixError


def test_chunks_give_the_rows_in_the_order_of_the_file(layout, monkeypatch):
    monkeypatch.setattr(module, "CELLS_AT_A_TIME", 3)
    whole = read_corpus(layout.corpus("a"))
    genes = [*whole.var_names[5:9], "ENSG99999999999"]
    parts = [Part("a", np.array([7, 2, 9, 4])), Part("b", np.array([1]))]
    chunks = list(read_cells(layout, parts, genes))
    assert [len(c.obs) for c in chunks] == [3, 1, 1]
    assert [name for c in chunks for name in c.obs.index][:4] == whole.obs_names[[2, 4, 7, 9]].tolist()
    assert (chunks[0].counts.toarray()[:, :4] == whole.X[[2, 4, 7]][:, 5:9].toarray()).all()
    assert chunks[0].counts[:, 4].nnz == 0  # a gene that the corpus lacks
    assert (chunks[0].totals == whole.obs["total_counts"].iloc[[2, 4, 7]]).all()
    skipped = list(read_cells(layout, parts, genes, skip=1))
    assert [c.obs.index.tolist() for c in skipped] == [c.obs.index.tolist() for c in chunks[1:]]


@pytest.mark.parametrize(("value", "shown"), [(0.5, "0.5"), (-1, "-1"), (np.nan, "nan")])
def test_what_is_no_count_is_refused(value, shown):
    with pytest.raises(DatamixError, match=rf"cell 'a:1' has {shown} of gene 'G2'; expected raw counts"):
        make_cells([[1, 2], [3, value]], ["G1", "G2"], totals=[9, 9])


def test_a_total_below_the_counts_is_refused():
    with pytest.raises(DatamixError, match=r"Cell 'a:0' has total_counts 2, but 3 counts"):
        make_cells([[1, 2]], ["G1", "G2"], totals=[2])


def test_cells_are_drawn_with_a_seed():
    """fault 12."""
    part = Part("e", np.arange(10, 90, 2))
    one, again, other = (draw_cells(part, 12, seed=seed).rows for seed in (3, 3, 4))
    assert one.tolist() == again.tolist() == sorted(set(one.tolist()) & set(part.rows.tolist()))
    assert len(one) == 12
    assert one.tolist() != other.tolist()
    assert draw_cells(part, 40, seed=3) is part
