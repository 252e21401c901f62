"""Measure a preparation: memory and rate on a dense h5ad file of gigabytes. Run it with `make bench-data`."""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import yaml

CELLS, GENES = 60_000, 10_000
"""2.4 GB as dense float32."""
_AT_A_TIME = 2_000
_COUNTS_PER_GENE = 0.13  # about as many genes of a cell are not 0 as in 10x data, and enough counts to pass QC


def main() -> None:
    """Write the file, prepare it, then do the same with twice the cells; print what it took."""
    parser = argparse.ArgumentParser(prog="make bench-data", description=__doc__)
    parser.add_argument("--cells", type=int, default=CELLS, help="of the first file; the second has twice as many")
    parser.add_argument("--genes", type=int, default=GENES)
    parser.add_argument("--folder", type=Path, help="where the files go for a while; default: a temporary folder")
    arguments = parser.parse_args()
    rows = []
    for cells in (arguments.cells, 2 * arguments.cells):
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            rows.append(measure(Path(folder), cells=cells, genes=arguments.genes))
            print(pd.DataFrame(rows).to_string(index=False), flush=True)


def measure(root: Path, *, cells: int, genes: int) -> dict[str, Any]:
    """Write a dense file into a project of its own, prepare it in a process of its own, and measure.

    Parameters
    ----------
    root
        An empty folder.
    cells, genes
        Size of the file.

    Returns
    -------
    `cells`, `genes`, `file_gb`; `read_mb_s`: a plain sequential read of the file; `hash_and_prepare_s` and
    `prepare_mb_s`: the whole command, from its start to the finished corpus; `peak_mb`: its largest memory; `kept`.
    """
    path = root / "data" / "big" / "big.h5ad"
    # In a process of its own: a child counts the peak of the process that starts it as its own.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(write_dense, (path,), {"cells": cells, "genes": genes})
    _write_project(root, path)
    size = path.stat().st_size
    began = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 24):
            pass
    read = time.perf_counter() - began
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "datamix", "prepare", "big", "--profile", "bench"],
        env=os.environ | {"DATAMIX_ROOT": str(root)},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    if status:
        raise SystemExit(os.waitstatus_to_exitcode(status))
    with h5py.File(root / "results" / "bench" / "corpora" / "big.h5ad") as corpus:
        kept = int(corpus["X"].attrs["shape"][0])
    per_mb = 1_000_000 if sys.platform == "darwin" else 1_000  # macOS counts bytes, Linux kB
    return {
        "cells": cells,
        "genes": genes,
        "file_gb": round(size / 1e9, 2),
        "read_mb_s": round(size / 1e6 / read),
        "hash_and_prepare_s": round(took, 1),
        "prepare_mb_s": round(size / 1e6 / took),
        "peak_mb": round(usage.ru_maxrss / per_mb),
        "kept": kept,
    }


def write_dense(path: Path, *, cells: int, genes: int) -> None:
    """Write an h5ad file with dense X, piece by piece: the same random cells over and over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    piece = np.random.default_rng(0).poisson(_COUNTS_PER_GENE, (_AT_A_TIME, genes)).astype(np.float32)
    obs = pd.DataFrame({"cell_type": "simulated"}, index=[f"cell{i}" for i in range(cells)])
    ids = [f"ENSG{i:011d}" for i in range(1, genes + 1)]
    with h5py.File(path, "w") as file:
        ad.io.write_elem(file, "/", ad.AnnData(obs=obs, var=pd.DataFrame({"symbol": ids}, index=ids)))
        file.pop("X", None)
        matrix = file.create_dataset("X", shape=(cells, genes), dtype=np.float32)
        matrix.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        for start in range(0, cells, _AT_A_TIME):
            matrix[start : start + _AT_A_TIME] = piece[: cells - start]


def _write_project(root: Path, path: Path) -> None:
    entry = {
        "title": "Simulated cells, dense",
        "reader": "h5ad",
        "gene_ids": "ensembl",
        "options": {"cell_type": "cell_type", "symbol": "symbol"},
        "access": "open",
        "licence": "MIT, as the project",
        "citation": {"text": "Simulated by this project, benchmarks/preparation.py"},
        "files": [{"name": path.name, "steps": "make bench-data writes it"}],
    }
    profile = {
        "name": "bench",
        "title": "Benchmark of a preparation",
        "simulated": True,
        "about": "Simulated cells without meaning.",
        "cells": "all",
        "baselines": {"blood": {"label": "Simulated", "dataset": "big"}},
        "added": {},
        "evaluations": {},
    }
    (root / "config").mkdir()
    (root / "config" / "bench.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    (root / "data_manifest.yaml").write_text(yaml.safe_dump({"datasets": {"big": entry}}), encoding="utf-8")


if __name__ == "__main__":
    main()
