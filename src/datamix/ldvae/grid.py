"""The grid: train a model on each of many mixtures with one seed. Finished models are kept."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from datamix.corpora.corpus import read_parts, read_rows
from datamix.corpora.evaluation_sets import evaluation_rows
from datamix.corpora.genes import read_genes
from datamix.corpora.leakage import require_no_leak
from datamix.corpora.mixtures import Part, draw_mixtures
from datamix.corpora.normalise import mean_profile
from datamix.corpora.thinning import thin
from datamix.ldvae import model as ldvae
from datamix.ldvae import training
from datamix.project.files import read_json, replacing, sha256, write_json
from datamix.project.fingerprint import fingerprint
from datamix.project.layout import Layout
from datamix.project.profile import Training

Say = Callable[[str], None]
MEAN_PROFILE = "mean_profile.parquet"
_MAKES_MODELS = ("datamix.ldvae.grid:_stack", "datamix.ldvae.training:train_together", "datamix.ldvae.model:save")
_MAKES_PROFILES = ("datamix.ldvae.grid:_stack", "datamix.corpora.normalise:mean_profile")


def train_baseline(layout: Layout, baseline: str, *, seed: int, say: Say = print) -> Path:
    """Train every mixture on a baseline, each model with this seed, as `train_all` trains.

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
    return train_all(
        layout,
        draw_mixtures(layout, baseline, seed=seed, say=say),
        listed=layout.model_list(baseline, seed),
        seed=seed,
        settings=profile.training,
        about={"baseline": baseline},
        beside=[layout.model_list(other, seed).with_suffix("") for other in profile.baselines if other != baseline],
        say=lambda line: say(f"train {profile.name}, {baseline} baseline, seed {seed}: {line}"),
    )


def train_all(
    layout: Layout,
    parts: Mapping[str, list[Part]],
    *,
    listed: Path,
    seed: int,
    settings: Training,
    about: Mapping[str, object],
    beside: Sequence[Path] = (),
    say: Say = print,
) -> Path:
    """Train a model on each of several mixtures, each with this seed.

    A model that an earlier, interrupted run finished from the same cells, genes, settings and code is kept, and one
    that another list has is copied: that of an added set alone is the same for all baselines. The others are trained in
    groups of one size, on a GPU together (`ldvae.train_together`), and each is saved when it is trained.

    Parameters
    ----------
    layout
        The profile and its folders; the corpora must have been prepared.
    parts
        Mixture → the cells it is trained on.
    listed
        The list to write; the models lie beside it, in a folder of the same name without the ending.
    seed
        Seeds the training.
    settings
        The same for all.
    about
        What else the provenance of each model is to say.
    beside
        Folders of other lists, whose models may serve.
    say
        Called with a line of progress a model.

    Returns
    -------
    `listed` (json): mixture → folder, cells, and key of what it was made from.

    Raises
    ------
    DatamixError
        If a mixture holds evaluation cells or donors (`datamix.corpora.leakage`).
    """
    genes = read_genes(layout)
    for name in layout.profile.evaluations:
        evaluation_rows(layout, name, seed=seed)  # hours before they are scored
    require_no_leak(layout, parts)
    hashes = {d: sha256(layout.corpus(d)) for d in dict.fromkeys(part.dataset for of in parts.values() for part in of)}
    cells = {name: sum(len(part.rows) for part in of) for name, of in parts.items()}
    model_from = [sha256(layout.genes), settings.content(), seed, fingerprint(*_MAKES_MODELS)]
    keys = {name: _key(of, hashes, model_from) for name, of in parts.items()}
    profile_from = [sha256(layout.genes), fingerprint(*_MAKES_PROFILES)]
    profile_keys = {name: _key(of, hashes, profile_from) for name, of in parts.items()}
    models_in, done = listed.with_suffix(""), count(1)
    waiting: dict[int, list[str]] = {}
    for name in parts:
        if _is_made_from(models_in / name, keys[name]):
            say(f"{next(done)} of {len(parts)}, {name}: kept")
        elif same := next((of / name for of in beside if _is_made_from(of / name, keys[name])), None):
            ldvae.copy(same, models_in / name, provenance=dict(about))
            say(f"{next(done)} of {len(parts)}, {name}: as in {same.parent}")
        else:
            waiting.setdefault(cells[name], []).append(name)

    def read(name: str) -> AnnData:
        adata = _stack(layout, parts[name], genes)
        _keep_mean_profile(adata, mean_profile_file(models_in, name), key=profile_keys[name])
        return adata

    for group in waiting.values():
        for name, model in training.train_together(group, read, seed=seed, settings=settings, say=say):
            provenance = _provenance(layout, name, parts[name], hashes) | {**about, "key": keys[name], "seed": seed}
            ldvae.save(model, models_in / name, provenance=provenance)
            say(f"{next(done)} of {len(parts)}, {name}: {cells[name]:,} cells, {settings.max_epochs} epochs")
    for name, of in parts.items():  # of models that were kept
        path = mean_profile_file(models_in, name)
        if not _is_of(path, profile_keys[name]):
            _keep_mean_profile(_stack(layout, of, genes), path, key=profile_keys[name])
    write_json(listed, {name: {"folder": name, "key": keys[name], "cells": cells[name]} for name in parts})
    return listed


