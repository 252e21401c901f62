"""What `datamix plan` says: what each rule of a run costs, and how long whole machines take."""

from collections.abc import Iterator
from typing import Literal

import pandas as pd

from datamix.corpora.inventory_words import readable
from datamix.publishing.runs.cost import BYTES_A_SECOND, GPU_CORES, LAPTOP_CORES, TIMES_ON_GPU, Cost, hours_on

COLUMNS = ("rule", "jobs", "one lasts", "hours of all", "memory of one", "disk of all", "GPU")


def rows_of(cost: Cost) -> list[tuple[str, ...]]:
    """Return a row of `COLUMNS` for each rule, and one of their sums."""
    rules = cost.rules
    rows = [_row(str(rule), row) for rule, row in rules.iterrows()]
    total = (
        "all", f"{rules['jobs'].sum()}", "", f"{rules['hours'].sum():,.2f}",
        f"{readable(rules['memory'].max())} at most", readable(rules["disk"].sum()), "",
    )  # fmt: skip
    return [*rows, total]


def told(cost: Cost, *, on: Literal["gpu", "cpu"] | None = None) -> Iterator[str]:
    """Say, a line each, how long whole machines take, and what the numbers rest on."""
    rules = cost.rules
    if rules["gpu"].any():
        one, eight = (hours_on(rules, cores=n * GPU_CORES, gpus=n) for n in (1, 8))
        yield f"On one GPU with {GPU_CORES} cores: {duration(one)}; on 8 with {8 * GPU_CORES} cores: {duration(eight)}."
        times = f"{TIMES_ON_GPU['training']:.0f} times (LDVAE) and {TIMES_ON_GPU['operation']:,.0f} times (Geneformer)"
        yield f"No GPU is on record: it is taken to be {times} as fast as a thread of a CPU."
        if on is None:
            yield "On a laptop, without a GPU: see --on cpu."
    else:
        yield f"On a laptop of {LAPTOP_CORES} cores: {duration(hours_on(rules, cores=LAPTOP_CORES))}."
        if on is None:
            yield "With a GPU: see --on gpu."
    yield f"Times are those of the runs in recorded/bench/rules.json ({cost.measured}), scaled by what there is to do."
    if "corpus" in rules.index:
        yield f"Large files are taken to be read at {readable(BYTES_A_SECOND)} a second; downloads are not counted."
    if cost.sizes.assumed:
        yield f"Not known before the data are prepared, and taken: {', '.join(cost.sizes.assumed)}."


def duration(hours: float) -> str:
    """Say how long something takes, in a unit that people read."""
    if hours < 1.5:
        return f"{max(1, round(60 * hours))} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def _row(rule: str, row: pd.Series) -> tuple[str, ...]:
    return (
        rule, f"{row['jobs']}", duration(row["seconds"] / 3600) if row["seconds"] >= 90 else f"{row['seconds']:.0f} s",
        f"{row['hours']:,.2f}", readable(row["memory"]), readable(row["disk"]), "one" if row["gpu"] else "",
    )  # fmt: skip
