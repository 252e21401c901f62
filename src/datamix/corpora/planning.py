"""What a run needs: memory, time and GPU of each rule for a cluster, and the disk for data and corpora.

Estimates, for planning: nothing is limited by them where Snakemake runs without a cluster.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from datamix.corpora.inventory import FileState, copies, is_unpacked
from datamix.project.dataset import Dataset, File
from datamix.project.errors import DatamixError
from datamix.project.manifest import Manifest
from datamix.project.profile import Profile

GENES_A_CELL = 2_000
"""Genes of a cell that are not 0."""
_CELL_BYTES = GENES_A_CELL * 8
"""A cell in memory: of each of its genes a count and a column number."""
SECONDS_A_CELL = 3e-4
"""A limit, for one cell in one epoch with 5,000 genes, on one thread of a CPU: about twice what `datamix plan`
estimates from measured times (a test holds it to them)."""
_LARGE = 10_000  # cells in a block, from which on a GPU is worth its wait


def rule_resources(profile: Profile, rule: str) -> dict[str, int]:
    """Say what a rule of the Snakefile needs.

    Parameters
    ----------
    profile
        Its `cells`, `training` and `memory_mb` decide.
    rule
        Its name.

    Returns
    -------
    `mem_mb` (MB) and `runtime` (minutes), which Snakemake's executors know; `gpu` where one is wanted.
    """
    block = profile.cells if isinstance(profile.cells, int) else _LARGE
    large = block > _LARGE
    match rule:
        case "corpus":
            # Beyond the block: the table of all cells, of which there can be millions.
            return {"mem_mb": profile.memory_mb + (3_000 if large else 500), "runtime": 720 if large else 60}
        case "train" | "hold_out" | "composition":
            # Two blocks, and as much again where cells are thinned as they are put together. On a GPU, where models are
            # trained together, no more: counts leave the host before the next model's are read. Blocks of all mixtures
            # together: the baseline, each added set alone, and two for each addition and the control.
            memory = 2_000 + 2 * 2 * block * _CELL_BYTES // 1_000_000
            blocks = 1 + len(profile.added) + 2 * (1 + len(profile.added))
            minutes = 30 + ceil(blocks * block * profile.training.max_epochs * SECONDS_A_CELL / 60)
            return {"mem_mb": memory, "runtime": minutes} | ({"gpu": 1} if large else {})
        case "geneformer":
            # Tokens lie on disk, so that memory does not grow with the cells; the time is that of one GPU, or of a CPU
            # for the small models of small profiles.
            return {"mem_mb": 16_000 if large else 3_000, "runtime": 720 if large else 60} | (
                {"gpu": 1} if large else {}
            )
        case "yardsticks":
            # The training cells of a mixture, their logarithms and what the solvers make of them; the evaluation sets.
            memory = 4_000 + 3 * 2 * block * _CELL_BYTES // 1_000_000
            return {"mem_mb": memory if large else 2_000, "runtime": 240 if large else 60}
        case "score" | "read_out" | "notebook":
            return {"mem_mb": 8_000 if large else 2_000, "runtime": 240 if large else 60}
        case _:
            return {"mem_mb": 4_000 if large else 1_000, "runtime": 60}


@dataclass(frozen=True)
class Disk:
    """Disk that is still needed (bytes), as far as it is known or estimated."""

    to_fetch: float
    to_unpack: float
    to_make: float
    """Corpora, and what is kept beside while they are made."""
    unknown: int
    """Files whose size is neither known nor estimated."""


def disk_needed(datasets: Iterable[tuple[Dataset, list[FileState]]]) -> Disk:
    """Add up what is still to be fetched, unpacked and made of datasets, given the states of their files."""
    fetch = unpack = make = 0.0
    unknown = 0
    counted: set[File] = set()  # a file that several datasets need is fetched once
    for dataset, states in datasets:
        make += (dataset.work_gb or 0) * 1e9
        for state in states:
            size = file_size(state)
            if not state.usable and state.file not in counted:
                counted.add(state.file)
                fetch += size or 0
                unknown += size is None
            if state.file.unpack and not is_unpacked(state):
                unpack += (state.file.unpacked_gb or 0) * 1e9
    return Disk(fetch, unpack, make, unknown)


def file_size(state: FileState) -> float | None:
    """Return the size of a file in bytes: as it lies or is published, else as estimated, else None."""
    if state.bytes is not None and (state.usable or state.file.bytes is None):
        return float(state.bytes)
    if state.file.bytes is not None:
        return float(state.file.bytes)
    return None if state.file.about_gb is None else state.file.about_gb * 1e9


def require_files_by_hand(dataset_ids: Sequence[str], manifest: Manifest, *, root: Path, profile: str) -> None:
    """Check that the files which no program can download are there, without reading any.

    Parameters
    ----------
    dataset_ids
        The datasets that are wanted; their gene tables are wanted, too.
    manifest, root
        The manifest and the project's folder.
    profile
        Its name, for the message.

    Raises
    ------
    DatamixError
        Naming each file that is not there and how a person gets it.
    """
    tables = [manifest.dataset(d).gene_table for d in dataset_ids]
    lacking: dict[File, list[str]] = {}
    for dataset_id in dict.fromkeys([*dataset_ids, *(table for table in tables if table)]):
        for file in manifest.dataset(dataset_id).files:
            # With a checksum, a mirror may have it, unless it lies at a path of its own.
            fetched = file.url is not None or (file.sha256 is not None and file.path is None)
            if not fetched and not copies(file, manifest, root=root):
                lacking.setdefault(file, []).append(dataset_id)
    if lacking:
        steps = "\n".join(
            f"  - {file.path}, which {ids[0]} is made of, is not there"
            if file.path is not None
            else f"  - data/{ids[0]}/{file.name}: {file.steps}"
            for file, ids in lacking.items()
        )
        msg = f"Profile {profile} needs {len(lacking)} files that no program can download and that are not here:\n"
        msg += steps
        fix = f"get them and put them there; datamix data check --profile {profile} shows all files with their sizes, "
        raise DatamixError(msg, fix=fix + "and the disk and memory that are needed")


@dataclass(frozen=True)
class Use:
    """What a dataset is for."""

    figures: str
    """The paper's figures, `2, S2`; empty where it serves none of them."""
    role: str
    """`training, Blood baseline`."""


