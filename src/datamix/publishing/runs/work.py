"""What a run has to do, rule by rule, in what can be counted before it: cells trained on and scored, tables, disk."""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd

from datamix.corpora.corpus import n_cells, read_rows
from datamix.corpora.genes import read_genes
from datamix.corpora.mixtures import Mixture, list_mixtures
from datamix.corpora.planning import GENES_A_CELL
from datamix.corpora.shares import first_round, read_second_round
from datamix.geneformer.tables import runs
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout
from datamix.project.manifest import Manifest
from datamix.project.profile import Geneformer, Profile
from datamix.publishing.runs import pieces
from datamix.scoring.hold_out import MOST_TYPES
from datamix.scoring.kinds import SIMPLE_MODELS

GENES = 10_000
"""Taken for the genes that training corpora share, until they are prepared."""
EVALUATION_CELLS = 15_000
"""Taken for an evaluation set, until it is prepared: the paper's have 10,000 to 38,000."""
WHOLE_CELLS = 20_000
"""Taken for a corpus that is used whole, until it is prepared."""
_SAMPLE = 200  # cells of a corpus, to see how many genes they have
_MODEL_BYTES = 1_250
"""A gene of a stored LDVAE, its loadings and the mean profile: 161 MB of 60 models of the demo's 2,124 genes."""
_ROW_BYTES = 110  # a scored cell in its table, as the demo and mini have them
_ENTRY_BYTES = 4  # a count that is not 0, packed, and its column; a token


@dataclass(frozen=True)
class Sizes:
    """How large a profile's data are: as prepared, or as taken until then."""

    genes: int
    training: Mapping[str, int]
    """Training dataset → cells."""
    evaluation: int
    """Cells of all evaluation sets."""
    types: float
    """Cell types that are left out of training in turn."""
    assumed: tuple[str, ...]
    """What was taken, not known."""
    counts: Mapping[str, float] = field(default_factory=dict)
    """Dataset → genes of a cell that are not 0, of those that are prepared."""

    def counts_of(self, datasets: Iterable[str]) -> float:
        """Return the genes of a cell that are not 0, on average over datasets."""
        return fmean(self.counts.get(dataset, _genes_a_cell(self.genes)) for dataset in datasets)


@dataclass(frozen=True)
class Work:
    """What one job of a rule has to do, on average over the rule's jobs."""

    amounts: Mapping[str, float]
    """What takes time → how much of it; see `datamix.publishing.runs.cost` for what each takes."""
    disk: float = 0
    """Bytes that it leaves behind."""


def count_jobs(root: Path, profile: str, *, finished: bool = True) -> dict[str, int]:
    """Ask Snakemake how many jobs of each rule a whole run has.

    Parameters
    ----------
    root, profile
        The project's folder, and the profile's name.
    finished
        Count those, too, whose results are there and of this code.

    Raises
    ------
    DatamixError
        If Snakemake cannot say, with what it says instead.
    """
    target = f"results/{profile}/site/index.html"
    command = [sys.executable, "-m", "snakemake", "-n", *(["--forceall"] if finished else []), "--nolock",
               "--rerun-incomplete", "--quiet", "rules", "--config", f"profile={profile}", "--", target]  # fmt: skip
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        msg = f"Snakemake cannot say what a run of profile {profile} has to do: {said[-600:]}"
        raise DatamixError(msg, fix="mend what it names")
    rows = [line.split() for line in done.stdout.splitlines() + done.stderr.splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit() and row[0] != "total"}