def training_cells(layout: Layout, parts: list[Part]) -> AnnData:
    """Read the cells of a mixture: raw counts, CSR, over the genes of the models."""
    return _stack(layout, parts, read_genes(layout))


def mean_profile_file(models_in: Path, mixture: str) -> Path:
    """Return where the mean of a mixture's training cells lies, beside its model (parquet)."""
    return models_in / f"{mixture}.{MEAN_PROFILE}"


def _stack(layout: Layout, parts: list[Part], genes: pd.DataFrame) -> AnnData:
    wanted = genes["gene"].to_numpy()
    if any(part.thinned for part in parts):
        pieces = [read_rows(layout.corpus(part.dataset), part.rows, wanted) for part in parts]
        pieces = [
            thin(counts, part.thinned, dataset=part.dataset, rows=part.rows) if part.thinned else counts
            for counts, part in zip(pieces, parts, strict=True)
        ]
        counts = sp.vstack(pieces, format="csr")
    else:
        counts = read_parts([(layout.corpus(part.dataset), part.rows) for part in parts], wanted)
    obs = pd.DataFrame(index=pd.RangeIndex(counts.shape[0]).astype(str))
    return AnnData(counts, obs=obs, var=genes.set_index("gene"))


def _keep_mean_profile(adata: AnnData, path: Path, *, key: str) -> None:
    table = mean_profile(adata).rename("mean").to_frame()
    table.attrs["key"] = key
    with replacing(path) as beside:
        table.to_parquet(beside)


def _is_of(path: Path, key: str) -> bool:
    return path.is_file() and pd.read_parquet(path).attrs.get("key") == key


def _provenance(layout: Layout, mixture: str, parts: Sequence[Part], hashes: dict[str, str]) -> dict[str, object]:
    return {
        "profile": layout.profile.name,
        "protocol": layout.profile.protocol,
        "mixture": mixture,
        "cells": {p.dataset: sum(len(q.rows) for q in parts if q.dataset == p.dataset) for p in parts},
        "thinned_to": {p.dataset: p.thinned.depth for p in parts if p.thinned},
        "corpora": {p.dataset: hashes[p.dataset] for p in parts},
        "genes": sha256(layout.genes),
    }


def _key(parts: Sequence[Part], hashes: dict[str, str], made_from: object) -> str:
    """Hash what a model, or a mean profile, depends on: its cells, and genes, corpora, settings, seed and code."""
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode())
    for part in parts:
        digest.update(hashes[part.dataset].encode())
        digest.update(np.ascontiguousarray(part.rows, dtype="<i8").tobytes())
        if part.thinned:
            digest.update(json.dumps([part.thinned.depth, part.thinned.seed]).encode())
    return digest.hexdigest()


def _is_made_from(folder: Path, key: str) -> bool:
    record = folder / "provenance.json"
    return record.is_file() and read_json(record).get("key") == key
