import numpy as np
import pytest
import scipy.sparse as sp

from datamix.scoring.kernels import csr_product, normalised_columns


@pytest.fixture
def counts():
    dense = np.random.default_rng(0).poisson(0.4, size=(30, 17)).astype(np.float32)
    dense[3] = 0  # an empty cell
    dense[4, 1:] = 0  # fewer non-zeros than are taken at a time
    return sp.csr_matrix(dense)


def test_the_product_is_that_of_scipy(counts):
    weight = np.random.default_rng(1).normal(size=(17, 9)).astype(np.float32)
    found = csr_product(counts.indptr, counts.indices, counts.data, weight)
    np.testing.assert_allclose(found, counts.toarray() @ weight, rtol=1e-5, atol=1e-5)


def test_normalised_genes_are_those_of_the_whole_matrix(counts):
    chosen = np.array([2, 5, 16])
    places = np.full(17, -1, dtype=np.int32)
    places[chosen] = np.arange(3)
    found = normalised_columns(counts.indptr, counts.indices, counts.data, places, 3, 1e4)
    totals = np.asarray(counts.sum(axis=1)).ravel()
    whole = 1e4 * counts.toarray() / np.where(totals > 0, totals, 1)[:, None]
    np.testing.assert_allclose(found, whole[:, chosen], rtol=1e-6)
    assert not found[3].any()
