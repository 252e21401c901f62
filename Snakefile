"""From manifest to book: what is stale, and what runs side by side.

Run through `make`, or by hand: snakemake --cores all --config profile=demo
On a Slurm cluster: make book PROFILE=paper ON=slurm (`datamix slurm` writes the profile for it)

A rule runs a command of `datamix`. Its parameters hold what decides its result beside the input files: a fingerprint of
all code that the command reaches, and the settings that this code reads, without labels, titles and notes.
"""

import os
import sys
from pathlib import Path
from shlex import quote

from datamix.cli import copies
from datamix.corpora.genes import needs_training_genes
from datamix.corpora.planning import require_files_by_hand, rule_resources
from datamix.geneformer import tables as geneformer
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout
from datamix.project.locks import hold_for_run
from datamix.project.manifest import read_manifest
from datamix.project.slurm_watch import tell_failures, watch_waiting
from datamix.publishing.runs import logs, made, steps, times
from datamix.publishing.front_matter import read_front_matter
from datamix.publishing.outputs import outputs_of
from datamix.publishing.contents import list_notebooks

# Models train with one thread each, side by side; more threads on such small matrices are slower.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")


# The project's folder, from wherever this is run; --directory overrules it. The jobs must agree on it.
workdir: os.environ.get("DATAMIX_ROOT", workflow.basedir)


os.environ["DATAMIX_ROOT"] = str(Path.cwd())
NAME = quote(str(config.get("profile", "demo")))  # a word of the shell, whatever was given
layout = Layout.of(str(config.get("profile", "demo")), Path())  # paths from the project's folder on
profile = layout.profile
manifest = read_manifest(Path(), profile)

NOTEBOOKS = list_notebooks(Path())
composition_seeds = profile.composition.seeds if profile.composition else ()
PYTHON = sys.executable
BOOK = sorted(str(p) for p in Path("book").rglob("*") if p.is_file() and "__pycache__" not in p.parts)
# What people write is no input, but stale by its content: a copy has any time, and so has a file of a wrong clock, of
# which Snakemake would make things again for ever, or stop.
WRITTEN = ["data_manifest.yaml", *BOOK]


def corpora(datasets):
    return [layout.corpus(dataset) for dataset in datasets]


def models(wildcards):
    """Return the list of the models that are evaluated for a seed: see `Profile.model_seed`."""
    return layout.model_list(wildcards.baseline, profile.model_seed(int(wildcards.seed)))


def script(notebook):
    return Path("notebooks", f"{notebook}.py")


def needed(rule):
    """Return the memory (MB), minutes and GPU that a cluster should give a rule; no limit where there is no cluster."""
    return rule_resources(profile, rule)


# What has been damaged since it was made is made again. Jobs read this file, too: they run what they are told.
if workflow.is_main_process:
    for mend in (made.remove_damaged, times.settle_times):
        mend(layout, NOTEBOOKS, asked=sys.argv, say=lambda line: print(line, file=sys.stderr, flush=True))


failures = []  # a list of words, which grows, in a run on a cluster


def on_slurm():
    return type(workflow.executor_settings).__module__ == "snakemake_executor_plugin_slurm"


onstart:
    # One message, before the first of many jobs fails: no sets, another run, a file that only a person can get.
    try:
        profile.require_whole()
        hold_for_run(layout.lock("run"), profile=NAME)
        jobs = {job.wildcards.dataset for job in workflow.dag.needrun_jobs() if job.rule.name == "corpus"}
        wanted = [dataset for dataset in profile.datasets if dataset in jobs]
        require_files_by_hand(wanted, manifest, root=Path.cwd(), profile=NAME)
    except DatamixError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)
    logs.forget_old_logs(Path())
    if on_slurm():
        watch_waiting(NAME)
        failures.append(tell_failures())
    else:
        copies.start()


onerror:
    # Again, below all that the others have said.
    for words in failures[0] if failures else []:
        print(words, file=sys.stderr)


wildcard_constraints:
    dataset="[A-Za-z0-9_]+",
    baseline="[A-Za-z0-9_]+",
    seed="[0-9]+",
    mixture="[A-Za-z0-9_+]+",
    turn="first|second",
    notebook="[A-Za-z0-9_]+",


rule book:
    input:
        [[layout.folder / "notebooks" / f"{name}.ipynb", outputs_of(layout.folder, name)] for name in NOTEBOOKS],
        # Or what is gone would be made again only where a page is stale.
        made.once_lost(layout, NOTEBOOKS, asked=sys.argv),
    output:
        update(layout.folder / "site" / "index.html"),  # the former site stays until the new one is whole
    params:
        code=lambda w: steps.code("site", Path("book/_ext/datamix_book.py")),
        written=steps.content(WRITTEN),
        profile=profile.model_dump_json(),
    resources:
        **needed("book"),
    shell:
        "{PYTHON:q} -m datamix site --profile {NAME}"


