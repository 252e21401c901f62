"""Miniature files of every source of the paper profile, in the published layouts, put where the manifest wants them."""

import gzip
import shutil
import tarfile
from pathlib import Path

import layouts
import numpy as np
import pandas as pd
import yaml

CELLS = 50
"""Cells in a training block."""
N_GENES = 400
GENES = layouts.ensembl_ids(N_GENES)
SYMBOLS = [f"MT-{i}" if i < 13 else f"GENE{i}" for i in range(N_GENES)]
MARROW_LEAK = 40
"""Marrow cells for evaluation that also are in the file of all tissues, under other names."""
_RNG = np.random.default_rng(2025)
_BASE = _RNG.gamma(1.0, 6.0, N_GENES)


def counts(kinds: list[str] | pd.Series) -> np.ndarray:
    """Counts of cells whose genes follow their kind; about 2,400 a cell, 3 % of them mitochondrial."""
    effects = {
        kind: np.random.default_rng(list(kind.encode())).lognormal(0, 0.6, N_GENES) for kind in sorted(set(kinds))
    }
    rates = np.stack([_BASE * effects[kind] for kind in kinds]) * _RNG.uniform(0.6, 1.6, (len(kinds), 1))
    return _RNG.poisson(rates)


def write_profile(root: Path, *, protocol: str = "corrected") -> str:
    """Derive a profile from config/paper.yaml: its datasets, with few cells and epochs; returns its name."""
    profile = yaml.safe_load((root / "config" / "paper.yaml").read_text())
    name = f"miniature_{protocol}"
    profile |= {"name": name, "protocol": protocol, "cells": CELLS, "gene_sets": None}
    profile["training"] |= {"max_epochs": 3, "check_val_every_n_epoch": 1}
    # Hundreds of models more; the demo trains them.
    for part in ("geneformer", "composition"):
        profile.pop(part, None)
    profile["about"] = profile["title"] = (
        "Miniature files in the layouts of the published ones; no result means anything."
    )
    (root / "config" / f"{name}.yaml").write_text(yaml.safe_dump(profile, sort_keys=False))
    manifest = (root / "data_manifest.yaml").read_text()
    (root / "data_manifest.yaml").write_text(manifest.replace("cells: 10000,", "cells: 40,"))
    return name


def write_files(data: Path) -> None:
    """Write all files; one that several datasets need only once, and none that could be had by unpacking another."""
    for folder in ("sctab_blood", "sctab_blood_test", "sctab_bone_marrow", "sctab_bone_marrow_val", "cancer_blood",
                   "cancer_scc", "perturb_seq_k562", "perturb_seq_jurkat", "tf_atlas", "brain_neurons"):  # fmt: skip
        (data / folder).mkdir(parents=True)
    _write_sctab(data)
    _write_3ca(data)
    _write_k562(data / "perturb_seq_k562")
    _write_jurkat(data / "perturb_seq_jurkat")
    _write_tf_atlas(data / "tf_atlas")
    _write_neurons(data / "brain_neurons" / "Neurons.h5ad")


def _sctab_cells(n: int, tissues: list[str], *, first: int) -> tuple[pd.DataFrame, np.ndarray]:
    tissue = _RNG.choice(tissues, n)
    kinds = {"blood": ["monocyte", "B cell"], "bone marrow": ["hematopoietic stem cell", "erythroblast"]}
    kinds["brain"] = ["neuron", "astrocyte"]
    kinds["lung"] = ["fibroblast", "basal cell"]
    cell_type = [str(_RNG.choice(kinds[t])) for t in tissue]
    donor = [
        f"{_RNG.choice(['H18.30.001', 'H18.30.002'])}" if t == "brain" else f"D{_RNG.integers(20)}" for t in tissue
    ]
    obs = layouts.sctab_obs(n, first_joinid=first).assign(tissue=tissue, tissue_general=tissue, cell_type=cell_type)
    obs["donor_id"] = donor
    obs["disease"] = _RNG.choice(["normal", "COVID-19"], n, p=[0.85, 0.15])
    return obs, counts(cell_type)


