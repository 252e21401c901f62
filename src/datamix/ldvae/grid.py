"""The grid: train every mixture on one baseline with one seed. Finished models are kept."""

import hashlib
import json
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from datamix.corpora.corpus import read_rows
from datamix.corpora.evaluation_sets import evaluation_rows
from datamix.corpora.genes import read_genes
from datamix.corpora.leakage import require_no_leak
from datamix.corpora.mixtures import Mixture, Part, corpus_sizes, draw_corpora, list_mixtures
from datamix.corpora.normalise import mean_profile
from datamix.ldvae import model as ldvae
from datamix.ldvae import training
from datamix.project.files import read_json, replacing, sha256, write_json
from datamix.project.fingerprint import fingerprint
from datamix.project.layout import Layout

Say = Callable[[str], None]
MEAN_PROFILE = "mean_profile.parquet"
_MAKES_MODELS = ("datamix.ldvae.grid:_stack", "datamix.ldvae.training:train_together", "datamix.ldvae.model:save")
_MAKES_PROFILES = ("datamix.ldvae.grid:_stack", "datamix.corpora.normalise:mean_profile")


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
    blocks = draw_corpora(layout, baseline, seed=seed, say=say)
    for name in profile.evaluations:
        evaluation_rows(layout, name, seed=seed)  # hours before they are scored
    require_no_leak(layout, blocks)
    parts = {m.name: [part for block in m.blocks for part in blocks[block]] for m in mixtures}
    cells = {name: sum(len(part.rows) for part in of) for name, of in parts.items()}
    model_from = [sha256(layout.genes), profile.training.content(), seed, fingerprint(*_MAKES_MODELS)]
    keys = {name: _key(of, hashes, model_from) for name, of in parts.items()}
    profile_from = [sha256(layout.genes), fingerprint(*_MAKES_PROFILES)]
    profile_keys = {name: _key(of, hashes, profile_from) for name, of in parts.items()}
    about, done = f"train {profile.name}, {baseline} baseline, seed {seed}", count(1)
    waiting: dict[int, dict[str, Mixture]] = {}
    for mixture in mixtures:
        if _is_made_from(layout.model(baseline, seed, mixture.name), keys[mixture.name]):
            say(f"{about}: {next(done)} of {len(mixtures)}, {mixture.name}: kept")
        else:
            waiting.setdefault(cells[mixture.name], {})[mixture.name] = mixture

    def read(name: str) -> AnnData:
        adata = _stack(layout, parts[name], genes)
        _keep_mean_profile(adata, _mean_profile_of(layout, baseline, seed, name), key=profile_keys[name])
        return adata

    for group in waiting.values():
        models = training.train_together(
            list(group), read, seed=seed, settings=profile.training, say=lambda line: say(f"{about}: {line}")
        )
        for name, model in models:
            folder = layout.model(baseline, seed, name)
            provenance = _provenance(layout, group[name], parts[name], hashes) | {"key": keys[name], "seed": seed}
            ldvae.save(model, folder, provenance=provenance)
            made = f"{cells[name]:,} cells, {profile.training.max_epochs} epochs"
            say(f"{about}: {next(done)} of {len(mixtures)}, {name}: {made}")
    for name, of in parts.items():  # of models that were kept
        path = _mean_profile_of(layout, baseline, seed, name)
        if not _is_of(path, profile_keys[name]):
            _keep_mean_profile(_stack(layout, of, genes), path, key=profile_keys[name])
    listed = {m.name: {"folder": m.name, "key": keys[m.name], "cells": cells[m.name]} for m in mixtures}
    write_json(layout.model_list(baseline, seed), listed)
    return layout.model_list(baseline, seed)


def _stack(layout: Layout, parts: list[Part], genes: pd.DataFrame) -> AnnData:
    wanted = genes["gene"].to_numpy()
    counts = sp.vstack([read_rows(layout.corpus(p.dataset), p.rows, wanted) for p in parts], format="csr")
    obs = pd.DataFrame(index=pd.RangeIndex(counts.shape[0]).astype(str))
    return AnnData(counts, obs=obs, var=genes.set_index("gene"))


def _mean_profile_of(layout: Layout, baseline: str, seed: int, mixture: str) -> Path:
    return layout.model(baseline, seed, mixture).with_name(f"{mixture}.{MEAN_PROFILE}")


def _keep_mean_profile(adata: AnnData, path: Path, *, key: str) -> None:
    table = mean_profile(adata).rename("mean").to_frame()
    table.attrs["key"] = key
    with replacing(path) as beside:
        table.to_parquet(beside)


def _is_of(path: Path, key: str) -> bool:
    return path.is_file() and pd.read_parquet(path).attrs.get("key") == key


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


def _key(parts: list[Part], hashes: dict[str, str], made_from: object) -> str:
    """Hash what a model, or a mean profile, depends on: its cells, and genes, corpora, settings, seed and code."""
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode())
    for part in parts:
        digest.update(hashes[part.dataset].encode())
        digest.update(np.ascontiguousarray(part.rows, dtype="<i8").tobytes())
    return digest.hexdigest()


def _is_made_from(folder: Path, key: str) -> bool:
    record = folder / "provenance.json"
    return record.is_file() and read_json(record).get("key") == key
