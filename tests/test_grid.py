import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from small_grid import small_layout
from small_project import GENES

from datamix import grid
from datamix.errors import DatamixError
from datamix.layout import Layout


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return small_layout(tmp_path_factory.mktemp("grid"))


def test_genes_missing(layout, tmp_path):
    with pytest.raises(DatamixError, match=r"genes.csv does not exist(.|\n)*make book PROFILE=tiny"):
        grid.read_genes(Layout(tmp_path, layout.profile))


def test_train_score_and_keep(layout, monkeypatch):
    evaluations = {k: v for k, v in layout.profile.evaluations.items() if k in {"all", "some"}}
    profile = layout.profile.model_copy(update={"evaluations": evaluations})
    layout = Layout(layout.root, profile)
    said: list[str] = []
    grid.train_baseline(layout, "blood", seed=0, say=said.append)
    assert len(said) == 4  # blood, other, blood+blood, blood+other
    assert not [line for line in said if "kept" in line]
    stored = {m: pd.read_parquet(layout.model("blood", 0, m) / "loadings.parquet") for m in ("blood", "blood+other")}
    again: list[str] = []
    grid.train_baseline(layout, "blood", seed=0, say=again.append)
    assert [line.endswith(": kept") for line in again] == [True] * 4

    scores = pd.read_parquet(grid.score_baseline(layout, "blood", seed=0, say=said.append))
    assert scores.groupby(["mixture", "evaluation"], observed=True).ngroups == 8
    assert scores["r_profile"].abs().max() <= 1

    # The mean profile as prediction, computed plainly from the corpora.
    from datamix.corpus import n_cells, read_corpus
    from datamix.mixture import draw_blocks

    sizes = {d: n_cells(layout.corpus(d)) for d in ("a", "b")}
    rows = draw_blocks(profile, "blood", seed=0, sizes=sizes)["baseline"][0].rows
    train = read_corpus(layout.corpus("a"))[rows].X.toarray()
    evaluation = read_corpus(layout.corpus("e"))
    mean = np.log1p(train / train.sum(axis=1, keepdims=True) * 1e4).mean(axis=0)
    counts = evaluation.X.toarray()
    target = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    from datamix.reconstruction import align, variable_genes

    chosen = evaluation.var_names.isin(variable_genes(align(evaluation, GENES), 20))
    cell = scores.query("mixture == 'blood' and evaluation == 'all'").iloc[7]
    expected = np.corrcoef(mean[chosen], target[evaluation.obs_names.get_loc(cell["cell"])][chosen])[0, 1]
    assert cell["r_profile"] == pytest.approx(expected, abs=1e-5)

    # One cell again, gene by gene, from the same posterior sample as its score.
    genes = grid.predict_cell(
        layout, "blood", seed=0, evaluation="all", cell=cell["cell"], mixtures=["blood", "blood+other"]
    )
    assert len(genes) == 40
    assert genes.query("mixture == 'blood'")["r2"].iloc[0] == pytest.approx(cell["r2"], abs=1e-5)
    assert sp.issparse(evaluation.X)
    assert not stored["blood"].equals(stored["blood+other"])


def test_a_model_of_other_cells_is_not_kept(layout):
    said: list[str] = []
    grid.train_baseline(layout, "blood", seed=1, say=said.append)
    changed = Layout(layout.root, layout.profile.model_copy(update={"cells": 55}))
    said.clear()
    grid.train_baseline(changed, "blood", seed=1, say=said.append)
    assert not [line for line in said if line.endswith("kept")]