def sizes_of(layout: Layout) -> Sizes:
    """Read how large a profile's prepared data are, or take what is usual."""
    profile = layout.profile
    block = profile.cells if isinstance(profile.cells, int) else None
    assumed = []
    if layout.genes.is_file():
        genes = len(layout.genes.read_text(encoding="utf-8").splitlines()) - 1
    else:
        genes = profile.most_variable_genes or GENES
        assumed += [] if profile.most_variable_genes else [f"{GENES:,} shared genes"]
    training: dict[str, int] = {}
    for dataset in profile.training_datasets:
        if layout.corpus(dataset).is_file():
            training[dataset] = n_cells(layout.corpus(dataset))
        else:  # as large as the draws need it: two blocks of a baseline, one of an added set
            of_baseline = any(dataset == baseline.dataset for baseline in profile.baselines.values())
            training[dataset] = (1 + of_baseline) * block if block else WHOLE_CELLS
    evaluation, unknown = 0, False
    for of in profile.evaluations.values():
        if of.cells is not None:
            evaluation += of.cells
        elif layout.corpus(of.dataset).is_file():
            evaluation += n_cells(layout.corpus(of.dataset))
        else:
            evaluation += min(EVALUATION_CELLS, block or EVALUATION_CELLS)
            unknown = True
    if any(not layout.corpus(dataset).is_file() for dataset in profile.training_datasets):
        of_each = f"blocks of {block:,} cells" if block else f"{WHOLE_CELLS:,} cells of each training corpus"
        assumed.append(of_each)
    if unknown:
        assumed.append(f"{min(EVALUATION_CELLS, block or EVALUATION_CELLS):,} cells of each evaluation set")
    left_out = [pd.read_parquet(p, columns=["held_out"])["held_out"] for p in _held_out(layout) if p.is_file()]
    types = fmean(of[of != ""].nunique() for of in left_out) if left_out else MOST_TYPES
    return Sizes(genes, training, evaluation, types, tuple(assumed), _counts(layout))


def _counts(layout: Layout) -> dict[str, float]:
    """Count the shared genes that are not 0 in some cells of each prepared corpus."""
    if not layout.genes.is_file():
        return {}
    genes, found = read_genes(layout)["gene"].to_numpy(), {}
    for path in (layout.corpus(dataset) for dataset in layout.profile.datasets):
        if path.is_file() and (of := n_cells(path)):
            rows = np.unique(np.linspace(0, of - 1, min(of, _SAMPLE)).astype(np.int64))
            found[path.stem] = read_rows(path, rows, genes).nnz / len(rows)
    return found


def _held_out(layout: Layout) -> list[Path]:
    return [
        layout.held_out_of(baseline, seed) for baseline in layout.profile.baselines for seed in layout.profile.seeds
    ]


def work_of(rule: str, layout: Layout, sizes: Sizes, manifest: Manifest) -> Work:
    """Say what a job of a rule has to do."""
    profile, genes, evaluated = layout.profile, sizes.genes, sizes.evaluation
    models = fmean(len(list_mixtures(profile, b, sizes=sizes.training)) for b in profile.baselines)
    rows = models * evaluated
    seen = sizes.counts_of(evaluation.dataset for evaluation in profile.evaluations.values())
    scored = pieces.models(models, genes=genes) + pieces.scoring(rows, genes=genes)
    match rule:
        case "corpus":
            files = [f for d in profile.datasets for f in manifest.dataset(d).files]
            known = [f.bytes or (f.about_gb or 0) * 1e9 for f in files]
            cells = fmean([*sizes.training.values(), evaluated / len(profile.evaluations)])
            kind = "file of cells" if files else "simulation"
            read = sum(known) / len(profile.datasets)
            return Work({kind: 1, "byte read": read}, cells * _genes_a_cell(genes) * _ENTRY_BYTES)
        case "train":
            # An added set alone is trained for the first baseline, and serves the others.
            first = next(iter(profile.baselines))
            trained = fmean(
                sum(
                    _training(profile, mixture, sizes)
                    for mixture in list_mixtures(profile, b, sizes=sizes.training)
                    if b == first or mixture.group != "alone"
                )
                for b in profile.baselines
            )
            amounts = {"start": 1, "training": trained + pieces.models(models, genes=genes)}
            return Work(amounts, models * genes * _MODEL_BYTES)
        case "hold_out":
            alone = (list_mixtures(profile, b, sizes=sizes.training)[0] for b in profile.baselines)
            trained = sizes.types * fmean(_training(profile, mixture, sizes) for mixture in alone)
            scored = pieces.scoring((1 + sizes.types) * evaluated, genes=genes)
            # Cells are put into a space of components, those of the training as well.
            scored += pieces.reading(3 * evaluated, counts=seen)
            return Work({"start": 1, "training": trained, "scoring": scored}, evaluated * _ROW_BYTES)
        case "score" | "read_out":
            scored += pieces.reading(evaluated, counts=seen)
            return Work({"start": 1, "scoring": scored}, rows * _ROW_BYTES)
        case "yardsticks":
            scored += pieces.reading(evaluated, counts=seen, ceilings=True)
            scored += pieces.scoring_simple(2 * len(SIMPLE_MODELS) * rows, genes=genes)
            scored += fmean(
                sum(
                    pieces.fitting(SIMPLE_MODELS, m.cells or 0, counts=_counts_of(profile, m, sizes))
                    for m in list_mixtures(profile, b, sizes=sizes.training)
                )
                for b in profile.baselines
            )
            return Work({"start": 1, "scoring": scored}, 5 * rows * _ROW_BYTES)
        case "composition":
            return _composition(layout, sizes)
        case "geneformer":
            return _geneformer(profile, sizes)
        case "notebook":
            return Work({"notebook": 1}, 1.5e6)
        case "scores" | "composition_scores":
            return Work({"collection": 1}, len(profile.seeds) * len(profile.baselines) * rows * _ROW_BYTES)
        case "book":
            return Work({"book": 1}, 40e6)
        case _:
            return Work({"table": 1})


