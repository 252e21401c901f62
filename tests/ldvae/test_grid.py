import shutil

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from small_grid import small_layout
from small_project import GENES

from datamix.analysis.summary import summarise
from datamix.corpora import genes, mixtures
from datamix.corpora.evaluation_sets import read_evaluation
from datamix.figures.labels import label_mixtures
from datamix.ldvae import grid, model, training
from datamix.ldvae.stacked_training import StackedTrainer
from datamix.project.errors import DatamixError
from datamix.project.files import read_json
from datamix.project.layout import Layout
from datamix.scoring import read_out, reconstruction, score


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return small_layout(tmp_path_factory.mktemp("grid"))


def test_genes_missing(layout, tmp_path):
    with pytest.raises(DatamixError, match=r"genes.csv does not exist(.|\n)*make book PROFILE=tiny"):
        genes.read_genes(Layout(tmp_path, layout.profile))


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

    asked = []

    def variable_genes(cells, *arguments, choose=reconstruction.variable_genes, **more):
        asked.append(cells.n_obs)
        return choose(cells, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(reconstruction, "variable_genes", variable_genes)
        scores = pd.read_parquet(score.score_baseline(layout, "blood", seed=0, say=said.append))
    assert len(asked) == 2  # once an evaluation set
    for name, models in scores.groupby("evaluation", observed=True):
        cells = reconstruction.align(read_evaluation(layout, str(name), seed=0), GENES)
        loaded = {"blood": model.load(layout.model("blood", 0, "blood"))}
        again = reconstruction.score(loaded, cells, n_top_genes=20, seed=0)
        np.testing.assert_array_equal(models.query("mixture == 'blood'")["r"], again["r"])
    assert scores.groupby(["mixture", "evaluation"], observed=True).ngroups == 8
    assert scores["r_profile"].abs().max() <= 1

    # The mean profile as prediction, computed plainly from the corpora.
    from datamix.corpora.corpus import n_cells, read_corpus
    from datamix.corpora.mixtures import draw_blocks

    sizes = {d: n_cells(layout.corpus(d)) for d in ("a", "b")}
    rows = draw_blocks(profile, "blood", seed=0, sizes=sizes)["baseline"][0].rows
    train = read_corpus(layout.corpus("a"))[rows].X.toarray()
    evaluation = read_corpus(layout.corpus("e"))
    mean = np.log1p(train / train.sum(axis=1, keepdims=True) * 1e4).mean(axis=0)
    counts = evaluation.X.toarray()
    target = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    from datamix.scoring.reconstruction import align, variable_genes

    chosen = evaluation.var_names.isin(variable_genes(align(evaluation, GENES), 20))
    cell = scores.query("mixture == 'blood' and evaluation == 'all'").iloc[7]
    expected = np.corrcoef(mean[chosen], target[evaluation.obs_names.get_loc(cell["cell"])][chosen])[0, 1]
    assert cell["r_profile"] == pytest.approx(expected, abs=1e-5)

    # One cell again, gene by gene, from the same posterior sample as its score.
    genes = score.predict_cell(
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


def loadings(layout: Layout, seed: int) -> dict[str, pd.DataFrame]:
    folder = layout.model_list("blood", seed).with_suffix("")
    return {path.parent.name: pd.read_parquet(path) for path in folder.glob("*/loadings.parquet")}


def test_the_model_of_an_added_set_alone_is_trained_once_for_all_baselines(tmp_path):
    small = small_layout(tmp_path)
    second = small.profile.baselines["blood"].model_copy(update={"label": "Second"})
    baselines = {**small.profile.baselines, "second": second}
    layout = Layout(small.root, small.profile.model_copy(update={"baselines": baselines}))
    grid.train_baseline(layout, "blood", seed=0, say=str)
    said: list[str] = []
    grid.train_baseline(layout, "second", seed=0, say=said.append)
    assert [line.partition(", other: ")[2] for line in said if ", other: " in line] == [
        f"as in {layout.model('blood', 0, 'other').parent}"
    ]
    of_first, copied = layout.model("blood", 0, "other"), layout.model("second", 0, "other")
    for name in ("model.pt", "loadings.parquet", "history.csv"):
        assert (copied / name).read_bytes() == (of_first / name).read_bytes()
    made = read_json(copied / "provenance.json")
    assert made["baseline"] == "second"
    assert made["seconds"] == 0 < read_json(of_first / "provenance.json")["seconds"]
    # Trained for itself it is the same model.
    before = pd.read_parquet(copied / "loadings.parquet")
    shutil.rmtree(copied)
    shutil.rmtree(of_first)
    grid.train_baseline(layout, "second", seed=0, say=str)
    assert read_json(copied / "provenance.json")["seconds"] > 0
    pd.testing.assert_frame_equal(pd.read_parquet(copied / "loadings.parquet"), before)


def test_models_of_one_size_are_stacked_and_kept_after_an_interruption(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "stacking_device", lambda: torch.device("cpu"))
    layout = small_layout(tmp_path)
    said: list[str] = []

    def stop_at_the_second_size(line: str) -> None:
        said.append(line)
        if "blood+blood" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grid.train_baseline(layout, "blood", seed=0, say=stop_at_the_second_size)
    assert [line.split(": ")[1] for line in said] == ["1 of 4, blood", "2 of 4, other", "3 of 4, blood+blood"]
    assert not layout.model_list("blood", 0).exists()
    said.clear()
    grid.train_baseline(layout, "blood", seed=0, say=said.append)
    assert [line.endswith(": kept") for line in said] == [True, True, True, False]
    records = {name: read_json(layout.model("blood", 0, name) / "provenance.json") for name in loadings(layout, 0)}
    together = {name: record["trained_together"] for name, record in records.items()}
    assert together == {"blood": 2, "other": 2, "blood+blood": 2, "blood+other": 1}
    assert {m["cells"] for m in read_json(layout.model_list("blood", 0)).values()} == {80, 160}
    broken = loadings(layout, 0)
    shutil.rmtree(layout.model_list("blood", 0).with_suffix(""))
    grid.train_baseline(layout, "blood", seed=0, say=str)
    for name, unbroken in loadings(layout, 0).items():
        np.testing.assert_allclose(broken[name], unbroken, rtol=1e-4, atol=5e-4, err_msg=name)
    assert (layout.model("blood", 0, "blood").parent / "blood+other.mean_profile.parquet").is_file()


def test_a_stack_that_memory_does_not_hold_is_said_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "stacking_device", lambda: torch.device("cpu"))
    layout = small_layout(tmp_path)
    grid.train_baseline(layout, "blood", seed=0, say=str)
    unbroken = loadings(layout, 0)
    shutil.rmtree(layout.model_list("blood", 0).with_suffix(""))
    shuffle = StackedTrainer.shuffle

    def shuffle_one(self, rows):
        if len(self.models) > 1:
            raise torch.cuda.OutOfMemoryError
        return shuffle(self, rows)

    monkeypatch.setattr(StackedTrainer, "shuffle", shuffle_one)
    said: list[str] = []
    grid.train_baseline(layout, "blood", seed=0, say=said.append)
    about = "train tiny, blood baseline, seed 0: the memory of the GPU does not hold 2 models"
    assert [line.startswith(about) for line in said] == [True, False, False] * 2
    for name, table in loadings(layout, 0).items():
        np.testing.assert_allclose(table, unbroken[name], rtol=1e-4, atol=5e-4, err_msg=name)


def test_a_control_of_the_added_sets_own_size_is_trained_scored_and_held_against(tmp_path):
    """A baseline of 80 cells, and an added set that is taken whole."""
    layout = small_layout(tmp_path)
    sizes = mixtures.corpus_sizes(layout, "blood")
    added = {"other": layout.profile.added["other"].model_copy(update={"cells": "all"})}
    layout = Layout(layout.root, layout.profile.model_copy(update={"added": added}))
    listed = mixtures.mixtures_of(layout, "blood")
    control = f"blood+blood_{sizes['b']}"
    assert [m.name for m in listed] == ["blood", "other", "blood+blood", "blood+other", control]
    grid.train_baseline(layout, "blood", seed=0, say=str)
    trained = read_json(layout.model_list("blood", 0))
    assert {m.name: m.cells for m in listed} == {name: model["cells"] for name, model in trained.items()}
    assert trained[control]["cells"] == trained["blood+other"]["cells"] == 80 + sizes["b"]
    scores = pd.read_parquet(score.score_baseline(layout, "blood", seed=0, say=str))
    scores = scores.astype({"mixture": str, "evaluation": str})
    table = summarise(scores, listed).set_index(["evaluation", "mixture"])
    held = table.loc[("all", "blood+other")]
    assert held["control"] == control
    assert held["over_control"] == held["median"] - table.loc[("all", control), "median"]
    assert table.loc[("all", control), "group"] == "control"
    assert label_mixtures(table.reset_index(), layout.profile).set_index("mixture")["mixture_label"][
        control
    ].tolist() == ([f"+ Blood ({sizes['b']} cells)"] * 2)
    read_out.read_out(layout, "blood", seed=0, say=str)
    latents = pd.read_parquet(layout.latents_of("blood", 0))
    assert set(latents["mixture"].astype(str)) == set(trained)
