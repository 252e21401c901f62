"""The profile with which Snakemake sends a run's jobs to Slurm: which partition, how long, how much, which together."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from datamix.project.errors import DatamixError
from datamix.project.slurm import Cluster, Partition, SlurmSettings

NAMES = "datamix_"
"""What the names of all jobs of a run begin with; its profile's name follows."""
_LEAST_MINUTES = 5
"""Of a job that goes with others: a job's time limit may be off by a minute, and Python takes its time to start."""


@dataclass(frozen=True)
class Needs:
    """What a rule's jobs need."""

    jobs: int
    seconds: float
    """About how long one lasts."""
    resources: Mapping[str, int]
    """`mem_mb`, `runtime` (minutes: what it is given), and `gpu` where it wants one."""
    apart: bool = False
    """Its jobs never go together: some wait for others."""


def name_of_jobs(profile: str) -> str:
    """Return what the names of all jobs of a run begin with."""
    return f"{NAMES}{profile}"[:50]  # the executor takes no longer ones


def slurm_profile(
    rules: Mapping[str, Needs], *, profile: str, settings: SlurmSettings, cluster: Cluster, logs: str
) -> dict[str, Any]:
    """Write the options of Snakemake for a run on a cluster.

    Parameters
    ----------
    rules
        Rule → what its jobs need.
    profile
        The name of the profile that is run.
    settings, cluster
        What a person and Slurm say of the cluster.
    logs
        The folder of the jobs' logs, from the project's folder on.

    Returns
    -------
    Options → values, as they stand in a profile of Snakemake (`--workflow-profile`).

    Raises
    ------
    DatamixError
        If the cluster has no such partition, or a job needs more memory than its largest node has.
    """
    plain = cluster.partition(settings.partition)
    resources: dict[str, dict[str, Any]] = {}
    groups: dict[str, str] = {}
    together: dict[str, int] = {}
    for rule, needs in rules.items():
        wants_gpu = "gpu" in needs.resources
        partition = cluster.partition(settings.gpu_partition, gpu=True) if wants_gpu else plain
        minutes = ceil(needs.resources["runtime"] * settings.times_minutes)
        limits = [limit for limit in (settings.most_minutes, partition.minutes) if limit is not None]
        # One after the other in one job of Slurm, whose time limit is the sum of theirs.
        short = min(minutes, ceil(_LEAST_MINUTES * settings.times_minutes + needs.seconds / 60))
        number = min(needs.jobs, int(settings.group_minutes * 60 // max(needs.seconds, 1)))
        number = min([number, *(limit // short for limit in limits)])
        if number > 1 and not needs.apart:
            groups[rule] = rule
            together[rule] = number
            minutes = short
        memory = _memory(rule, needs, settings=settings, partition=partition)
        resources[rule] = {
            "mem_mb": memory,
            "runtime": min([minutes, *limits]),
            "slurm_partition": partition.name,
            "alone": 1,
        }
    # Without accounting nobody is charged, and the executor stops at an account that it cannot look up.
    account = {"slurm_account": settings.account} if settings.account and cluster.accounting else {}
    options = {
        "executor": "slurm",
        "jobs": settings.jobs,
        "default-resources": {"mem_mb": 1000, "runtime": 60, "slurm_partition": plain.name} | account,
        "set-resources": resources,
        # Of the jobs that go together, one at a time.
        "resources": {"alone": 1},
        "set-resource-scopes": {"alone": "local"},
        "groups": groups,
        "group-components": together,
        "slurm-jobname-prefix": name_of_jobs(profile),
        "slurm-logdir": logs,
        "slurm-keep-successful-logs": True,
        "slurm-init-seconds-before-status-checks": 5,
        "latency-wait": 60,  # for a file that another node has written to come into sight
        "slurm-requeue": True,  # a job of a node that failed goes to another
        "keep-going": True,
        "quiet": ["host", "rules", "reason"],  # what is submitted, finished and failed is shown
    }
    if not cluster.accounting:
        options |= {"slurm-no-account": True, "slurm-status-command": "squeue"}
    return {name: value for name, value in options.items() if value not in ({}, None)}


def _memory(rule: str, needs: Needs, *, settings: SlurmSettings, partition: Partition) -> int:
    """Return the memory to ask for (MB): what a job needs, with the factor as far as a node has it."""
    most = settings.most_memory_mb or partition.memory_mb
    wanted = needs.resources["mem_mb"]
    if most and wanted > most:
        msg = f"A job of the rule {rule} needs {wanted:,} MB, and a node of partition {partition.name} has {most:,} MB "
        msg += "to give."
        raise DatamixError(
            msg, fix="name a partition with larger nodes, or another `most_memory_mb`, in config/slurm.yaml"
        )
    return min(ceil(wanted * settings.times_memory), most or ceil(wanted * settings.times_memory))