def _training(profile: Profile, mixture: Mixture, sizes: Sizes) -> float:
    of, counts = profile.training, _counts_of(profile, mixture, sizes)
    return pieces.training(
        mixture.cells or 0, counts=counts, genes=sizes.genes, epochs=of.max_epochs, batch=of.batch_size
    )


def _counts_of(profile: Profile, mixture: Mixture, sizes: Sizes) -> float:
    """Return the genes of a cell that are not 0 in a mixture, its blocks taken as equally large."""
    datasets = {name: added.datasets for name, added in profile.added.items()}
    of_baseline = (profile.baselines[mixture.baseline].dataset,)
    return fmean(sizes.counts_of(datasets.get(block, of_baseline)) for block in mixture.blocks)


def _composition(layout: Layout, sizes: Sizes) -> Work:
    profile, of, genes = layout.profile, layout.profile.composition, sizes.genes
    assert of is not None
    first = len(first_round(profile))
    # Of the second round, until it is known: what is recommended for each evaluation set and for all, and the doses.
    doses = len(of.doses) * (len(of.dosed) if of.dosed else 2)
    second = len(profile.evaluations) + 1 + doses
    if layout.second_round.is_file():
        second = len(read_second_round(layout)["mixtures"])
    mixtures = (first + second) / 2
    counts = sizes.counts_of(sizes.training)
    each = pieces.training(of.cells, counts=counts, genes=genes, epochs=of.max_epochs, batch=of.batch_size)
    rows = mixtures * sizes.evaluation
    scored = pieces.models(mixtures, genes=genes) + pieces.scoring(rows, genes=genes)
    scored += mixtures * pieces.fitting(of.simple_models, of.cells, counts=counts)
    scored += pieces.scoring_simple(len(of.simple_models) * rows, genes=genes)
    amounts = {"start": 1, "training": mixtures * each + pieces.models(mixtures, genes=genes), "scoring": scored}
    disk = mixtures * genes * _MODEL_BYTES + rows * (1 + len(of.simple_models)) * _ROW_BYTES
    return Work(amounts, disk)


def _geneformer(profile: Profile, sizes: Sizes) -> Work:
    of = profile.geneformer
    assert of is not None
    cells_of = {m.name: m.cells or 0 for b in of.baselines for m in list_mixtures(profile, b, sizes=sizes.training)}
    cells = fmean(cells_of.get(mixture, 0) for _, _, mixture in runs(profile))
    trained = of.steps * of.batch_size if of.steps is not None else cells * of.epochs
    length = min(of.input_size, sizes.counts_of(sizes.training))
    evaluated = min(sizes.evaluation, of.evaluation_cells * len(profile.evaluations))
    # Evaluation is forward only, twice: nothing hidden, so that every token is decoded, and some.
    forward = 2 * operations_a_token(of, length, 0) / 3 + 2 * (1 + of.masked) * sizes.genes * of.width
    operations = length * (trained * operations_a_token(of, length, sizes.genes) + evaluated * forward)
    parameters = of.layers * _weights(of) + sizes.genes * of.width
    disk = cells * length * _ENTRY_BYTES + 12 * parameters + evaluated * of.width * 4
    return Work({"start": 1, "cell of tokens": cells, "operation": operations}, disk)


def operations_a_token(of: Geneformer, length: float, genes: int) -> float:
    """Count the operations of a training step for one token: weights, attention, and the decoder of masked tokens."""
    return 6 * of.layers * _weights(of) + 12 * of.layers * length * of.width + 6 * of.masked * genes * of.width


def _weights(of: Geneformer) -> int:
    return 4 * of.width**2 + 2 * of.width * of.feed_forward


def _genes_a_cell(genes: int) -> float:
    return min(GENES_A_CELL, genes / 4)
