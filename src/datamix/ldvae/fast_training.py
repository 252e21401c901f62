"""Fast training of scvi-tools' `LinearSCVI` on the CPU: the same model, objective and optimiser, reorganised exactly.

What differs from `LinearSCVI.train` is the arithmetic only: minibatches stay sparse; the first layers of both encoders
are one sparse product; the likelihood's special functions are evaluated on the non-zeros, with an analytic gradient;
the decoder's BatchNorm takes its moments from the latent covariance; and the dropout decoder, which a negative binomial
does not use, is not evaluated.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
import torch
from scvi.dataloaders import DataSplitter
from scvi.model import LinearSCVI
from scvi.module import LDVAE
from scvi.nn import Encoder
from torch import nn

from datamix.ldvae import fast_kernels
from datamix.ldvae.model import layers_of, posterior
from datamix.project.errors import DatamixError
from datamix.project.profile import Training

Rows = npt.NDArray[np.int64]

BETAS, ADAM_EPS, WEIGHT_DECAY, KL_WARMUP_EPOCHS = (0.9, 0.999), 0.01, 1e-6, 400
"""The defaults of scvi-tools' training plan."""


def fit(model: LinearSCVI, *, settings: Training, progress: Callable[[int, int], None] | None = None) -> None:
    """Train a new model in place, as `LinearSCVI.train` would.

    Initial weights, split and settings are scvi-tools' own: `scvi.settings.seed` must be set before the model is made.
    Only the random order of the minibatches is another.

    Parameters
    ----------
    model
        A new model; its cells are integer counts, CSR.
    settings
        Epochs, batch size, learning rate, epochs between validations.
    progress
        Called after each epoch with the epochs done and to do.

    Raises
    ------
    DatamixError
        If the model has an option that the fast path does not compute exactly.
    """
    check_covered(model.module)
    splitter = DataSplitter(model.adata_manager, batch_size=settings.batch_size)
    splitter.setup()
    trainer = FastTrainer(model.module, model.adata.X, lr=settings.lr)
    epochs: list[dict[str, float]] = []
    for epoch in range(settings.max_epochs):
        trainer.kl_weight = min(epoch / KL_WARMUP_EPOCHS, 1.0)
        order = splitter.train_idx[torch.randperm(len(splitter.train_idx)).numpy()]
        means = mean_losses([trainer.step(rows) for rows in _batches(order, settings.batch_size)], "train")
        if (epoch + 1) % settings.check_val_every_n_epoch == 0 and len(splitter.val_idx):
            losses = [trainer.evaluate(rows) for rows in _batches(splitter.val_idx, settings.batch_size)]
            means |= mean_losses(losses, "validation")
        epochs.append(means | {"kl_weight": trainer.kl_weight})
        if progress:
            progress(epoch + 1, settings.max_epochs)
    trainer.finish()
    model.history_ = history(epochs)
    model.train_indices, model.validation_indices = splitter.train_idx, splitter.val_idx
    model.test_indices = splitter.test_idx
    model.is_trained_ = True


class Losses(NamedTuple):
    """Sums over the cells of a minibatch, in nats; `loss` is what is minimised."""

    cells: int
    loss: float
    reconstruction_loss: float
    kl_local: float


