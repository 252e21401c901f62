"""Measure training and scoring beside stock scvi-tools: `python -m benchmarks.training [--quick]`.

Every comparison runs in one process order, stock and ours in turn, several times; medians and their ratios are printed
and written to `results/bench/*.json`, with the machine, versions, day and commit; `make record-bench` keeps them with
the project. All cells are simulated. These are measurements of one machine, never tests.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import anndata as ad
import numpy as np
import pandas as pd
import torch

from benchmarks.measure import Peak, in_processes, simulate, wait_for_others
from benchmarks.scoring import WAYS, score_in_turn, score_peak
from datamix.ldvae import fast_training, stacked_training
from datamix.ldvae import model as ldvae
from datamix.ldvae import training as ldvae_training
from datamix.project import provenance
from datamix.project.files import write_json
from datamix.project.profile import Training
from datamix.project.profile_files import project_root, read_profile
from datamix.project.provenance import commit
from datamix.publishing.recorded import record_benchmarks
from datamix.scoring import reconstruction

Table = list[dict[str, Any]]
TRAINERS: tuple[tuple[str, Literal["fast", "scvi"]], ...] = (("stock", "scvi"), ("ours", "fast"))
TWO_EPOCHS = Training(max_epochs=2, check_val_every_n_epoch=1000)
FITS: dict[str, Callable[..., None]] = {"stock": ldvae_training.fit_stock, "ours": fast_training.fit}


@dataclass(frozen=True)
class Plan:
    """What is measured: sizes are (cells, genes)."""

    repeats: int = 3
    training: tuple[tuple[int, int], ...] = (
        (10_000, 5_000),
        (20_000, 5_000),
        (40_000, 5_000),
        (20_000, 2_000),
        (20_000, 15_000),
    )
    together: tuple[int, int] = (10_000, 5_000)
    scoring: tuple[tuple[int, int], ...] = ((10_000, 5_000), (20_000, 5_000), (40_000, 5_000))
    optimum: tuple[int, int, int] = (3_000, 1_000, 40)
    """Cells, genes, epochs."""
    gpu: tuple[int, int] = (100_000, 10_000)
    demo_epochs: int | None = None
    """Nothing: those of the demo profile."""


QUICK = Plan(
    repeats=2,
    training=((2_000, 1_000), (4_000, 1_000), (2_000, 3_000)),
    together=(600, 1_000),
    scoring=((1_000, 1_500), (2_000, 1_500)),
    optimum=(1_000, 300, 15),
    gpu=(400, 200),
    demo_epochs=10,
)


def training(plan: Plan) -> Table:
    """One model, one thread: seconds an epoch of stock and ours, and of the matrix products alone; peak memory."""
    table = []
    for cells, genes in plan.training:
        ((seconds, peaks),) = in_processes(partial(_train_in_turn, repeats=plan.repeats), cells=cells, genes=genes)
        middle = {name: float(np.median(values)) for name, values in seconds.items()}
        table.append(
            {
                "cells": cells,
                "genes": genes,
                **{f"{name} s/epoch": value for name, value in middle.items()},
                **{f"{name} cells/s": 0.9 * cells / middle[name] for name in FITS},
                **{f"{name} peak MB": float(np.median(peaks[name])) for name in FITS},
                "times stock": middle["stock"] / middle["ours"],
                "share of products": middle["products"] / middle["ours"],
                "repeats": seconds,
            }
        )
    return table


_PART_FOR_DEFAULTS = 4


def together(plan: Plan) -> Table:
    """Ten models of one baseline on this machine's cores: seconds an epoch of all ten, and peak memory of a process.

    Processes run side by side, each training models one after another; ten models take ten times what a model takes,
    divided by the processes. Who leaves stock at its defaults has a thread a core in every process: in one process, or,
    as a workflow starts them, in as many as there are cores. Both are so slow where cores are shared that each is
    measured once, on a quarter of the cells, and its seconds are scaled by the steps of an epoch.
    """
    cores = os.cpu_count() or 1
    cells, genes = plan.together
    part = cells // _PART_FOR_DEFAULTS
    ways: dict[str, tuple[str, int, int, int]] = {  # trainer, processes, threads, cells that are timed
        "ours, a process a core": ("ours", cores, 1, cells),
        "stock, a process a core": ("stock", cores, 1, cells),
    }
    if cores > 1:
        ways |= {
            "stock, one process": ("stock", 1, 1, cells),
            "stock at its defaults, one process": ("stock", 1, cores, part),
            "stock at its defaults, a process a core": ("stock", cores, cores, part),
        }
    found: dict[str, list[Table]] = {way: [] for way in ways}
    for repeat in range(plan.repeats):
        for way, (name, processes, threads, timed) in ways.items():
            if threads > 1 and repeat:
                continue
            work = partial(_train_beside, name=name)
            found[way].append(in_processes(work, processes=processes, threads=threads, cells=timed, genes=genes))
    table: Table = []
    for way, runs in found.items():
        name, processes, threads, timed = ways[way]
        scale = 10 / processes * _steps(cells) / _steps(timed)
        seconds = [scale * float(np.mean([r["seconds"] for r in run])) for run in runs]
        table.append(
            {
                "way": way,
                "trainer": name,
                "processes": processes,
                "threads": threads,
                "cells": cells,
                "cells timed": timed,
                "genes": genes,
                "ten models s/epoch": float(np.median(seconds)),
                "peak MB a process": float(np.median([r["peak MB"] for run in runs for r in run])),
                "repeats": seconds,
            }
        )
    ours = table[0]["ten models s/epoch"]
    return [row | {"times ours": row["ten models s/epoch"] / ours} for row in table]


def _steps(cells: int) -> int:
    return -(-int(0.9 * cells) // TWO_EPOCHS.batch_size)


def scoring(plan: Plan) -> Table:
    """Score one model: ours (sample and mean) beside the published way (sample only), time and peak memory."""
    table = []
    for cells, genes in plan.scoring:
        (seconds,) = in_processes(partial(score_in_turn, repeats=plan.repeats), cells=cells, genes=genes)
        peaks = {name: in_processes(partial(score_peak, name=name), cells=cells, genes=genes)[0] for name in WAYS}
        middle = {name: float(np.median(values)) for name, values in seconds.items()}
        table.append(
            {
                "cells": cells,
                "genes": genes,
                **{f"{name} seconds": value for name, value in middle.items()},
                **{f"{name} peak MB": value for name, value in peaks.items()},
                "ours cells/s": cells / middle["ours"],
                "times published": middle["published"] / middle["ours"],
                "share of memory": peaks["ours"] / peaks["published"],
                "repeats": seconds,
            }
        )
    return table


def optimum(plan: Plan) -> Table:
    """Held-out ELBO (validation, nats a cell) of stock and ours after the same epochs, five seeds each."""
    cells, genes, epochs = plan.optimum
    (table,) = in_processes(partial(_optimum, epochs=epochs), cells=cells, genes=genes)
    return table


def demo(plan: Plan) -> Table:
    """Train and score the ten models of one demo baseline with either trainer, on cells of the demo's shape."""
    profile = read_profile("demo")
    epochs = plan.demo_epochs or profile.training.max_epochs
    cells = profile.cells if isinstance(profile.cells, int) else 1000
    (table,) = in_processes(partial(_demo, epochs=epochs, repeats=plan.repeats), cells=cells, genes=2000)
    return table


