import json
import shutil

import datasets
import numpy as np
import pandas as pd
import pytest
import yaml
from small_project import read_entries, write_manifest
from transformers import BertForMaskedLM

from datamix.corpora.corpus import n_cells, read_corpus
from datamix.corpora.mixtures import draw_blocks, list_mixtures
from datamix.geneformer import tables
from datamix.geneformer.run import Run, run_mixture, tokenize_mixture
from datamix.geneformer.vocabulary import Vocabulary
from datamix.project.errors import DatamixError, NotInProfileError
from datamix.project.files import sha256
from datamix.project.layout import Layout
from datamix.project.profile_files import read_profile


@pytest.fixture(scope="module")
def done(layout):
    """Run two of the four mixtures."""
    said = []
    paths = {m: run_mixture(layout, "blood", m, seed=0, say=said.append) for m in ("other", "blood+other")}
    return paths, said


def test_the_cells_are_those_of_the_other_model(layout):
    sizes = {d: n_cells(layout.corpus(d)) for d in ("a", "b")}
    blocks = draw_blocks(layout.profile, "blood", seed=5, sizes=sizes)
    for mixture in list_mixtures(layout.profile, "blood"):
        run = Run(layout, "blood", mixture.name, seed=5)
        expected = [part for block in mixture.blocks for part in blocks[block]]
        assert [p.dataset for p in run.parts] == [p.dataset for p in expected]
        assert all((p.rows == q.rows).all() for p, q in zip(run.parts, expected, strict=True))


def test_scores(layout, done):
    table = pd.read_parquet(done[0]["blood+other"])
    assert table.columns.tolist() == [
        "baseline", "mixture", "seed", "evaluation", "cell", "cell_type", "donor", "tokens", "correlation", "published",
        "corrected", "masked", "correct", "loss", "unigram_loss", "gain",
    ]  # fmt: skip
    assert table.groupby("evaluation", observed=True).size().to_dict() == {"all": 20, "some": 10}
    assert set(table["mixture"]) == {"blood+other"}
    assert table["tokens"].eq(24).all()
    assert table["masked"].eq(4).all()  # 15 % of 24
    assert table["correlation"].between(-1, 1).all()
    np.testing.assert_allclose(table["gain"], table["unigram_loss"] - table["loss"])
    cells = read_corpus(layout.corpus("e")).obs
    assert cells.loc[table["cell"], "cell_type"].tolist() == table["cell_type"].tolist()


def test_baselines_come_from_evaluation_and_from_training_cells(layout, done):
    table = pd.read_parquet(done[0]["other"])
    assert (table["published"] - table["corrected"]).abs().max() > 1e-3
    # Knowing the cells that are asked for cannot be worse on average.
    assert table["published"].mean() > table["corrected"].mean()


def test_embeddings(layout, done):
    points = pd.read_parquet(tables.embeddings_of(layout, "blood", 0, "other"))
    table = pd.read_parquet(done[0]["other"])
    assert points["cell"].tolist() == table["cell"].tolist()
    assert points.filter(regex=r"^z\d+$").shape == (30, 16)
    assert np.isfinite(points.filter(regex=r"^z\d+$")).all(axis=None)


def test_what_a_model_was_made_from(layout, done):
    folder = tables.model_of(layout, "blood", 0, "blood+other")
    record = json.loads((folder / "provenance.json").read_text())
    assert record["cells"] == {"a": 40, "b": 40}
    assert record["settings"]["layers"] == 2
    assert "evaluation_cells" not in record["settings"]
    assert record["seconds"] > 0
    vocabulary = Vocabulary.load(folder / "vocabulary.json")
    assert BertForMaskedLM.from_pretrained(folder).config.vocab_size == vocabulary.size
    tokens = datasets.load_from_disk(
        str(layout.folder / "geneformer" / "tokens" / "blood" / "seed0" / "blood+other" / "cells")
    )
    assert len(tokens) == 80


def test_a_finished_model_is_kept_and_a_changed_setting_is_not(layout, done):
    path, said = done[0]["other"], []
    before = path.read_bytes()
    run_mixture(layout, "blood", "other", seed=0, say=said.append)
    assert [line.rpartition(": ")[2] for line in said] == ["kept"]
    assert path.read_bytes() == before
    settings = layout.profile.geneformer
    fewer = layout.profile.model_copy(update={"geneformer": settings.model_copy(update={"evaluation_cells": 5})})
    wider = layout.profile.model_copy(update={"geneformer": settings.model_copy(update={"width": 32})})
    key = Run(layout, "blood", "other", seed=0).key()
    assert Run(Layout(layout.root, fewer), "blood", "other", seed=0).key() == key
    assert Run(Layout(layout.root, wider), "blood", "other", seed=0).key() != key
    assert Run(layout, "blood", "other", seed=1).key() != key
    assert Run(layout, "blood", "blood", seed=0).key() != key


def test_a_second_run_gives_the_same_scores(layout, done, tmp_path):
    shutil.copytree(layout.root, tmp_path / "copy", ignore=shutil.ignore_patterns("geneformer"))
    again = run_mixture(Layout(tmp_path / "copy", layout.profile), "blood", "other", seed=0, say=lambda _: None)
    pd.testing.assert_frame_equal(pd.read_parquet(again), pd.read_parquet(done[0]["other"]))


