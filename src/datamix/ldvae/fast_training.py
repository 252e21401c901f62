"""Fast training of scvi-tools' `LinearSCVI` on the CPU: the same model, objective and optimiser, reorganised exactly.

What differs from `LinearSCVI.train` is the arithmetic only: minibatches stay sparse; the first layers of both encoders
are one sparse product; the likelihood's special functions are evaluated on the non-zeros; the decoder's BatchNorm takes
its moments from the latent covariance; all gradients are written out; and the dropout decoder, which a negative
binomial does not use, is not evaluated.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
import torch
from scvi.dataloaders import DataSplitter
from scvi.model import LinearSCVI
from scvi.module import LDVAE

from datamix.ldvae import fast_kernels
from datamix.ldvae.fast_layers import FastDecoder, FastEncoder, Parameters, divergence
from datamix.ldvae.fast_likelihood import LARGEST_LOG_LIBRARY, negative_binomial
from datamix.ldvae.model import layers_of, posterior
from datamix.project.errors import DatamixError
from datamix.project.profile import Training

Rows = npt.NDArray[np.int64]

BETAS, ADAM_EPS, WEIGHT_DECAY, KL_WARMUP_EPOCHS = (0.9, 0.999), 0.01, 1e-6, 400
"""The defaults of scvi-tools' training plan."""


