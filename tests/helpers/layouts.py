"""Writers of small files in the layouts of the published inputs, oddities included.

Each takes the counts (cells × genes) and the columns to write, so that tests know what a reader has to give back.
"""

import gzip
import io
import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from scipy import sparse


def simulate_counts(n_cells: int, n_genes: int, *, seed: int = 0) -> np.ndarray:
    """Whole numbers, about a third of them above 0."""
    return np.random.default_rng(seed).poisson(0.5, (n_cells, n_genes)).astype(np.int64)


def ensembl_ids(n: int) -> list[str]:
    return [f"ENSG{i:011d}" for i in range(1, n + 1)]


# h5ad


def _strings(group: h5py.Group, name: str, values: Sequence[str]) -> h5py.Dataset:
    return group.create_dataset(name, data=np.array(list(values), dtype=object), dtype=h5py.string_dtype())


def _write_frame(
    file: h5py.File, axis: str, index: Sequence[str], columns: Mapping[str, Sequence], *, legacy: bool
) -> None:
    """Write obs or var; text as categories, legacy ones under `__categories`."""
    group = file.create_group(axis)
    group.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.1.0" if legacy else "0.2.0"})
    group.attrs["_index"] = "_index"
    group.attrs["column-order"] = np.array(list(columns), dtype=h5py.string_dtype())
    index_set = _strings(group, "_index", index)
    if not legacy:
        index_set.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
    for name, values in columns.items():
        if np.asarray(values).dtype.kind in "biuf":
            column = group.create_dataset(name, data=np.asarray(values))
            if not legacy:
                column.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
            continue
        factor = pd.Categorical(values)
        if legacy:
            categories = _strings(group.require_group("__categories"), name, factor.categories)
            categories.attrs["ordered"] = False
            codes = group.create_dataset(name, data=factor.codes)
            codes.attrs["categories"] = categories.ref
        else:
            column = group.create_group(name)
            column.attrs.update({"encoding-type": "categorical", "encoding-version": "0.2.0", "ordered": False})
            codes = column.create_dataset("codes", data=factor.codes)
            codes.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
            categories = _strings(column, "categories", factor.categories)
            categories.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})


