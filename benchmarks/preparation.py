"""Measure a preparation: memory and rate on h5ad files of gigabytes. Run it with `make bench-data`.

Files as people have them: dense, by cells (CSR) or by genes (CSC), compressed as anndata does it, read as one's own.
"""

import argparse
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import yaml
from scipy import sparse

from benchmarks.measure import in_small_process, run_command
from datamix.project.profile_files import read_profile

CELLS, GENES = (60_000, 120_000), 10_000
"""2.4 and 4.8 GB as dense float32."""
LAYOUTS = ("dense", "csr", "csc")
_PIECE = 2_000  # cells at least, after which the same ones come again
_COUNTS = 1_300  # of a cell: of 20,000 genes 6 % are not 0, about as in 10x data, and QC lets it pass
_GENES_AT_A_TIME = 200
_LEVEL = 4  # of zlib, as h5py's gzip
_COMPRESSED: dict[str, Any] = {"compression": "gzip", "compression_opts": _LEVEL}


def main() -> None:
    """Write files, prepare each, and print what it took."""
    parser = argparse.ArgumentParser(prog="make bench-data", description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=CELLS, help="of each file")
    parser.add_argument("--genes", type=int, default=GENES)
    parser.add_argument("--layouts", nargs="+", choices=LAYOUTS, default=LAYOUTS)
    parser.add_argument("--folder", type=Path, help="where the files go for a while; default: a temporary folder")
    arguments = parser.parse_args()
    rows = []
    for layout in arguments.layouts:
        for cells in arguments.cells:
            with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                rows.append(measure(Path(folder), layout=layout, cells=cells, genes=arguments.genes))
                print(pd.DataFrame(rows).to_string(index=False), flush=True)


def measure(root: Path, *, layout: str, cells: int, genes: int) -> dict[str, Any]:
    """Write a file into a project of its own, prepare it in a process of its own, and measure.

    Parameters
    ----------
    root
        An empty folder; what is put aside while a file is turned round goes there, too.
    layout
        Of `LAYOUTS`: how X is stored.
    cells, genes
        Size of the file.

    Returns
    -------
    `layout`, `cells`, `genes`, `file_gb`; `read_mb_s`: a plain sequential read of the file; `hash_and_prepare_s` and
    `prepare_mb_s`: the whole command, from its start to the finished corpus; `peak_mb`: its largest memory;
    `memory_mb`: what the profile allows; `kept`.
    """
    path = root / "data" / "big" / "big.h5ad"
    in_small_process(write_cells, path, layout=layout, cells=cells, genes=genes)
    _write_project(root, path)
    size = path.stat().st_size
    began = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 24):
            pass
    read = time.perf_counter() - began
    took, peak_mb = run_command("prepare", "big", profile="large", root=root)
    with h5py.File(root / "results" / "large" / "corpora" / "big.h5ad") as corpus:
        kept = int(corpus["X"].attrs["shape"][0])
    return {
        "layout": layout,
        "cells": cells,
        "genes": genes,
        "file_gb": round(size / 1e9, 2),
        "read_mb_s": round(size / 1e6 / read),
        "hash_and_prepare_s": round(took, 1),
        "prepare_mb_s": round(size / 1e6 / took),
        "peak_mb": round(peak_mb),
        "memory_mb": read_profile("large", root).memory_mb,
        "kept": kept,
    }


def write_cells(path: Path, *, layout: str, cells: int, genes: int) -> None:
    """Write an h5ad file piece by piece: the same random cells over and over, so that memory holds one piece."""
    path.parent.mkdir(parents=True, exist_ok=True)
    piece = np.random.default_rng(0).poisson(_COUNTS / genes, (period(cells, genes), genes)).astype(np.float32)
    obs = pd.DataFrame({"cell_type": "simulated"}, index=[f"cell{i}" for i in range(cells)])
    ids = [f"ENSG{i:011d}" for i in range(1, genes + 1)]
    symbols = [f"MT-{i}" if i <= 13 else f"G{i}" for i in range(1, genes + 1)]
    with h5py.File(path, "w") as file:
        ad.io.write_elem(file, "/", ad.AnnData(obs=obs, var=pd.DataFrame({"symbol": symbols}, index=ids)))
        file.pop("X", None)
        if layout == "dense":
            matrix = file.create_dataset("X", (cells, genes), np.float32, chunks=True, **_COMPRESSED)
            matrix.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
            _write_chunks(matrix, piece)
            return
        group = file.create_group("X")
        shape = np.array([cells, genes])
        group.attrs.update({"encoding-type": f"{layout}_matrix", "encoding-version": "0.1.0", "shape": shape})
        _write_sparse(group, _by_cells(piece, cells) if layout == "csr" else _by_genes(piece, cells))