class FastTrainer:
    """The training of one LDVAE, a minibatch at a time.

    Parameters
    ----------
    module
        The model's module. Its parameters and running moments change with every step, but for the weights of the first
        layers and the moments of the unused dropout decoder, which `finish` writes.
    counts
        Integer counts, CSR, `(n_cells, n_genes)`.
    lr
        Adam's learning rate.
    """

    def __init__(self, module: LDVAE, counts: sp.csr_matrix, *, lr: float) -> None:
        self.kl_weight = 0.0
        self._module, self._counts, self._lr = module, counts, lr
        self._encoders = [(encoder, *layers_of(encoder)) for encoder in (module.z_encoder, module.l_encoder)]
        self._linear, self._norm = module.decoder.factor_regressor.fc_layers[0][:2]
        # The first layers of both encoders side by side, gene by gene: what one gene needs lies together.
        firsts = [first for _, first, _ in self._encoders]
        self._first = np.ascontiguousarray(torch.cat([first.weight for first in firsts]).detach().T.numpy())
        self.first_moments = np.zeros_like(self._first), np.zeros_like(self._first)
        # Adam skips what has no gradient, as it does in scvi-tools.
        apart = {id(first.weight) for first in firsts} | {id(p) for p in module.decoder.px_dropout_decoder.parameters()}
        parameters = [p for p in module.parameters() if id(p) not in apart]
        self.adam = torch.optim.Adam(
            parameters, lr=lr, betas=BETAS, eps=ADAM_EPS, weight_decay=WEIGHT_DECAY, fused=True
        )
        self._steps = 0
        n_latent = self._linear.weight.shape[1]
        self._latent_mean, self._latent_covariance = torch.zeros(n_latent), torch.zeros(n_latent, n_latent)

    def step(self, rows: Rows) -> Losses:
        """Take one step on a minibatch, given by its rows."""
        if not self._module.training:
            self._module.train()
        starts, cells, counts = self._gather(rows)
        logged = np.log1p(counts)
        hidden = torch.from_numpy(fast_kernels.first_layer(starts, cells, logged, self._first, len(rows)))
        hidden.requires_grad_()
        losses, loss = self._losses((starts, cells, counts), hidden)
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        self._steps += 1
        fast_kernels.update_first_layer(
            starts, cells, logged, cast("torch.Tensor", hidden.grad).numpy(), self._first, *self.first_moments,
            self._steps, self._lr, *BETAS, ADAM_EPS, WEIGHT_DECAY,
        )  # fmt: skip
        return losses

    @torch.no_grad()
    def evaluate(self, rows: Rows) -> Losses:
        """Compute the losses of a minibatch in evaluation mode, changing nothing."""
        if self._module.training:
            self._module.eval()
        starts, cells, counts = self._gather(rows)
        hidden = fast_kernels.first_layer(starts, cells, np.log1p(counts), self._first, len(rows))
        return self._losses((starts, cells, counts), torch.from_numpy(hidden))[0]

    @torch.no_grad()
    def finish(self) -> None:
        """Write into the module what was kept apart, and leave it in evaluation mode."""
        weights = torch.from_numpy(self._first).T.chunk(2)
        for (_, first, _), weight in zip(self._encoders, weights, strict=True):
            first.weight.copy_(weight)
        linear, norm = self._module.decoder.px_dropout_decoder.fc_layers[0][:2]
        # Its weights never change, so its running moments follow from those of z.
        kept = (1 - norm.momentum) ** self._steps
        norm.running_mean.mul_(kept).add_(linear.weight @ self._latent_mean)
        norm.running_var.mul_(kept).add_(_variances(linear.weight, self._latent_covariance))
        norm.num_batches_tracked.add_(self._steps)
        self._module.eval()

    def _gather(self, rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        counts = self._counts
        return fast_kernels.gather(counts.indptr, counts.indices, counts.data, rows, counts.shape[1])

    def _losses(self, batch: tuple[np.ndarray, ...], hidden: torch.Tensor) -> tuple[Losses, torch.Tensor]:
        z_part, l_part = hidden.chunk(2, dim=1)
        z, z_mean, z_variance = _sample(*self._encoders[0], z_part)
        log_library, l_mean, l_variance = _sample(*self._encoders[1], l_part)
        prior_mean, prior_variance = self._module.library_log_means, self._module.library_log_vars
        kl_z = _kl(z_mean, z_variance, torch.zeros(()), torch.ones(()))
        kl_l = _kl(l_mean, l_variance, prior_mean, prior_variance)
        reconstruction = _NegativeBinomial.apply(*self._decode(z), log_library[:, 0], self._module.px_r, batch)
        loss = reconstruction + self.kl_weight * kl_z + kl_l
        sums = Losses(len(z), loss.item(), reconstruction.item(), (kl_z + kl_l).item())
        return sums, loss / len(z)

    def _decode(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Fold the decoder's BatchNorm: returns z, weight and bias whose product is the logits.

        The BatchNorm of z · Wᵀ needs but the mean and the covariance of z, exactly.
        """
        weight, norm = self._linear.weight, self._norm
        if not self._module.training:
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            return z, weight * scale[:, None], norm.bias - scale * norm.running_mean
        mean = z.mean(dim=0)
        centred = z - mean
        covariance = centred.T @ centred / len(z)
        variance = _variances(weight, covariance)
        with torch.no_grad():
            unbiased = len(z) / (len(z) - 1)
            norm.running_mean.lerp_(weight @ mean, norm.momentum)
            norm.running_var.lerp_(variance * unbiased, norm.momentum)
            norm.num_batches_tracked.add_(1)
            self._latent_mean.lerp_(mean, norm.momentum)
            self._latent_covariance.lerp_(covariance * unbiased, norm.momentum)
        scale = norm.weight * torch.rsqrt(variance + norm.eps)
        return centred, weight * scale[:, None], norm.bias


class _NegativeBinomial(torch.autograd.Function):
    """Minus the log-likelihood of a minibatch, summed, as a function of what makes its mean and dispersion."""

    @staticmethod
    def forward(
        ctx: Any,
        z: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        log_library: torch.Tensor,
        log_theta: torch.Tensor,
        batch: tuple[np.ndarray, ...],
    ) -> torch.Tensor:
        rho = torch.addmm(bias[:, None], weight, z.T).softmax(dim=0)
        starts, cells, counts = batch
        library = log_library.clamp(max=fast_kernels.LARGEST_LOG_LIBRARY).exp()
        total, *gradients = fast_kernels.negative_binomial(
            starts, cells, counts, rho.numpy(), library.numpy(), log_theta.exp().numpy()
        )
        by_logit, by_library, by_theta = map(torch.from_numpy, gradients)
        ctx.save_for_backward(z, weight, by_logit, by_library, by_theta)
        return torch.tensor(-total, dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        z, weight, by_logit, by_library, by_theta = ctx.saved_tensors
        # In this order the products are four times as fast as in the textbook's.
        by_z, by_weight = (weight.T @ by_logit).T, (z.T @ by_logit.T).T
        gradients = by_z, by_weight, by_logit.sum(dim=1), by_library, by_theta
        return *(-upstream * gradient for gradient in gradients), None


def check_covered(module: LDVAE) -> None:
    """Raise a `DatamixError` where a model has an option that is not computed exactly here."""
    covered = {
        "one batch": module.n_batch <= 1,
        "gene_likelihood 'nb'": module.gene_likelihood == "nb",
        "dispersion 'gene'": module.dispersion == "gene",
        "latent_distribution 'normal'": module.latent_distribution == "normal",
        "log_variational": module.log_variational,
        "an encoded library size": not module.use_observed_lib_size,
        "BatchNorm in the decoder": module.use_batch_norm,
        "no bias in the decoder": module.decoder.factor_regressor.fc_layers[0][0].bias is None,
    }
    missing = [what for what, holds in covered.items() if not holds]
    if missing:
        msg = f"Fast training expects {', '.join(missing)}; this model differs."
        raise DatamixError(msg, fix="train it with `trainer: scvi`")


def _sample(
    encoder: Encoder, first: nn.Linear, rest: list[nn.Module], product: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Go on from the first layer's product to a posterior sample, its mean and its variance."""
    mean, variance = posterior(encoder, rest, product + first.bias)
    return mean + variance.sqrt() * torch.randn_like(mean), mean, variance


def _kl(mean: torch.Tensor, variance: torch.Tensor, prior_mean: torch.Tensor, prior: torch.Tensor) -> torch.Tensor:
    """Return the Kullback–Leibler divergence of normals from a normal prior, summed."""
    return 0.5 * ((variance + (mean - prior_mean) ** 2) / prior - 1 - torch.log(variance / prior)).sum()


def _variances(weight: torch.Tensor, covariance: torch.Tensor) -> torch.Tensor:
    """Return the diagonal of W C Wᵀ."""
    return ((weight @ covariance) * weight).sum(dim=1)


def _batches(rows: Rows, size: int) -> Iterator[Rows]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def mean_losses(losses: list[Losses], kind: str) -> dict[str, float]:
    """Average over cells, under the names that scvi-tools gives."""
    cells, loss, reconstruction, kl_local = (sum(column) for column in zip(*losses, strict=True))
    if kind == "train" and not np.isfinite(loss):
        msg = f"Training diverged: the loss is {loss}, expected a finite number."
        raise DatamixError(msg, fix="lower training.lr in the profile")
    return {
        f"{kind}_loss": loss / cells,
        f"elbo_{kind}": (reconstruction + kl_local) / cells,
        f"reconstruction_loss_{kind}": reconstruction / cells,
        f"kl_local_{kind}": kl_local / cells,
        f"kl_global_{kind}": 0.0,
    }


def history(epochs: list[dict[str, float]]) -> dict[str, pd.DataFrame]:
    """Return the history as scvi-tools keeps it: a table a quantity, indexed by epoch."""
    table = pd.DataFrame(epochs).rename_axis("epoch")
    return {str(name): table[[name]].dropna() for name in table}
