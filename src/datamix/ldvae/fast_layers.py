"""The layers of an LDVAE with their gradients written out.

They are so small that what torch does to find the gradients by itself costs more than the layers. All is plain torch
without a record (`torch.no_grad`), the loops over hidden values are `fast_kernels`'. What a layer keeps from a forward
pass serves the backward pass that follows it.
"""

from collections.abc import Iterable
from typing import NamedTuple, cast

import numpy as np
import torch
from scvi.nn import Encoder
from torch import nn

from datamix.ldvae import fast_kernels


class Parameters:
    """Parameters of a module, brought into one array, so that Adam's step is one loop.

    Each stays a parameter of its module, a view of that array; its `grad` is a view of the gradients.

    Parameters
    ----------
    parameters
        Of the module, each once.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self._parameters = list(parameters)
        values = torch.cat([p.detach().reshape(-1) for p in self._parameters])
        gradient = torch.zeros_like(values)
        start = 0
        for parameter in self._parameters:
            stop = start + parameter.numel()
            parameter.data = values[start:stop].view_as(parameter)
            parameter.grad = gradient[start:stop].view_as(parameter)
            start = stop
        self._values, self._gradient = values.numpy(), gradient.numpy()
        self.moments = torch.zeros_like(values).numpy(), torch.zeros_like(values).numpy()

    def step(self, *adam: float) -> None:
        """Take Adam's step, with what `fast_kernels.adam` asks for after the moments, in its order."""
        fast_kernels.adam(self._values, self._gradient, *self.moments, *adam)

    def release(self) -> None:
        """Give each parameter an array of its own, and no gradient."""
        for parameter in self._parameters:
            parameter.data, parameter.grad = parameter.data.clone(), None


class _Block(NamedTuple):
    """A hidden layer: linear, BatchNorm, ReLU, dropout."""

    linear: nn.Linear
    norm: nn.BatchNorm1d
    dropout: float


class _Seen(NamedTuple):
    """What a hidden layer keeps for its gradients."""

    inputs: torch.Tensor | None
    out: np.ndarray
    normed: np.ndarray
    inverse: np.ndarray


class FastEncoder:
    """An encoder in training: from the first layer's product to a posterior sample, and back.

    Parameters
    ----------
    encoder
        scvi-tools' encoder. Its parameters have a `grad` to write to (`Parameters`); its running moments move with each
        forward pass.
    prior_mean, prior_variance
        Of the normal prior, each of one value or one a latent dimension.
    """

    def __init__(self, encoder: Encoder, prior_mean: torch.Tensor, prior_variance: torch.Tensor) -> None:
        self._encoder, self._prior_mean, self._prior_variance = encoder, prior_mean, prior_variance
        self._blocks = [_block(block) for block in cast("list[nn.Sequential]", encoder.encoder.fc_layers)]
        self._seen: list[_Seen] = []

    def forward(self, product: torch.Tensor, draws: np.random.Generator) -> torch.Tensor:
        """Go on from the product of the first layer's weights, `(n_cells, n_hidden)`.

        Returns
        -------
        A sample of the posterior, `(n_cells, n_latent)`.
        """
        self._seen = []
        values, inputs = product + self._blocks[0].linear.bias, None
        for linear, norm, dropout in self._blocks:
            if inputs is not None:
                values = torch.addmm(linear.bias, inputs, linear.weight.T)
            shape = tuple(values.shape)
            chances = draws.random(shape, dtype=np.float32) if dropout else np.ones(shape, dtype=np.float32)
            mean, variance, momentum = _running(norm)
            out, inverse = fast_kernels.normalise(
                values.numpy(), _array(norm.weight), _array(norm.bias), chances, dropout, mean.numpy(),
                variance.numpy(), momentum, norm.eps,
            )  # fmt: skip
            self._seen.append(_Seen(inputs, out, values.numpy(), inverse))
            inputs = torch.from_numpy(out)
        hidden = cast("torch.Tensor", inputs)
        for_mean, for_variance = self._encoder.mean_encoder, self._encoder.var_encoder
        self._mean = torch.addmm(for_mean.bias, hidden, for_mean.weight.T)
        self._spread = torch.addmm(for_variance.bias, hidden, for_variance.weight.T).exp_()
        self._variance = self._spread + self._encoder.var_eps
        self._deviation = self._variance.sqrt()
        self._noise = torch.from_numpy(draws.standard_normal(tuple(self._mean.shape), dtype=np.float32))
        return self._mean + self._deviation * self._noise

    def divergence(self) -> torch.Tensor:
        """Return the Kullback–Leibler divergence of the posteriors from the prior, summed over cells, in nats."""
        return divergence(self._mean, self._variance, self._prior_mean, self._prior_variance)

    def backward(self, by_sample: torch.Tensor, kl_weight: float) -> torch.Tensor:
        """Write the gradients of all but the first layer's weights.

        Parameters
        ----------
        by_sample
            Gradient of the loss by the sample, `(n_cells, n_latent)`.
        kl_weight
            What the divergence of a cell weighs in the loss.

        Returns
        -------
        The gradient by the first layer's product, `(n_cells, n_hidden)`.
        """
        by_mean = by_sample + kl_weight / self._prior_variance * (self._mean - self._prior_mean)
        by_variance = by_sample * self._noise / self._deviation
        by_variance += kl_weight * (1 / self._prior_variance - 1 / self._variance)
        hidden = torch.from_numpy(self._seen[-1].out)
        upstream = _linear_backward(self._encoder.mean_encoder, hidden, by_mean)
        upstream += _linear_backward(self._encoder.var_encoder, hidden, by_variance.mul_(self._spread).mul_(0.5))
        for (linear, norm, dropout), (inputs, out, normed, inverse) in zip(
            reversed(self._blocks), reversed(self._seen), strict=True
        ):
            by_values, by_weight, by_bias = fast_kernels.normalise_backward(
                upstream.numpy(), out, normed, inverse, _array(norm.weight), dropout
            )
            _write(norm.weight, torch.from_numpy(by_weight))
            _write(norm.bias, torch.from_numpy(by_bias))
            upstream = torch.from_numpy(by_values)
            # A bias before a BatchNorm changes nothing: its gradient stays 0.
            if inputs is not None:
                _write(linear.weight, upstream.T @ inputs)
                upstream = upstream @ linear.weight
        return upstream


