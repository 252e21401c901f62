"""The grid: train, and score, every mixture on one baseline with one seed. Finished models are kept."""

import hashlib
import json
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from anndata import AnnData

from datamix import ldvae, reconstruction
from datamix.corpus import n_cells, read_rows
from datamix.errors import DatamixError
from datamix.evaluation_cells import log_normalised
from datamix.evaluation_sets import read_evaluation
from datamix.files import read_json, replacing, sha256, write_json
from datamix.layout import Layout
from datamix.leakage import require_no_leak
from datamix.mixture import Mixture, Part, draw_blocks, list_mixtures
from datamix.posterior import Decoder
from datamix.scores import as_categories

Say = Callable[[str], None]
MEAN_PROFILE = "mean_profile.parquet"


def read_genes(layout: Layout) -> pd.DataFrame:
    """Read the genes shared by all training corpora: columns `gene` (Ensembl id) and `symbol`."""
    if not layout.genes.is_file():
        msg = f"{layout.genes} does not exist."
        raise DatamixError(msg, fix=f"make book PROFILE={layout.profile.name}")
    return pd.read_csv(layout.genes, dtype=str)


def train_baseline(layout: Layout, baseline: str, *, seed: int, say: Say = print) -> Path:
    """Train every mixture on a baseline, each model with this seed.

    A model that an earlier, interrupted run finished from the same cells, genes, settings and code is kept. The others
    are trained in groups of one size, on a GPU together (`ldvae.train_together`), and each is saved when it is trained.

    Parameters
    ----------
    layout
        The profile and its folders; the corpora must have been prepared.
    baseline
        A name in the profile's baselines.
    seed
        Seeds the draws and the training.
    say
        Called with a line of progress a model.

    Returns
    -------
    The list of models (json): mixture → folder, cells, and key of what it was made from.
    """
    profile = layout.profile
    genes = read_genes(layout)
    mixtures = list_mixtures(profile, baseline)
    used = (profile.baselines[baseline].dataset, *(d for a in profile.added.values() for d in a.datasets))
    hashes = {d: sha256(layout.corpus(d)) for d in dict.fromkeys(used)}
    blocks = draw_blocks(profile, baseline, seed=seed, sizes={d: n_cells(layout.corpus(d)) for d in hashes})
    require_no_leak(layout, blocks)
    parts = {m.name: [part for block in m.blocks for part in blocks[block]] for m in mixtures}
    cells = {name: sum(len(part.rows) for part in of) for name, of in parts.items()}
    keys = {name: _key(layout, of, hashes, seed=seed) for name, of in parts.items()}
    about, done = f"train {profile.name}, {baseline} baseline, seed {seed}", count(1)
    waiting: dict[int, dict[str, Mixture]] = {}
    for mixture in mixtures:
        if _is_made_from(layout.model(baseline, seed, mixture.name), keys[mixture.name]):
            say(f"{about}: {next(done)} of {len(mixtures)}, {mixture.name}: kept")
        else:
            waiting.setdefault(cells[mixture.name], {})[mixture.name] = mixture
    profiles: dict[str, pd.Series] = {}

    def read(name: str) -> AnnData:
        adata = _stack(layout, parts[name], genes)
        profiles[name] = reconstruction.mean_profile(adata)
        return adata

    for group in waiting.values():
        models = ldvae.train_together(
            list(group), read, seed=seed, settings=profile.training, say=lambda line: say(f"{about}: {line}")
        )
        for name, model in models:
            folder = layout.model(baseline, seed, name)
            provenance = _provenance(layout, group[name], parts[name], hashes) | {"key": keys[name], "seed": seed}
            _save_mean_profile(profiles.pop(name), folder.parent / f"{name}.{MEAN_PROFILE}")
            ldvae.save(model, folder, provenance=provenance)
            made = f"{cells[name]:,} cells, {profile.training.max_epochs} epochs"
            say(f"{about}: {next(done)} of {len(mixtures)}, {name}: {made}")
    listed = {m.name: {"folder": m.name, "key": keys[m.name], "cells": cells[m.name]} for m in mixtures}
    write_json(layout.model_list(baseline, seed), listed)
    return layout.model_list(baseline, seed)


