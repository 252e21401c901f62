"""The two halves of a trained LDVAE, for evaluation: from cells to the posterior of z, and from z to expression."""

import anndata as ad
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import torch
from scvi.model import LinearSCVI

from datamix.corpora.normalise import COUNTS_PER_CELL, align, chunks
from datamix.ldvae.model import layers_of, posterior
from datamix.project.errors import DatamixError
from datamix.project.threads import one_thread
from datamix.scoring.kernels import csr_product

Array = npt.NDArray[np.float32]
CHUNK_CELLS = 256
"""Cells encoded at a time; a matter of memory only."""


def sample_latent(model: LinearSCVI, adata: ad.AnnData, *, seed: int) -> Array:
    """Draw one posterior sample of z per cell, the one that `score` uses with the same seed.

    Parameters
    ----------
    model
        A trained model.
    adata
        Raw counts, CSR, any genes in any order.
    seed
        Decides the normal deviates.

    Returns
    -------
    Shape `(n_cells, n_latent)`.
    """
    mean, deviation = encode(model, adata)
    return mean + deviation * normal_deviates(*mean.shape, seed=seed)


def encode(model: LinearSCVI, adata: ad.AnnData) -> tuple[Array, Array]:
    """Encode cells: the posterior of z as scvi-tools' encoder gives it in evaluation mode.

    Parameters
    ----------
    model
        A trained model.
    adata
        Raw counts, CSR, any genes in any order (missing ones count as 0).

    Returns
    -------
    Posterior mean and standard deviation, each of shape `(n_cells, n_latent)`.
    """
    cells = align(adata, model.adata.var_names)
    with one_thread(), torch.inference_mode():
        encoder = Encoder(model)
        parts = [encoder(counts) for _, counts in chunks(cells, CHUNK_CELLS)]
    mean, deviation = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
    return mean, deviation


def normal_deviates(n_cells: int, n_latent: int, *, seed: int) -> Array:
    """Draw the standard normal deviates of the posterior samples, shape `(n_cells, n_latent)`."""
    return np.random.default_rng(seed).standard_normal((n_cells, n_latent), dtype=np.float32)


class Encoder:
    """The encoder of z in evaluation mode, with a sparse first product.

    Parameters
    ----------
    model
        A trained model without batches, covariates or another latent distribution than the normal.
    """

    def __init__(self, model: LinearSCVI) -> None:
        module = model.module
        if module.n_batch > 1 or module.z_encoder.distribution != "normal" or not module.log_variational:
            msg = "Only models without batches and with a normal latent on log1p counts are scored; this one differs."
            raise DatamixError(msg, fix="train it with datamix.ldvae.training.train")
        self._encoder = module.eval().z_encoder
        first, self._rest = layers_of(self._encoder)
        self._weight, self._bias = first.weight.detach().T.contiguous().numpy(), first.bias

    def __call__(self, counts: sp.csr_matrix) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and standard deviation of z, `(n_cells, n_latent)` each, for raw counts."""
        logged = np.log1p(counts.data)
        product = csr_product(counts.indptr, counts.indices, logged, self._weight)
        mean, variance = posterior(self._encoder, self._rest, torch.from_numpy(product) + self._bias)
        return mean, variance.sqrt()


class Decoder:
    """The linear decoder in evaluation mode: BatchNorm folded into weights and bias, some genes returned.

    Parameters
    ----------
    model
        A trained model.
    chosen
        Positions of the genes to return; ρ is still a share of all genes.
    """

    def __init__(self, model: LinearSCVI, chosen: npt.NDArray[np.int64]) -> None:
        linear, norm = model.module.decoder.factor_regressor.fc_layers[0][:2]
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        weight, bias = linear.weight * scale[:, None], norm.bias - norm.running_mean * scale
        # The chosen genes first, so that they are a slice of what is computed for all.
        others = np.setdiff1d(np.arange(len(bias)), chosen)
        order = torch.from_numpy(np.concatenate([chosen, others]))
        self._weight, self._bias, self._n_chosen = weight[order], bias[order], len(chosen)

    def __call__(self, z: torch.Tensor) -> torch.Tensor:
        """Return log1p(10,000 · ρ), shape `(n_cells, n_chosen)`."""
        logits = torch.addmm(self._bias, z, self._weight.T)
        # In place: an array of all genes is the largest here.
        shares = logits.sub_(logits.amax(dim=1, keepdim=True)).exp_()
        total = shares.sum(dim=1, keepdim=True)
        return (shares[:, : self._n_chosen] * (COUNTS_PER_CELL / total)).log1p_()