def write_h5ad(
    path: Path,
    counts: np.ndarray,
    *,
    obs_names: Sequence[str],
    obs: Mapping[str, Sequence],
    var_names: Sequence[str],
    var: Mapping[str, Sequence] | None = None,
    dense: bool = False,
    legacy: bool = False,
    chunks: tuple[int, int] | None = None,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        if dense:
            matrix = file.create_dataset(
                "X", data=counts.astype(np.float32), chunks=chunks, compression="gzip" if chunks else None
            )
            matrix.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        else:
            csr = sparse.csr_matrix(counts.astype(np.float32))
            group = file.create_group("X")
            group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": csr.shape})
            group["data"], group["indices"] = csr.data, csr.indices.astype(np.int32)
            group["indptr"] = csr.indptr.astype(np.int64)
        _write_frame(file, "obs", obs_names, obs, legacy=legacy)
        _write_frame(file, "var", var_names, var or {}, legacy=legacy)
    return path


def truncate(path: Path, *, share: float = 0.6) -> Path:
    """Cut the end off, as an interrupted download does."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def rename_column(path: Path, axis: str, old: str, new: str) -> Path:
    with h5py.File(path, "r+") as file:
        file[axis].move(old, new)
    return path


# scTab


def write_sctab_genes(path: Path, genes: Sequence[str], symbols: Sequence[str]) -> Path:
    pd.DataFrame({"feature_id": genes, "feature_name": symbols}).to_csv(path)
    return path


def sctab_obs(n: int, *, first_joinid: int = 0, seed: int = 0) -> pd.DataFrame:
    """Columns of scTab files: three in four healthy, half of them blood, some of donor H18.30.002."""
    rng = np.random.default_rng(seed)
    tissue = rng.choice(["blood", "brain", "lung"], n, p=[0.5, 0.25, 0.25])
    return pd.DataFrame(
        {
            "soma_joinid": first_joinid + rng.permutation(n).astype(np.int64),
            "is_primary_data": np.ones(n, bool),
            "dataset_id": rng.choice(["d1", "d2"], n),
            "donor_id": np.where(tissue == "brain", rng.choice(["H18.30.001", "H18.30.002"], n), "donor1"),
            "assay": "10x 3' v3",
            "cell_type": np.where(tissue == "brain", rng.choice(["neuron", "astrocyte"], n), "monocyte"),
            "development_stage": "adult",
            "disease": rng.choice(["normal", "COVID-19"], n, p=[0.75, 0.25]),
            "tissue": tissue,
            "tissue_general": tissue,
        }
    )


def write_sctab(
    path: Path,
    counts: np.ndarray,
    obs: pd.DataFrame,
    *,
    var_names: Sequence[str] | None = None,
    obs_names: Sequence[str] | None = None,
) -> Path:
    """Genes named "0", "1", … unless named otherwise; cell names restart every 10 cells, as in scTab's pieces."""
    return write_h5ad(
        path,
        counts,
        obs_names=[str(i % 10) for i in range(len(obs))] if obs_names is None else obs_names,
        obs={name: obs[name].to_numpy() for name in obs},
        var_names=[str(i) for i in range(counts.shape[1])] if var_names is None else var_names,
    )


# MatrixMarket, 3CA


def matrix_market(counts: np.ndarray, *, kind: str = "integer", comment: str = "%") -> str:
    """Genes × cells, sorted by cell, then gene."""
    csc = sparse.csc_matrix(counts.T)
    cells = np.repeat(np.arange(csc.shape[1]), np.diff(csc.indptr))
    lines = [f"{g + 1} {c + 1} {v:g}" for g, c, v in zip(csc.indices, cells, csc.data, strict=True)]
    size = f"{csc.shape[0]} {csc.shape[1]} {csc.nnz}"
    return "\n".join([f"%%MatrixMarket matrix coordinate {kind} general", comment, size, *lines]) + "\n"


def write_3ca_study(
    folder: Path,
    counts: np.ndarray,
    symbols: Sequence[str],
    cells: pd.DataFrame,
    *,
    study: str,
    tissue: str = "Hematologic",
    part: str = "",
    quoted: bool = False,
    genes_name: str = "Genes.txt",
    matrix_name: str = "Exp_data_UMIcounts.mtx",
) -> Path:
    """Write `Data_<study>_<tissue>/`, in a sub-folder where a part is named; returns the study's folder."""
    top = folder / f"Data_{study}_{tissue}"
    inside = top / part
    inside.mkdir(parents=True, exist_ok=True)
    (inside / matrix_name).write_text(matrix_market(counts, kind="real", comment="%written by R"))
    (inside / genes_name).write_text("".join(f'"{s}"\n' if quoted else f"{s}\n" for s in symbols))
    cells.to_csv(inside / "Cells.csv", index=False)
    return top


def pack(folder: Path, *, suffix: str) -> Path:
    """Pack a folder into `<folder><suffix>` (.zip, .tar.gz) beside it and remove it."""
    archive = folder.with_name(folder.name + suffix)
    paths = sorted(folder.rglob("*"))
    if suffix == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in paths:
                packed.write(path, path.relative_to(folder.parent))
            packed.writestr(f"__MACOSX/{folder.name}/._Cells.csv", "not a table")
    else:
        with tarfile.open(archive, "w:gz" if suffix.endswith("gz") else "w") as packed:
            packed.add(folder, f"./{folder.name}")
    shutil.rmtree(folder)
    return archive


# Perturb-seq


def write_mex(
    folder: Path, stem: str, counts: np.ndarray, barcodes: Sequence[str], genes: Sequence[str], symbols: Sequence[str]
) -> None:
    """Write `<stem>{barcodes.tsv,features.tsv,matrix.mtx}.gz` with two guide-capture rows, one of them first."""
    folder.mkdir(parents=True, exist_ok=True)
    guides = simulate_counts(len(barcodes), 2, seed=99)
    rows = [("guide1", "guide1", "CRISPR Guide Capture")]
    rows += [(gene, symbol, "Gene Expression") for gene, symbol in zip(genes, symbols, strict=True)]
    rows += [("guide2", "guide2", "CRISPR Guide Capture")]
    files = {
        "barcodes.tsv": "".join(f"{barcode}-1\n" for barcode in barcodes),
        "features.tsv": "".join("\t".join(row) + "\n" for row in rows),
        "matrix.mtx": matrix_market(
            np.hstack([guides[:, :1], counts, guides[:, 1:]]), comment='%metadata_json: {"a": 1}'
        ),
    }
    for name, text in files.items():
        (folder / f"{stem}{name}.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def barcodes(n: int, *, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    found: dict[str, None] = {}
    while len(found) < n:
        found["".join(rng.choice(list("ACGT"), 16))] = None
    return list(found)


def write_reference(
    path: Path,
    counts: np.ndarray,
    obs_names: Sequence[str],
    *,
    gene: Sequence[str],
    genes: Sequence[str],
    **columns: Sequence,
) -> Path:
    """Legacy encoding, dense X over a filtered gene set; the columns given replace or add to the usual ones."""
    obs: dict[str, Sequence] = {
        "gem_group": np.array([int(name.rpartition("-")[2]) for name in obs_names]),
        "gene": list(gene),
        "gene_id": [f"id of {g}" for g in gene],
        "sgID_AB": [f"{g}_A|{g}_B" for g in gene],
        "mitopercent": np.linspace(0.01, 0.2, len(obs_names)),
        "UMI_count": np.linspace(500, 5000, len(obs_names)),
    }
    obs.update(columns)
    return write_h5ad(path, counts, obs_names=obs_names, obs=obs, var_names=genes, dense=True, legacy=True)


# TF Atlas, GTEx


def write_tf_atlas(
    path: Path,
    counts: np.ndarray,
    tf: Sequence[str],
    symbols: Sequence[str],
    *,
    dense: bool = True,
    **columns: Sequence,
) -> Path:
    n = len(tf)
    obs: dict[str, Sequence] = {
        "TF": list(tf),
        "batch": np.arange(n) % 2,
        "n_counts": np.linspace(500, 9000, n),
        "percent_mito": np.linspace(0.01, 0.2, n),
    }
    obs.update(columns)
    names = [f"AAAC{i:04d}-{i % 2}" for i in range(n)]
    return write_h5ad(path, counts, obs_names=names, obs=obs, var_names=symbols, dense=dense)


def write_gct(path: Path, tpm: pd.DataFrame, symbols: Sequence[str]) -> Path:
    """Genes (index: versioned Ensembl ids) × tissues."""
    table = tpm.copy()
    table.insert(0, "Description", list(symbols))
    body = io.StringIO()
    table.to_csv(body, sep="\t", index_label="Name", lineterminator="\n")
    text = f"#1.2\n{tpm.shape[0]}\t{tpm.shape[1]}\n{body.getvalue()}"
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())
    return path


# Brain atlas, prepared files, dictionaries


def write_neurons(
    path: Path,
    counts: np.ndarray,
    genes: Sequence[str],
    symbols: Sequence[str],
    chromosomes: Sequence[str],
    donors: Sequence[str],
) -> Path:
    n = len(donors)
    obs = {
        "donor_id": list(donors),
        "sample_id": [f"10X{i % 3}_1" for i in range(n)],
        "supercluster_term": ["Splatter" if i % 2 else "MGE interneuron" for i in range(n)],
        "cluster_id": np.arange(n) % 5,
        "roi": ["Human A1C"] * n,
    }
    names = [f"10X{i % 3}_1:CELL{i}" for i in range(n)]
    var = {"Gene": list(symbols), "Chromosome": list(chromosomes), "Biotype": ["protein_coding"] * len(genes)}
    return write_h5ad(path, counts, obs_names=names, obs=obs, var_names=genes, var=var)


def write_prepared(
    path: Path, counts: np.ndarray, obs: pd.DataFrame, genes: Sequence[str], symbols: Sequence[str]
) -> Path:
    """As the published scripts write a training file: anndata's own writer, running numbers as names."""
    var = pd.DataFrame({"feature_id": genes, "feature_name": symbols}, index=pd.Index(genes))
    cells = obs.set_axis([str(i) for i in range(len(obs))])
    ad.AnnData(sparse.csr_matrix(counts.astype(np.float32)), obs=cells, var=var).write_h5ad(path)
    return path


def write_pickle(path: Path, content: object, *, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def together(blocks: list[ad.AnnData]) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Counts (dense), obs and var of all blocks, after checking that each is CSR float32 with the same genes."""
    for block in blocks:
        assert isinstance(block.X, sparse.csr_matrix)
        assert block.X.dtype == np.float32
        assert block.var.equals(blocks[0].var)
    counts = np.vstack([block.X.toarray() for block in blocks])
    return counts, pd.concat([block.obs for block in blocks]), blocks[0].var
