"""Reconstruction R²: how well trained models predict the cells of an evaluation set, scored in one pass over them."""

from collections.abc import Mapping

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from scvi.model import LinearSCVI

from datamix.corpora.normalise import COUNTS_PER_CELL, align, chunks, mean_profile, variable_genes
from datamix.ldvae.model import one_thread
from datamix.project.errors import DatamixError
from datamix.scoring.kernels import normalised_columns
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
CHUNK_CELLS = 384
"""Cells held densely at a time; a matter of memory only."""


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
    _require_columns(cells)
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
            target = _standardise(target_of(others, chosen))
            for name in models:
                mean, deviation = encoders[name](counts)
                sample = mean + deviation * torch.from_numpy(noise[mean.shape[1]][rows])
                for kind, z in (("", sample), ("_mean", mean)):
                    r = _correlation(target, decoders[name](z)).numpy()
                    scores[name][f"r{kind}"][rows] = r
                    scores[name][f"r2{kind}"][rows] = r**2
    tables = [_table(cells, values).assign(model=name) for name, values in scores.items()]
    return pd.concat(tables, ignore_index=True)[["model", *tables[0].columns[:-1]]]


def mean_profile_scores(profiles: pd.DataFrame, evaluation: ad.AnnData, *, variable: pd.Index) -> pd.DataFrame:
    """Score the simplest prediction: every cell looks like the mean of the training cells.

    Parameters
    ----------
    profiles
        Genes × names: each column what `mean_profile` returned for a training mixture, on the models' genes.
    evaluation, variable
        As in `score`. All profiles are scored in one pass over the cells.

    Returns
    -------
    One row a profile and cell: `model` (the column's name), `cell`, `cell_type`, `donor`, `r`, `r2`, comparable with
    `score`'s.
    """
    cells = align(evaluation, profiles.index)
    _require_columns(cells)
    chosen = np.flatnonzero(cells.var_names.isin(variable))
    predicted = torch.from_numpy(profiles.to_numpy(dtype=np.float32).T[:, chosen])
    # A prediction that is the same for every cell is centred and scaled once; the rest is one matrix product.
    predicted = _standardise(predicted)
    r = np.empty((cells.n_obs, profiles.shape[1]))
    with one_thread():
        for rows, counts in chunks(cells, CHUNK_CELLS):
            target = _standardise(target_of(counts, chosen))
            r[rows] = (target @ predicted.T).numpy()
    tables = [_table(cells, {"r": r[:, i], "r2": r[:, i] ** 2}).assign(model=str(n)) for i, n in enumerate(profiles)]
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


def target_of(counts: sp.csr_matrix, chosen: np.ndarray) -> torch.Tensor:
    """Return `log_normalised` cells of some genes, dense, without making those of all genes."""
    places = np.full(counts.shape[1], -1, dtype=np.int32)
    places[chosen] = np.arange(len(chosen))
    scaled = normalised_columns(counts.indptr, counts.indices, counts.data, places, len(chosen), COUNTS_PER_CELL)
    return torch.from_numpy(scaled).log1p_()


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


def _require_columns(cells: ad.AnnData) -> None:
    missing = [column for column in ("cell_type", "donor") if column not in cells.obs]
    if missing:
        msg = (
            f"The evaluation set lacks obs.{' and obs.'.join(missing)}; it has {', '.join(cells.obs) or 'no columns'}."
        )
        raise DatamixError(msg, fix="make its corpus again; its reader must fill both columns")


def _standardise(target: torch.Tensor) -> torch.Tensor:
    """Centre rows and scale them to length 1; NaN where a row does not vary."""
    centred = target - target.mean(dim=1, keepdim=True)
    varies = target.amax(dim=1) > target.amin(dim=1)
    return centred / torch.where(varies, centred.norm(dim=1), torch.nan)[:, None]


def correlate(target: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
    """Correlate rows of two tables (cells × genes): (n_cells,), NaN where a row does not vary or is not finite."""
    return _correlation(_standardise(target), predicted.clone())


def _correlation(standardised: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
    """Correlate rows with standardised ones; NaN where one does not vary or is not finite; overwrites `predicted`."""
    varies = predicted.amax(dim=1) > predicted.amin(dim=1)
    centred = predicted.sub_(predicted.mean(dim=1, keepdim=True))
    # What lies at the end of single precision has an infinite norm or product, and no correlation.
    found = torch.linalg.vecdot(standardised, centred) / torch.where(varies, centred.norm(dim=1), torch.nan)
    return torch.where(found.isfinite(), found, torch.nan)


def _table(cells: ad.AnnData, scores: dict[str, np.ndarray]) -> pd.DataFrame:
    about = {column: cells.obs[column].to_numpy(dtype=object) for column in ("cell_type", "donor")}
    return pd.DataFrame({"cell": cells.obs_names.to_numpy(dtype=object), **about, **scores})
