"""What an edit makes stale: the project is copied, taken for finished, edited, and Snakemake says what it would do."""

import os
import re
import sys

import pytest
import yaml
from project_copy import copy_project

SITE = "results/tiny/site/index.html"
CORPORA = {f"corpus {name}" for name in ("sim_blood", "sim_atlas", "sim_k562", "sim_eval_aml")}
PROFILE = {
    "name": "tiny",
    "title": "Tiny profile",
    "simulated": True,
    "about": "For tests.",
    "seeds": [0, 1],
    "cells": 120,
    "baselines": {
        "blood": {"label": "Blood", "dataset": "sim_blood"},
        "atlas": {"label": "Atlas", "dataset": "sim_atlas"},
    },
    "added": {"perturb_seq": {"label": "Perturb-seq", "datasets": ["sim_k562"]}},
    "evaluations": {"aml": {"label": "AML", "dataset": "sim_eval_aml", "group": "cancer", "note": "Small."}},
    "geneformer": {"dictionaries": "geneformer_dictionaries", "baselines": ["blood"]},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project in which every file is there, empty, and said to be made from everything as it is now."""
    project = copy_project(tmp_path_factory.mktemp("staleness"), profile="tiny")
    (project.folder / "config" / "tiny.yaml").write_text(yaml.safe_dump(PROFILE, sort_keys=False))
    summary = snakemake(project, "--summary")
    for line in summary.splitlines():
        if line.startswith("results/"):
            path = project.folder / line.split("\t")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    snakemake(project, "--touch", "--forceall", "--quiet", "all")
    assert stale(project) == set()
    return project


def snakemake(project, *arguments):
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", *arguments]
    return project.run(*command, "--config", "profile=tiny", "--", SITE)


def stale(project):
    """Name what would run: `rule`, and what of, a job's own wildcards."""
    found = set()
    for job in snakemake(project, "--dry-run").split("\nrule ")[1:]:
        rule = job.partition(":")[0]
        wildcards = re.search(r"wildcards: (.*)", job)
        values = [pair.partition("=")[2] for pair in wildcards[1].split(", ")] if wildcards else []
        found.add(" ".join([rule, *values]))
    return found


@pytest.fixture
def edited(finished):
    """Edit files of the finished project; they are as before when the test ends."""
    kept = {}

    def edit(name, old, new):
        path = finished.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} has no {old!r}"
        kept.setdefault(path, (text, path.stat().st_mtime_ns))
        path.write_text(text.replace(old, new), encoding="utf-8")

    edit.stale = lambda: stale(finished)
    yield edit
    for path, (text, changed) in kept.items():
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(changed, changed))


def of(rule, *, seeds=(0, 1), baselines=("blood", "atlas")):
    return {f"{rule} {baseline} {seed}" for baseline in baselines for seed in seeds}


def notebooks(*names):
    return {*(f"notebook {name}" for name in names), "book"}


TRAIN, SCORE = of("train"), of("score") | {"scores"}
READ_OUT, HOLD_OUT = of("read_out", baselines=["blood"]), of("hold_out", baselines=["blood"])
YARDSTICKS = of("yardsticks", baselines=["blood"]) | {"notebook figS9", "book"}
GENEFORMER = {f"geneformer blood 0 {m}" for m in ("blood", "perturb_seq", "blood+blood", "blood+perturb_seq")}
GENEFORMER |= {"geneformer_scores"}
# Of the scores: pages that read them. Figure S5 reads no models.
WITH_SCORES = notebooks("fig2", "fig4", "claims", "figS2", "figS4", "figS6", "geneformer", "ledger")
WITH_MODELS = WITH_SCORES | notebooks("fig3", "training")
WITH_CORPORA = WITH_MODELS | notebooks("datasets", "protocols")
FROM_SCORES = SCORE | YARDSTICKS | WITH_SCORES
FROM_TRAINING = TRAIN | SCORE | READ_OUT | HOLD_OUT | YARDSTICKS | WITH_MODELS
# Figures 7 and 8 need mixtures by shares, which this profile lacks.
EVERY_PAGE = WITH_CORPORA | notebooks("framework", "real_cells", "speed", "paper_size", "fig7", "fig8", "figS9")


def test_words_make_no_corpus_and_no_model_again(edited):
    """Docstrings, comments, annotations, titles, notes, labels: pages show some of them, and nothing else changes."""
    for name in ("corpora/prepare", "sources/simulator/reader", "ldvae/training", "ldvae/grid", "scoring/score"):
        edited(f"src/datamix/{name}.py", "    Parameters\n    ----------\n", "    Arguments\n    ---------\n")
    edited("src/datamix/scoring/hold_out.py", "profile = layout.profile\n", "profile = layout.profile  # settings\n")
    edited("src/datamix/geneformer/pretraining.py", "-> BertForMaskedLM:", '-> "BertForMaskedLM":')
    edited("data_manifest.yaml", "Simulated: blood of healthy donors", "Simulated blood")
    edited("data_manifest.yaml", "    access: simulated\n", "    access: simulated\n    assay: none\n")
    edited("config/tiny.yaml", "label: Blood", "label: Peripheral blood")
    edited("config/tiny.yaml", "note: Small.", "note: Very small.")
    assert edited.stale() == EVERY_PAGE