def gpu(plan: Plan) -> Table:
    """Ten stacked models on the GPU beside one stock model on it: seconds an epoch (without a GPU, on the CPU)."""
    cells, genes = plan.gpu
    (row,) = in_processes(partial(_stacked, repeats=plan.repeats), cells=cells, genes=genes)
    return [row]


PARTS: dict[str, Callable[[Plan], Table]] = {
    "training": training, "together": together, "scoring": scoring, "optimum": optimum, "demo": demo, "gpu": gpu,
}  # fmt: skip


def run(plan: Plan, *, parts: list[str], folder: Path) -> dict[str, Table]:
    """Measure, print a table a part, and write `<part>.json` with the hardware and versions.

    Parameters
    ----------
    plan
        Sizes and repeats.
    parts
        Keys of `PARTS`.
    folder
        Where the files go.

    Returns
    -------
    Part → its rows.
    """
    found = {}
    for part in parts:
        began = time.perf_counter()
        found[part] = PARTS[part](plan)
        what = (PARTS[part].__doc__ or "").split("\n")[0]
        write_json(folder / f"{part}.json", about() | {"what": what, "rows": found[part]})
        shown = pd.DataFrame([{k: v for k, v in row.items() if k != "repeats"} for row in found[part]])
        print(f"\n{what}  [{time.perf_counter() - began:.0f} s]")
        print(shown.to_string(index=False, float_format="%.3g"))
    return found


