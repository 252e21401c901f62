"""The compiled loops: a batch gene by gene, the first layer, Adam."""

import numpy as np
import scipy.sparse as sp
import torch

from datamix.ldvae import fast_kernels

N_CELLS, N_GENES = 150, 80


def test_gather_lists_the_batch_gene_by_gene():
    counts = simulate()
    rows = np.array([9, 3, 140])
    starts, cells, values = fast_kernels.gather(counts.indptr, counts.indices, counts.data, rows, N_GENES)
    found = sp.csc_matrix((values, cells, starts), shape=(3, N_GENES))
    np.testing.assert_array_equal(found.toarray(), counts[rows].toarray())


def test_adam_is_that_of_torch():
    generator = np.random.default_rng(1)
    settings = {"lr": 5e-3, "eps": 0.01, "weight_decay": 1e-3, "betas": (0.9, 0.999)}
    expected = torch.nn.Parameter(torch.from_numpy(generator.normal(size=50).astype(np.float32)))
    found, moments = expected.detach().clone().numpy(), [np.zeros(50, dtype=np.float32) for _ in range(2)]
    adam = torch.optim.Adam([expected], **settings)
    for step in range(1, 6):
        gradient = generator.normal(size=50).astype(np.float32)
        expected.grad = torch.from_numpy(gradient)
        adam.step()
        rate, floor = fast_kernels.adam_pace(step, lr=5e-3, beta1=0.9, beta2=0.999, eps=0.01)
        fast_kernels.adam(found, gradient, *moments, rate, 0.9, 0.999, floor, 1e-3)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-5)


def test_first_layer_and_its_step_are_those_of_dense_products():
    counts, generator = simulate(), np.random.default_rng(2)
    rows = np.arange(40)
    starts, cells, values = fast_kernels.gather(counts.indptr, counts.indices, counts.data, rows, N_GENES)
    weight = generator.normal(size=(N_GENES, 16)).astype(np.float32)
    dense = np.log1p(counts[rows].toarray())
    found = fast_kernels.first_layer(starts, cells, np.log1p(values), weight, len(rows))
    np.testing.assert_allclose(found, dense @ weight, rtol=1e-4, atol=1e-4)

    upstream = generator.normal(size=(40, 16)).astype(np.float32)
    moments = np.zeros_like(weight), np.zeros_like(weight)
    fast_kernels.update_first_layer(
        starts, cells, np.log1p(values), upstream, weight.copy(), *moments, 1e-3, 0.9, 0.999, 0.01, 0.0
    )
    np.testing.assert_allclose(moments[0], 0.1 * dense.T @ upstream, rtol=1e-4, atol=1e-4)


def simulate() -> sp.csr_matrix:
    dense = np.random.default_rng(0).negative_binomial(0.5, 0.2, size=(N_CELLS, N_GENES)).astype(np.float32)
    return sp.csr_matrix(dense)
