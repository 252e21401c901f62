"""The shared genes, and cells that have none of them: a panel of few genes beside whole transcriptomes."""

import logging

import anndata as ad
import numpy as np
import pytest
import yaml
from scipy import sparse
from small_project import GENES, SYMBOLS, cells, write_project

from datamix.corpora import genes
from datamix.corpora.evaluation_sets import evaluation_rows, read_evaluation
from datamix.corpora.genes import cells_without, common_genes, shared_genes
from datamix.corpora.mixtures import corpus_sizes, draw_blocks, draw_corpora
from datamix.corpora.prepare import prepare
from datamix.ldvae.grid import train_baseline
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout
from datamix.project.manifest import read_manifest
from datamix.scoring.score import score_baseline

EMPTY = [1, 7, 20]


def panel() -> ad.AnnData:
    """Half of the genes, and ten more; three cells have counts of these ten only."""
    found = cells(40, seed=1, genes=[*GENES[:30], *(f"ENSG{i:011d}" for i in range(900, 910))],
                  symbols=[*SYMBOLS[:30], *(f"PANEL{i}" for i in range(10))])  # fmt: skip
    counts = found.X.toarray() + 20
    counts[EMPTY, :30] = 0
    found.X = sparse.csr_matrix(counts)
    return found


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    root = write_project(tmp_path_factory.mktemp("panel"), {"a": cells(120), "p": panel(), "e": cells(40, seed=2)})
    path = root / "config" / "tiny.yaml"
    profile = yaml.safe_load(path.read_text()) | {
        "seeds": [0],
        "qc": {"min_counts": 100, "max_mito": 0.5},
        "added": {"panel": {"label": "Panel", "datasets": ["p"]}},
        "evaluations": {
            "whole": {"label": "Whole", "dataset": "e", "group": "non-disease"},
            "few": {"label": "Few", "dataset": "e", "group": "non-disease", "cells": 1},
        },
        "training": {"max_epochs": 1},
        "scoring": {"n_top_genes": 10},
    }
    path.write_text(yaml.safe_dump(profile))
    layout = Layout.of("tiny", root)
    for dataset in ("a", "p", "e"):
        prepare(dataset, profile=layout.profile, manifest=read_manifest(root), root=root, say=str)
    shared_genes([layout.corpus("a"), layout.corpus("p")]).to_csv(layout.genes, index=False)
    return layout


def test_cells_without_a_shared_gene_are_found_in_pieces(layout, monkeypatch):
    shared = common_genes([layout.corpus("a"), layout.corpus("p")])
    assert len(shared) == 30
    corpus = ad.read_h5ad(layout.corpus("p"))
    expected = np.flatnonzero(np.asarray(corpus[:, shared].X.sum(axis=1)).ravel() == 0)
    assert [name.partition(":cell")[2] for name in corpus.obs_names[expected]] == [str(i) for i in EMPTY]
    for piece in (1 << 22, 7, 1):
        monkeypatch.setattr(genes, "_ENTRIES", piece)
        np.testing.assert_array_equal(cells_without(layout.corpus("p"), shared), expected)
    assert cells_without(layout.corpus("a"), shared).size == 0


def test_they_are_left_out_of_training_and_counted(layout):
    said: list[str] = []
    drawn = draw_corpora(layout, "blood", seed=0, say=said.append)
    assert said == ["p: 3 of 40 cells have none of the 30 shared genes and are left out"]
    whole = draw_blocks(layout.profile, "blood", seed=0, sizes=corpus_sizes(layout, "blood"))
    assert [len(part.rows) for part in drawn["panel"]] == [37]
    np.testing.assert_array_equal(drawn["panel"][0].rows, np.setdiff1d(whole["panel"][0].rows, EMPTY))
    np.testing.assert_array_equal(drawn["baseline"][0].rows, whole["baseline"][0].rows)
    only = layout.profile.model_copy(update={"evaluations": {"whole": layout.profile.evaluations["whole"]}})
    train_baseline(Layout(layout.root, only), "blood", seed=0, say=str)


def test_they_are_left_out_of_an_evaluation_set_and_counted(layout, caplog):
    panel_too = layout.profile.evaluations["whole"].model_copy(update={"dataset": "p"})
    profile = layout.profile.model_copy(update={"evaluations": {"panel": panel_too}})
    with caplog.at_level(logging.WARNING):
        found = read_evaluation(Layout(layout.root, profile), "panel", seed=0)
    assert found.n_obs == 37
    assert "panel: 3 of 40 cells have none of the shared genes and are left out." in caplog.text


def test_an_evaluation_set_of_one_cell_is_refused_before_training(layout):
    with pytest.raises(DatamixError, match=r"'few' has 1 cell after QC(?s:.*)needs 2(?s:.*)evaluations\.few"):
        evaluation_rows(layout, "few", seed=0)
    with pytest.raises(DatamixError, match=r"'few' has 1 cell after QC"):
        train_baseline(layout, "blood", seed=0, say=str)


def test_two_cells_are_enough(layout):
    two = layout.profile.evaluations["few"].model_copy(update={"cells": 2})
    only = Layout(layout.root, layout.profile.model_copy(update={"evaluations": {"two": two}}))
    train_baseline(only, "blood", seed=0, say=str)
    import pandas as pd

    scores = pd.read_parquet(score_baseline(only, "blood", seed=0, say=str))
    assert scores["r2"].notna().all()
    assert scores["cell"].nunique() == 2