rule corpus:
    input:
        lambda w: corpora(profile.training_datasets) if needs_training_genes(manifest.dataset(w.dataset), profile) else [],
    output:
        layout.corpus("{dataset}"),
    params:
        made_from=lambda w: steps.corpus(w.dataset, manifest),
        # Which training corpora there are, the input says, of the one corpus that needs them.
        settings=lambda w: steps.settings("prepare", profile, without=["baselines", "added", "evaluations"]),
    resources:
        **needed("corpus"),
    shell:
        "{PYTHON:q} -m datamix prepare {wildcards.dataset} --profile {NAME}"


LONG_CHAIN = 1000  # a priority


def training_order(wildcards):
    """Have baselines trained one after another, seed by seed: the later find the models of the added sets alone.

    Other chains of long jobs come before (`LONG_CHAIN`), so that the end of a run is left to notebooks, side by side.
    """
    order = [(baseline, seed) for baseline in profile.baselines for seed in profile.seeds]
    return len(order) - order.index((wildcards.baseline, int(wildcards.seed)))


rule genes:
    input:
        corpora(profile.training_datasets),
    output:
        layout.genes,
    params:
        code=lambda w: steps.code("genes"),
        # Which corpora there are, the input says.
        settings=lambda w: steps.settings("genes", profile, without=("baselines", "added", "evaluations")),
    resources:
        **needed("genes"),
    shell:
        "{PYTHON:q} -m datamix genes --profile {NAME}"


rule gene_sets:
    output:
        layout.gene_sets,
    params:
        code=lambda w: steps.code("gene_sets"),
        settings=lambda w: steps.settings("gene_sets", profile),
        dataset=lambda w: steps.dataset(profile.gene_sets, manifest),
    resources:
        **needed("gene_sets"),
    shell:
        "{PYTHON:q} -m datamix gene-sets --profile {NAME}"


rule train:
    """All mixtures on one baseline with one seed; models that nothing has changed for are kept."""
    input:
        layout.genes,
        corpora(profile.datasets),  # those for evaluation for the leakage guard
    output:
        layout.model_list("{baseline}", "{seed}"),
    params:
        code=lambda w: steps.code("train"),
        settings=lambda w: steps.settings("train", profile),
        sources=lambda w: steps.sources(profile, manifest),
    priority: training_order
    resources:
        **needed("train"),
    shell:
        "{PYTHON:q} -m datamix train {wildcards.baseline} --seed {wildcards.seed} --profile {NAME}"


rule score:
    """All models of one baseline and seed on every evaluation set."""
    input:
        rules.train.output,
        models,
        corpora(e.dataset for e in profile.evaluations.values()),
    output:
        layout.scores_of("{baseline}", "{seed}"),
    params:
        code=lambda w: steps.code("score"),
        settings=lambda w: steps.settings("score", profile),
    resources:
        **needed("score"),
    shell:
        "{PYTHON:q} -m datamix score {wildcards.baseline} --seed {wildcards.seed} --profile {NAME}"


rule read_out:
    """Latent spaces and residuals of genes, of all models of one baseline and seed."""
    input:
        rules.train.output,
        models,
        corpora(e.dataset for e in profile.evaluations.values()),
    output:
        layout.latents_of("{baseline}", "{seed}"),
        layout.gene_scores_of("{baseline}", "{seed}"),
    params:
        code=lambda w: steps.code("read_out"),
        settings=lambda w: steps.settings("read_out", profile),
    priority: LONG_CHAIN  # the longest notebooks wait for it
    resources:
        **needed("read_out"),
    shell:
        "{PYTHON:q} -m datamix read-out {wildcards.baseline} --seed {wildcards.seed} --profile {NAME}"


rule hold_out:
    """The baseline trained without one cell type, for several types, with one seed."""
    input:
        rules.train.output,
        corpora(profile.training_datasets),
        corpora(e.dataset for e in profile.evaluations.values()),
    output:
        layout.held_out_of("{baseline}", "{seed}"),
    params:
        code=lambda w: steps.code("hold_out"),
        settings=lambda w: steps.settings("hold_out", profile),
    resources:
        **needed("hold_out"),
    shell:
        "{PYTHON:q} -m datamix hold-out {wildcards.baseline} --seed {wildcards.seed} --profile {NAME}"


