"""From manifest to book: what is stale, and what runs side by side.

Run through `make`, or by hand: snakemake --cores all --config profile=demo
On a cluster: snakemake --executor slurm --jobs 20 --config profile=paper
"""

import os
import sys
from pathlib import Path

from datamix.corpora.planning import require_files_by_hand, rule_resources
from datamix.geneformer.tables import runs as geneformer_runs
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout
from datamix.project.locks import hold_for_run
from datamix.project.manifest import read_manifest
from datamix.publishing.site import list_notebooks
from datamix.sources.registry import reader_sources

# Models train with one thread each, side by side; more threads on such small matrices are slower.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")


# The project's folder, from wherever this is run; --directory overrules it. The jobs must agree on it.
workdir: os.environ.get("DATAMIX_ROOT", workflow.basedir)


os.environ["DATAMIX_ROOT"] = str(Path.cwd())
NAME = config.get("profile", "demo")
layout = Layout.of(NAME, Path.cwd())
profile = layout.profile
manifest = read_manifest(Path.cwd())

OUT = f"results/{NAME}"
NOTEBOOKS = list_notebooks(Path.cwd())
PYTHON = sys.executable
GENEFORMER = [f"geneformer/{m}" for m in "cells vocabulary tokenizer masking pretraining zero_shot run".split()]
BOOK = sorted(str(p) for p in Path("book").rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def code(*modules):
    """Return the sources of modules: what they make is stale when they change."""
    return [f"src/datamix/{module}.py" for module in modules]


def corpora(datasets):
    return [f"{OUT}/corpora/{dataset}.h5ad" for dataset in datasets]


def needs(notebook):
    """Return what a notebook reads; one that is not named here may read everything."""
    scores = [f"{OUT}/scores/reconstruction.parquet"]
    measured = sorted(str(path) for kept in ("results", "recorded") for path in Path(kept, "bench").glob("*.json"))
    known = {"framework": [], "speed": measured, "datasets": [f"{OUT}/corpora/genes.csv", *corpora(profile.datasets)]}
    known["protocols"] = known["datasets"]
    parts = [f"blood-seed{seed}.parquet" for seed in profile.seeds]
    known["fig3"] = [f"{OUT}/latents/{part}" for part in parts]
    known["fig4"] = [*scores, f"{OUT}/corpora/gene_sets.csv", *(f"{OUT}/scores/genes/{part}" for part in parts)]
    known["claims"] = [*scores, *(f"{OUT}/scores/held_out/{part}" for part in parts)]
    known["ledger"] = [*scores, *corpora(profile.datasets)]
    known["real_cells"] = sorted(map(str, Path("recorded").glob("*/provenance.json")))
    known["claims"] += known["real_cells"]
    if notebook == "geneformer" and profile.geneformer is not None:
        return [*scores, f"{OUT}/geneformer/scores.parquet"]
    return known.get(notebook, scores)


def draws_with(notebook):
    """Return the modules that a notebook computes and draws with."""
    known = {"framework": ["figures/framework"], "datasets": ["figures/reconstruction"], "speed": ["figures/speed", "analysis/speed_targets", "publishing/recorded"]}
    known["protocols"] = [
        "figures/protocols", "analysis/protocol_faults", "sources/simulator/published_layouts", "corpora/leakage", "geneformer/zero_shot",
    ]  # fmt: skip
    known["geneformer"] = ["figures/reconstruction", "analysis/summary", "figures/geneformer", "analysis/two_families", "geneformer/tables"]
    known["fig3"] = ["analysis/uniqueness", "analysis/latent_spaces", "figures/latent_spaces"]
    known["fig4"] = ["analysis/enrichment", "analysis/key_genes", "figures/key_genes", "analysis/summary"]
    known["claims"] = ["analysis/claims", "analysis/unseen_types", "figures/claims", "figures/latent_spaces", "publishing/recorded", "analysis/summary"]
    known["ledger"] = ["analysis/published_numbers", "analysis/summary"]
    known["real_cells"] = ["figures/reconstruction", "figures/latent_spaces", "publishing/recorded"]
    return known.get(notebook, ["figures/reconstruction", "analysis/summary"])


def needed(rule):
    """Return the memory (MB), minutes and GPU that a cluster should give a rule; no limit where there is no cluster."""
    return rule_resources(profile, rule)


onstart:
    # One message, before the first of many jobs fails: another run of the profile, a file that only a person can get.
    try:
        hold_for_run(layout.lock("run"), profile=NAME)
        jobs = {job.wildcards.dataset for job in workflow.dag.needrun_jobs() if job.rule.name == "corpus"}
        wanted = [dataset for dataset in profile.datasets if dataset in jobs]
        require_files_by_hand(wanted, manifest, root=Path.cwd(), profile=NAME)
    except DatamixError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)


