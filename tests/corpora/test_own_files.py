"""Files of one's own as they lie: labels beside counts, folders of samples, links, barcodes that samples share."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from foreign_cells import made_up, write_mex
from own_project import DONORS, new, own_project, write

from datamix.corpora.inventory import local_files
from datamix.corpora.prepare import prepare
from datamix.project.manifest import read_manifest


@pytest.fixture
def root(tmp_path):
    return own_project(tmp_path)


def without_labels(cells):
    del cells.obs["celltype"], cells.obs["donor"]


@pytest.mark.parametrize("lane", [True, False])
def test_labels_beside_the_counts_are_found_said_and_used(root, lane):
    """With the lane of 10x barcodes or without; and their donors part one file that is trained on and evaluated."""
    blood, gut = write(root, "blood.h5ad", 100, change=without_labels), write(root, "gut.h5ad", seed=1)
    cells = ad.read_h5ad(blood).obs_names
    names = cells if lane else cells.str.removesuffix("-1")
    table = {"barcode": names, "cell_type": np.resize(["T", "B"], 100), "donor_id": np.resize(DONORS, 100)}
    pd.DataFrame(table).sample(frac=1, random_state=0).to_csv(root / "own" / "blood_meta.tsv", sep="\t", index=False)
    said = []
    _, profile = new(root, baseline=blood, add=[gut], on=[f"fresh={blood}"], said=said)
    assert any(
        "labels are taken from blood_meta.tsv, which lies beside it and names 100 of 100" in line for line in said
    )
    assert [file.name for file in profile.own_datasets["blood"].files] == ["blood.h5ad", "blood_meta.tsv"]
    assert [file.name for file in profile.own_datasets["gut"].files] == ["gut.h5ad"]
    manifest = read_manifest(root, profile)
    made = {
        d: ad.read_h5ad(prepare(d, profile=profile, manifest=manifest, root=root, say=str)) for d in ("blood", "fresh")
    }
    assert [m.n_obs for m in made.values()] == [80, 20]
    assert set(made["blood"].obs["donor"]).isdisjoint(made["fresh"].obs["donor"])
    of = dict(zip(cells, np.resize(["T", "B"], 100), strict=True))
    for corpus in made.values():
        assert [of[name.partition(":")[2]] for name in corpus.obs_names] == list(corpus.obs["cell_type"])


def test_tables_of_other_cells_and_two_of_these_are_not_taken(root):
    blood, gut, target = (write(root, f"{n}.h5ad", seed=i) for i, n in enumerate(("blood", "gut", "target")))
    write(root, "blood.h5ad", change=without_labels)
    names = ad.read_h5ad(blood).obs_names
    pd.DataFrame({"cell_type": "T"}, index=[f"X{n}" for n in names]).to_csv(root / "own" / "others.csv")
    _, profile = new(root, baseline=blood, add=[gut], on=[target])
    assert "cell_type" not in profile.own_datasets["blood"].options
    for name in ("one", "two"):
        pd.DataFrame({"cell_type": np.resize(["T", "B"], 60)}, index=names).to_csv(root / "own" / f"{name}.csv")
    said = []
    _, profile = new(root, name="again", baseline=blood, add=[gut], on=[target], said=said)
    assert "cell_type" not in profile.own_datasets["blood"].options
    assert any("several tables beside it name its cells, and none is taken: one.csv, two.csv" in line for line in said)
    (root / "own" / "two.csv").rename(root / "own" / "blood_types.csv")
    _, profile = new(root, name="third", baseline=blood, add=[gut], on=[target])
    assert profile.own_datasets["blood"].options["cell_type"]["file"] == "blood_types.csv"


def test_a_folder_of_a_table_of_counts_and_one_of_labels(root):
    folder = root / "own" / "gut"
    folder.mkdir()
    cells = made_up(60, seed=1)
    cells.to_df().astype(int).T.to_csv(folder / "counts.csv")
    cells.obs.to_csv(folder / "metadata.csv")
    _, profile = new(root, baseline=write(root, "a.h5ad"), add=[folder], on=[write(root, "b.h5ad", seed=2)])
    rule = {"rule": "column", "file": "metadata.csv", "column": "celltype"}
    assert profile.own_datasets["gut"].options["cell_type"] == rule
    found = prepare("gut", profile=profile, manifest=read_manifest(root, profile), root=root, say=str)
    assert set(ad.read_h5ad(found).obs["cell_type"]) == {"T cell", "B cell"}


def test_barcodes_that_samples_share_are_told_apart(root):
    merged = made_up(60, seed=5)
    merged.obs = pd.DataFrame({"library": np.repeat(["l1", "l2"], 30)})
    merged.obs_names = [f"AAAC{i % 30:012d}-1" for i in range(60)]
    merged.write_h5ad(root / "own" / "merged.h5ad")
    _, profile = new(root, baseline=write(root, "blood.h5ad"), on=[root / "own" / "merged.h5ad"])
    made = prepare("merged", profile=profile, manifest=read_manifest(root, profile), root=root, say=str)
    assert ad.read_h5ad(made).obs_names[30] == "merged:l2:AAAC000000000000-1"


def test_runs_of_cell_ranger_are_samples(root):
    for number, sample in enumerate(("S1", "S2")):
        outs = root / "own" / "runs" / sample / "outs"
        outs.mkdir(parents=True)
        for which in ("raw", "filtered"):
            write_mex(outs / f"{which}_feature_bc_matrix", made_up(40, seed=number))
    _, profile = new(root, baseline=root / "own" / "runs", on=[write(root, "target.h5ad", seed=3)])
    made = prepare("runs", profile=profile, manifest=read_manifest(root, profile), root=root, say=str)
    blood = ad.read_h5ad(made)
    assert (blood.n_obs, set(blood.obs["donor"])) == (80, {"S1", "S2"})
    assert blood.obs_names[0].startswith("runs:S1:AAAC")


def test_a_link_gives_a_set_its_name(root):
    stored = write(root, "3fa9c1", 60).rename(root / "own" / "3fa9c1")
    (root / "own" / "blood.h5ad").symlink_to(stored)
    _, profile = new(root, baseline=root / "own" / "blood.h5ad", on=[write(root, "target.h5ad", seed=1)])
    assert list(profile.baselines) == ["blood"]
    assert local_files("blood", read_manifest(root, profile).dataset("blood"), root=root)[0]["blood.h5ad"].is_file()