def test_code_that_no_rule_runs_makes_nothing_again(edited):
    edited(
        "src/datamix/project/layout.py",
        "    @property\n    def scores(",
        "    def news(self):\n        return 1\n\n    @property\n    def scores(",
    )
    edited("src/datamix/corpora/fetch.py", "def fetch(", "def news():\n    return 1\n\n\ndef fetch(")
    edited(
        "src/datamix/sources/registry.py",
        "READERS: dict[str, str] = {",
        'READERS: dict[str, str] = {\n    "new": "datamix.x:y",',
    )
    assert edited.stale() == set()


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("ldvae/grid", "cells = {name: sum(", "cells = {name: 0 + sum(", FROM_TRAINING),
        ("corpora/normalise", "def mean_profile(training", "def mean_profile(_, training", FROM_TRAINING),
        (
            "scoring/score",
            "tables = []\n    for name,",
            "tables = list()\n    for name,",
            SCORE | YARDSTICKS | WITH_SCORES,
        ),
        ("scoring/score", "tables = []\n    for mixture", "tables = list()\n    for mixture", notebooks("fig2")),
        ("scoring/hold_out", "MOST_TYPES = 4", "MOST_TYPES = 5", HOLD_OUT | notebooks("claims")),
        ("scoring/read_out", "def read_out(", "def read_out(_, ", READ_OUT | notebooks("fig3", "fig4")),
        ("geneformer/pretraining", "def pretrain(", "def pretrain(_, ", GENEFORMER | notebooks("geneformer")),
        ("figures/training", "def training_curves(", "def training_curves(_, ", notebooks("training")),
        ("publishing/website/site", "def build_site(", "def build_site(_, ", {"book"}),
    ],
)
def test_a_changed_function_reruns_what_runs_it_and_what_depends_on_that(edited, name, old, new, expected):
    edited(f"src/datamix/{name}.py", old, new)
    assert edited.stale() == expected


def test_a_changed_reader_remakes_its_own_corpora(edited):
    edited("src/datamix/sources/readers/gtex.py", "def read_gtex(", "def read_gtex(_, ")
    assert edited.stale() == set()
    edited("src/datamix/sources/simulator/reader.py", "def simulated(", "def simulated(_, ")
    assert CORPORA | {"genes"} | TRAIN <= edited.stale()


def test_a_changed_file_of_data_counts_where_it_is_read(edited):
    edited("src/datamix/analysis/published_r2.csv", "blood,", "blood ,")
    assert edited.stale() == notebooks("fig2", "claims", "ledger")
    edited("src/datamix/sources/simulator/simulated_genes.csv", "gene", "Gene")
    assert edited.stale() >= CORPORA


def test_another_profile_counts_where_a_page_reads_it(edited):
    edited("config/paper.yaml", "name: paper", "name:  paper")
    assert edited.stale() == notebooks("ledger", "speed")


def test_dictionaries_count_by_their_content(edited):
    edited("data_manifest.yaml", "token_dictionary_gc30M.pkl\n", "token_dictionary_gc30M.pkl?elsewhere\n")
    assert edited.stale() == notebooks("framework", "fig4", "datasets", "protocols")  # which read the manifest
    pinned = f"token_dictionary_gc30M.pkl\n        sha256: {'f' * 64}\n"
    edited("data_manifest.yaml", "token_dictionary_gc30M.pkl?elsewhere\n", pinned)
    assert edited.stale() == GENEFORMER | notebooks("framework", "fig4", "datasets", "protocols", "geneformer")


def test_a_changed_setting_counts_where_it_is_read(edited):
    edited("config/tiny.yaml", "geneformer:", "scoring: {n_top_genes: 500}\ngeneformer:")
    assert edited.stale() == SCORE | READ_OUT | HOLD_OUT | YARDSTICKS | EVERY_PAGE
    edited("config/tiny.yaml", "geneformer:", "training: {max_epochs: 3}\ngeneformer:")
    assert edited.stale() == FROM_TRAINING | EVERY_PAGE


def test_a_page_counts_by_its_prose_too(edited):
    edited("notebooks/figS2.py", "How far do two trainings", "How far, then, do two trainings")
    assert edited.stale() == notebooks("figS2")