def _write_sctab(data: Path) -> None:
    layouts.write_sctab_genes(data / "sctab_blood" / "adata_var.csv", GENES, SYMBOLS)
    val_obs, val_counts = _sctab_cells(250, ["bone marrow"], first=90_000)
    layouts.write_sctab(data / "sctab_bone_marrow_val" / "bone_marrow_VAL_PREPROCESSED.h5ad", val_counts, val_obs)
    train_obs, train_counts = _sctab_cells(900, ["blood", "blood", "brain", "lung", "bone marrow"], first=0)
    leaked = np.flatnonzero((val_obs["disease"] == "normal").to_numpy())[:MARROW_LEAK]
    layouts.write_sctab(
        data / "sctab_blood" / "idx_10pct_seed5_TRAIN.h5ad",
        np.vstack([train_counts, val_counts[leaked]]),
        pd.concat([train_obs, val_obs.iloc[leaked]], ignore_index=True),
    )
    for folder, name, n, tissues, first in (
        ("sctab_blood_test", "idx_10pct_seed5_TEST", 400, ["blood", "lung"], 20_000),
        ("sctab_bone_marrow", "bone_marrow_TRAIN_PREPROCESSED", 120, ["bone marrow"], 30_000),
        ("sctab_bone_marrow", "bone_marrow_TEST_PREPROCESSED", 60, ["bone marrow"], 40_000),
    ):
        obs, made = _sctab_cells(n, tissues, first=first)
        layouts.write_sctab(data / folder / f"{name}.h5ad", made, obs)


def _write_3ca(data: Path) -> None:
    folder = data / "cancer_blood" / "studies"
    order = _RNG.permutation(N_GENES)
    repeated = [*SYMBOLS[:-2], "GENE50", "NOT-IN-SCTAB"]

    def study(name: str, n: int, *, tissue: str = "Hematologic", part: str = "", **keywords: object) -> Path:
        cell_type = np.where(np.arange(n) % 3 < 2, "Malignant", "T_cell")
        cells = pd.DataFrame({"cell_name": [str(i % (n - 1)) for i in range(n)], "cell_type": cell_type})
        if name != "Alpha2020":  # only cell_name is guaranteed, and cell_type here
            cells["sample"], cells["patient"], cells["complexity"] = f"{name}s", [f"P{i % 3}" for i in range(n)], 500
        made = counts([f"{name}{t}" for t in cell_type])
        where = folder if tissue == "Hematologic" else data / "cancer_scc" / "studies"
        given = {"quoted": name == "Beta2021", "genes_name": "genes.txt" if name == "Alpha2020" else "Genes.txt"}
        symbols = repeated if name == "Alpha2020" else [SYMBOLS[i] for i in order] if name == "Beta2021" else SYMBOLS
        made = made[:, order] if name == "Beta2021" else made
        scale = 0.5 if name == "Rendeiro2020" else 1
        return layouts.write_3ca_study(
            where, made * scale, symbols, cells, study=name, tissue=tissue, part=part, **(given | keywords)
        )

    layouts.pack(study("Alpha2020", 150), suffix=".zip")
    study("Beta2021", 40, part="One")
    layouts.pack(study("Beta2021", 40, part="Two"), suffix=".tar.gz")
    layouts.pack(study("Galen2019", 60), suffix=".tar.gz")
    layouts.pack(study("Rendeiro2020", 20), suffix=".zip")
    layouts.pack(study("Reads2018", 20, matrix_name="Exp_data_TPM.mtx"), suffix=".zip")
    layouts.pack(study("Ji2020", 60, tissue="Skin"), suffix=".zip")
    study("Yost2019", 20, tissue="Skin", part="BCC")
    layouts.pack(study("Yost2019", 20, tissue="Skin", part="SCC"), suffix=".zip")
    _tar(folder, data / "cancer_blood" / "3CA_hematologic.tar")
    _tar(data / "cancer_scc" / "studies", data / "cancer_scc" / "3CA_skin.tar")


def _tar(folder: Path, archive: Path) -> None:
    with tarfile.open(archive, "w") as packed:
        for path in sorted(folder.iterdir()):
            packed.add(path, path.name)
    shutil.rmtree(folder)


