"""Small simulated files in the layouts of the published ones, made so that a fault of the published scripts shows."""

import gzip
import tarfile
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

N_GENES = 120
GENES = [f"ENSG{i:011d}" for i in range(1, N_GENES + 1)]
SYMBOLS = [f"MT-{i}" if i < 3 else f"GENE{i}" for i in range(N_GENES)]


def counts(n: int, *, damaged: int = 0) -> np.ndarray:
    """Simulate counts (n, N_GENES): about 2,400 a cell; a third of those of the first `damaged` cells mitochondrial."""
    rates = np.full((n, N_GENES), 20.0)
    rates[:, :3] = 15.0
    rates[:damaged, :3] = 400.0
    return np.random.default_rng(0).poisson(rates)


def write_gene_table(path: Path) -> None:
    """Write scTab's gene table."""
    pd.DataFrame({"feature_id": GENES, "feature_name": SYMBOLS}).to_csv(path)


def write_sctab(
    path: Path,
    values: np.ndarray,
    *,
    ids: Sequence[int],
    tissue: str = "blood",
    cell_types: Sequence[str] | str = "monocyte",
    donors: Sequence[str] | str = "donor 1",
) -> None:
    """Write cells as scTab does: genes by position, names that start again from 0, `soma_joinid` for the cell."""
    obs = pd.DataFrame(
        {
            "soma_joinid": np.asarray(ids, np.int64),
            "dataset_id": "study",
            "donor_id": donors,
            "cell_type": cell_types,
            "disease": "normal",
            "tissue_general": tissue,
        },
        index=[str(i) for i in range(len(values))],
    )
    _write(path, values, obs, [str(i) for i in range(N_GENES)])


def write_study(folder: Path, *, cells: int, study: str, genes: int = N_GENES) -> None:
    """Write a study of 3CA, or a part of one: malignant cells over the first genes."""
    folder.mkdir(parents=True)
    (folder / "Exp_data_UMIcounts.mtx").write_text(_matrix_market(counts(cells)[:, :genes]))
    (folder / "Genes.txt").write_text("\n".join(SYMBOLS[:genes]) + "\n")
    table = pd.DataFrame({"cell_name": [f"{study}{folder.name}{i}" for i in range(cells)], "cell_type": "Malignant"})
    table.to_csv(folder / "Cells.csv", index=False)


def write_studies(archive: Path, genes: Mapping[str, int], *, cells: int) -> None:
    """Write a tar of studies of 3CA skin: how many genes each has, by its name."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive, "w") as packed:
        for study, number in genes.items():
            name = f"Data_{study}_Skin"
            write_study(Path(folder) / name, cells=cells, study=study, genes=number)
            packed.add(Path(folder) / name, name)


def write_screen(folder: Path, *, cells: int) -> None:
    """Write a Perturb-seq reference and its one MEX batch: the same cells, in another order."""
    values = counts(cells)
    bases = np.array(list("ACGT"))
    barcodes = ["".join(bases[(i // 4**k) % 4] for k in range(16)) for i in range(cells)]
    features = "".join(f"{g}\t{s}\tGene Expression\n" for g, s in zip(GENES, SYMBOLS, strict=True))
    for name, text in {
        "barcodes.tsv": "".join(f"{b}-1\n" for b in barcodes),
        "features.tsv": features,
        "matrix.mtx": _matrix_market(values),
    }.items():
        (folder / f"batch_1_{name}.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    shuffled = np.random.default_rng(1).permutation(cells)
    obs = pd.DataFrame(
        {
            "gem_group": 1,
            "gene": [f"target {i}" for i in shuffled],
            "mitopercent": 0.01,
            "UMI_count": values[shuffled].sum(axis=1).astype(float),
        },
        index=[f"{barcodes[i]}-1" for i in shuffled],
    )
    _write(folder / "reference.h5ad", values[shuffled], obs, GENES)


def write_tf_atlas(folder: Path, *, cells: int) -> None:
    """Write cells that over-express GATA1 or, every other one, NKX2-1, and a GTEx table in which blood has both."""
    values = counts(cells)
    frames = ["TFORF0001-GATA1", "TFORF0002-NKX2-1"]
    obs = pd.DataFrame(
        {
            "TF": [frames[i % 2] for i in range(cells)],
            "n_counts": values.sum(axis=1).astype(float),
            "percent_mito": 0.01,
        },
        index=[f"cell{i}" for i in range(cells)],
    )
    _write(folder / "atlas.h5ad", values, obs, SYMBOLS)
    rows = "".join(f"{g}.1\t{s}\t1\t2\t9\n" for g, s in zip(GENES, ("GATA1", "NKX2-1"), strict=False))
    (folder / "gtex.gct").write_text(f"#1.2\n2\t3\nName\tDescription\tBrain\tLung\tWhole Blood\n{rows}")


def _matrix_market(values: np.ndarray) -> str:
    """Write genes × cells, sorted by cell."""
    cell, gene = np.nonzero(values)
    lines = [f"{g + 1} {c + 1} {n}\n" for g, c, n in zip(gene, cell, values[cell, gene], strict=True)]
    size = f"{values.shape[1]} {values.shape[0]} {len(lines)}\n"
    return "%%MatrixMarket matrix coordinate integer general\n" + size + "".join(lines)


def _write(path: Path, values: np.ndarray, obs: pd.DataFrame, genes: Sequence[str]) -> None:
    adata = ad.AnnData(sparse.csr_matrix(values, dtype=np.float32), obs=obs, var=pd.DataFrame(index=list(genes)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Observation names are not unique")
        adata.write_h5ad(path)
