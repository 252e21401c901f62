"""A project for cells of one's own: files of them, and the profile that `datamix new` makes of these."""

import numpy as np
import yaml
from foreign_cells import TABLE, made_up

from datamix.corpora.own_profile import new_profile
from datamix.project.profile_files import read_profile

DONORS = ["d1", "d2", "d3", "d4", "d5"]


def own_project(tmp_path):
    """A project with a gene table, and no gene sets."""
    table = tmp_path / "data" / "genes_ensembl" / "genes.csv"
    table.parent.mkdir(parents=True)
    TABLE.to_csv(table, index=False)
    entry = {
        "title": "Genes", "reader": "gene_table", "access": "open", "licence": "own", "citation": {"text": "own"},
        "files": [{"name": "genes.csv", "steps": "put it there"}],
    }  # fmt: skip
    (tmp_path / "data_manifest.yaml").write_text(yaml.safe_dump({"datasets": {"genes_ensembl": entry}}))
    (tmp_path / "own").mkdir()
    return tmp_path


def write(root, name, n=60, *, seed=0, change=None):
    cells = made_up(n, seed=seed)
    cells.obs["donor"] = np.resize(DONORS, n)
    if change:
        change(cells)
    path = root / "own" / name
    cells.write_h5ad(path)
    return path


def new(root, *, name="mine", baseline, add=(), on=(), said=None):
    path = new_profile(
        name, baseline=str(baseline), added=[str(a) for a in add], evaluations=[str(o) for o in on], root=root,
        say=(said if said is not None else []).append,
    )  # fmt: skip
    return path, read_profile(name, root)
