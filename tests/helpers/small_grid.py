"""A tiny grid for tests: a baseline, an added set and an evaluation set, prepared and trained for two epochs."""

from pathlib import Path

import yaml
from small_project import cells, write_project

from datamix.corpora.genes import shared_genes
from datamix.corpora.prepare import prepare
from datamix.ldvae import grid
from datamix.project.layout import Layout
from datamix.project.manifest import read_manifest


def small_grid(root: Path, *, seeds: tuple[int, ...] = (0,)) -> Layout:
    """Prepare and train."""
    layout = small_layout(root, seeds=seeds)
    for seed in seeds:
        grid.train_baseline(layout, "blood", seed=seed, say=str)
    return layout


def small_layout(root: Path, *, seeds: tuple[int, ...] = (0,)) -> Layout:
    """Prepare; cell types are B, N and T everywhere."""
    corpora = {"a": cells(400), "b": cells(200, seed=1), "e": cells(150, seed=2)}
    for corpus in corpora.values():
        corpus.obs["type"] = [("B", "N", "T")[i % 3] for i in range(corpus.n_obs)]
    write_project(root, corpora)
    path = root / "config" / "tiny.yaml"
    profile = yaml.safe_load(path.read_text()) | {
        "cells": 80,
        "seeds": list(seeds),
        "qc": {"min_counts": 300, "max_mito": 0.5},
        "added": {"other": {"label": "Other", "datasets": ["b"]}},
        "evaluations": {
            "all": {"label": "All", "dataset": "e", "group": "non-disease"},
            "some": {"label": "Some", "dataset": "e", "group": "cancer", "cells": 20},
        },
        "training": {"max_epochs": 2},
        "scoring": {"n_top_genes": 20},
    }
    path.write_text(yaml.safe_dump(profile))
    layout = Layout.of("tiny", root)
    for dataset in ("a", "b", "e"):
        prepare(dataset, profile=layout.profile, manifest=read_manifest(root), root=root)
    shared_genes([layout.corpus("a"), layout.corpus("b")]).to_csv(layout.genes, index=False)
    return layout
