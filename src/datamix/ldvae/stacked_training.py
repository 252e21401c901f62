"""Training several LDVAEs as one stacked model: for a GPU, which a single one of these small models leaves idle.

The same arithmetic as `fast_training`, in plain torch and with a leading axis of models: counts stay on the device as
CSR, minibatches are gathered there, and every model draws from its own generator, so that none depends on its company.
Models trained together have the same number of cells, and so the same minibatches.

Initial weights, the split and every sum are those of `fast_training`, within rounding. The order of the cells, dropout
and posterior samples are other draws, and on a GPU others than on a CPU: models trained alone and in a stack on one
device are equal within rounding (tests: loadings within 1e-4 relative, or a tenth of the learning rate), while one
trained by `fast_training`, or on another device, differs from them as it would with another order of its cells.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import torch
from scvi.dataloaders import DataSplitter
from scvi.model import LinearSCVI
from torch.nn import functional

from datamix.ldvae.fast_likelihood import EPS, LARGEST_LOG_LIBRARY
from datamix.ldvae.fast_training import (
    ADAM_EPS,
    BETAS,
    KL_WARMUP_EPOCHS,
    WEIGHT_DECAY,
    Losses,
    check_covered,
    history,
    mean_losses,
)
from datamix.project.errors import DatamixError
from datamix.project.profile import Training

Stack = dict[str, torch.Tensor]
MOMENTUM, NORM_EPS = 0.01, 1e-3
"""Of scvi-tools' BatchNorm layers."""


def fit(
    models: Iterable[LinearSCVI],
    *,
    seed: int,
    settings: Training,
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
) -> list[LinearSCVI]:
    """Train new models of one size in place, side by side on one device.

    Parameters
    ----------
    models
        New models with the same genes and the same number of cells (integer counts, CSR). They may be made one at a
        time: each one's counts leave the host (`drop_counts`) before the next is asked for.
    seed
        Decides the order of the cells, dropout and posterior samples, of each model alike.
    settings
        Epochs, batch size, learning rate, epochs between validations.
    device
        Where to train.
    progress
        Called after each epoch with the epochs done and to do.

    Returns
    -------
    The models, trained, without counts.

    Raises
    ------
    DatamixError
        If the models differ in size, or have an option that is not computed exactly.
    torch.cuda.OutOfMemoryError
        If the device's memory does not hold them together; nothing of these models can be used then.
    """
    trainer = StackedTrainer(models, lr=settings.lr, seed=seed, device=device)
    splitters = [DataSplitter(model.adata_manager, batch_size=settings.batch_size) for model in trainer.models]
    for splitter in splitters:
        splitter.setup()
    train, held_out = (np.stack([getattr(s, name) for s in splitters]) for name in ("train_idx", "val_idx"))
    epochs: list[list[dict[str, float]]] = []
    for epoch in range(settings.max_epochs):
        trainer.kl_weight = min(epoch / KL_WARMUP_EPOCHS, 1.0)
        means = _means([trainer.step(rows) for rows in _batches(trainer.shuffle(train), settings.batch_size)], "train")
        if (epoch + 1) % settings.check_val_every_n_epoch == 0 and held_out.size:
            losses = [trainer.evaluate(rows) for rows in _batches(held_out, settings.batch_size)]
            means = [a | b for a, b in zip(means, _means(losses, "validation"), strict=True)]
        epochs.append([row | {"kl_weight": trainer.kl_weight} for row in means])
        if progress:
            progress(epoch + 1, settings.max_epochs)
    trainer.finish()
    for model, splitter, rows in zip(trainer.models, splitters, zip(*epochs, strict=True), strict=True):
        model.history_ = history(list(rows))
        model.train_indices, model.validation_indices = splitter.train_idx, splitter.val_idx
        model.test_indices = splitter.test_idx
        model.is_trained_ = True
    return trainer.models


def drop_counts(model: LinearSCVI) -> None:
    """Take the counts from a model's `adata`, which keeps its shape and names.

    scvi-tools lists the cells of every model for as long as the process lives, so that they stay in memory when the
    model is gone.
    """
    model.adata.X = sp.csr_matrix(model.adata.shape, dtype=np.float32)


