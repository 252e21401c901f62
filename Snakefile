"""From manifest to book: what is stale, and what runs side by side.

Run through `make`, or by hand: snakemake --cores all --config profile=demo
On a cluster: snakemake --executor slurm --jobs 20 --config profile=paper
"""

import os
import sys
from pathlib import Path

from datamix.layout import Layout
from datamix.manifest import read_manifest

# Models train with one thread each, side by side; more threads on such small matrices are slower.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

NAME = config.get("profile", "demo")
layout = Layout.of(NAME, Path.cwd())
profile = layout.profile
manifest = read_manifest(Path.cwd())

OUT = f"results/{NAME}"
NOTEBOOKS = sorted(path.stem for path in Path("notebooks").glob("*.py"))
PYTHON = sys.executable
BOOK = sorted(str(p) for p in Path("book").rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def code(*modules):
    """Return the sources of modules: what they make is stale when they change."""
    return [f"src/datamix/{module}.py" for module in modules]


def corpora(datasets):
    return [f"{OUT}/corpora/{dataset}.h5ad" for dataset in datasets]


def needs(notebook):
    """Return what a notebook reads; one that is not named here may read everything."""
    scores = [f"{OUT}/scores/reconstruction.parquet"]
    known = {"framework": [], "datasets": [f"{OUT}/corpora/genes.csv", *corpora(profile.datasets)]}
    return known.get(notebook, scores)


wildcard_constraints:
    dataset="[A-Za-z0-9_]+",
    baseline="[A-Za-z0-9_]+",
    seed="[0-9]+",


rule book:
    input:
        "data_manifest.yaml",
        notebooks=[f"{OUT}/notebooks/{name}.ipynb" for name in NOTEBOOKS],
        book=BOOK,
        code=code("site", "pages", "panels", "values", "provenance", "manifest"),
    output:
        update(f"{OUT}/site/index.html"),  # the former site stays until the new one is whole
    params:
        profile=profile.model_dump_json(),
    shell:
        "{PYTHON} -m datamix site --profile {NAME}"


rule corpus:
    input:
        code=lambda w: [*code("preparation", "gene_names"), *manifest.reader_sources(w.dataset)],
    output:
        f"{OUT}/corpora/{{dataset}}.h5ad",
    params:
        entry=lambda w: manifest.dataset(w.dataset).model_dump_json(),
        qc=profile.qc.model_dump_json(),
    shell:
        "{PYTHON} -m datamix prepare {wildcards.dataset} --profile {NAME}"


rule genes:
    input:
        corpora(profile.training_datasets),
        code=code("corpus"),
    output:
        f"{OUT}/corpora/genes.csv",
    params:
        most_variable=str(profile.most_variable_genes),
    shell:
        "{PYTHON} -m datamix genes --profile {NAME}"


rule train:
    """All mixtures on one baseline with one seed."""
    input:
        f"{OUT}/corpora/genes.csv",
        corpora(profile.training_datasets),
        code=code("ldvae", "fast_training", "mixture"),
    output:
        f"{OUT}/models/{{baseline}}/seed{{seed}}.json",
    params:
        settings=profile.training.model_dump_json(),
        draws=repr((profile.cells, profile.baselines, profile.added)),
    shell:
        "{PYTHON} -m datamix train {wildcards.baseline} --seed {wildcards.seed} --profile {NAME}"


rule score:
    """All models of one baseline and seed on every evaluation set."""
    input:
        rules.train.output,
        corpora(e.dataset for e in profile.evaluations.values()),
        code=code("reconstruction"),
    output:
        f"{OUT}/scores/parts/{{baseline}}-seed{{seed}}.parquet",
    params:
        settings=profile.scoring.model_dump_json(),
        evaluations=repr(profile.evaluations),
    shell:
        "{PYTHON} -m datamix score {wildcards.baseline} --seed {wildcards.seed} --profile {NAME}"


rule scores:
    input:
        [f"{OUT}/scores/parts/{b}-seed{s}.parquet" for b in profile.baselines for s in profile.seeds],
    output:
        f"{OUT}/scores/reconstruction.parquet",
    shell:
        "{PYTHON} -m datamix collect-scores --profile {NAME}"


rule notebook:
    input:
        lambda w: needs(w.notebook),
        script="notebooks/{notebook}.py",
        code=code("panels", "values", "style", "plots", "results"),
    output:
        f"{OUT}/notebooks/{{notebook}}.ipynb",
    params:
        profile=profile.model_dump_json(),
    shell:
        "{PYTHON} -m datamix notebook {wildcards.notebook} --profile {NAME}"