wildcard_constraints:
    dataset="[A-Za-z0-9_]+",
    baseline="[A-Za-z0-9_]+",
    seed="[0-9]+",
    mixture="[A-Za-z0-9_+]+",


rule book:
    input:
        "data_manifest.yaml",
        notebooks=[f"{OUT}/notebooks/{name}.ipynb" for name in NOTEBOOKS],
        book=BOOK,
        code=code("publishing/site", "publishing/pages", "publishing/panels", "publishing/values", "project/provenance", "project/manifest"),
    output:
        update(f"{OUT}/site/index.html"),  # the former site stays until the new one is whole
    params:
        profile=profile.model_dump_json(),
    shell:
        "{PYTHON:q} -m datamix site --profile {NAME}"


rule corpus:
    input:
        code=lambda w: [*code("corpora/prepare", "corpora/gene_names"), *reader_sources(w.dataset, manifest)],
    output:
        f"{OUT}/corpora/{{dataset}}.h5ad",
    params:
        entry=lambda w: manifest.dataset(w.dataset).model_dump_json(),
        gene_table=lambda w: manifest.gene_table_of(w.dataset),
        protocol=profile.protocol,
        qc=profile.qc.model_dump_json(),
    resources:
        **needed("corpus"),
    shell:
        "{PYTHON:q} -m datamix prepare {wildcards.dataset} --profile {NAME}"


rule genes:
    input:
        corpora(profile.training_datasets),
        code=code("corpora/genes", "corpora/corpus"),
    output:
        f"{OUT}/corpora/genes.csv",
    params:
        most_variable=str(profile.most_variable_genes),
    resources:
        **needed("genes"),
    shell:
        "{PYTHON:q} -m datamix genes --profile {NAME}"


rule gene_sets:
    input:
        code=code("corpora/gene_sets", "sources/formats/gmt", "sources/simulator/programmes"),
    output:
        f"{OUT}/corpora/gene_sets.csv",
    params:
        dataset=manifest.dataset(profile.gene_sets).model_dump_json() if profile.gene_sets else "",
    shell:
        "{PYTHON:q} -m datamix gene-sets --profile {NAME}"


rule train:
    """All mixtures on one baseline with one seed."""
    input:
        f"{OUT}/corpora/genes.csv",
        corpora(profile.datasets),  # those for evaluation for the leakage guard
        code=code("ldvae/model", "ldvae/training", "ldvae/fast_training", "ldvae/fast_kernels", "ldvae/stacked_training", "corpora/mixtures", "corpora/leakage"),
    output:
        f"{OUT}/models/{{baseline}}/seed{{seed}}.json",
    params:
        settings=profile.training.model_dump_json(),
        draws=repr((profile.cells, profile.baselines, profile.added)),
        guard=repr(profile.evaluations),
    resources:
        **needed("train"),
    shell:
        "{PYTHON:q} -m datamix train {wildcards.baseline} --seed {wildcards.seed} --profile {NAME}"


rule score:
    """All models of one baseline and seed on every evaluation set."""
    input:
        rules.train.output,
        lambda w: f"{OUT}/models/{w.baseline}/seed{profile.model_seed(int(w.seed))}.json",
        corpora(e.dataset for e in profile.evaluations.values()),
        code=code("scoring/reconstruction", "scoring/posterior", "scoring/kernels", "corpora/normalise", "corpora/evaluation_sets"),
    output:
        f"{OUT}/scores/parts/{{baseline}}-seed{{seed}}.parquet",
    params:
        settings=profile.scoring.model_dump_json(),
        evaluations=repr(profile.evaluations),
    resources:
        **needed("score"),
    shell:
        "{PYTHON:q} -m datamix score {wildcards.baseline} --seed {wildcards.seed} --profile {NAME}"


