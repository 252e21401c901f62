"""What a run has to do, rule by rule, in things that can be counted before it: training steps, cells scored, disk."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import pandas as pd

from datamix.corpora.corpus import n_cells
from datamix.corpora.mixtures import list_mixtures
from datamix.corpora.planning import GENES_A_CELL
from datamix.corpora.shares import first_round, read_second_round
from datamix.geneformer.tables import runs
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout
from datamix.project.manifest import Manifest
from datamix.project.profile import Geneformer, Profile
from datamix.scoring.hold_out import MOST_TYPES

GENES = 10_000
"""Taken for the genes that training corpora share, until they are prepared."""
EVALUATION_CELLS = 15_000
"""Taken for an evaluation set, until it is prepared: the paper's have 10,000 to 38,000."""
WHOLE_CELLS = 20_000
"""Taken for a corpus that is used whole, until it is prepared."""
_TRAINED = 0.9  # of the cells; the others are for validation
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


@dataclass(frozen=True)
class Work:
    """What one job of a rule has to do, on average over the rule's jobs."""

    amounts: Mapping[str, float]
    """What takes time → how much of it; see `datamix.publishing.cost` for what each takes."""
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
    return Sizes(genes, training, evaluation, types, tuple(assumed))


def _held_out(layout: Layout) -> list[Path]:
    return [
        layout.held_out_of(baseline, seed) for baseline in layout.profile.baselines for seed in layout.profile.seeds
    ]


def work_of(rule: str, layout: Layout, sizes: Sizes, manifest: Manifest) -> Work:
    """Say what a job of a rule has to do."""
    profile, genes = layout.profile, sizes.genes
    models = fmean(len(_cells(profile, b, sizes)) for b in profile.baselines)
    rows = models * sizes.evaluation
    match rule:
        case "corpus":
            files = [f for d in profile.datasets for f in manifest.dataset(d).files]
            known = [f.bytes or (f.about_gb or 0) * 1e9 for f in files]
            cells = fmean([*sizes.training.values(), sizes.evaluation / len(profile.evaluations)])
            kind = "file of cells" if files else "simulation"
            read = sum(known) / len(profile.datasets)
            return Work({kind: 1, "byte read": read}, cells * _genes_a_cell(genes) * _ENTRY_BYTES)
        case "train":
            cells = fmean(sum(_cells(profile, b, sizes)) for b in profile.baselines)
            of = profile.training
            return Work(_training(cells, of.max_epochs, of.batch_size, genes), models * genes * _MODEL_BYTES)
        case "hold_out":
            cells = sizes.types * fmean(_cells(profile, b, sizes)[0] for b in profile.baselines)
            of = profile.training
            return Work(_training(cells, of.max_epochs, of.batch_size, genes), sizes.evaluation * _ROW_BYTES)
        case "score" | "read_out":
            return Work({"start": 1, "row": rows}, rows * _ROW_BYTES)
        case "yardsticks":
            cells = fmean(sum(_cells(profile, b, sizes)) for b in profile.baselines)
            return Work({"start": 1, "row": rows, "simple cell": cells * genes}, 5 * rows * _ROW_BYTES)
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


def _cells(profile: Profile, baseline: str, sizes: Sizes) -> list[int]:
    """List the cells of each mixture on a baseline, that of the baseline alone first."""
    return [mixture.cells or 0 for mixture in list_mixtures(profile, baseline, sizes=sizes.training)]


def _training(cells: float, epochs: int, batch: int, genes: int) -> dict[str, float]:
    steps = _TRAINED * cells / batch * epochs
    return {"start of training": 1, "step": steps, "step and gene": steps * genes}


def _composition(layout: Layout, sizes: Sizes) -> Work:
    of = layout.profile.composition
    assert of is not None
    first = len(first_round(layout.profile))
    # Of the second round, until it is known: what is recommended for each evaluation set and for all, and the doses.
    doses = len(of.doses) * (len(of.dosed) if of.dosed else 2)
    second = len(layout.profile.evaluations) + 1 + doses
    if layout.second_round.is_file():
        second = len(read_second_round(layout)["mixtures"])
    mixtures = (first + second) / 2
    amounts = _training(mixtures * of.cells, of.max_epochs, of.batch_size, sizes.genes)
    rows = mixtures * sizes.evaluation * (1 + len(of.simple_models))
    amounts |= {"row": rows, "simple cell": mixtures * of.cells * sizes.genes * len(of.simple_models)}
    return Work(amounts, mixtures * sizes.genes * _MODEL_BYTES + rows * _ROW_BYTES)


def _geneformer(profile: Profile, sizes: Sizes) -> Work:
    of = profile.geneformer
    assert of is not None
    cells_of = {m.name: m.cells or 0 for b in of.baselines for m in list_mixtures(profile, b, sizes=sizes.training)}
    cells = fmean(cells_of.get(mixture, 0) for _, _, mixture in runs(profile))
    trained = of.steps * of.batch_size if of.steps is not None else cells * of.epochs
    length = min(of.input_size, _genes_a_cell(sizes.genes))
    evaluated = min(sizes.evaluation, of.evaluation_cells * len(profile.evaluations))
    # Forward and backward; of the cells that are evaluated, forward only.
    operations = (trained + evaluated / 3) * length * operations_a_token(of, length, sizes.genes)
    parameters = of.layers * _weights(of) + sizes.genes * of.width
    disk = cells * length * _ENTRY_BYTES + 12 * parameters + evaluated * of.width * 4
    return Work({"start of training": 1, "cell of tokens": cells, "operation": operations}, disk)


def operations_a_token(of: Geneformer, length: float, genes: int) -> float:
    """Count the operations of a training step for one token: weights, attention, and the decoder of masked tokens."""
    return 6 * of.layers * _weights(of) + 12 * of.layers * length * of.width + 6 * of.masked * genes * of.width


def _weights(of: Geneformer) -> int:
    return 4 * of.width**2 + 2 * of.width * of.feed_forward


def _genes_a_cell(genes: int) -> float:
    return min(GENES_A_CELL, genes / 4)
