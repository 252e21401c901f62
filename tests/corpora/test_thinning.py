import numpy as np
import pytest
from scipy import sparse
from small_grid import small_layout

from datamix.corpora import shares
from datamix.corpora.corpus import n_cells, read_rows
from datamix.corpora.genes import counts_of_cells, read_genes
from datamix.corpora.thinning import Thinning, baseline_depth, thin
from datamix.ldvae.grid import training_cells
from datamix.project.layout import Layout
from datamix.project.mixture_names import name_shares, read_shares
from datamix.project.profile import Composition


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    layout = small_layout(tmp_path_factory.mktemp("thinning"))
    composition = Composition(cells=60, doses=(10, 30), depth_matched=True)
    return Layout(layout.root, layout.profile.model_copy(update={"composition": composition}))


def totals(counts):
    return np.asarray(counts.sum(axis=1)).ravel()


def test_deep_cells_have_the_depth_in_expectation_and_shallow_ones_are_whole():
    rng = np.random.default_rng(0)
    counts = sparse.csr_matrix(rng.poisson(np.array([[4.0]] * 300 + [[1.0]] * 20), (320, 50)), dtype=np.float32)
    before, rows = counts.copy(), np.arange(320)
    thinned = thin(counts, Thinning(100, seed=1), dataset="a", rows=rows)
    assert (counts != before).nnz == 0
    assert thinned.shape == counts.shape
    assert (thinned.data >= 1).all()
    assert (thinned.toarray() <= counts.toarray()).all()
    deep = totals(counts) > 100
    assert deep.sum() >= 300
    assert (thinned[~deep] != counts[~deep]).nnz == 0
    # 300 cells of about 200 counts, each kept with probability one half: a standard error of 0.4.
    assert totals(thinned)[deep].mean() == pytest.approx(100, abs=2)
    # What a cell is made of stays: each gene is thinned alike.
    of_genes = thinned[deep].sum(axis=0) / counts[deep].sum(axis=0)
    assert np.ptp(np.asarray(of_genes)) < 0.15


def test_a_cell_is_thinned_alike_wherever_a_seed_draws_it():
    counts = sparse.csr_matrix(np.full((6, 40), 5.0), dtype=np.float32)
    rows = np.array([9, 4, 17, 2, 30, 11])
    whole = thin(counts, Thinning(60, seed=3), dataset="a", rows=rows)
    part = thin(counts[[4, 1]], Thinning(60, seed=3), dataset="a", rows=rows[[4, 1]])
    assert (part != whole[[4, 1]]).nnz == 0
    assert (whole[0] != whole[1]).nnz > 0
    for other in (
        thin(counts, Thinning(60, seed=4), dataset="a", rows=rows),
        thin(counts, Thinning(60, seed=3), dataset="b", rows=rows),
    ):
        assert (other != whole).nnz > 0


def test_the_depth_is_the_median_of_the_baseline_over_the_shared_genes(layout):
    path, genes = layout.corpus("a"), read_genes(layout)["gene"].to_numpy()
    every = np.arange(n_cells(path))
    for some in (genes, genes[:7]):
        np.testing.assert_allclose(counts_of_cells(path, some), totals(read_rows(path, every, some)))
    assert baseline_depth(layout) == round(np.median(totals(read_rows(path, every, genes))))


def test_in_a_mixture_added_cells_are_thinned_and_those_of_the_baseline_are_not(layout):
    name = shares.thinned_mixture(layout.profile, "other", depth=200)
    assert name == "blood=30+other=30@200"
    assert read_shares(name) == {"blood": 30, "other": 30}
    whole = name_shares(read_shares(name))
    drawn = shares.draw_shares(layout, [whole, name], seed=5)
    for one, other in zip(drawn[whole], drawn[name], strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
    assert [part.thinned for part in drawn[name]] == [None, Thinning(200, 5)]
    cells, thinned = (training_cells(layout, drawn[n]) for n in (whole, name))
    assert thinned.var_names.equals(cells.var_names)
    assert (cells.X[:30] != thinned.X[:30]).nnz == 0
    assert totals(cells.X[30:]).min() > 250  # so that the test is about cells that are thinned
    assert totals(thinned.X[30:]).mean() == pytest.approx(200, abs=10)
    again = training_cells(layout, shares.draw_shares(layout, [name], seed=5)[name])
    assert (again.X != thinned.X).nnz == 0
