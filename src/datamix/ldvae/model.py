"""The model: made, saved and loaded as scvi-tools' own `LinearSCVI`."""

import logging
import shutil
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
import scvi
import torch
from scvi.model import LinearSCVI
from scvi.nn import Encoder
from torch import nn

from datamix.ldvae.model_file import require_plain_model
from datamix.project.errors import DatamixError
from datamix.project.files import read_json, replacing, write_json
from datamix.project.profile import Training


def new_model(adata: ad.AnnData, *, seed: int, settings: Training) -> LinearSCVI:
    """Make the untrained model, with the weights that scvi-tools gives it for this seed; `adata` is not changed.

    scvi-tools copies all cells to add up the counts of each. It is given the sums instead, as the only count of each
    cell, and the counts afterwards.
    """
    with quiet():
        scvi.settings.seed = seed
        cells = _totals_of(adata)
        LinearSCVI.setup_anndata(cells)
        model = LinearSCVI(cells, n_latent=settings.n_latent, n_layers=settings.n_layers)
    model.adata.X = adata.X
    _let_go(model)
    return model


def save(model: LinearSCVI, folder: Path, *, provenance: dict[str, Any]) -> None:
    """Save a trained model; the folder appears whole or not at all.

    Parameters
    ----------
    model
        What `train` returned.
    folder
        Gets `model.pt` (scvi-tools' format, without the cells), `history.csv` (a row an epoch), `loadings.parquet`
        (genes × `Z_0` …) and `provenance.json`.
    provenance
        What the cells were: written to `provenance.json` beside the record of the training.
    """
    with replacing(folder) as beside:
        model.save(str(beside))
        history(model).to_csv(beside / "history.csv")
        model.get_loadings().rename_axis("gene").to_parquet(beside / "loadings.parquet")
        write_json(beside / "provenance.json", {**getattr(model, "training_record", {}), **provenance})


def copy(model: Path, folder: Path, *, provenance: dict[str, Any]) -> None:
    """Copy a saved model; the folder appears whole or not at all.

    Parameters
    ----------
    model, folder
        What `save` wrote, and where it is to stand as well.
    provenance
        What is to be said of the copy in place of what is said of the model. It took no time: `seconds` is 0.
    """
    with replacing(folder) as beside:
        shutil.copytree(model, beside)
        write_json(beside / "provenance.json", {**read_json(model / "provenance.json"), "seconds": 0.0, **provenance})


def load(folder: Path, adata: ad.AnnData | None = None) -> LinearSCVI:
    """Load a saved model.

    scvi-tools unpickles `model.pt`, which could run anything: it is looked through first (`ldvae.model_file`).

    Parameters
    ----------
    folder
        What `save` wrote.
    adata
        Cells to attach, genes as in the model; not changed. Without them two made-up cells are attached, enough for
        loadings and for everything that is given its cells.

    Returns
    -------
    The model, ready for evaluation.

    Raises
    ------
    DatamixError
        If there is no model in the folder, or its file holds more than a model.
    """
    file = folder / "model.pt"
    if not file.is_file():
        msg = f"There is no model in {folder}: expected {file.name} there."
        raise DatamixError(msg, fix="run `make book`, with PROFILE=… if it is not the demo: it trains what is missing")
    require_plain_model(file)
    if adata is None:
        genes = pd.read_parquet(folder / "loadings.parquet", columns=[]).index.to_numpy(dtype=object)
        counts = sp.csr_matrix(np.ones((2, len(genes)), dtype=np.float32))
        adata = ad.AnnData(counts, obs=pd.DataFrame(index=["made-up 1", "made-up 2"]), var=pd.DataFrame(index=genes))
    with quiet():
        model = LinearSCVI.load(str(folder), adata=_bare(adata))
    _let_go(model)
    return model


def _let_go(model: LinearSCVI) -> None:
    """Let the cells of a model go with it: scvi-tools keeps those of all models for as long as the process lives."""
    stores = LinearSCVI._per_instance_manager_store, LinearSCVI._setup_adata_manager_store
    for store, key in zip(stores, (model.id, model.adata_manager.adata_uuid), strict=True):
        weakref.finalize(model, store.pop, key, None)


def history(model: LinearSCVI) -> pd.DataFrame:
    """Return the training history of a model.

    Returns
    -------
    A row an epoch (index `epoch`, 0 first); columns as scvi-tools names them: `elbo_train`, `elbo_validation`,
    `reconstruction_loss_train`, `kl_local_train`, … (means per cell; nothing in epochs without validation).
    """
    per_epoch = {key: table[key] for key, table in model.history.items() if table.index.name == "epoch"}
    return pd.DataFrame(per_epoch).astype(float).sort_index().rename_axis("epoch")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence scvi-tools and lightning within the block."""
    loggers = [logging.getLogger(name) for name in ("scvi", "lightning", "lightning.pytorch", "lightning.fabric")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # What scvi-tools and lightning say here (few data workers, two cells moved to validation) is by design.
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _totals_of(adata: ad.AnnData) -> ad.AnnData:
    """Return the cells with all counts of each in the first gene: nothing else of them decides the untrained model."""
    totals = np.asarray(adata.X.sum(axis=1)).ravel()
    places = np.zeros(adata.n_obs, dtype=np.int32), np.arange(adata.n_obs + 1)
    counts = sp.csr_matrix((totals, *places), shape=adata.shape)
    return ad.AnnData(counts, obs=pd.DataFrame(index=adata.obs_names), var=pd.DataFrame(index=adata.var_names))


def _bare(adata: ad.AnnData) -> ad.AnnData:
    """Share the counts and the names only, so that what scvi-tools registers does not change the caller's object."""
    return ad.AnnData(adata.X, obs=pd.DataFrame(index=adata.obs_names), var=pd.DataFrame(index=adata.var_names))


def layers_of(encoder: Encoder) -> tuple[nn.Linear, list[nn.Module]]:
    """Return the first layer of an encoder, whose product with sparse counts is computed apart, and the others."""
    blocks = cast("list[nn.Sequential]", encoder.encoder.fc_layers)
    first, *rest = [layer for block in blocks for layer in block if layer is not None]
    return cast("nn.Linear", first), rest


def posterior(encoder: Encoder, rest: list[nn.Module], hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Go on from the first layer to the posterior, as scvi-tools' encoder does.

    Parameters
    ----------
    encoder, rest
        The encoder, and its layers after the first.
    hidden
        What the first layer gives, `(n_cells, n_hidden)`.

    Returns
    -------
    Mean and variance, each `(n_cells, n_latent)`.
    """
    for layer in rest:
        hidden = layer(hidden)
    return encoder.mean_encoder(hidden), encoder.var_activation(encoder.var_encoder(hidden)) + encoder.var_eps
