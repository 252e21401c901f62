"""The likelihood and its gradient are those of torch's distribution in double precision, and finite at extremes."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.distributions import NegativeBinomial

from datamix.ldvae import stacked_training
from datamix.ldvae.fast_likelihood import LARGEST_LOG_LIBRARY, negative_binomial


def test_likelihood_and_its_gradient_in_double_precision():
    generator = np.random.default_rng(2)
    dense = generator.negative_binomial(0.3, 0.05, size=(30, 40)).astype(np.float32)
    dense[0, :6] = 15, 16, 17, 18, 400, 90_000
    batch = sp.csc_matrix(dense)
    logits = torch.from_numpy(generator.normal(size=(40, 30))).requires_grad_()
    log_library = torch.from_numpy(generator.normal(6, 1, size=30)).requires_grad_()
    log_theta = torch.from_numpy(generator.normal(0, 2, size=40)).requires_grad_()
    rho, library, theta = logits.softmax(0), log_library.exp(), log_theta.exp()

    mean = library * rho
    # torch's own distribution; scvi-tools adds 1e-8 within logarithms, which is not seen here.
    reference = NegativeBinomial(theta[:, None], logits=mean.log() - log_theta[:, None])
    expected = reference.log_prob(torch.from_numpy(dense.T)).sum()
    expected.backward()
    single = [v.detach().float().numpy() for v in (rho, library, theta)]
    total, by_logit, by_library, by_theta = negative_binomial(batch.indptr, batch.indices, batch.data, *single)

    assert total == pytest.approx(expected.item(), rel=1e-6)
    for found, leaf in ((by_logit, logits), (by_library, log_library), (by_theta, log_theta)):
        np.testing.assert_allclose(found, leaf.grad.numpy(), rtol=1e-4, atol=1e-6 * leaf.grad.abs().max().item())


def test_extreme_dispersions_have_a_finite_likelihood():
    generator = np.random.default_rng(4)
    dense = generator.negative_binomial(0.3, 0.05, size=(30, 40)).astype(np.float32)
    batch = sp.csc_matrix(dense)
    rho = np.full((40, 30), 1 / 40, dtype=np.float32)
    library = np.full(30, 1e4, dtype=np.float32)
    for theta in (1e-12, 1e12):
        found = negative_binomial(
            batch.indptr, batch.indices, batch.data, rho, library, np.full(40, theta, dtype=np.float32)
        )
        assert all(np.isfinite(of).all() for of in found)


@pytest.mark.parametrize("level", [60, 300])
def test_library_sizes_beyond_single_precision_keep_their_gradient(level):
    generator = np.random.default_rng(3)
    dense = generator.negative_binomial(0.3, 0.05, size=(5, 40)).astype(np.float32)
    log_library = torch.full((5,), float(level), dtype=torch.float64).requires_grad_()
    logits, log_theta = torch.from_numpy(generator.normal(size=(40, 5))), torch.from_numpy(generator.normal(size=40))
    of_mean = log_library + logits.log_softmax(0) - log_theta[:, None]
    NegativeBinomial(log_theta.exp()[:, None], logits=of_mean).log_prob(torch.from_numpy(dense.T)).sum().backward()

    single = [log_library.detach().float(), log_theta.float()]
    batch = sp.csc_matrix(dense)
    library = single[0].clamp(max=LARGEST_LOG_LIBRARY).exp().numpy()
    value, _, by_library, _ = negative_binomial(
        batch.indptr, batch.indices, batch.data, logits.float().softmax(0).numpy(), library, single[1].exp().numpy()
    )
    stacked = [v[None].clone().requires_grad_() for v in single]
    index = torch.from_numpy(np.flatnonzero(dense))
    counts = torch.from_numpy(dense.reshape(-1))[index]
    together = stacked_training._NegativeBinomial.apply(logits.float().T[None].contiguous(), *stacked, index, counts)
    together.sum().backward()

    for of, found in ((value, by_library), (together.item(), -stacked[0].grad[0].numpy())):
        assert np.isfinite(of)
        np.testing.assert_allclose(found, log_library.grad.numpy(), rtol=1e-4)
