"""A Slurm cluster: what a person says of it in config/slurm.yaml, and what it says of itself when it is asked."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from datamix.project.errors import DatamixError
from datamix.project.settings import Settings
from datamix.project.yaml import read_yaml

_LEAST_MEMORY_OF_JOBS = 190
"""Seconds. Without accounting, how a job ended is known for as long as Slurm remembers it, `MinJobAge`; Snakemake may
look only every 180 seconds, and would wait for ever for a job that was forgotten in between."""
_PATIENCE = 60  # seconds, for a command of Slurm


class SlurmSettings(Settings):
    """`config/slurm.yaml`; where a field is None, the cluster is asked."""

    account: str | None = None
    """Whom the hours are charged to."""
    partition: str | None = None
    """Of jobs without a GPU."""
    gpu_partition: str | None = None
    """Of jobs with one."""
    most_minutes: Annotated[int, Field(gt=0)] | None = None
    """No job asks for longer."""
    most_memory_mb: Annotated[int, Field(gt=0)] | None = None
    """No job may need more."""
    times_minutes: Annotated[float, Field(ge=1, strict=False)] = 1
    """Factor on every time limit."""
    times_memory: Annotated[float, Field(ge=1, strict=False)] = 1
    """Factor on the memory of every job."""
    jobs: Annotated[int, Field(gt=0)] = 50
    """In the queue at a time."""
    group_minutes: Annotated[int, Field(ge=0)] = 10
    """Short jobs of a kind are put together until they last so long."""


@dataclass(frozen=True)
class Partition:
    """What `sinfo` says of a partition."""

    name: str
    is_default: bool
    has_gpus: bool
    minutes: int | None
    """The longest that a job may last; None: for ever."""
    memory_mb: int
    """Of its largest node; 0: not known."""


@dataclass(frozen=True)
class Cluster:
    """What Slurm says of itself."""

    version: str
    accounting: bool
    """Whether a database remembers jobs."""
    partitions: tuple[Partition, ...]

    def partition(self, name: str | None, *, gpu: bool = False) -> Partition:
        """Return a partition by its name, else the default one, or the first with GPUs.

        Raises
        ------
        DatamixError
            If there is none.
        """
        names = ", ".join(p.name for p in self.partitions) or "none"
        key = "gpu_partition" if gpu else "partition"
        if name is not None:
            found = [p for p in self.partitions if p.name == name]
            msg = f"{key} is {name!r}, and the cluster's partitions are: {names}."
        elif gpu:
            # The default partition before others: it is the one that everybody may use.
            found = sorted((p for p in self.partitions if p.has_gpus), key=lambda p: not p.is_default)
            msg = f"Jobs of this profile need a GPU, and no partition of the cluster shows any; it has: {names}."
        else:
            found = [p for p in self.partitions if p.is_default] or list(self.partitions[:1])
            msg = "The cluster shows no partition."
        if not found:
            raise DatamixError(msg, fix=f"name one as `{key}` in config/slurm.yaml; sinfo -o '%P %G' lists them")
        return found[0]


def read_slurm_settings(root: Path) -> SlurmSettings:
    """Read `config/slurm.yaml` of a project.

    Raises
    ------
    DatamixError
        If it is not there, or is not valid.
    """
    return read_yaml(root / "config" / "slurm.yaml", SlurmSettings)


def ask_cluster() -> Cluster:
    """Ask Slurm what it has.

    Raises
    ------
    DatamixError
        If it is not there, does not answer, or forgets jobs too soon for anybody to see how they ended.
    """
    if shutil.which("sbatch") is None:
        msg = "There is no Slurm here: the command sbatch is not found."
        raise DatamixError(msg, fix="run this where jobs are submitted (a login node), or leave out ON=slurm")
    config = dict(re.findall(r"^(\w+)\s*= (.*?)\s*$", _answer("scontrol", "show", "config"), flags=re.MULTILINE))
    # Slurm calls it accounting_storage/none, or, in newer versions, (null).
    accounting = config.get("AccountingStorageType", "") == "accounting_storage/slurmdbd"
    remembers = int((re.findall(r"\d+", config.get("MinJobAge", "")) or ["300"])[0])
    if not accounting and remembers < _LEAST_MEMORY_OF_JOBS:
        msg = f"This Slurm has no accounting and forgets a job {remembers} seconds after its end (MinJobAge), so that "
        msg += "nobody could tell how it ended."
        raise DatamixError(msg, fix="ask its administrator for MinJobAge=300 in slurm.conf, or for accounting")
    rows = _answer("sinfo", "-h", "-o", "%P|%l|%m|%G").splitlines()
    return Cluster(config.get("SLURM_VERSION", "of unknown version"), accounting, read_partitions(rows))


def read_partitions(rows: Sequence[str]) -> tuple[Partition, ...]:
    """Read what `sinfo -h -o "%P|%l|%m|%G"` prints: a row for each kind of node of a partition."""
    found: dict[str, Partition] = {}
    for row in rows:
        name, limit, memory, resources = row.strip().split("|")
        starred, name = name.endswith("*"), name.rstrip("*")
        size = int(re.sub(r"\D", "", memory) or 0)  # "6000+" where its nodes differ
        size = 0 if size == 1 else size  # what Slurm says where nobody told it
        before = found.get(name)
        found[name] = Partition(
            name,
            starred,
            "gpu" in resources or (before is not None and before.has_gpus),
            _minutes(limit),
            max(size, before.memory_mb if before else 0),
        )
    return tuple(found.values())


def _minutes(limit: str) -> int | None:
    """Read a time limit of Slurm: `infinite`, `30:00`, `12:00:00`, `2-00:00:00`."""
    if not limit[:1].isdigit():
        return None
    days, _, rest = limit.rpartition("-")
    *hours, minutes, _seconds = rest.split(":")
    return int(days or 0) * 24 * 60 + int(hours[0] if hours else 0) * 60 + int(minutes)


def _answer(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        said = f"no answer in {_PATIENCE} seconds"
    else:
        if done.returncode == 0:
            return done.stdout
        said = " ".join(done.stderr.split())
    msg = f"Slurm does not answer: {' '.join(command)} says: {said}"
    raise DatamixError(msg, fix="wait, or ask the cluster's administrator; then run the same command again")