def score_baseline(layout: Layout, baseline: str, *, seed: int, say: Say = print) -> Path:
    """Score every model of a baseline and seed on every evaluation set.

    Parameters
    ----------
    layout
        The profile and its folders; the models must have been trained.
    baseline
        A name in the profile's baselines.
    seed
        Chooses the models of that seed (see `Profile.model_seed`), and seeds the posterior sample.
    say
        Called with a line of progress an evaluation set.

    Returns
    -------
    A parquet file, a row a (mixture, evaluation, cell); columns as in `datamix.reconstruction.score`, and
    `r_profile`, the correlation of the cell with the mean profile of the training mixture (no model at all).
    """
    genes = pd.Index(read_genes(layout)["gene"])
    names = [m.name for m in list_mixtures(layout.profile, baseline)]
    trained = layout.profile.model_seed(seed)
    folders = {name: layout.model(baseline, trained, name) for name in names}
    models = {name: ldvae.load(folder) for name, folder in folders.items()}
    profiles = pd.DataFrame(
        {name: pd.read_parquet(folder.parent / f"{name}.{MEAN_PROFILE}")["mean"] for name, folder in folders.items()}
    )
    tables = []
    for name, evaluation in layout.profile.evaluations.items():
        cells = reconstruction.align(read_evaluation(layout, name, seed=seed), genes)
        variable = reconstruction.variable_genes(cells, layout.profile.scoring.n_top_genes)
        table = reconstruction.score(models, cells, variable=variable, seed=seed)
        simple = reconstruction.mean_profile_scores(profiles, cells, variable=variable)
        simple_scores = simple[["model", "cell", "r"]].rename(columns={"r": "r_profile"})
        table = table.merge(simple_scores, on=["model", "cell"], validate="one_to_one")
        tables.append(table.assign(evaluation=name))
        say(f"score {layout.profile.name}, {baseline} baseline, seed {seed}: {evaluation.label}, {cells.n_obs:,} cells")
    scores = pd.concat(tables, ignore_index=True).rename(columns={"model": "mixture"})
    scores.insert(0, "baseline", baseline)
    scores.insert(2, "seed", seed)
    first = ["baseline", "mixture", "seed", "evaluation", "cell", "cell_type", "donor"]
    scores = scores[first + [c for c in scores if c not in first]]
    path = layout.scores_of(baseline, seed)
    with replacing(path) as beside:
        as_categories(scores).to_parquet(beside, index=False)
    return path


def predict_cell(
    layout: Layout, baseline: str, *, seed: int, evaluation: str, cell: str, mixtures: Sequence[str]
) -> pd.DataFrame:
    """Predict one evaluation cell gene by gene, from the same posterior sample as its score.

    Parameters
    ----------
    layout, baseline, seed
        As in `score_baseline`.
    evaluation, cell
        The evaluation set and the name of the cell in it.
    mixtures
        The models to ask.

    Returns
    -------
    A row a (mixture, gene), for the most variable genes of the evaluation set: `evaluation`, `cell`, `mixture`, `gene`,
    `symbol`, `observed` and `predicted` (both log1p of counts per 10,000), and `r2` of the cell.
    """
    genes = read_genes(layout)
    cells = reconstruction.align(read_evaluation(layout, evaluation, seed=seed), pd.Index(genes["gene"]))
    variable = reconstruction.variable_genes(cells, layout.profile.scoring.n_top_genes)
    chosen = np.flatnonzero(cells.var_names.isin(variable))
    row = cells.obs_names.get_loc(cell)
    observed = log_normalised(sp.csr_matrix(cells.X)[row])[:, chosen].toarray()[0]
    tables = []
    for mixture in mixtures:
        model = ldvae.load(layout.model(baseline, layout.profile.model_seed(seed), mixture))
        z = reconstruction.sample_latent(model, cells, seed=seed)[[row]]
        with torch.inference_mode():
            predicted = Decoder(model, chosen)(torch.from_numpy(z)).numpy()[0]
        table = genes.iloc[chosen].assign(observed=observed, predicted=predicted)
        table["r2"] = np.corrcoef(observed, predicted)[0, 1] ** 2
        tables.append(table.assign(evaluation=evaluation, cell=cell, mixture=mixture))
    return pd.concat(tables, ignore_index=True)


def _stack(layout: Layout, parts: list[Part], genes: pd.DataFrame) -> AnnData:
    wanted = genes["gene"].to_numpy()
    counts = sp.vstack([read_rows(layout.corpus(p.dataset), p.rows, wanted) for p in parts], format="csr")
    obs = pd.DataFrame(index=pd.RangeIndex(counts.shape[0]).astype(str))
    return AnnData(counts, obs=obs, var=genes.set_index("gene"))


def _save_mean_profile(mean_profile: pd.Series, path: Path) -> None:
    with replacing(path) as beside:
        mean_profile.rename("mean").to_frame().to_parquet(beside)


def _provenance(layout: Layout, mixture: Mixture, parts: list[Part], hashes: dict[str, str]) -> dict[str, object]:
    return {
        "profile": layout.profile.name,
        "protocol": layout.profile.protocol,
        "baseline": mixture.baseline,
        "mixture": mixture.name,
        "cells": {p.dataset: sum(len(q.rows) for q in parts if q.dataset == p.dataset) for p in parts},
        "corpora": {p.dataset: hashes[p.dataset] for p in parts},
        "genes": sha256(layout.genes),
    }


def _key(layout: Layout, parts: list[Part], hashes: dict[str, str], *, seed: int) -> str:
    """Hash everything that a model depends on: cells, genes, settings, seed, and the code that trains."""
    digest = hashlib.sha256()
    settings = layout.profile.training.model_dump()
    digest.update(json.dumps([settings, seed, sha256(layout.genes), _code_hash()], sort_keys=True).encode())
    for part in parts:
        digest.update(hashes[part.dataset].encode())
        digest.update(np.ascontiguousarray(part.rows, dtype="<i8").tobytes())
    return digest.hexdigest()


def _code_hash() -> str:
    modules = ("datamix.ldvae", "datamix.fast_training", "datamix.fast_kernels", "datamix.stacked_training")
    origins = [spec.origin for module in modules if (spec := find_spec(module)) and spec.origin]
    return hashlib.sha256("".join(sha256(Path(o)) for o in origins).encode()).hexdigest()


def _is_made_from(folder: Path, key: str) -> bool:
    record = folder / "provenance.json"
    return record.is_file() and read_json(record).get("key") == key
