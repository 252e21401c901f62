"""What a run needs: memory, time and GPU of each rule for a cluster, and the disk for data and corpora.

Estimates, for planning: nothing is limited by them where Snakemake runs without a cluster.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from datamix.inventory import FileState, unpacked_path
from datamix.manifest import Dataset, File
from datamix.profile import Profile

_CELL_BYTES = 2_000 * 8
"""A cell in memory: 2,000 genes that are not 0, a count and a column number each."""
_SECONDS = 3e-4
"""For one cell in one epoch, on one thread of a CPU; measured with 5,000 genes."""
_LARGE = 10_000  # cells in a block, from which on a GPU is worth its wait


def rule_resources(profile: Profile, rule: str) -> dict[str, int]:
    """Say what a rule of the Snakefile needs.

    Parameters
    ----------
    profile
        Its `cells`, `training` and `memory_mb` decide.
    rule
        `corpus`, `train`, `geneformer`, `score`, or any other rule.

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
        case "train":
            # Two blocks, once as they are read and once as they are trained on. On a GPU, where models are trained
            # together, no more: counts leave the host before the next model's are read. Blocks of all mixtures
            # together: the baseline, each added set alone, and two for each addition and the control.
            memory = 2_000 + 2 * 2 * block * _CELL_BYTES // 1_000_000
            blocks = 1 + len(profile.added) + 2 * (1 + len(profile.added))
            minutes = 30 + ceil(blocks * block * profile.training.max_epochs * _SECONDS / 60)
            return {"mem_mb": memory, "runtime": minutes} | ({"gpu": 1} if large else {})
        case "geneformer":
            # Tokens lie on disk, so that memory does not grow with the cells; the time is that of one GPU, or of a CPU
            # for the small models of small profiles.
            return {"mem_mb": 16_000 if large else 3_000, "runtime": 720 if large else 60} | (
                {"gpu": 1} if large else {}
            )
        case "score" | "notebook":
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

    @property
    def total(self) -> float:
        """All of it."""
        return self.to_fetch + self.to_unpack + self.to_make


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
            if state.file.unpack and not unpacked_path(state.path).exists():
                unpack += (state.file.unpacked_gb or 0) * 1e9
    return Disk(fetch, unpack, make, unknown)


def file_size(state: FileState) -> float | None:
    """Return the size of a file in bytes: as it lies or is published, else as estimated, else None."""
    if state.bytes is not None and (state.usable or state.file.bytes is None):
        return float(state.bytes)
    if state.file.bytes is not None:
        return float(state.file.bytes)
    return None if state.file.about_gb is None else state.file.about_gb * 1e9
