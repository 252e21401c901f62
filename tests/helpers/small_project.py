"""A project of one or two tiny h5ad datasets in a folder of its own, for tests of the way from files to corpora."""

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import yaml
from scipy import sparse

from datamix.corpora.prepare import prepare
from datamix.project.files import sha256
from datamix.project.manifest import read_manifest
from datamix.project.profile_files import read_profile

GENES = [f"ENSG{i:011d}" for i in range(1, 61)]
SYMBOLS = [f"MT-{i}" if i <= 3 else f"GENE{i}" for i in range(1, 61)]


def cells(n: int = 40, *, seed: int = 0, genes: list[str] = GENES, symbols: list[str] = SYMBOLS) -> ad.AnnData:
    """Return raw counts with cells on both sides of the thresholds of QC."""
    rng = np.random.default_rng(seed)
    depth = rng.uniform(5, 80, size=(n, 1))
    share = np.full(len(genes), 1.0)
    share[:3] = 3.0
    counts = rng.poisson(depth * share * rng.gamma(2, 0.5, size=(n, len(genes))))
    return ad.AnnData(
        sparse.csr_matrix(counts, dtype=np.float32),
        obs=pd.DataFrame(
            {"type": rng.choice(["B", "T"], n), "who": "donor 1"}, index=[f"cell{i}" for i in range(n)], dtype=object
        ),
        var=pd.DataFrame({"symbol": symbols}, index=genes),
    )


def write_project(root: Path, datasets: dict[str, ad.AnnData], **entries: object) -> Path:
    """Write h5ad files under data/, a manifest of them, and the profile `tiny`, which trains on the first.

    `entries` are changed or added keys of every dataset's manifest entry.
    """
    manifest = {}
    for name, adata in datasets.items():
        path = root / "data" / name / f"{name}.h5ad"
        path.parent.mkdir(parents=True, exist_ok=True)
        adata.write_h5ad(path)
        manifest[name] = {
            "title": name,
            "reader": "h5ad",
            "gene_ids": "ensembl",
            "options": {"cell_type": "type", "donor": "who", "symbol": "symbol"},
            "access": "open",
            "licence": "none",
            "citation": {"text": "nobody"},
            "files": [
                {"name": path.name, "steps": "copy it", "bytes": path.stat().st_size, "sha256": sha256(path)},
            ],
            **entries,
        }
    write_manifest(root, manifest)
    first = next(iter(datasets))
    profile = {
        "name": "tiny",
        "title": "Tiny",
        "simulated": True,
        "about": "For tests.",
        "cells": "all",
        "baselines": {"blood": {"label": "Blood", "dataset": first}},
        "added": {},
        "evaluations": {},
    }
    (root / "config").mkdir(exist_ok=True)
    (root / "config" / "tiny.yaml").write_text(yaml.safe_dump(profile))
    return root


def write_manifest(root: Path, datasets: dict) -> None:
    """Write a manifest."""
    (root / "data_manifest.yaml").write_text(yaml.safe_dump({"datasets": datasets}))


def read_entries(root: Path) -> dict:
    """Return the manifest's entries as plain dicts, to change and write again."""
    return yaml.safe_load((root / "data_manifest.yaml").read_text())["datasets"]


def run(root, dataset_id="a", **keywords):
    """Prepare a corpus of the project's profile `tiny`."""
    profile = read_profile(str(root / "config" / "tiny.yaml"))
    return prepare(dataset_id, profile=profile, manifest=read_manifest(root), root=root, **keywords)
