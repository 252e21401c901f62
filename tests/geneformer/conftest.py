"""A tiny prepared project, and the settings of a tiny model."""

import pytest
import yaml
from small_project import cells as simulate
from small_project import write_project
from tiny_cells import SMALL

from datamix.corpora.genes import shared_genes
from datamix.corpora.prepare import prepare
from datamix.project.layout import Layout
from datamix.project.manifest import read_manifest
from datamix.project.profile import Geneformer


@pytest.fixture
def settings():
    return Geneformer(**SMALL)


@pytest.fixture(scope="session")
def layout(tmp_path_factory):
    """A baseline, one added set and one evaluation set, prepared."""
    root = tmp_path_factory.mktemp("geneformer")
    write_project(root, {"a": simulate(170), "b": simulate(90, seed=1), "e": simulate(60, seed=2)})
    path = root / "config" / "tiny.yaml"
    profile = yaml.safe_load(path.read_text()) | {
        "cells": 40,
        "qc": {"min_counts": 300, "max_mito": 0.5},
        "added": {"other": {"label": "Other", "datasets": ["b"]}},
        "evaluations": {
            "all": {"label": "All", "dataset": "e", "group": "cancer"},
            "some": {"label": "Some", "dataset": "e", "group": "cancer", "cell_types": ["T"], "cells": 10},
        },
        "geneformer": SMALL | {"evaluation_cells": 20},
    }
    path.write_text(yaml.safe_dump(profile))
    layout = Layout.of("tiny", root)
    for dataset in ("a", "b", "e"):
        prepare(dataset, profile=layout.profile, manifest=read_manifest(root), root=root)
    shared_genes([layout.corpus("a"), layout.corpus("b")]).to_csv(layout.genes, index=False)
    return layout
