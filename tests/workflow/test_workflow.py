"""The whole way of the data on the tiny profile. Tests that change the project put it back."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import scvi

SITE = "results/tiny/site/index.html"


def digest(folder, pattern):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.glob(pattern))}


def test_the_grid_is_complete(tiny):
    scores = pd.read_parquet(tiny.results / "scores" / "reconstruction.parquet")
    keys = ["baseline", "mixture", "seed", "evaluation"]
    assert scores.groupby(keys, observed=True).size().eq(40).all()
    assert scores.groupby(keys, observed=True).ngroups == 2 * 10 * 2 * 5
    assert scores.groupby("baseline", observed=True)["mixture"].nunique().eq(10).all()
    assert ((scores["r2"] - scores["r"] ** 2).abs() < 1e-6).all()
    assert {"r_mean", "r2_mean", "r_profile", "cell_type", "donor"} <= set(scores.columns)


def test_seeds_differ_in_the_trained_models(tiny):
    for mixture in ("blood", "blood+tf_atlas"):
        one, two = (
            pd.read_parquet(tiny.results / "models" / "blood" / f"seed{s}" / mixture / "loadings.parquet")
            for s in (0, 1)
        )
        assert one.index.equals(two.index)
        assert (one - two).abs().to_numpy().mean() > 0.01


def test_models_open_with_scvi_tools(tiny):
    folder = tiny.results / "models" / "atlas" / "seed1" / "atlas+bone_marrow"
    from datamix.ldvae import model as ldvae

    model = ldvae.load(folder)
    assert type(model) is scvi.model.LinearSCVI
    pd.testing.assert_frame_equal(
        model.get_loadings(), pd.read_parquet(folder / "loadings.parquet"), check_names=False, check_dtype=False
    )


def test_a_second_run_does_nothing(tiny):
    assert tiny.jobs(SITE) == {}


def test_a_changed_notebook_redoes_itself_and_the_book(tiny):
    script = tiny.folder / "notebooks" / "figS2.py"
    before = script.read_text()
    try:
        script.write_text(before.replace("How far do two trainings", "How far, then, do two trainings"))
        assert tiny.jobs(SITE) == {"notebook": 1, "book": 1}
        tiny.snakemake(SITE)
        page = next((tiny.results / "site").rglob("figS2.html")).read_text()
        assert "How far, then, do two trainings" in page
    finally:
        script.write_text(before)  # its page stays that of the changed one: what comes below reads no site


def test_a_changed_setting_redoes_what_depends_on_it(tiny):
    config = tiny.folder / "config" / "tiny.yaml"
    before = config.read_text()
    try:
        config.write_text(before.replace("max_epochs: 12", "max_epochs: 13"))
        jobs = tiny.jobs(SITE)
        assert jobs["train"] == 4
        assert "corpus" not in jobs
        config.write_text(before + "scoring: {n_top_genes: 500}\n")
        jobs = tiny.jobs(SITE)
        assert jobs["score"] == 4
        assert "train" not in jobs
    finally:
        config.write_text(before)


def test_two_builds_give_the_same_bytes(tiny):
    before = digest(tiny.results / "panels", "fig2a.*")
    assert {name.rpartition(".")[2] for name in before} == {"svg", "pdf", "png", "csv", "json"}
    for name in before:
        (tiny.results / "panels" / name).unlink()
    tiny.datamix("notebook", "fig2", "--profile", "tiny")
    assert digest(tiny.results / "panels", "fig2a.*") == before


def test_two_runs_give_the_same_scores(tiny):
    path = tiny.results / "scores" / "parts" / "blood-seed1.parquet"
    before = pd.read_parquet(path)
    models = tiny.results / "models" / "blood" / "seed1"
    kept = models.with_name("kept")
    models.rename(kept)
    try:
        tiny.datamix("train", "blood", "--seed", "1", "--profile", "tiny")
        tiny.datamix("score", "blood", "--seed", "1", "--profile", "tiny")
        pd.testing.assert_frame_equal(pd.read_parquet(path), before)
    finally:
        shutil.rmtree(models)
        kept.rename(models)


def test_an_interrupted_training_keeps_what_was_finished(tiny):
    models = tiny.results / "models" / "atlas" / "seed0"
    backup = models.with_name("backup")
    shutil.copytree(models, backup)
    for folder in models.iterdir():
        shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
    command = [sys.executable, "-m", "datamix", "train", "atlas", "--seed", "0", "--profile", "tiny"]
    process = subprocess.Popen(command, cwd=tiny.folder, env=tiny.environment(), stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 300
        while len(list(models.glob("*/provenance.json"))) < 2 and time.monotonic() < deadline:
            assert process.poll() is None, "training ended before it could be interrupted"
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        output = tiny.datamix("train", "atlas", "--seed", "0", "--profile", "tiny")
        kept = output.count(": kept")
        assert 2 <= kept < 10
        for folder in backup.glob("*/loadings.parquet"):
            again = models / folder.parent.name / "loadings.parquet"
            pd.testing.assert_frame_equal(pd.read_parquet(again), pd.read_parquet(folder))
        assert not [p for p in models.rglob("*") if p.name.startswith(".") and p.is_dir()]
    finally:
        process.kill()
        shutil.rmtree(models)
        backup.rename(models)


def test_results_missing_says_which_command_makes_them(tiny):
    (tiny.folder / "config" / "never.yaml").write_text(
        (tiny.folder / "config" / "tiny.yaml").read_text().replace("name: tiny", "name: never")
    )
    output = tiny.datamix("notebook", "fig2", "--profile", "never", ok=False)
    assert "make book PROFILE=never" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("cells: 120", "cells: 120\nsurprise: 1"), "unknown key 'surprise'"),
        (("cells: 120", "cells: 120\ncells: 121"), "key 'cells' stands twice"),
        (("cells: 120", "cells: many"), "'cells"),
        (("cells: 120", "cells: 100000"), "asks for 100,000 cells of half of sim_blood"),
        (("dataset: sim_eval_aml", "dataset: sim_eval_amml"), "sim_eval_aml"),
    ],
)
def test_a_bad_profile_ends_in_one_clear_message(tiny, change, message):
    text = (tiny.folder / "config" / "tiny.yaml").read_text().replace(*change)
    (tiny.folder / "config" / "bad.yaml").write_text(text.replace("name: tiny", "name: bad"))
    shutil.rmtree(tiny.folder / "results" / "bad", ignore_errors=True)
    (tiny.folder / "results" / "bad").mkdir()
    shutil.copytree(tiny.results / "corpora", tiny.folder / "results" / "bad" / "corpora")
    command = "prepare" if "amml" in change[1] else "train"
    arguments = ["sim_eval_amml"] if command == "prepare" else ["blood", "--seed", "0"]
    output = tiny.datamix(command, *arguments, "--profile", "bad", ok=False)
    assert message in output
    assert "Traceback" not in output
    assert "To mend it:" in output


def test_papermill_by_hand(tiny):
    """The lines of the README: convert, ask for help, run with a parameter."""
    tiny.run("jupytext", "--to", "ipynb", "notebooks/figS2.py", "--output", "by-hand.ipynb")
    helped = tiny.run("papermill", "--help-notebook", "by-hand.ipynb")
    assert "profile: str" in helped
    assert "demo | mini | paper" in helped
    tiny.run("papermill", "by-hand.ipynb", "out.ipynb", "-p", "profile", "tiny")
    assert (tiny.folder / "out.ipynb").stat().st_size > 10_000