class StackedTrainer:
    """The training of several LDVAEs, a minibatch of each at a time.

    Parameters
    ----------
    models
        New models of one size, as in `fit`.
    lr
        Adam's learning rate.
    seed
        Of every model's generator.
    device
        Where parameters and counts are kept.
    """

    def __init__(self, models: Iterable[LinearSCVI], *, lr: float, seed: int, device: torch.device) -> None:
        self.kl_weight = 0.0
        self._device = device
        self.models = self._take(models)
        self._modules = [model.module for model in self.models]
        self._generators = [torch.Generator(device).manual_seed(seed) for _ in self.models]
        self._orders = [np.random.default_rng(seed) for _ in self.models]
        states = [module.state_dict() for module in self._modules]
        self._stack: Stack = {name: torch.stack([state[name] for state in states]).to(device) for name in states[0]}
        trained = [
            name for name, _ in self._modules[0].named_parameters() if not name.startswith("decoder.px_dropout_decoder")
        ]
        for name in trained:
            self._stack[name].requires_grad_()
        self.adam = torch.optim.Adam(
            [self._stack[name] for name in trained],
            lr=lr,
            betas=BETAS,
            eps=ADAM_EPS,
            weight_decay=WEIGHT_DECAY,
            fused=True,
        )
        layers = self._modules[0].z_encoder.modules()
        self._dropout = next((layer.p for layer in layers if isinstance(layer, torch.nn.Dropout)), 0.0)
        self._n_layers = len(self._modules[0].z_encoder.encoder.fc_layers)
        self._var_eps = self._modules[0].z_encoder.var_eps

    def shuffle(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return every model's rows in its next random order, shape `(n_models, n_cells)`."""
        return np.stack([generator.permutation(r) for generator, r in zip(self._orders, rows, strict=True)])

    def step(self, rows: npt.NDArray[np.int64]) -> torch.Tensor:
        """Take one step on a minibatch of each model, given by rows `(n_models, n_cells)`; returns `_losses`' sums."""
        losses, loss = self._losses(rows, training=True)
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return losses

    @torch.no_grad()
    def evaluate(self, rows: npt.NDArray[np.int64]) -> torch.Tensor:
        """Compute the losses in evaluation mode, changing nothing but the generators."""
        return self._losses(rows, training=False)[0]

    @torch.no_grad()
    def finish(self) -> None:
        """Write every model's parameters and moments into its module, on the CPU."""
        for i, module in enumerate(self._modules):
            module.load_state_dict({name: values[i].detach().cpu() for name, values in self._stack.items()})
            module.eval()

    def _take(self, models: Iterable[LinearSCVI]) -> list[LinearSCVI]:
        """Bring the counts of one model after another to the device; put into one array, they would be there twice."""
        taken: list[LinearSCVI] = []
        starts, sizes = [], []
        self._genes: list[torch.Tensor] = []
        self._data: list[torch.Tensor] = []
        for model in models:
            check_covered(model.module)
            taken.append(model)
            _require_one_size(taken)
            counts = model.adata.X
            starts.append(torch.from_numpy(counts.indptr[:-1].astype(np.int64)))
            sizes.append(np.diff(counts.indptr).astype(np.int64))
            self._genes.append(torch.from_numpy(counts.indices.astype(np.int32, copy=False)).to(self._device))
            self._data.append(torch.from_numpy(counts.data.astype(np.float32, copy=False)).to(self._device))
            drop_counts(model)
            del counts  # before the next model's are read
        self._starts = torch.stack(starts).to(self._device)
        # Kept on the CPU, where the sizes of results are needed, so that no step waits for the device.
        self._sizes = np.stack(sizes)
        return taken

    def _gather(self, rows: npt.NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the non-zeros of a minibatch: places in the flat `(models, cells, genes)` array, and counts."""
        host_sizes = np.take_along_axis(self._sizes, rows, axis=1)
        starts = self._starts.gather(1, torch.from_numpy(rows).to(self._device)).ravel()
        sizes = torch.from_numpy(host_sizes.ravel()).to(self._device)
        n_genes, of_each = self._modules[0].px_r.shape[0], host_sizes.sum(axis=1).tolist()
        cells = torch.repeat_interleave(torch.arange(len(sizes), device=self._device), sizes, output_size=sum(of_each))
        within = torch.arange(sum(of_each), device=self._device) - (sizes.cumsum(0) - sizes)[cells]
        sources = (starts[cells] + within).split(of_each)
        genes, data = (
            torch.cat([values[source] for values, source in zip(of, sources, strict=True)])
            for of in (self._genes, self._data)
        )
        return cells * n_genes + genes, data

    def _losses(self, rows: npt.NDArray[np.int64], *, training: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Return sums over cells (4, n_models): cells, loss, reconstruction, KL; and what is minimised."""
        index, counts = self._gather(rows)
        shape = (*rows.shape, self._modules[0].px_r.shape[0])
        logged = torch.zeros(shape, device=self._device)
        logged.view(-1)[index] = counts.log1p()
        z, kl_z = self._encode("z", logged, None, training=training)
        prior = self._stack["library_log_means"], self._stack["library_log_vars"]
        log_library, kl_l = self._encode("l", logged, prior, training=training)
        logits = self._decode(z, training=training)
        reconstruction = _NegativeBinomial.apply(logits, log_library[..., 0], self._stack["px_r"], index, counts)
        loss = reconstruction + self.kl_weight * kl_z + kl_l
        n_cells = rows.shape[1]
        sums = torch.stack([torch.full_like(loss, n_cells), loss, reconstruction, kl_z + kl_l]).detach()
        return sums, loss.sum() / n_cells

    def _encode(
        self, letter: str, x: torch.Tensor, prior: tuple[torch.Tensor, torch.Tensor] | None, *, training: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return posterior samples `(models, cells, latent)` and KL divergences from the prior `(models,)`."""
        name = f"{letter}_encoder"
        for layer in range(self._n_layers if letter == "z" else 1):
            block = f"{name}.encoder.fc_layers.Layer {layer}"
            x = functional.relu(self._norm(self._linear(x, f"{block}.0"), f"{block}.1", training=training))
            if training and self._dropout > 0:
                kept = self._draw(torch.rand, x.shape) >= self._dropout
                x = x * kept / (1 - self._dropout)
        mean = self._linear(x, f"{name}.mean_encoder")
        variance = self._linear(x, f"{name}.var_encoder").exp() + self._var_eps
        centre, spread = prior or (torch.zeros_like(mean[:, :1]), torch.ones_like(mean[:, :1]))
        divergence = (variance + (mean - centre) ** 2) / spread - 1 - torch.log(variance / spread)
        sample = mean + variance.sqrt() * self._draw(torch.randn, mean.shape)
        return sample, 0.5 * divergence.sum(dim=(1, 2))

    def _decode(self, z: torch.Tensor, *, training: bool) -> torch.Tensor:
        """Return logits `(models, cells, genes)`; the BatchNorm takes its moments from those of z."""
        used, unused = (f"decoder.{name}.fc_layers.Layer 0" for name in ("factor_regressor", "px_dropout_decoder"))
        weight, variance = self._stack[f"{used}.0.weight"], self._stack[f"{used}.1.running_var"]
        bias = self._stack[f"{used}.1.bias"]
        if training:
            mean = z.mean(dim=1, keepdim=True)
            z = z - mean
            covariance = z.mT @ z / z.shape[1]
            variance = ((weight @ covariance) * weight).sum(dim=-1)
            with torch.no_grad():
                # Not used by a negative binomial, but scvi-tools moves its running moments all the same.
                other = self._stack[f"{unused}.0.weight"]
                self._see(f"{unused}.1", (mean @ other.mT)[:, 0], ((other @ covariance) * other).sum(-1), z.shape[1])
                self._see(f"{used}.1", (mean @ weight.mT)[:, 0], variance, z.shape[1])
        scale = self._stack[f"{used}.1.weight"] * torch.rsqrt(variance + NORM_EPS)
        if not training:
            bias = bias - scale * self._stack[f"{used}.1.running_mean"]
        return torch.baddbmm(bias[:, None], z, (weight * scale[..., None]).mT)

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return torch.baddbmm(self._stack[f"{name}.bias"][:, None], x, self._stack[f"{name}.weight"].mT)

    def _norm(self, x: torch.Tensor, name: str, *, training: bool) -> torch.Tensor:
        mean, variance = (self._stack[f"{name}.running_{part}"] for part in ("mean", "var"))
        if training:
            mean, variance = x.mean(dim=1), x.var(dim=1, correction=0)
            self._see(name, mean.detach(), variance.detach(), x.shape[1])
        scale = self._stack[f"{name}.weight"] * torch.rsqrt(variance + NORM_EPS)
        return (x - mean[:, None]) * scale[:, None] + self._stack[f"{name}.bias"][:, None]

    def _see(self, name: str, mean: torch.Tensor, variance: torch.Tensor, n_cells: int) -> None:
        """Move a BatchNorm's running moments, the variance unbiased, as torch does."""
        self._stack[f"{name}.running_mean"].lerp_(mean, MOMENTUM)
        self._stack[f"{name}.running_var"].lerp_(variance * (n_cells / (n_cells - 1)), MOMENTUM)
        self._stack[f"{name}.num_batches_tracked"].add_(1)

    def _draw(self, draw: Callable[..., torch.Tensor], shape: torch.Size) -> torch.Tensor:
        return torch.stack([draw(shape[1:], generator=g, device=self._device) for g in self._generators])


class _NegativeBinomial(torch.autograd.Function):
    """Minus the log-likelihood of each model's minibatch, summed over cells and genes.

    As `fast_likelihood.negative_binomial`: special functions on the non-zeros only, gradients written out.
    """

    @staticmethod
    def forward(
        ctx: Any,
        logits: torch.Tensor,
        log_library: torch.Tensor,
        log_theta: torch.Tensor,
        index: torch.Tensor,
        x: torch.Tensor,
    ) -> torch.Tensor:
        _, n_cells, n_genes = logits.shape
        rho, theta = logits.softmax(dim=-1), log_theta.exp()[:, None]
        mean = rho * log_library.clamp(max=LARGEST_LOG_LIBRARY).exp()[..., None]
        inverse = 1 / (theta + mean + EPS)
        share = mean / (theta + EPS)
        value = -theta * share.log1p()
        slope = value / theta + theta / (theta + EPS) * mean * inverse
        by_logit = -theta * mean * inverse
        genes = index % n_genes + index // (n_genes * n_cells) * n_genes
        at, mu, turn = theta.reshape(-1)[genes], mean.view(-1)[index], inverse.view(-1)[index]
        value.view(-1)[index] += (
            torch.lgamma(x + at) - torch.lgamma(at) - torch.lgamma(x + 1) + x * torch.log((mu + EPS) * turn)
        )
        slope.view(-1)[index] += torch.digamma(x + at) - torch.digamma(at) - x * turn
        by_logit.view(-1)[index] += x * mu * (1 / (mu + EPS) - turn)
        by_library = by_logit.sum(dim=-1)
        by_logit -= rho * by_library[..., None]
        ctx.save_for_backward(by_logit, by_library, slope.sum(dim=1) * theta[:, 0])
        return -value.sum(dim=(1, 2))

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        by_logit, by_library, by_theta = ctx.saved_tensors
        up = -upstream[:, None]
        return up[..., None] * by_logit, up * by_library, up * by_theta, None, None


def _require_one_size(models: list[LinearSCVI]) -> None:
    if models[-1].adata.shape != models[0].adata.shape:
        shapes = ", ".join(f"{model.adata.n_obs} × {model.adata.n_vars}" for model in models)
        msg = f"Models trained together must have the same number of cells and genes, found {shapes}."
        raise DatamixError(msg, fix="train those of one size together")


def _batches(rows: npt.NDArray[np.int64], size: int) -> list[npt.NDArray[np.int64]]:
    return [rows[:, start : start + size] for start in range(0, rows.shape[1], size)]


def _means(losses: list[torch.Tensor], kind: str) -> list[dict[str, float]]:
    """Average each model's losses over cells; the one point of an epoch where the device is waited for."""
    sums = torch.stack(losses).sum(dim=0).cpu().numpy()
    return [mean_losses([Losses(int(column[0]), *map(float, column[1:]))], kind) for column in sums.T]