def about() -> dict[str, Any]:
    """Return what a measurement is of: machine, versions, day (UTC), commit; and that its cells are simulated."""
    return {
        "hardware": provenance.hardware(torch.device("cuda" if torch.cuda.is_available() else "cpu")),
        "versions": {package: version(package) for package in ("torch", "scvi-tools", "numba", "numpy")},
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "simulated": True,
    }


def _train_in_turn(adata: ad.AnnData, *, repeats: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    seconds: dict[str, list[float]] = {"stock": [], "ours": [], "products": []}
    peaks: dict[str, list[float]] = {name: [] for name in FITS}
    for name in FITS:
        # Imports and compiles. Few genes: with more genes than cells, stock and ours can diverge within a few steps.
        _seconds_per_epoch(name, adata[:300, :500].copy())
    for _ in range(repeats):
        for name in FITS:
            with Peak() as peak:
                seconds[name].append(_seconds_per_epoch(name, adata))
            peaks[name].append(peak.megabytes)
        seconds["products"].append(_seconds_of_products(adata.n_vars, steps=30) * (0.9 * adata.n_obs / 128))
    return seconds, peaks


def _seconds_per_epoch(name: str, adata: ad.AnnData) -> float:
    """Time the second epoch, without what happens once."""
    model = ldvae.new_model(adata, seed=0, settings=TWO_EPOCHS)
    ends: list[float] = []
    FITS[name](model, settings=TWO_EPOCHS, progress=lambda *_: ends.append(time.perf_counter()))
    return ends[1] - ends[0]


def _seconds_of_products(genes: int, *, steps: int, batch: int = 128, hidden: int = 128, latent: int = 10) -> float:
    """Time the dense matrix products of one step (forward, and the gradients that are needed), and nothing else."""
    x, z, narrow = (torch.rand(batch, columns) for columns in (genes, latent, hidden))
    first, second, loadings = torch.rand(genes, 2 * hidden), torch.rand(hidden, hidden), torch.rand(latent, genes)
    by_hidden, by_logit = torch.rand(batch, 2 * hidden), torch.rand(batch, genes)
    seconds = []
    for _ in range(steps):
        began = time.perf_counter()
        x @ first, x.T @ by_hidden  # both encoders' first layers and their gradients
        narrow @ second, narrow @ second, narrow.T @ narrow  # the second layer
        z @ loadings, by_logit @ loadings.T, z.T @ by_logit  # the decoder
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))


def _train_beside(adata: ad.AnnData, *, name: str) -> dict[str, float]:
    _seconds_per_epoch(name, adata[:300, :500].copy())
    wait_for_others()
    with Peak() as peak:
        seconds = _seconds_per_epoch(name, adata)
    wait_for_others()
    return {"seconds": seconds, "peak MB": peak.megabytes}