rule scores:
    input:
        [layout.scores_of(baseline, seed) for baseline in profile.baselines for seed in profile.seeds],
    output:
        layout.scores,
    params:
        code=lambda w: steps.code("collect_scores"),
    resources:
        **needed("scores"),
    shell:
        "{PYTHON:q} -m datamix collect-scores --profile {NAME}"


rule yardsticks:
    """Simple models, held-out molecules and ceilings beside the scores of one baseline and seed."""
    input:
        rules.score.output,
        models,
        layout.genes,
        corpora(profile.datasets),
    output:
        layout.yardsticks_of("{baseline}", "{seed}"),
    params:
        code=lambda w: steps.code("yardsticks"),
        settings=lambda w: steps.settings("yardsticks", profile),
    resources:
        **needed("yardsticks"),
    shell:
        "{PYTHON:q} -m datamix yardsticks {wildcards.baseline} --seed {wildcards.seed} --profile {NAME}"


rule composition:
    """All mixtures by shares of a round with one seed, trained and scored in one process."""
    input:
        layout.genes,
        corpora(profile.datasets),
        lambda w: [layout.second_round] if w.turn == "second" else [],
    output:
        layout.composition_models("{turn}", "{seed}"),
        layout.composition_scores_of("{turn}", "{seed}"),
    params:
        code=lambda w: steps.code("run_composition"),
        settings=lambda w: steps.settings("run_composition", profile),
        sources=lambda w: steps.sources(profile, manifest),
    priority: LONG_CHAIN
    resources:
        **needed("composition"),
    shell:
        "{PYTHON:q} -m datamix composition run {wildcards.turn} --seed {wildcards.seed} --profile {NAME}"


rule composition_plan:
    """What the first round recommends."""
    input:
        layout.genes,
        corpora(profile.training_datasets),
        [layout.composition_scores_of("first", seed) for seed in composition_seeds],
    output:
        layout.second_round,
    params:
        code=lambda w: steps.code("plan_composition"),
        settings=lambda w: steps.settings("plan_composition", profile),
    priority: LONG_CHAIN
    resources:
        **needed("composition_plan"),
    shell:
        "{PYTHON:q} -m datamix composition plan --profile {NAME}"


rule composition_scores:
    input:
        layout.second_round,
        [layout.composition_scores_of(turn, seed) for turn in ("first", "second") for seed in composition_seeds],
    output:
        layout.composition_scores,
        layout.mixtures_by_shares,
    params:
        code=lambda w: steps.code("collect_composition"),
        settings=lambda w: steps.settings("collect_composition", profile),
    priority: LONG_CHAIN
    resources:
        **needed("composition_scores"),
    shell:
        "{PYTHON:q} -m datamix composition collect --profile {NAME}"


rule geneformer:
    """One mixture with one seed: tokenised, pretrained on, evaluated."""
    input:
        layout.genes,
        corpora(profile.datasets),
    output:
        geneformer.scores_of(layout, "{baseline}", "{seed}", "{mixture}"),
    params:
        code=lambda w: steps.code("run_mixture"),
        settings=lambda w: steps.settings("run_mixture", profile, without=("training", "missing")),
        dictionaries=lambda w: steps.dataset(profile.geneformer and profile.geneformer.dictionaries, manifest),
        sources=lambda w: steps.sources(profile, manifest),
    priority: LONG_CHAIN
    resources:
        **needed("geneformer"),
    shell:
        "{PYTHON:q} -m datamix geneformer run {wildcards.baseline} {wildcards.mixture} --seed {wildcards.seed} "
        "--profile {NAME}"


rule geneformer_scores:
    input:
        [geneformer.scores_of(layout, *run) for run in geneformer.runs(profile)],
    output:
        geneformer.table_of(layout),
    params:
        code=lambda w: steps.code("collect_geneformer"),
    resources:
        **needed("geneformer_scores"),
    shell:
        "{PYTHON:q} -m datamix geneformer collect --profile {NAME}"


rule notebook:
    input:
        lambda w: read_front_matter(script(w.notebook)).files(layout),
    output:
        layout.folder / "notebooks" / "{notebook}.ipynb",
        outputs_of(layout.folder, "{notebook}"),
    params:
        code=lambda w: steps.code("notebook", script(w.notebook)),
        written=lambda w: steps.content([script(w.notebook)]),
        profile=profile.model_dump_json(),
    resources:
        **needed("notebook"),
    shell:
        "{PYTHON:q} -m datamix notebook {wildcards.notebook} --profile {NAME}"
