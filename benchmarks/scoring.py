"""Two ways to score one model, as the benchmark measures them: the published evaluation's, and ours."""

import time
from collections.abc import Callable

import anndata as ad
import numpy as np
import scanpy as sc
from scvi.model import LinearSCVI

from benchmarks.measure import Peak
from datamix.ldvae import model as ldvae
from datamix.ldvae import training
from datamix.project.profile import Training
from datamix.scoring import reconstruction

_TWO_EPOCHS = Training(max_epochs=2, check_val_every_n_epoch=1000)


def _our_way(model: LinearSCVI, adata: ad.AnnData) -> None:
    reconstruction.score({"model": model}, adata, seed=0)


def _published_way(model: LinearSCVI, adata: ad.AnnData) -> None:
    """Normalise, reconstruct and densify whole matrices, then take the variable genes; correlate cell by cell."""
    with ldvae.quiet():
        target = adata.copy()
        sc.pp.normalize_total(target, target_sum=1e4)
        sc.pp.log1p(target)
        sc.pp.highly_variable_genes(target, n_top_genes=1000)
        predicted = np.log1p(model.get_normalized_expression(adata.copy(), library_size=1e4))
    chosen = target.var_names[target.var["highly_variable"]]
    expected, found = target.to_df()[chosen].to_numpy(), predicted[chosen].to_numpy()
    for cell in range(adata.n_obs):
        np.corrcoef(expected[cell], found[cell])


WAYS: dict[str, Callable[[LinearSCVI, ad.AnnData], None]] = {"published": _published_way, "ours": _our_way}


def score_in_turn(adata: ad.AnnData, *, repeats: int) -> dict[str, list[float]]:
    """Score the same cells both ways in turn; return the seconds of each way."""
    model = training.train(adata[:500].copy(), seed=0, settings=_TWO_EPOCHS)
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for way in WAYS.values():
        way(model, adata[:500].copy())  # compiles
    for _ in range(repeats):
        for name, way in WAYS.items():
            began = time.perf_counter()
            way(model, adata)
            seconds[name].append(time.perf_counter() - began)
    return seconds


def score_peak(adata: ad.AnnData, *, name: str) -> float:
    """Return the peak memory of a way (MB), beyond the cells and the model."""
    model = training.train(adata[:500].copy(), seed=0, settings=_TWO_EPOCHS)
    WAYS[name](model, adata[:500].copy())
    with Peak() as peak:
        WAYS[name](model, adata)
    return peak.megabytes