def period(cells: int, genes: int) -> int:
    """Say after how many cells the same ones come again: rows of the chunks that h5py chooses, so that these repeat."""
    with h5py.File("chunks", "w", driver="core", backing_store=False) as nowhere:
        height: int = nowhere.create_dataset("X", (cells, genes), np.float32, chunks=True).chunks[0]
    return -(-_PIECE // height) * height


def _write_chunks(matrix: h5py.Dataset, piece: np.ndarray) -> None:
    """Write whole chunks, each kind of which is compressed once: in little more than the time of a copy."""
    height, width = matrix.chunks
    made: dict[tuple[int, int], bytes] = {}
    for start in range(0, matrix.shape[0], height):
        for left in range(0, matrix.shape[1], width):
            key = (start % len(piece), left)
            if key not in made:
                values = piece[key[0] : key[0] + height, left : left + width]
                chunk = np.pad(values, ((0, 0), (0, width - values.shape[1])))  # stored whole at the edge, too
                made[key] = zlib.compress(chunk.tobytes(), _LEVEL)
            matrix.id.write_direct_chunk((start, left), made[key])


def _by_cells(piece: np.ndarray, cells: int) -> Iterator[sparse.csr_matrix]:
    for start in range(0, cells, len(piece)):
        yield sparse.csr_matrix(piece[: cells - start])


def _by_genes(piece: np.ndarray, cells: int) -> Iterator[sparse.csr_matrix]:
    for start in range(0, piece.shape[1], _GENES_AT_A_TIME):
        genes = sparse.csr_matrix(piece[:, start : start + _GENES_AT_A_TIME].T)
        yield sparse.hstack([genes] * -(-cells // len(piece)), format="csr")[:, :cells]


def _write_sparse(group: h5py.Group, parts: Iterable[sparse.csr_matrix]) -> None:
    """Write rows, which are cells or genes, one part after the other."""
    ends = [np.zeros(1, dtype=np.int64)]
    for name, kind in (("data", np.float32), ("indices", np.int32)):
        group.create_dataset(name, (0,), kind, maxshape=(None,), chunks=True, **_COMPRESSED)
    for part in parts:
        before = len(group["data"])
        for name in ("data", "indices"):
            group[name].resize((before + part.nnz,))
            group[name][before:] = getattr(part, name)
        ends.append(part.indptr[1:] + before)
    group.create_dataset("indptr", data=np.concatenate(ends), **_COMPRESSED)


def _write_project(root: Path, path: Path) -> None:
    entry = {
        "title": "Simulated cells",
        "reader": "file",
        "gene_ids": "ensembl",
        "options": {"cell_type": "cell_type", "symbol": "symbol"},
        "access": "open",
        "licence": "MIT, as the project",
        "citation": {"text": "Simulated by this project, benchmarks/preparation.py"},
        "files": [{"name": path.name, "steps": "make bench-data writes it"}],
    }
    profile = {
        "name": "large",
        "title": "Benchmark of a preparation",
        "simulated": True,
        "about": "Simulated cells without meaning.",
        "cells": "all",
        "baselines": {"blood": {"label": "Simulated", "dataset": "big"}},
        "added": {},
        "evaluations": {},
    }
    (root / "config").mkdir()
    (root / "config" / "large.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    (root / "data_manifest.yaml").write_text(yaml.safe_dump({"datasets": {"big": entry}}), encoding="utf-8")


if __name__ == "__main__":
    main()