def fit(model: LinearSCVI, *, settings: Training, progress: Callable[[int, int], None] | None = None) -> None:
    """Train a new model in place, as `LinearSCVI.train` would.

    Initial weights, split and settings are scvi-tools' own: `scvi.settings.seed` must be set before the model is made.
    The order of the cells, dropout and posterior samples are other draws.

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
        linear, norm = module.decoder.factor_regressor.fc_layers[0][:2]
        # The first layers of both encoders side by side, gene by gene: what one gene needs lies together.
        firsts = [first for _, first, _ in self._encoders]
        # Made by torch, whose arrays begin where vector registers like it; numpy's cost more.
        weights = torch.cat([first.weight for first in firsts]).detach().T.contiguous()
        self._first = weights.numpy()
        self.first_moments = torch.zeros_like(weights).numpy(), torch.zeros_like(weights).numpy()
        # Adam skips what has no gradient, as it does in scvi-tools.
        apart = {id(first.weight) for first in firsts} | {id(p) for p in module.decoder.px_dropout_decoder.parameters()}
        self.parameters = Parameters(p for p in module.parameters() if id(p) not in apart)
        self._z = FastEncoder(module.z_encoder, *self._priors()[0])
        self._library = FastEncoder(module.l_encoder, *self._priors()[1])
        self._decoder = FastDecoder(linear, norm)
        self.draws = np.random.Generator(np.random.SFC64(int(torch.randint(2**62, ()))))
        """Of dropout and posterior samples."""
        self._steps = 0

    @torch.no_grad()
    def step(self, rows: Rows) -> Losses:
        """Take one step on a minibatch, given by its rows."""
        batch = self._gather(rows)
        starts, cells, counts = batch
        logged = np.log1p(counts)
        hidden = torch.from_numpy(fast_kernels.first_layer(starts, cells, logged, self._first, len(rows)))
        of_z, of_library = (half.contiguous() for half in hidden.chunk(2, dim=1))
        z = self._z.forward(of_z, self.draws)
        log_library = self._library.forward(of_library, self.draws)
        likelihood, by_logit, by_library, by_theta = self._likelihood(*self._decoder.forward(z), log_library, batch)
        losses = self._sums(len(rows), likelihood, [self._z.divergence(), self._library.divergence()])

        # The loss is minus the likelihood, a cell.
        share = 1 / len(rows)
        by_z = self._decoder.backward(by_logit.mul_(-share))
        by_hidden = self._z.backward(by_z, share * self.kl_weight), self._library.backward(-share * by_library, share)
        cast("torch.Tensor", self._module.px_r.grad).copy_(by_theta).mul_(-share)

        self._steps += 1
        rate, floor = fast_kernels.adam_pace(self._steps, lr=self._lr, beta1=BETAS[0], beta2=BETAS[1], eps=ADAM_EPS)
        self.parameters.step(rate, *BETAS, floor, WEIGHT_DECAY)
        fast_kernels.update_first_layer(
            starts, cells, logged, torch.cat(by_hidden, dim=1).numpy(), self._first, *self.first_moments,
            rate, *BETAS, floor, WEIGHT_DECAY,
        )  # fmt: skip
        return losses

    @torch.no_grad()
    def evaluate(self, rows: Rows) -> Losses:
        """Compute the losses of a minibatch in evaluation mode, changing nothing."""
        self._module.eval()
        batch = self._gather(rows)
        starts, cells, counts = batch
        hidden = torch.from_numpy(fast_kernels.first_layer(starts, cells, np.log1p(counts), self._first, len(rows)))
        samples, divergences = [], []
        for (encoder, first, rest), half, prior in zip(
            self._encoders, hidden.chunk(2, dim=1), self._priors(), strict=True
        ):
            mean, variance = posterior(encoder, rest, half + first.bias)
            noise = self.draws.standard_normal(tuple(mean.shape), dtype=np.float32)
            samples.append(mean + variance.sqrt() * torch.from_numpy(noise))
            divergences.append(divergence(mean, variance, *prior))
        linear, norm = self._module.decoder.factor_regressor.fc_layers[0][:2]
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        bias = norm.bias - scale * norm.running_mean
        likelihood = self._likelihood(samples[0], linear.weight * scale[:, None], bias, samples[1], batch)[0]
        return self._sums(len(rows), likelihood, divergences)

    @torch.no_grad()
    def finish(self) -> None:
        """Write into the module what was kept apart, and leave it in evaluation mode."""
        self.parameters.release()
        weights = torch.from_numpy(self._first).T.chunk(2)
        for (_, first, _), weight in zip(self._encoders, weights, strict=True):
            first.weight.copy_(weight)
        linear, norm = self._module.decoder.px_dropout_decoder.fc_layers[0][:2]
        # Its weights never change, so its running moments follow from those of z.
        kept = (1 - norm.momentum) ** self._steps
        weight, covariance = linear.weight, self._decoder.covariance
        norm.running_mean.mul_(kept).add_(weight @ self._decoder.mean)
        norm.running_var.mul_(kept).add_(((weight @ covariance) * weight).sum(dim=1))
        norm.num_batches_tracked.add_(self._steps)
        self._module.eval()

    def _gather(self, rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        counts = self._counts
        return fast_kernels.gather(counts.indptr, counts.indices, counts.data, rows, counts.shape[1])

    def _priors(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return mean and variance of the prior of z and of the log library size."""
        return [
            (torch.zeros(1), torch.ones(1)),
            (self._module.library_log_means, self._module.library_log_vars),
        ]

    def _likelihood(
        self,
        z: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        log_library: torch.Tensor,
        batch: tuple[np.ndarray, ...],
    ) -> tuple[float, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the log-likelihood, summed, and its gradients by logits, log library sizes and log θ."""
        rho = torch.addmm(bias[:, None], weight, z.T).softmax(dim=0)
        library = log_library[:, 0].clamp(max=LARGEST_LOG_LIBRARY).exp()
        starts, cells, counts = batch
        total, by_logit, by_library, by_theta = negative_binomial(
            starts, cells, counts, rho.numpy(), library.numpy(), self._module.px_r.exp().numpy()
        )
        of_library = torch.from_numpy(by_library)[:, None]
        return total, torch.from_numpy(by_logit), of_library, torch.from_numpy(by_theta)

    def _sums(self, n_cells: int, likelihood: float, divergences: list[torch.Tensor]) -> Losses:
        of_z, of_library = (divergence.item() for divergence in divergences)
        return Losses(n_cells, self.kl_weight * of_z + of_library - likelihood, -likelihood, of_z + of_library)


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
