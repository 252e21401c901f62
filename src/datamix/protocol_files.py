"""Small simulated files, made so that each fault of the published scripts shows, and a project that reads them."""

import gzip
import warnings
from pathlib import Path
from typing import Any, Literal

import anndata as ad
import numpy as np
import pandas as pd
import yaml
from scipy import sparse

N_GENES = 120
GENES = [f"ENSG{i:011d}" for i in range(1, N_GENES + 1)]
SYMBOLS = [f"MT-{i}" if i < 3 else f"GENE{i}" for i in range(N_GENES)]
_DONORS = [f"donor {i}" for i in range(12)]


def write_project(root: Path) -> None:
    """Write files, manifest and the profiles `published` and `corrected`, into an empty folder.

    Datasets: `blood`, `blood_test`, `marrow`, `marrow_val`, `atlas` (in scTab's layout), `cancer` (3CA's), `screen`
    (a Perturb-seq reference and one MEX batch), `tf_atlas` (with GTEx).
    """
    rng = np.random.default_rng(0)
    sctab, cited = root / "data" / "sctab", {"access": "open", "licence": "MIT", "citation": {"text": "Simulated"}}
    for folder in (sctab, root / "data" / "cancer", root / "data" / "screen", root / "data" / "tf_atlas"):
        folder.mkdir(parents=True)
    pd.DataFrame({"feature_id": GENES, "feature_name": SYMBOLS}).to_csv(sctab / "adata_var.csv")
    held = _sctab(rng, 60, tissue="bone marrow", first=500)
    leaked = held[:20].copy()
    _write(_sctab(rng, 120, tissue="blood", first=0), sctab / "blood.h5ad")
    _write(_sctab(rng, 80, tissue="blood", first=200, damaged=20), sctab / "blood_test.h5ad")
    _write(held, sctab / "marrow_val.h5ad")
    logs = _sctab(rng, 60, tissue="bone marrow", first=400)
    total = np.asarray(logs.X.sum(axis=1))
    logs.X = sparse.csr_matrix(np.log1p(logs.X.multiply(1e4 / total))) * 3  # above the 1,000 counts that QC wants
    _write(logs, sctab / "marrow.h5ad")
    brain = _sctab(rng, 40, tissue="brain", first=300)
    brain.obs["cell_type"] = ["neuron", "astrocyte"] * 20
    # In scTab's pieces cell names start again from 0, so that a name says nothing of the cell.
    leaked.obs_names = [f"piece {i}" for i in range(leaked.n_obs)]
    _write(ad.concat([_sctab(rng, 60, tissue="lung", first=100), brain, leaked]), sctab / "atlas.h5ad")
    for study, part in (("Whole2020", ""), ("Parts2021", "A"), ("Parts2021", "B")):
        _write_study(root / "data" / "cancer" / f"Data_{study}_Hematologic" / part, rng, study=study)
    _write_screen(root / "data" / "screen", rng)
    _write_tf_atlas(root / "data" / "tf_atlas", rng)

    def entry(reader: str, files: list[str], *, folder: str, by: str = "ensembl", **options: Any) -> dict[str, Any]:
        for name in files:
            target = root / "data" / options.pop("of", folder) / name
            target.parent.mkdir(exist_ok=True)
            if not target.exists():
                target.hardlink_to(root / "data" / folder / name)
        listed = [{"name": name, "steps": "simulated by this project"} for name in files]
        table = {"gene_table": "genes"} if by == "symbol" else {}
        return {"title": reader, "reader": reader, "gene_ids": by, "options": options, "files": listed} | table | cited

    def of_sctab(name: str, *more: str, **options: Any) -> dict[str, Any]:
        files = [f"{name}.h5ad", *more, "adata_var.csv"]
        (root / "data" / name).mkdir()
        for file in files:
            (root / "data" / name / file).hardlink_to(sctab / file)
        made = entry("sctab", [], folder=name, cells=[f"{name}.h5ad"], **options)
        return made | {"files": [{"name": file, "steps": "simulated by this project"} for file in files]}

    datasets = {
        "blood": of_sctab("blood", tissue_general="blood", donors="training"),
        "blood_test": of_sctab("blood_test", tissue_general="blood", donors="evaluation", no_mito_filter_if_published=True),
        "marrow": of_sctab("marrow", donors="training", log_normalised_if_published=True),
        "marrow_val": of_sctab("marrow_val", donors="evaluation"),
        "atlas": of_sctab("atlas", "marrow_val.h5ad", without_cells_of="marrow_val.h5ad", without_neurons=True),
    }
