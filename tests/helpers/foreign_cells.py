"""Small files of cells as other programs write them: the same made-up cells in every format, and a project on one."""

import gzip
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import yaml
from scipy import io, sparse

from datamix.corpora.prepare import prepare
from datamix.project.manifest import read_manifest
from datamix.project.profile_files import read_profile

GENES = ["ACTB", "GAPDH", "B2M", "MT-ND1", "MT-CO1", "HLA-A", "SEPTIN2", *(f"GENE{i}" for i in range(8, 101))]
IDS = [f"ENSG{i:011d}" for i in range(1, 101)]
TABLE = pd.DataFrame({"gene_id": IDS, "gene_name": GENES})


def made_up(n: int = 40, *, seed: int = 0) -> ad.AnnData:
    """Return raw counts of cells, about 3,000 each and a few per cent mitochondrial; genes named by symbol."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(2, 15, size=(1, 100)), size=(n, 100))
    counts[:, 3:5] = rng.poisson(40, size=(n, 2))
    obs = pd.DataFrame(
        {"celltype": np.resize(["T cell", "B cell"], n), "donor": np.resize(["d1", "d1", "d2"], n)},
        index=[f"AAAC{i:012d}-1" for i in range(n)],
    )
    return ad.AnnData(sparse.csr_matrix(counts, dtype=np.float32), obs=obs, var=pd.DataFrame(index=GENES))


def write_mex(folder: Path, cells: ad.AnnData, *, prefix: str = "", version: int = 3, order: int = 0) -> list[Path]:
    """Write matrix, genes and barcodes as Cell Ranger does; with antibodies in version 3; entries in any order."""
    folder.mkdir(exist_ok=True)
    matrix = sparse.coo_matrix(cells.X.T)
    names = [f"{i}\t{s}" for i, s in zip(IDS, cells.var_names, strict=True)]
    if version == 3:
        extra = sparse.coo_matrix(np.ones((2, cells.n_obs)) * 500)
        matrix = sparse.coo_matrix(sparse.vstack([matrix, extra]))
        names = [f"{n}\tGene Expression" for n in names] + [f"CD{i}\tCD{i}\tAntibody Capture" for i in (3, 19)]
    shuffled = np.random.default_rng(order).permutation(matrix.nnz) if order else np.arange(matrix.nnz)
    matrix = sparse.coo_matrix(
        (matrix.data[shuffled], (matrix.row[shuffled], matrix.col[shuffled])), shape=matrix.shape
    )
    text = {"features" if version == 3 else "genes": names, "barcodes": list(cells.obs_names)}
    io.mmwrite(folder / "m.mtx", matrix.astype(int))
    content = {f"{prefix}matrix.mtx": (folder / "m.mtx").read_bytes()}
    (folder / "m.mtx").unlink()
    content |= {f"{prefix}{name}.tsv": ("\n".join(lines) + "\n").encode() for name, lines in text.items()}
    paths = []
    for name, data in content.items():
        path = folder / (f"{name}.gz" if version == 3 else name)
        path.write_bytes(gzip.compress(data) if version == 3 else data)
        paths.append(path)
    return paths


def write_tenx_h5(path: Path, cells: ad.AnnData, *, version: int = 3) -> None:
    """Write 10x Genomics' HDF5, of Cell Ranger 3 or 2."""
    matrix = sparse.csr_matrix(cells.X)
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix" if version == 3 else "GRCh38")
        for name, values in (
            ("data", matrix.data.astype("i4")),
            ("indices", matrix.indices),
            ("indptr", matrix.indptr),
        ):
            group[name] = values
        group["shape"] = matrix.shape[::-1]
        group["barcodes"] = np.array(cells.obs_names, dtype="S")
        if version == 3:
            features = {"id": IDS, "name": list(cells.var_names), "feature_type": ["Gene Expression"] * 100}
            for name, values in features.items():
                group[f"features/{name}"] = np.array(values, dtype="S")
        else:
            group["genes"], group["gene_names"] = np.array(IDS, dtype="S"), np.array(cells.var_names, dtype="S")


def write_loom(path: Path, cells: ad.AnnData) -> None:
    """Write a loom file as loompy does."""
    with h5py.File(path, "w") as file:
        file["matrix"] = cells.X.toarray().T
        file["row_attrs/Gene"] = np.array(cells.var_names, dtype="S")
        file["col_attrs/CellID"] = np.array(cells.obs_names, dtype="S")
        file["col_attrs/celltype"] = np.array(cells.obs["celltype"], dtype="S")


def write_legacy_h5ad(path: Path, cells: ad.AnnData) -> None:
    """Write what anndata before 0.7 wrote: obs and var as compound tables, categories in uns."""
    kinds = pd.Categorical(cells.obs["celltype"])
    obs = np.array(list(zip(cells.obs_names, kinds.codes, strict=True)), dtype=[("index", "S18"), ("celltype", "i1")])
    with h5py.File(path, "w") as file:
        group = file.create_group("X")
        group.attrs["h5sparse_format"], group.attrs["h5sparse_shape"] = b"csr", cells.shape
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(cells.X, name)
        file["obs"], file["var"] = obs, np.array([(n,) for n in cells.var_names], dtype=[("index", "S18")])
        file["uns/celltype_categories"] = np.array(kinds.categories, dtype="S")


def project_of(root: Path, files: list[Path], *, table: Path | None = None, **entry: object) -> Path:
    """Lay out a project whose dataset `mine` is these files, with a gene table and a profile that trains on it."""
    datasets = {
        "mine": {"title": "Mine", "reader": "file", "gene_ids": "symbol", "gene_table": "genes", "access": "open",
                 "licence": "own", "citation": {"text": "own"},
                 "files": [{"name": f.name, "steps": "put it there"} for f in files]} | entry,
        "genes": {"title": "Genes", "reader": "gene_table", "access": "open", "licence": "own",
                  "citation": {"text": "own"}, "files": [{"name": "genes.csv", "steps": "put it there"}]},
    }  # fmt: skip
    for name, paths in (("mine", files), ("genes", [])):
        folder = root / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            (folder / path.name).write_bytes(path.read_bytes())
    if table is None:
        TABLE.to_csv(root / "data" / "genes" / "genes.csv", index=False)
    else:
        (root / "data" / "genes" / "genes.csv").write_bytes(table.read_bytes())
    (root / "data_manifest.yaml").write_text(yaml.safe_dump({"datasets": datasets}))
    profile = {
        "name": "tiny", "title": "t", "about": "t", "simulated": False, "cells": "all",
        "qc": {"min_counts": 500, "max_mito": 0.5},
        "baselines": {"blood": {"label": "B", "dataset": "mine"}}, "added": {}, "evaluations": {},
    }  # fmt: skip
    (root / "config").mkdir(exist_ok=True)
    (root / "config" / "tiny.yaml").write_text(yaml.safe_dump(profile))
    return root


def corpus_of(root: Path, dataset: str = "mine") -> ad.AnnData:
    """Prepare a corpus of the project that `project_of` writes, and read it."""
    profile = read_profile("tiny", root)
    return ad.read_h5ad(prepare(dataset, profile=profile, manifest=read_manifest(root), root=root, say=lambda _: None))
