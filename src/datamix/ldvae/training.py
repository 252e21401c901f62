"""Linearly decoded variational autoencoders: trained, saved and loaded as scvi-tools' own `LinearSCVI`."""

import gc
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from typing import Any

import anndata as ad
import lightning.pytorch as pl
import numpy as np
import scipy.sparse as sp
import torch
from scvi.model import LinearSCVI

from datamix.ldvae import fast_training, stacked_training
from datamix.ldvae.model import new_model, quiet
from datamix.project.errors import DatamixError
from datamix.project.profile import Training
from datamix.project.provenance import hardware
from datamix.project.threads import one_thread
from datamix.sources.formats.raw_counts import require_counts

Progress = Callable[[int, int], None]
"""Called after each epoch with the epochs done and the epochs to do."""

_PACKAGES = ("anndata", "datamix", "lightning", "numpy", "scipy", "scvi-tools", "torch")


def train(adata: ad.AnnData, *, seed: int, settings: Training) -> LinearSCVI:
    """Train an LDVAE on raw counts.

    The model is scvi-tools' `LinearSCVI` with its defaults beyond `settings`: encoder on log(1 + x) with hidden layers
    of 128, encoded library size, negative binomial likelihood with a dispersion a gene, KL weight rising over 400
    epochs, Adam (eps 0.01, weight decay 1e-6), 90 % of the cells for training. On a CPU one thread is used: the
    tensors are small, and models run side by side.

    The global generators of torch, numpy and Python are seeded with `seed`, as scvi-tools does.

    Parameters
    ----------
    adata
        Raw counts, CSR, shape `(n_cells, n_genes)`; not changed.
    seed
        Decides initial weights, the split, the order of the cells and the posterior samples.
    settings
        Epochs, learning rate and so on; `settings.trainer` chooses `LinearSCVI.train` or the fast trainer.

    Returns
    -------
    The trained model. `model.training_record` says how it was made (a dict that JSON can hold).

    Raises
    ------
    DatamixError
        If `adata` does not hold raw counts in CSR form, a cell has none, or the cells are too few.

    References
    ----------
    Svensson et al. 2020, doi:10.1093/bioinformatics/btaa169.
    """
    ((_, model),) = train_together([""], lambda _: adata, seed=seed, settings=settings)
    model.adata.X = adata.X
    return model


def train_together(
    names: Sequence[str],
    read: Callable[[str], ad.AnnData],
    *,
    seed: int,
    settings: Training,
    say: Callable[[str], None] = print,
) -> Iterator[tuple[str, LinearSCVI]]:
    """Train several LDVAEs: on a GPU as one stacked model, otherwise one after another.

    Where the memory of the GPU does not hold all at once, half as many are trained together, and so on down to one at
    a time, and at last on the CPU. Every attempt starts from new models. How many are trained together changes a model
    by rounding only; on the CPU the order of its cells, dropout and posterior samples are other draws, while initial
    weights, split and objective are the same (see `stacked_training`).

    Parameters
    ----------
    names
        Of the models.
    read
        Returns the raw counts of a name, as in `train`; on a GPU all of one shape. It is called when they are needed,
        and again where an attempt failed, and they are not kept: at any time the host holds those of one model.
    seed, settings
        As in `train`, for every model alike.
    say
        Called with a line where fewer models are trained together than asked for.

    Yields
    ------
    Name and trained model, as soon as it is trained, in the order given. Its `adata` has names, but no counts;
    `seconds` in its `training_record` is its share of the time of those that were trained together.

    Raises
    ------
    DatamixError
        As `train`, or if models that are stacked differ in shape.
    """
    stacked_on = stacking_device() if settings.trainer == "fast" else None
    waiting, together = list(names), len(names) if stacked_on else 0
    while waiting:
        group = waiting[: max(together, 1)]
        began = time.perf_counter()
        new = (_new_checked(read(name), seed=seed, settings=settings) for name in group)
        with one_thread(), quiet():
            if together and stacked_on:
                models = _fit_stacked(new, seed=seed, settings=settings, device=stacked_on)
            else:
                fit = fast_training.fit if settings.trainer == "fast" else fit_stock
                models = list(new)
                fit(models[0], settings=settings)
                stacked_training.drop_counts(models[0])
        if not models:
            together //= 2
            how = f"training {together} together" if together else "training on the CPU"
            count = f"{len(group)} models" if len(group) > 1 else "a model"
            say(f"the memory of the GPU does not hold {count} of this size: {how}")
            continue
        seconds = (time.perf_counter() - began) / len(group)
        device = stacked_on if together and stacked_on else models[0].device
        for name, model in zip(group, models, strict=True):
            model.training_record = _record(model, seed=seed, settings=settings, seconds=seconds, device=device)
            model.training_record["trained_together"] = len(group)
            yield name, model
        waiting = waiting[len(group) :]