def uses(profile: Profile, manifest: Manifest) -> dict[str, list[Use]]:
    """Say what each dataset is for in a profile, and in which of the paper's figures.

    Returns
    -------
    Dataset id → its uses, figure by figure; datasets that a profile does not need are not in it.
    """
    # The paper shows the Blood Baseline in Figures 2 and S2, the Atlas Baseline in S4 and S6.
    of_baseline = {name: _FIGURES.get(name, "") for name in profile.baselines}
    every = ", ".join(dict.fromkeys(figures for figures in of_baseline.values() if figures))
    found = [(b.dataset, of_baseline[name], f"training, {b.label} baseline") for name, b in profile.baselines.items()]
    found += [(d, every, f"training, {a.label}") for a in profile.added.values() for d in a.datasets]
    found += [(e.dataset, every, f"evaluation, {e.label}") for e in profile.evaluations.values()]
    tables = dict.fromkeys(manifest.dataset(d).gene_table for d in profile.datasets)
    found += [(table, every, "reference, gene names") for table in tables if table is not None]
    if profile.gene_sets is not None:
        found.append((profile.gene_sets, "", "reference, gene sets"))
    if profile.geneformer is not None and profile.geneformer.dictionaries is not None:
        found.append((profile.geneformer.dictionaries, "", "reference, tokens of Geneformer"))
    of: dict[str, list[Use]] = {}
    for dataset_id, figures, role in found:
        of.setdefault(dataset_id, []).append(Use(figures, role))
    return of


_FIGURES = {"blood": "2, S2", "atlas": "S4, S6"}