rule read_out:
    """Latent spaces and residuals of genes, of all models of one baseline and seed."""
    input:
        rules.train.output,
        lambda w: f"{OUT}/models/{w.baseline}/seed{profile.model_seed(int(w.seed))}.json",
        corpora(e.dataset for e in profile.evaluations.values()),
        code=code(
            "scoring/read_out", "scoring/reconstruction", "scoring/posterior", "scoring/kernels", "corpora/normalise", "corpora/evaluation_sets"
        ),
    output:
        f"{OUT}/latents/{{baseline}}-seed{{seed}}.parquet",
        f"{OUT}/scores/genes/{{baseline}}-seed{{seed}}.parquet",
    params:
        settings=profile.scoring.model_dump_json(),
        evaluations=repr(profile.evaluations),
    resources:
        **needed("score"),
    shell:
        "{PYTHON:q} -m datamix read-out {wildcards.baseline} --seed {wildcards.seed} --profile {NAME}"


rule hold_out:
    """The baseline trained without one cell type, for several types, with one seed."""
    input:
        rules.train.output,
        corpora(profile.training_datasets),
        corpora(e.dataset for e in profile.evaluations.values()),
        code=code(
            "scoring/hold_out", "ldvae/training", "ldvae/fast_training", "ldvae/fast_kernels", "ldvae/stacked_training", "corpora/mixtures", "scoring/reconstruction",
            "scoring/posterior",
        ),
    output:
        f"{OUT}/scores/held_out/{{baseline}}-seed{{seed}}.parquet",
    params:
        settings=repr((profile.training, profile.scoring, profile.cells, profile.evaluations)),
    resources:
        **needed("train"),
    shell:
        "{PYTHON:q} -m datamix hold-out {wildcards.baseline} --seed {wildcards.seed} --profile {NAME}"


rule scores:
    input:
        [f"{OUT}/scores/parts/{b}-seed{s}.parquet" for b in profile.baselines for s in profile.seeds],
    output:
        f"{OUT}/scores/reconstruction.parquet",
    resources:
        **needed("scores"),
    shell:
        "{PYTHON:q} -m datamix collect-scores --profile {NAME}"


rule geneformer:
    """One mixture with one seed: tokenised, pretrained on, evaluated."""
    input:
        f"{OUT}/corpora/genes.csv",
        corpora(profile.datasets),
        code=code("corpora/mixtures", "corpora/leakage", *GENEFORMER),
    output:
        f"{OUT}/geneformer/scores/{{baseline}}/seed{{seed}}/{{mixture}}.parquet",
    params:
        settings=profile.geneformer.model_dump_json(exclude={"baselines", "seeds"}) if profile.geneformer else "",
        draws=repr((profile.cells, profile.baselines, profile.added)),
        evaluations=repr(profile.evaluations),
    resources:
        **needed("geneformer"),
    shell:
        "{PYTHON:q} -m datamix geneformer run {wildcards.baseline} {wildcards.mixture} --seed {wildcards.seed} "
        "--profile {NAME}"


rule geneformer_scores:
    input:
        [f"{OUT}/geneformer/scores/{b}/seed{s}/{m}.parquet" for b, s, m in geneformer_runs(profile)],
    output:
        f"{OUT}/geneformer/scores.parquet",
    shell:
        "{PYTHON:q} -m datamix geneformer collect --profile {NAME}"


rule notebook:
    input:
        lambda w: needs(w.notebook),
        script="notebooks/{notebook}.py",
        code=lambda w: code("publishing/panels", "publishing/values", "figures/style", "publishing/results", *draws_with(w.notebook)),
    output:
        f"{OUT}/notebooks/{{notebook}}.ipynb",
    params:
        profile=profile.model_dump_json(),
    resources:
        **needed("notebook"),
    shell:
        "{PYTHON:q} -m datamix notebook {wildcards.notebook} --profile {NAME}"