def _screen(line: str, batches: dict[int, int], *, cells: int) -> tuple[dict[int, tuple[list[str], np.ndarray]], dict]:
    """Barcodes and counts of each batch (file number → gem group), and what the reference holds of them, shuffled."""
    made = {}
    rows = []
    for number, group in batches.items():
        barcodes = layouts.barcodes(cells + 10, seed=number)
        targets = _RNG.choice(["GATA1", "RPL3", "non-targeting"], len(barcodes))
        made[number] = (barcodes, counts([f"{line}{target}" for target in targets]))
        rows += [
            (f"{barcode}-{group}", target, cell)
            for barcode, target, cell in zip(barcodes[:cells], targets[:cells], made[number][1][:cells], strict=True)
        ]
    order = _RNG.permutation(len(rows))
    rows = [rows[i] for i in order]
    total = np.array([row[2].sum() for row in rows], float)
    reference = {
        "counts": np.stack([row[2] for row in rows])[:, 5:300],
        "obs_names": [row[0] for row in rows],
        "gene": [row[1] for row in rows],
        "genes": GENES[5:300],
        "UMI_count": np.where(np.arange(len(rows)) % 10 == 0, 900, total),
        "mitopercent": np.where(np.arange(len(rows)) % 10 == 5, 0.2, 0.04),
    }
    return made, reference


def _write_k562(folder: Path) -> None:
    made, reference = _screen("K562", {1: 1, 2: 2, 10: 10}, cells=40)
    layouts.write_reference(folder / "K562_essential_raw_singlecell_01.h5ad", **reference)
    for number, (barcodes, matrix) in made.items():
        layouts.write_mex(folder / "mex", f"KD6_{number}_essential_", matrix, barcodes, GENES, SYMBOLS)
    _tar(folder / "mex", folder / "KD6_essential_mex.tar")


def _write_jurkat(folder: Path) -> None:
    made, reference = _screen("Jurkat", {1: 2, 2: 3, 10: 1, 56: 4}, cells=40)
    layouts.write_reference(folder / "GSE264667_jurkat_raw_singlecell_01.h5ad", **reference)
    made[47] = made[56]
    for number, (barcodes, matrix) in made.items():
        layouts.write_mex(folder / "mex", f"GSM82250{number:02d}_jurkat_{number}_", matrix, barcodes, GENES, SYMBOLS)
    layouts.write_mex(folder / "mex", "GSM8225990_hepg2_1_", made[1][1], made[1][0], GENES, SYMBOLS)
    _tar(folder / "mex", folder / "GSE264667_RAW.tar")


def _write_tf_atlas(folder: Path) -> None:
    frames = ["TFORF0001-GATA1", "TFORF0002-NKX2-1", "TFORF0003-GATA1", "TFORF0004-SOX2", "TFORF3549-GFP"]
    tf = _RNG.choice(frames, 300)
    made = counts([f"tf{name[10:]}" for name in tf])
    name = "GSE217460_210322_TFAtlas_subsample_raw.h5ad"
    share = np.where(np.arange(300) % 20 == 3, 0.15, 0.03)
    layouts.write_tf_atlas(
        folder / name, made, tf, [*SYMBOLS[:-1], "GENE50"], n_counts=made.sum(axis=1).astype(float), percent_mito=share
    )
    with gzip.open(folder / f"{name}.gz", "wb") as packed:
        packed.write((folder / name).read_bytes())
    (folder / name).unlink()
    symbols = ["GATA1", "NKX2-1", "SOX2", "GATA1", "ZERO"]
    tissues = ["Brain", "Lung", "Liver", "Skin", "Whole Blood"]
    tpm = pd.DataFrame(1.0, index=[f"{gene}.{i}" for i, gene in enumerate(GENES[:5])], columns=tissues)
    tpm["Whole Blood"] = [9.0, 5.0, 0.1, 0.5, 0.0]
    tpm.loc[tpm.index[4]] = 0.0
    layouts.write_gct(folder / "GTEx_Analysis_2017-06-05_v8_RNASeQCv1.1.9_gene_median_tpm.gct.gz", tpm, symbols)


def _write_neurons(path: Path) -> None:
    donors = ["H18.30.002" if i % 3 else "H19.30.001" for i in range(120)]
    genes = [f"{gene}.{i % 7 + 1}" for i, gene in enumerate(GENES)]
    chromosomes = ["chrM" if i < 13 else f"chr{i % 22 + 1}" for i in range(N_GENES - 1)] + ["KI270728.1"]
    layouts.write_neurons(path, counts(["neuron"] * 120), genes, SYMBOLS, chromosomes, donors)
