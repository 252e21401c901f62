"""Large simulated files in the layouts of the published ones, for a rehearsal at a part of the paper's size.

Of each source one piece of 2,000 cells is drawn and written over and over: readers take as long and as much memory as
with other cells, and writing needs no more than the piece. Tables of cells are in anndata's present encoding.
"""

import gzip
import shutil
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

_PIECE = 2_000
_BATCH = 7_000  # cells in a batch of Perturb-seq
_MEASURED = 8_563  # genes in the published reference of K562, which leaves out those that are hardly seen
_TOTAL = 3_000
_DONORS = 40


def write_published(data: Path, *, cells: int, genes: int) -> dict[str, int]:
    """Write the files of every dataset of `config/paper.yaml`, where the manifest wants them.

    Parameters
    ----------
    data
        The folder `data` of a project; it gets about 130 kB a cell of `cells`, most of it dense matrices.
    cells
        In the largest file of each source; the smaller ones have a fifth or a tenth of it.
    genes
        Of scTab's gene table; the other sources have the same.

    Returns
    -------
    Dataset → cells in its largest file.
    """
    ids = [f"ENSG{i:011d}" for i in range(1, genes + 1)]
    symbols = [f"MT-{i}" if i < 13 else f"GENE{i}" for i in range(genes)]
    piece = _draw(genes)
    for part in (_sctab, _cancer, _screens, _tf_atlas, _neurons):
        part(data, piece, cells=cells, ids=ids, symbols=symbols)
    of_marrow = {"sctab_bone_marrow": cells // 5, "sctab_bone_marrow_val": cells // 10}
    in_full = ("sctab_blood", "sctab_atlas", "cancer_blood", "perturb_seq_k562", "perturb_seq_jurkat", "tf_atlas",
               "brain_neurons")  # fmt: skip
    tenth = {"sctab_blood_test": cells // 10, "cancer_aml": cells // 10, "cancer_scc": cells // 10}
    return dict.fromkeys(in_full, cells) | of_marrow | tenth


def _draw(genes: int) -> sparse.csr_matrix:
    """Draw counts (2,000, genes): about 3,000 a cell, over some 6 % of 19,000 genes."""
    generator = np.random.default_rng(0)
    rates = np.exp(generator.normal(0, 2, genes))
    rates[:13] = np.median(rates)
    shares = rates / rates.sum()
    depth = _TOTAL * generator.lognormal(0, 0.2, (_PIECE, 1))
    return sparse.csr_matrix(generator.poisson(depth * shares).astype(np.float32))


def _sctab(data: Path, piece: sparse.csr_matrix, *, cells: int, ids: list[str], symbols: list[str]) -> None:
    blood = data / "sctab_blood"
    blood.mkdir(parents=True)
    pd.DataFrame({"feature_id": ids, "feature_name": symbols}).to_csv(blood / "adata_var.csv")
    all_tissues, marrow = ("blood", "blood", "bone marrow", "lung", "brain"), ("bone marrow",)
    first = 0
    for folder, name, number, tissues in (
        ("sctab_blood", "idx_10pct_seed5_TRAIN", cells, all_tissues),
        ("sctab_blood_test", "idx_10pct_seed5_TEST", cells // 10, all_tissues),
        ("sctab_bone_marrow", "bone_marrow_TRAIN_PREPROCESSED", cells // 5, marrow),
        ("sctab_bone_marrow", "bone_marrow_TEST_PREPROCESSED", cells // 50, marrow),
        ("sctab_bone_marrow_val", "bone_marrow_VAL_PREPROCESSED", cells // 10, marrow),
    ):
        at = np.arange(number)
        obs = pd.DataFrame(
            {
                "soma_joinid": first + at,
                "dataset_id": np.array(["d1", "d2"])[at % 2],
                "donor_id": [f"D{i % _DONORS}" for i in at // 7],
                "cell_type": np.array(["monocyte", "B cell", "T cell"])[at % 3],
                "disease": np.array(["normal"] * 6 + ["COVID-19"])[at % 7],
                "tissue_general": np.array(tissues)[at % len(tissues)],
            },
            index=[str(i % 1_000) for i in at],  # names begin again in each part, as in the published files
        )
        first += number
        _write_h5ad(data / folder / f"{name}.h5ad", piece, obs, pd.DataFrame(index=[str(i) for i in range(len(ids))]))


def _cancer(data: Path, piece: sparse.csr_matrix, *, cells: int, ids: list[str], symbols: list[str]) -> None:
    of_blood = {"Alpha2020": cells // 2, "Beta2021": cells // 2, "Galen2019": cells // 10}
    for dataset, archive, studies in (
        ("cancer_blood", "3CA_hematologic.tar", of_blood),
        ("cancer_scc", "3CA_skin.tar", {"Ji2020": cells // 10}),
    ):
        folder = data / dataset
        for study, number in studies.items():
            place = folder / f"Data_{study}_{'Skin' if 'skin' in archive else 'Hematologic'}"
            place.mkdir(parents=True)
            (place / "Genes.txt").write_text("".join(f"{symbol}\n" for symbol in symbols))
            about = {"cell_name": [f"{study}{i}" for i in range(number)], "sample": study, "cell_type": "Malignant"}
            pd.DataFrame(about).to_csv(place / "Cells.csv", index=False)
            with (place / "Exp_data_UMIcounts.mtx").open("w") as file:
                _write_matrix_market(file, piece, cells=number)
            with zipfile.ZipFile(f"{place}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
                for path in sorted(place.iterdir()):
                    packed.write(path, path.relative_to(folder))
            shutil.rmtree(place)
        _pack(folder, sorted(folder.glob("*.zip")), archive)


def _screens(data: Path, piece: sparse.csr_matrix, *, cells: int, ids: list[str], symbols: list[str]) -> None:
    features = "".join(f"{i}\t{s}\tGene Expression\n" for i, s in zip(ids, symbols, strict=True))
    for dataset, reference, stem, archive in (
        ("perturb_seq_k562", "K562_essential_raw_singlecell_01.h5ad", "KD6_{}_essential_", "KD6_essential_mex.tar"),
        ("perturb_seq_jurkat", "GSE264667_jurkat_raw_singlecell_01.h5ad", "GSM_jurkat_{}_", "GSE264667_RAW.tar"),
    ):
        folder = data / dataset
        folder.mkdir()
        names: list[str] = []
        for batch, start in enumerate(range(0, cells, _BATCH), start=1):
            barcodes = _barcodes(range(start, min(start + _BATCH, cells)))
            names += [f"{barcode}-{batch}" for barcode in barcodes]
            begin = folder / stem.format(batch)
            for name, text in (("barcodes", "".join(f"{b}-1\n" for b in barcodes)), ("features", features)):
                with gzip.open(f"{begin}{name}.tsv.gz", "wt") as file:
                    file.write(text)
            with gzip.open(f"{begin}matrix.mtx.gz", "wt", compresslevel=1) as file:
                _write_matrix_market(file, piece, cells=len(barcodes))
        _pack(folder, sorted(folder.glob("*.gz")), archive)
        order = np.random.default_rng(1).permutation(cells)
        obs = pd.DataFrame(
            {
                "gem_group": 1 + order // _BATCH,
                "gene": np.array(["RPL3", "GATA1", "POLR2A", "non-targeting"])[order % 4],
                "mitopercent": 0.04,
                "UMI_count": float(_TOTAL),
            },
            index=[names[i] for i in order],
        )
        measured = min(_MEASURED, len(ids))
        _write_h5ad(folder / reference, piece[:, :measured], obs, pd.DataFrame(index=ids[:measured]), dense=True)


def _tf_atlas(data: Path, piece: sparse.csr_matrix, *, cells: int, ids: list[str], symbols: list[str]) -> None:
    folder = data / "tf_atlas"
    folder.mkdir()
    factors = np.array(["TFORF0001-GATA1", "TFORF0002-NKX2-1", "TFORF0003-SPI1"])
    obs = pd.DataFrame(
        {"TF": factors[np.arange(cells) % 3], "n_counts": float(_TOTAL), "percent_mito": 0.01},
        index=[f"cell{i}" for i in range(cells)],
    )
    name = "GSE217460_210322_TFAtlas_subsample_raw.h5ad"
    _write_h5ad(folder / name, piece, obs, pd.DataFrame(index=symbols), dense=True)
    with (folder / name).open("rb") as plain, gzip.open(folder / f"{name}.gz", "wb", compresslevel=1) as packed:
        shutil.copyfileobj(plain, packed, 1 << 22)
    (folder / name).unlink()
    rows = "".join(f"{i}.1\t{s}\t1\t2\t9\n" for i, s in zip(ids, ("GATA1", "NKX2-1", "SPI1"), strict=False))
    with gzip.open(folder / "GTEx_Analysis_2017-06-05_v8_RNASeQCv1.1.9_gene_median_tpm.gct.gz", "wt") as file:
        file.write(f"#1.2\n3\t3\nName\tDescription\tBrain\tLung\tWhole Blood\n{rows}")


def _neurons(data: Path, piece: sparse.csr_matrix, *, cells: int, ids: list[str], symbols: list[str]) -> None:
    at = np.arange(cells)
    obs = pd.DataFrame(
        {
            "donor_id": np.array(["H18.30.002", "H19.30.001"])[at % 2],
            "sample_id": "10X1_1",
            "supercluster_term": np.array(["Splatter", "MGE interneuron"])[at // 2 % 2],
            "cluster_id": at % 5,
            "roi": "Human A1C",
        },
        index=[f"10X1_1:CELL{i}" for i in at],
    )
    chromosomes = ["chrM" if symbol.startswith("MT-") else "chr1" for symbol in symbols]
    var = pd.DataFrame({"Gene": symbols, "Chromosome": chromosomes, "Biotype": "protein_coding"})
    (data / "brain_neurons").mkdir()
    _write_h5ad(data / "brain_neurons" / "Neurons.h5ad", piece, obs, var.set_axis([f"{i}.1" for i in ids]))


def _write_h5ad(
    path: Path, piece: sparse.csr_matrix, obs: pd.DataFrame, var: pd.DataFrame, *, dense: bool = False
) -> None:
    """Write as many cells as `obs` has rows, the piece over and over."""
    path.parent.mkdir(exist_ok=True)
    cells = len(obs)
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        for axis, table in (("obs", obs), ("var", var)):
            ad.io.write_elem(file, axis, table)
        if dense:
            matrix = file.create_dataset("X", (cells, piece.shape[1]), np.float32)
            matrix.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
            values = piece.toarray()
            for start in range(0, cells, _PIECE):
                matrix[start : start + _PIECE] = values[: cells - start]
            return
        whole, rest = divmod(cells, _PIECE)
        parts = [piece] * whole + ([piece[:rest]] if rest else [])
        sizes = np.concatenate([np.diff(part.indptr) for part in parts])
        ends = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        group = file.create_group("X")
        shape = np.array([cells, piece.shape[1]])
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": shape})
        group["indptr"] = ends
        for name, kind in (("data", np.float32), ("indices", np.int32)):
            values = group.create_dataset(name, (ends[-1],), kind)
            at = 0
            for part in parts:
                values[at : at + part.nnz] = getattr(part, name)
                at += part.nnz


def _write_matrix_market(file: TextIO | Any, piece: sparse.csr_matrix, *, cells: int) -> None:
    """Write genes × cells, sorted by cell."""
    whole, rest = divmod(cells, _PIECE)
    parts = [piece] * whole + ([piece[:rest]] if rest else [])
    entries = sum(part.nnz for part in parts)
    file.write(f"%%MatrixMarket matrix coordinate integer general\n{piece.shape[1]} {cells} {entries}\n")
    for number, part in enumerate(parts):
        cell = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr)) + number * _PIECE + 1
        lines = pd.DataFrame({"gene": part.indices + 1, "cell": cell, "count": part.data.astype(np.int64)})
        lines.to_csv(file, sep=" ", header=False, index=False)


def _barcodes(numbers: range) -> list[str]:
    """Return a barcode of 16 bases for each number: no two alike."""
    spread = (np.asarray(numbers, dtype=np.uint64) * np.uint64(2_654_435_761)) % np.uint64(4**16)  # odd: one to one
    bases = np.array(list("ACGT"))[(spread[:, None] >> np.arange(0, 32, 2, dtype=np.uint64)) & np.uint64(3)]
    return ["".join(row) for row in bases]


def _pack(folder: Path, paths: Sequence[Path], name: str) -> None:
    with tarfile.open(folder / name, "w") as packed:
        for path in paths:
            packed.add(path, path.name)
            path.unlink()