class FastDecoder:
    """The linear decoder and its BatchNorm in training, folded into one product.

    The BatchNorm of z · Wᵀ needs but the mean and the covariance of z, exactly.

    Parameters
    ----------
    linear, norm
        Of the decoder; they have a `grad` to write to (`Parameters`).
    """

    def __init__(self, linear: nn.Linear, norm: nn.BatchNorm1d) -> None:
        self._linear, self._norm = linear, norm
        self.mean = torch.zeros(linear.in_features)
        """The running mean of z, as a BatchNorm would keep it."""
        self.covariance = torch.zeros(linear.in_features, linear.in_features)
        """The running covariance of z, unbiased."""

    def forward(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return z `(n_cells, n_latent)`, weight `(n_genes, n_latent)` and bias whose product is the logits."""
        norm, weight = self._norm, self._linear.weight
        running_mean, running_variance, momentum = _running(norm)
        mean = z.mean(dim=0)
        self._centred = z - mean
        covariance = self._centred.T @ self._centred / len(z)
        self._spanned = weight @ covariance
        variance = (self._spanned * weight).sum(dim=1)
        unbiased = len(z) / (len(z) - 1)
        running_mean.lerp_(weight @ mean, momentum)
        running_variance.lerp_(variance * unbiased, momentum)
        self.mean.lerp_(mean, momentum)
        self.covariance.lerp_(covariance * unbiased, momentum)
        self._inverse = torch.rsqrt(variance + norm.eps)
        self._scale = norm.weight * self._inverse
        self._scaled = weight * self._scale[:, None]
        return self._centred, self._scaled, norm.bias

    def backward(self, by_logit: torch.Tensor) -> torch.Tensor:
        """Write the gradients by weight, scale and bias.

        Parameters
        ----------
        by_logit
            Gradient of the loss by the logits, `(n_genes, n_cells)`.

        Returns
        -------
        The gradient by z, `(n_cells, n_latent)`.
        """
        weight = self._linear.weight
        # In this order the products are four times as fast as in the textbook's.
        by_centred, by_scaled = (self._scaled.T @ by_logit).T, (self._centred.T @ by_logit.T).T
        by_scale = (by_scaled * weight).sum(dim=1)
        by_variance = -0.5 * by_scale * self._scale * self._inverse**2
        by_weight = by_scaled * self._scale[:, None] + 2 * by_variance[:, None] * self._spanned
        by_covariance = weight.T @ (by_variance[:, None] * weight)
        by_centred = torch.addmm(by_centred, self._centred, by_covariance, alpha=2 / len(self._centred))
        _write(weight, by_weight)
        _write(self._norm.weight, by_scale * self._inverse)
        _write(self._norm.bias, by_logit.sum(dim=1))
        return by_centred - by_centred.mean(dim=0)


def divergence(
    mean: torch.Tensor, variance: torch.Tensor, prior_mean: torch.Tensor, prior_variance: torch.Tensor
) -> torch.Tensor:
    """Return the Kullback–Leibler divergence of normals from a normal prior, summed, in nats."""
    ratio = variance / prior_variance
    return 0.5 * (ratio + (mean - prior_mean) ** 2 / prior_variance - 1 - torch.log(ratio)).sum()


def _block(block: nn.Sequential) -> _Block:
    linear, norm, *others = [layer for layer in block if layer is not None]
    dropout = next((layer.p for layer in others if isinstance(layer, nn.Dropout)), 0.0)
    return _Block(cast("nn.Linear", linear), cast("nn.BatchNorm1d", norm), dropout)


def _running(norm: nn.BatchNorm1d) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Count a minibatch in; return the running mean, the running variance and the momentum with which they move."""
    cast("torch.Tensor", norm.num_batches_tracked).add_(1)
    mean, variance = cast("torch.Tensor", norm.running_mean), cast("torch.Tensor", norm.running_var)
    return mean, variance, cast("float", norm.momentum)


def _linear_backward(layer: nn.Linear, inputs: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
    _write(layer.weight, upstream.T @ inputs)
    _write(layer.bias, upstream.sum(dim=0))
    return upstream @ layer.weight


def _write(parameter: torch.Tensor, gradient: torch.Tensor) -> None:
    cast("torch.Tensor", parameter.grad).copy_(gradient)


def _array(parameter: torch.Tensor) -> np.ndarray:
    return parameter.detach().numpy()