def stacking_device() -> torch.device | None:
    """Return the device on which models are stacked: a GPU where there is one."""
    return torch.device("cuda") if torch.cuda.is_available() else None


def _fit_stacked(new: Iterator[LinearSCVI], *, seed: int, settings: Training, device: torch.device) -> list[LinearSCVI]:
    """Train models as one; none come back where the memory of the device does not hold them."""
    try:
        return stacked_training.fit(new, seed=seed, settings=settings, device=device)
    except torch.cuda.OutOfMemoryError:
        pass
    # Only now, with the error gone, does nothing hold what was on the device.
    gc.collect()
    torch.cuda.empty_cache()
    return []


def _new_checked(adata: ad.AnnData, *, seed: int, settings: Training) -> LinearSCVI:
    _check_counts(adata)
    return new_model(adata, seed=seed, settings=settings)


def _record(
    model: LinearSCVI, *, seed: int, settings: Training, seconds: float, device: torch.device
) -> dict[str, Any]:
    return {
        "trainer": settings.trainer,
        "settings": settings.model_dump(),
        "seed": seed,
        "cells": model.adata.n_obs,
        "genes": model.adata.n_vars,
        "seconds": round(seconds, 3),
        "hardware": hardware(device),
        "versions": {package: version(package) for package in _PACKAGES} | {"python": platform.python_version()},
    }


def fit_stock(model: LinearSCVI, *, settings: Training, progress: Progress | None = None) -> None:
    """Train a new model in place by `LinearSCVI.train`, leaving no logs and no checkpoints.

    Parameters
    ----------
    model
        A new model.
    settings
        Epochs, batch size, learning rate, epochs between validations.
    progress
        Called after each epoch.
    """
    with quiet():
        model.train(
            max_epochs=settings.max_epochs,
            accelerator="auto",
            devices=1,
            batch_size=settings.batch_size,
            early_stopping=False,
            check_val_every_n_epoch=settings.check_val_every_n_epoch,
            plan_kwargs={"lr": settings.lr},
            enable_progress_bar=False,
            callbacks=[_Report(progress)] if progress else [],
        )


class _Report(pl.Callback):
    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.progress(trainer.current_epoch + 1, trainer.max_epochs or 0)


def _check_counts(adata: ad.AnnData) -> None:
    counts = adata.X
    if not (sp.issparse(counts) and counts.format == "csr"):
        msg = f"Training expects a CSR matrix of raw counts, found {type(counts).__name__}."
        raise DatamixError(msg, fix="adata.X = scipy.sparse.csr_matrix(adata.X)")
    if adata.n_obs < 10 or adata.n_vars < 2:
        msg = f"Training expects at least 10 cells and 2 genes, found {adata.n_obs} × {adata.n_vars}."
        raise DatamixError(msg, fix="give it more cells, or a larger set of genes")
    require_counts(counts, cells=adata.obs_names, genes=adata.var_names, where="Training cells")
    empty = np.asarray(counts.sum(axis=1)).ravel() == 0
    if empty.any():
        msg = (
            f"Training expects counts in every cell, found {empty.sum()} cells without ({adata.obs_names[empty][0]} …)."
        )
        raise DatamixError(msg, fix="drop them: QC keeps cells above a total count only")
