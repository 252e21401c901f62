"""The grid: train, and score, every mixture on one baseline with one seed. Finished models are kept."""

import hashlib
import json
from collections.abc import Callable
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from datamix.corpora.corpus import read_rows
from datamix.corpora.genes import read_genes
from datamix.corpora.leakage import require_no_leak
from datamix.corpora.mixtures import Mixture, Part, corpus_sizes, draw_blocks, list_mixtures
from datamix.ldvae import model as ldvae
from datamix.ldvae import training
from datamix.project.files import read_json, replacing, sha256, write_json
from datamix.project.layout import Layout
from datamix.scoring import reconstruction

Say = Callable[[str], None]
MEAN_PROFILE = "mean_profile.parquet"


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
    sizes = corpus_sizes(layout, baseline)
    mixtures = list_mixtures(profile, baseline, sizes=sizes)
    hashes = {dataset: sha256(layout.corpus(dataset)) for dataset in sizes}
    blocks = draw_blocks(profile, baseline, seed=seed, sizes=sizes)
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
        models = training.train_together(
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
    modules = (
        "datamix.ldvae.model",
        "datamix.ldvae.training",
        "datamix.ldvae.fast_training",
        "datamix.ldvae.fast_kernels",
        "datamix.ldvae.stacked_training",
    )
    origins = [spec.origin for module in modules if (spec := find_spec(module)) and spec.origin]
    return hashlib.sha256("".join(sha256(Path(o)) for o in origins).encode()).hexdigest()


def _is_made_from(folder: Path, key: str) -> bool:
    record = folder / "provenance.json"
    return record.is_file() and read_json(record).get("key") == key