def test_published_dictionaries(layout, tmp_path):
    import pickle

    shutil.copytree(layout.root, tmp_path / "p", ignore=shutil.ignore_patterns("geneformer"))
    root = tmp_path / "p"
    genes = read_corpus(layout.corpus("a")).var_names[10:50]
    tokens = {"<pad>": 0, "<mask>": 1} | {gene: i for i, gene in enumerate(genes, start=2)}
    content = {"token_dictionary.pkl": tokens, "gene_median_dictionary.pkl": dict.fromkeys(genes, 1.5)}
    entries = read_entries(root)
    folder = root / "data" / "dictionaries"
    folder.mkdir(parents=True)
    for name, table in content.items():
        (folder / name).write_bytes(pickle.dumps(table))
    files = [{"name": n, "steps": "by hand", "sha256": sha256(folder / n)} for n in content]
    entries["dictionaries"] = entries["a"] | {"reader": "geneformer_dictionaries", "files": files, "options": {}}
    write_manifest(root, entries)
    settings = layout.profile.geneformer.model_copy(update={"dictionaries": "dictionaries"})
    published = Layout(root, layout.profile.model_copy(update={"geneformer": settings}))
    cells, vocabulary = tokenize_mixture(Run(published, "blood", "blood", seed=0))
    assert vocabulary.genes.tolist() == list(genes)
    assert set(vocabulary.medians) == {1.5}
    assert len(cells) == 40
    assert max(max(ids) for ids in cells["input_ids"]) <= 41


def test_collect_and_read(layout, done):
    for mixture in ("blood", "blood+blood"):
        with pytest.raises(
            DatamixError, match=r"does not exist: Geneformer has not been trained.\n.*make book PROFILE=tiny"
        ):
            tables.collect(layout)
        run_mixture(layout, "blood", mixture, seed=0, say=lambda _: None)
    table = pd.read_parquet(tables.collect(layout))
    assert table.groupby("mixture", observed=True).size().to_dict() == dict.fromkeys(
        ["blood", "blood+blood", "blood+other", "other"], 30
    )
    assert len(tables.read_scores(layout, "blood")) == 120
    history = tables.read_history(layout, "blood")
    assert history.groupby("mixture")["step"].max().to_dict() == {
        "blood": 10, "other": 10, "blood+blood": 20, "blood+other": 20,
    }  # fmt: skip


def test_the_types_of_the_training_cells(layout, done):
    only = layout.profile.model_copy(
        update={"geneformer": layout.profile.geneformer.model_copy(update={"baselines": ("blood",)})}
    )
    for mixture in ("blood", "blood+blood"):
        run_mixture(layout, "blood", mixture, seed=0, say=lambda _: None)
    found = tables.trained_types(Layout(layout.root, only), "blood")
    assert set(found) == {"blood", "other", "blood+blood", "blood+other"}
    obs = read_corpus(layout.corpus("b")).obs
    rows = np.concatenate([p.rows for p in Run(layout, "blood", "other", seed=0).parts])
    assert found["other"] == set(obs["cell_type"].astype(str).iloc[rows])


def test_a_profile_may_leave_added_sets_out():
    profile = read_profile("demo")
    few = profile.geneformer.model_copy(update={"added": ("tf_atlas",)})
    all_of_them = profile.geneformer.model_copy(update={"added": None})
    names = [m.name for m in tables.trained_mixtures(profile.model_copy(update={"geneformer": few}), "blood")]
    assert names == ["blood", "tf_atlas", "blood+blood", "blood+tf_atlas"]
    everything = profile.model_copy(update={"geneformer": all_of_them})
    assert tables.trained_mixtures(everything, "blood") == list_mixtures(profile, "blood")
    assert [m for _, _, m in tables.runs(everything)] == [m.name for m in list_mixtures(profile, "blood")]


def test_evaluation_cells_in_training_stop_the_run(layout):
    """No token is written and no model is made of cells that it would be tested on."""
    evaluations = {"leaking": layout.profile.evaluations["all"].model_copy(update={"dataset": "a"})}
    leaking = Layout(layout.root, layout.profile.model_copy(update={"evaluations": evaluations}))
    run = Run(layout, "blood", "blood", seed=7)
    with pytest.raises(
        DatamixError, match=r"Evaluation set 'leaking' \(a\): 80 of its 170 cells are also in the training"
    ):
        run_mixture(leaking, "blood", "blood", seed=7)
    assert not run.folder.exists()
    assert not run.tokens.exists()


def test_what_is_not_in_the_profile(layout):
    without = Layout(
        layout.root, layout.profile.model_copy(update={"geneformer": None, "missing": {"geneformer": "Why."}})
    )
    assert tables.runs(without.profile) == []
    with pytest.raises(
        NotInProfileError, match=r"Profile tiny does not train Geneformer. Why.(.|\n)*add `geneformer:`"
    ):
        tables.read_scores(without, "blood")
    with pytest.raises(NotInProfileError, match="does not train Geneformer"):
        Run(without, "blood", "blood", seed=0)
    with pytest.raises(NotInProfileError, match="does not train Geneformer on the atlas baseline"):
        tables.read_scores(layout, "atlas")
    with pytest.raises(DatamixError, match=r"no mixture 'b'.\n.*name one of blood, other, blood\+blood, blood\+other"):
        Run(layout, "blood", "b", seed=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 30, "heads": 4}, "width 30 is not a multiple of heads 4"),
        ({"batch_size": 10, "cells_per_device": 4}, "batch_size 10 is not a multiple of cells_per_device 4"),
        ({"log_steps": 3}, "checkpoint_steps 4 is not a multiple of log_steps 3"),
        ({"added": ["lung"]}, "geneformer.added names lung, which is no added set"),
        ({"baselines": ["lung"]}, "geneformer.baselines names lung, which is no baseline"),
    ],
)
def test_settings_that_cannot_be(layout, tmp_path, change, message):
    content = yaml.safe_load((layout.root / "config" / "tiny.yaml").read_text())
    content["geneformer"] |= change
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(DatamixError, match=message):
        read_profile(str(tmp_path / "tiny.yaml"))
