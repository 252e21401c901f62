"""Reconstruction R²: how well trained models predict the cells of an evaluation set, scored in one pass over them."""

from collections.abc import Mapping

import anndata as ad
import numpy as np
import pandas as pd
import torch
from scvi.model import LinearSCVI

from datamix.corpora.normalise import align, chunks, mean_profile, variable_genes
from datamix.project.errors import DatamixError
from datamix.project.threads import one_thread
from datamix.scoring.correlation import (
    CHUNK_CELLS,
    correlation,
    mean_profile_scores,
    require_columns,
    standardise,
    table_of,
    target_of,
)
from datamix.scoring.posterior import Decoder, Encoder, normal_deviates, sample_latent

__all__ = [
    "align",
    "gene_statistics",
    "mean_profile",
    "mean_profile_scores",
    "sample_latent",
    "score",
    "variable_genes",
]


def score(
    models: Mapping[str, LinearSCVI],
    evaluation: ad.AnnData,
    *,
    n_top_genes: int = 1000,
    variable: pd.Index | None = None,
    compared_with: ad.AnnData | None = None,
    seed: int,
) -> pd.DataFrame:
    """Score the reconstruction of every cell by every model.

    For a cell, the target is log1p of its counts scaled to 10,000 over the models' genes, the prediction log1p of
    10,000 · ρ, where ρ is decoded from one posterior sample of z (`r`, `r2`, as published) or from the posterior mean
    (`r_mean`, `r2_mean`). Both are compared on the `n_top_genes` most variable genes of the evaluation set by
    Pearson's correlation r; r2 is its square, not a coefficient of determination, and loses the sign that r keeps.
    A cell without variance on these genes has NaN.

    Cells are read in chunks, all models on one pass: beyond `evaluation` itself, memory does not grow with cells.

    Parameters
    ----------
    models
        Name → trained model; all with the same genes in the same order.
    evaluation
        Raw counts, CSR, with `obs.cell_type` and `obs.donor`; any genes in any order.
    n_top_genes
        Number of most variable genes.
    variable
        These genes, where `variable_genes` has chosen them already.
    compared_with
        The same cells measured again, to compare predictions with (`datamix.scoring.held_out_molecules`); nothing: the
        cells themselves.
    seed
        Decides the posterior samples. All models see the same normal deviates, so that they differ by the models
        alone, and a model's score does not depend on its company.

    Returns
    -------
    One row a model and cell: `model`, `cell`, `cell_type`, `donor`, `r`, `r2`, `r_mean`, `r2_mean`
    (r within −1 to 1, r2 within 0 to 1, or NaN).

    Raises
    ------
    DatamixError
        If the models differ in genes, the evaluation set has no gene in common with them, repeats one, or lacks a
        column.

    References
    ----------
    Nadig et al. 2025, doi:10.1101/2025.02.19.639127.
    """
    genes = _shared_genes(models)
    cells = align(evaluation, genes)
    require_columns(cells)
    compared = cells if compared_with is None else align(compared_with, genes)
    chosen = _places(cells, n_top_genes, variable)
    columns = ("r", "r2", "r_mean", "r2_mean")
    scores = {name: {column: np.empty(cells.n_obs) for column in columns} for name in models}
    latents = {model.module.n_latent for model in models.values()}
    noise = {n: normal_deviates(cells.n_obs, n, seed=seed) for n in latents}
    with one_thread(), torch.inference_mode():
        decoders = {name: Decoder(model, chosen) for name, model in models.items()}
        encoders = {name: Encoder(model) for name, model in models.items()}
        for (rows, counts), (_, others) in zip(chunks(cells, CHUNK_CELLS), chunks(compared, CHUNK_CELLS), strict=True):
            target = standardise(target_of(others, chosen))
            for name in models:
                mean, deviation = encoders[name](counts)
                sample = mean + deviation * torch.from_numpy(noise[mean.shape[1]][rows])
                for kind, z in (("", sample), ("_mean", mean)):
                    r = correlation(target, decoders[name](z)).numpy()
                    scores[name][f"r{kind}"][rows] = r
                    scores[name][f"r2{kind}"][rows] = r**2
    tables = [table_of(cells, values).assign(model=name) for name, values in scores.items()]
    return pd.concat(tables, ignore_index=True)[["model", *tables[0].columns[:-1]]]


def gene_statistics(model: LinearSCVI, evaluation: ad.AnnData, *, variable: pd.Index, seed: int) -> pd.DataFrame:
    """Describe each gene's residuals: target minus prediction over the cells, both as in `score`.

    Parameters
    ----------
    model, evaluation, variable, seed
        As in `score`; predictions come from the posterior sample.

    Returns
    -------
    Index `gene`; columns `residual_mean`, `residual_variance` (population), `explained_variance`
    (1 − residual variance / target variance; at most 1, NaN where the target does not vary).
    """
    cells = align(evaluation, model.adata.var_names)
    chosen = np.flatnonzero(cells.var_names.isin(variable))
    noise = normal_deviates(cells.n_obs, model.module.n_latent, seed=seed)
    sums = {key: np.zeros(len(chosen)) for key in ("target", "target²", "residual", "residual²")}
    with one_thread(), torch.inference_mode():
        encoder, decoder = Encoder(model), Decoder(model, chosen)
        for rows, counts in chunks(cells, CHUNK_CELLS):
            mean, deviation = encoder(counts)
            predicted = decoder(mean + deviation * torch.from_numpy(noise[rows])).numpy()
            target = target_of(counts, chosen).numpy().astype(np.float64)
            for key, values in (("target", target), ("residual", target - predicted)):
                sums[key] += values.sum(axis=0)
                sums[f"{key}²"] += (values**2).sum(axis=0)
    average = {key: total / cells.n_obs for key, total in sums.items()}
    residual_variance = average["residual²"] - average["residual"] ** 2
    target_variance = average["target²"] - average["target"] ** 2
    target_variance[target_variance <= 0] = np.nan
    return pd.DataFrame(
        {
            "residual_mean": average["residual"],
            "residual_variance": residual_variance,
            "explained_variance": 1 - residual_variance / target_variance,
        },
        index=cells.var_names[chosen].rename("gene"),
    )


def _places(cells: ad.AnnData, n_top_genes: int, variable: pd.Index | None) -> np.ndarray:
    """Return the columns of the most variable genes."""
    genes = variable_genes(cells, n_top_genes) if variable is None else variable
    return np.flatnonzero(cells.var_names.isin(genes))


def _shared_genes(models: Mapping[str, LinearSCVI]) -> pd.Index:
    if not models:
        msg = "Expected at least one model to score, found none."
        raise DatamixError(msg, fix="train the models first")
    (first, model), *others = models.items()
    genes = model.adata.var_names
    for name, other in others:
        if not genes.equals(other.adata.var_names):
            msg = f"Models scored together must have the same genes; {first} and {name} differ."
            raise DatamixError(msg, fix="score them in separate calls")
    return genes
