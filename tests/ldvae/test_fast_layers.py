"""Gradients that are written out are those that torch finds: encoders of one layer and of three, and the decoder."""

import copy

import draws_of_torch
import numpy as np
import pytest
import torch
from scvi.nn import Encoder
from torch.distributions import Normal, kl_divergence

from datamix.ldvae.fast_layers import FastDecoder, FastEncoder, Parameters

N_CELLS, N_IN, KL_WEIGHT = 60, 30, 0.3
PRIOR = torch.tensor([[0.5, -0.2, 0.1]]), torch.tensor([[1.5, 0.7, 1.0]])


@pytest.mark.parametrize("layers", [1, 3])
def test_an_encoder_and_its_gradients_are_those_of_scvi_tools(layers):
    torch.manual_seed(1)
    stock = Encoder(N_IN, 3, n_layers=layers, n_hidden=16, return_dist=True).train()
    for name, parameter in stock.named_parameters():
        torch.nn.init.normal_(parameter, std=0.3 if name.endswith("weight") else 1.0)
    ours = copy.deepcopy(stock)
    inputs, upstream = torch.randn(N_CELLS, N_IN), torch.randn(N_CELLS, 3)

    torch.manual_seed(2)
    posterior, sample = stock(inputs)
    divergence = kl_divergence(posterior, Normal(PRIOR[0], PRIOR[1].sqrt())).sum()
    ((sample * upstream).sum() + KL_WEIGHT * divergence).backward()
    first = ours.encoder.fc_layers[0][0]
    parameters = Parameters(p for p in ours.parameters() if p is not first.weight)
    encoder = FastEncoder(ours, *PRIOR)
    torch.manual_seed(2)
    with torch.no_grad():
        found = encoder.forward(inputs @ first.weight.T, draws_of_torch.DrawsOfTorch())
        by_product = encoder.backward(upstream, KL_WEIGHT)

    torch.testing.assert_close(found, sample.detach(), rtol=1e-4, atol=1e-5)
    assert encoder.divergence().item() == pytest.approx(divergence.item(), rel=1e-4)
    close = {"rtol": 1e-3, "atol": 1e-4}
    expected = {name: p.grad for name, p in stock.named_parameters()}
    torch.testing.assert_close(by_product.T @ inputs, expected.pop("encoder.fc_layers.Layer 0.0.weight"), **close)
    gradients = {name: p.grad for name, p in ours.named_parameters() if p.grad is not None}
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], **close, msg=lambda m, n=name: f"{n}: {m}")
    for name, moment in stock.named_buffers():
        torch.testing.assert_close(dict(ours.named_buffers())[name], moment, msg=lambda m, n=name: f"{n}: {m}")

    parameters.release()
    assert all(p.grad is None and p.untyped_storage().nbytes() == 4 * p.numel() for p in ours.parameters())


def test_the_decoder_and_its_gradients_are_those_of_torch():
    torch.manual_seed(3)
    linear, norm = torch.nn.Linear(4, 20, bias=False), torch.nn.BatchNorm1d(20, momentum=0.01, eps=1e-3)
    torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
    torch.nn.init.normal_(norm.bias)
    stock = copy.deepcopy(torch.nn.Sequential(linear, norm))
    z, upstream = torch.randn(N_CELLS, 4) + 2, torch.randn(N_CELLS, 20)
    leaf = z.clone().requires_grad_()
    logits = stock(leaf)
    (logits * upstream).sum().backward()

    Parameters([linear.weight, norm.weight, norm.bias])
    decoder = FastDecoder(linear, norm)
    with torch.no_grad():
        centred, weight, bias = decoder.forward(z)
        by_z = decoder.backward(upstream.T.contiguous())
    torch.testing.assert_close(centred @ weight.T + bias, logits.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(by_z, leaf.grad, rtol=1e-3, atol=1e-4)
    for found, expected in zip((linear.weight, norm.weight, norm.bias), stock.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(norm.running_mean, stock[1].running_mean)
    torch.testing.assert_close(norm.running_var, stock[1].running_var)


def test_what_is_not_a_number_stays_so():
    encoder = Encoder(N_IN, 2, n_layers=1, n_hidden=8).train()
    Parameters(encoder.parameters())
    product = torch.full((N_CELLS, 8), float("nan"))
    with torch.no_grad():
        sample = FastEncoder(encoder, torch.zeros(1), torch.ones(1)).forward(product, np.random.default_rng(0))
    assert sample.isnan().all()