def _optimum(adata: ad.AnnData, *, epochs: int) -> Table:
    rows: Table = []
    for name, trainer in TRAINERS:
        settings = Training(trainer=trainer, max_epochs=epochs, check_val_every_n_epoch=epochs)
        models = (ldvae_training.train(adata, seed=seed, settings=settings) for seed in range(5))
        elbo = [float(ldvae.history(model)["elbo_validation"].iloc[-1]) for model in models]
        error = float(np.std(elbo, ddof=1) / np.sqrt(len(elbo)))
        rows.append({"trainer": name, "ELBO mean": float(np.mean(elbo)), "standard error": error, "repeats": elbo})
    difference = abs(rows[0]["ELBO mean"] - rows[1]["ELBO mean"])
    both = float(np.hypot(rows[0]["standard error"], rows[1]["standard error"]))
    return [row | {"difference": difference, "in standard errors": difference / both} for row in rows]


def _demo(adata: ad.AnnData, *, epochs: int, repeats: int) -> Table:
    double = simulate(2 * adata.n_obs, adata.n_vars, seed=1)
    evaluations = [simulate(adata.n_obs // 2, adata.n_vars, seed=seed) for seed in range(2, 7)]
    seconds: dict[tuple[str, str], list[float]] = {}
    for _ in range(repeats):
        for name, trainer in TRAINERS:
            settings = Training(trainer=trainer, max_epochs=epochs)
            began = time.perf_counter()
            pair = [ldvae_training.train(cells, seed=0, settings=settings) for cells in (adata, double)]
            trained = time.perf_counter()
            models = {str(i): pair[i % 2] for i in range(10)}
            for evaluation in evaluations:
                reconstruction.score(models, evaluation, seed=0)
            seconds.setdefault((name, "train"), []).append(5 * (trained - began))
            seconds.setdefault((name, "score"), []).append(time.perf_counter() - trained)
    rows: Table = []
    for name in ("stock", "ours"):
        repeated = {what: seconds[name, what] for what in ("train", "score")}
        train, score = (float(np.median(values)) for values in repeated.values())
        rows.append({"trainer": name, "train s": train, "score s": score, "both s": train + score, "repeats": repeated})
    return [row | {"share of stock": row["both s"] / rows[0]["both s"]} for row in rows]


def _stacked(adata: ad.AnnData, *, repeats: int) -> dict[str, Any]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    seconds: dict[str, list[float]] = {"stock, one": [], "ours, ten": []}
    for _ in range(repeats):
        seconds["stock, one"].append(_seconds_per_epoch("stock", adata))
        models = (ldvae.new_model(adata, seed=seed, settings=TWO_EPOCHS) for seed in range(10))
        ends: list[float] = []
        stacked_training.fit(
            models,
            seed=0,
            settings=TWO_EPOCHS,
            device=device,
            progress=lambda *_, ends=ends: ends.append(time.perf_counter()),
        )
        seconds["ours, ten"].append(ends[1] - ends[0])
    middle = {name: float(np.median(values)) for name, values in seconds.items()}
    share = middle["ours, ten"] / middle["stock, one"]
    shape = {"device": device.type, "cells": adata.n_obs, "genes": adata.n_vars}
    return shape | {f"{name} s/epoch": value for name, value in middle.items()} | {"share": share, "repeats": seconds}


def main() -> None:
    """Read the command line and run."""
    usual = [part for part in PARTS if part != "gpu" or torch.cuda.is_available()]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, a few minutes: shows that it works, not the ratios"
    )
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=usual, help="measure these only")
    parser.add_argument(
        "--record", action="store_true", help="measure nothing: keep what was measured last in recorded/bench/"
    )
    arguments = parser.parse_args()
    root = project_root()
    if arguments.record:
        kept = record_benchmarks(root)
        print(f"Kept in recorded/bench: {', '.join(kept)}")
        return
    plan = QUICK if arguments.quick else Plan()
    run(plan, parts=arguments.parts, folder=root / "results" / "bench")


if __name__ == "__main__":
    main()
