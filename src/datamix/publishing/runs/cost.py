"""What a run costs before it is run: jobs, hours, memory and disk of each rule, from the times of runs on record."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from datamix.corpora.planning import rule_resources
from datamix.project.layout import Layout
from datamix.project.manifest import read_manifest
from datamix.publishing.recorded import read_benchmark
from datamix.publishing.runs.work import Sizes, count_jobs, sizes_of, work_of

BYTES_A_SECOND = 20e6
"""Of files as they are published, packed or not; assumed, since the runs on record read small files."""
TIMES_ON_GPU = {"training": 10.0, "operation": 1000.0}
"""How many times as fast a GPU is as one thread of a CPU; assumed, since none is on record. 1,000 times the rate
of a thread is about a twentieth of what a data-centre GPU of 2020 has in half precision."""
LAPTOP_CORES, GPU_CORES = 2, 8
"""Cores of a laptop; cores that are at hand beside each GPU."""


@dataclass(frozen=True)
class Cost:
    """What a run costs."""

    rules: pd.DataFrame
    """A row a rule, in the order of the workflow: `jobs`; `seconds` of a job; `hours` of all; `memory` of a job and
    `disk` of all (bytes); `gpu`, whether its jobs take one."""
    sizes: Sizes
    measured: str
    """What the rates were measured on."""


def rates(rows: pd.DataFrame) -> dict[str, float]:
    """Find how long each kind of work takes, from rules whose times are known.

    Parameters
    ----------
    rows
        A row a rule of a run: `jobs`, `seconds` of one on average, and `amounts`, what it had to do (see `Work`).

    Returns
    -------
    Kind of work → seconds; least squares of relative errors, weighted by the share of the time, none below 0.
    """
    kinds = sorted({kind for amounts in rows["amounts"] for kind in amounts} - {"byte read", "cell of tokens"})
    matrix = np.array([[amounts.get(kind, 0.0) for kind in kinds] for amounts in rows["amounts"]])
    weights = np.sqrt((rows["jobs"] * rows["seconds"]).to_numpy())
    relative = matrix * (weights / rows["seconds"].to_numpy())[:, None]
    scale = relative.max(axis=0)
    found, _ = nnls(relative / scale, weights)
    return dict(zip(kinds, (found / scale).tolist(), strict=True)) | {"byte read": 1 / BYTES_A_SECOND}


def all_rates(root: Path) -> tuple[pd.DataFrame, dict[str, float]]:
    """Read the times on record, and return them with the seconds of each kind of work."""
    measured = read_benchmark(root, "rules")
    tokens = read_benchmark(root, "geneformer")["tokens cells/s"].min()
    return measured, rates(measured) | {"cell of tokens": 1 / tokens}


def seconds_of(amounts: Mapping[str, float], each: Mapping[str, float], *, gpu: bool = False) -> float:
    """Add up how long a job takes on one thread, or on one with a GPU."""
    return sum(n * each[kind] / (TIMES_ON_GPU.get(kind, 1.0) if gpu else 1.0) for kind, n in amounts.items())


def cost_of(layout: Layout, *, on: str | None = None) -> Cost:
    """Estimate what a run of a profile costs.

    Parameters
    ----------
    layout
        The profile and its folders; where corpora are prepared, their sizes count.
    on
        `gpu`: rules that can take one have one; `cpu`: none has; None: those that ask for one on a cluster.

    Raises
    ------
    DatamixError
        If Snakemake cannot say what there is to do, or no times are on record.
    """
    measured, each = all_rates(layout.root)
    sizes, manifest = sizes_of(layout), read_manifest(layout.root, layout.profile)
    rows = []
    for rule, jobs in count_jobs(layout.root, layout.profile.name).items():
        needs, work = rule_resources(layout.profile, rule), work_of(rule, layout, sizes, manifest)
        gpu = on != "cpu" and (rule in GPU_RULES if on == "gpu" else "gpu" in needs)
        seconds = seconds_of(work.amounts, each, gpu=gpu)
        row: dict[str, Any] = {"rule": rule, "jobs": jobs, "seconds": seconds, "hours": jobs * seconds / 3600}
        rows.append(row | {"memory": needs["mem_mb"] * 1e6, "disk": jobs * work.disk, "gpu": gpu})
    about = f"{measured.attrs['hardware']['processor']}, {measured.attrs['hardware']['cores']} cores"
    return Cost(pd.DataFrame(rows).set_index("rule"), sizes, about)


GPU_RULES = ("train", "hold_out", "composition", "geneformer")
"""Rules whose jobs use a GPU where there is one."""


def hours_on(rules: pd.DataFrame, *, cores: int, gpus: int = 0) -> float:
    """Say how long a run takes on a machine, rule after rule: jobs of a rule side by side, a core each, or a GPU each.

    Parameters
    ----------
    rules
        As in `Cost`.
    cores, gpus
        What the machine has; without GPUs no row may want one.
    """
    places = np.where(rules["gpu"], max(gpus, 1), cores)
    turns = [ceil(jobs / at) for jobs, at in zip(rules["jobs"], places, strict=True)]
    return float((np.array(turns) * rules["seconds"]).sum() / 3600)


def recorded_rows(times: Iterable[tuple[str, int, float]], layout: Layout) -> list[dict[str, Any]]:
    """Put the times of a finished run beside what its rules had to do.

    Parameters
    ----------
    times
        Rule, number of jobs, seconds of all of them together.
    layout
        The profile that was run, its corpora prepared.
    """
    sizes, manifest = sizes_of(layout), read_manifest(layout.root, layout.profile)
    return [
        {"profile": layout.profile.name, "rule": rule, "jobs": jobs, "seconds": total / jobs,
         "amounts": dict(work_of(rule, layout, sizes, manifest).amounts)}
        for rule, jobs, total in times
    ]  # fmt: skip


def check(root: Path) -> pd.DataFrame:
    """Hold the estimates against the runs on record.

    Returns
    -------
    A row a rule of a run: `seconds` of its jobs, `estimated` from the rates of all runs, and `from_others`, those of
    the runs of other profiles alone (nothing where these have no such work).
    """
    measured, each = all_rates(root)
    table = measured[["profile", "rule", "jobs"]].assign(seconds=measured["jobs"] * measured["seconds"])
    table["estimated"] = _seconds_of_all(measured, each)
    for profile, run in measured.groupby("profile"):
        others = {"cell of tokens": each["cell of tokens"]} | rates(measured[measured["profile"] != profile])
        table.loc[run.index, "from_others"] = _seconds_of_all(run, others)
    return table


def _seconds_of_all(rows: pd.DataFrame, each: Mapping[str, float]) -> list[float]:
    return [
        jobs * seconds_of(of, each) if of.keys() <= each.keys() else float("nan")
        for jobs, of in zip(rows["jobs"], rows["amounts"], strict=True)
    ]
