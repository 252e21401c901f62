"""From files to a profile of one's own: what is chosen, what is written, and what is refused."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml
from foreign_cells import GENES, IDS, TABLE, made_up, write_mex
from scipy import sparse

from datamix.corpora import own_choices, own_shares
from datamix.corpora.inventory import local_files
from datamix.corpora.own_profile import new_profile
from datamix.corpora.prepare import prepare
from datamix.corpora.shares import dose_mixtures, first_round
from datamix.project.errors import DatamixError
from datamix.project.manifest import read_manifest
from datamix.project.profile import read_profile

DONORS = ["d1", "d2", "d3", "d4", "d5"]


@pytest.fixture
def root(tmp_path):
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


def test_the_profile_is_whole_and_its_corpora_are_made(root):
    blood, gut, target = (write(root, f"{n}.h5ad", seed=i) for i, n in enumerate(("blood", "Gut 2", "target")))
    write_mex(root / "own" / "tf", made_up(50, seed=9))
    said = []
    path, profile = new(root, baseline=f"pbmc={blood}", add=[gut, f"tf={root / 'own' / 'tf'}"], on=[target], said=said)
    assert path == root / "config" / "mine.yaml"
    assert (list(profile.baselines), list(profile.added)) == (["pbmc"], ["gut_2", "tf"])
    assert profile.own_datasets["gut_2"].files[0].path == "own/Gut 2.h5ad"  # from the project's folder on
    assert (profile.cells, profile.gene_sets, profile.simulated) == (30, None, False)  # half of the baseline
    manifest = read_manifest(root, profile)
    for dataset in profile.datasets:
        found = ad.read_h5ad(prepare(dataset, profile=profile, manifest=manifest, root=root, say=str))
        assert found.var_names.tolist() == IDS
        assert set(found.obs["cell_type"]) == ({"not labelled"} if dataset == "tf" else {"T cell", "B cell"})
    assert sorted(p.name for p in (root / "data").iterdir() if p.is_dir()) == ["genes_ensembl"]
    text = path.read_text()
    assert "# No column is named like cell types" in text
    assert "Next" not in text
    assert any(line.startswith("  cells       30 in a training block: half of pbmc") for line in said)
    assert text.count("path:") == 4


def test_a_profile_is_never_written_over(root):
    files = [write(root, f"{n}.h5ad", seed=n) for n in range(3)]
    path, _ = new(root, baseline=files[0], add=[files[1]], on=[files[2]])
    before = path.read_text()
    with pytest.raises(DatamixError, match="a profile of this name is there already"):
        new(root, baseline=files[2], add=[files[1]], on=[files[0]])
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "a b"}, "cannot be called 'a b'"),
        ({"on": []}, "There is no --on"),
        ({"add": ["own/none.h5ad"]}, "none.h5ad does not exist"),
        ({"add": ["x=own/b.h5ad", "x=own/c.h5ad"]}, "Two sets are called 'x'"),
        ({"add": ["own/a.h5ad"]}, "is given twice, for baseline 'a' and added"),
    ],
)
def test_what_cannot_be_is_said(root, monkeypatch, arguments, message):
    for seed, name in enumerate("abc"):
        write(root, f"{name}.h5ad", seed=seed)
    monkeypatch.chdir(root)
    given = {"name": "mine", "baseline": "own/a.h5ad", "add": ["more=own/b.h5ad"], "on": ["own/c.h5ad"]} | arguments
    if given["add"] == ["own/a.h5ad"]:
        given["add"] = ["again=own/a.h5ad"]
    with pytest.raises(DatamixError, match=message):
        new(root, **given)
    assert not (root / "config").exists() or not list((root / "config").iterdir())


def test_one_file_for_training_and_evaluation_is_parted_by_donors(root):
    blood, gut = write(root, "blood.h5ad", 100), write(root, "gut.h5ad", seed=1)
    said = []
    _, profile = new(root, baseline=blood, add=[gut], on=[f"fresh={blood}"], said=said)
    options = {name: dataset.options for name, dataset in profile.own_datasets.items()}
    trained, held = options["blood"]["keep"]["donor"], options["fresh"]["keep"]["donor"]
    assert (sorted([*trained, *held]), len(held)) == (DONORS, 1)
    assert profile.own_datasets["blood"].source == profile.own_datasets["fresh"].source == "blood"
    assert any(line.startswith("  held out") and held[0] in line for line in said)
    manifest = read_manifest(root, profile)
    made = [
        ad.read_h5ad(prepare(d, profile=profile, manifest=manifest, root=root, say=str)) for d in ("blood", "fresh")
    ]
    assert [cells.n_obs for cells in made] == [80, 20]
    assert set(made[0].obs["donor"]).isdisjoint(made[1].obs["donor"])


@pytest.mark.parametrize("donors", [None, "d1"])
def test_without_donors_it_is_refused(root, donors):
    def change(cells):
        del cells.obs["donor"]
        if donors:
            cells.obs["donor"] = donors

    blood, gut = write(root, "blood.h5ad", change=change), write(root, "gut.h5ad", seed=1)
    again = root / "own" / "copy.h5ad"
    again.write_bytes(blood.read_bytes())  # the same content under another name
    with pytest.raises(DatamixError, match=r"scored on cells that it has seen(?s:.*)names (no donors|one donor only)"):
        new(root, baseline=blood, add=[gut], on=[again])


def test_a_piece_of_a_training_file_is_found_by_its_cells(root):
    blood, gut = write(root, "blood.h5ad"), write(root, "gut.h5ad", seed=1)
    ad.read_h5ad(blood)[5:30].copy().write_h5ad(root / "own" / "piece.h5ad")
    with pytest.raises(DatamixError, match=r"25 of the 25 cells of .*piece\.h5ad .* stand in .*blood\.h5ad"):
        new(root, baseline=blood, add=[gut], on=[root / "own" / "piece.h5ad"])


def test_an_added_set_with_cells_of_the_baseline_is_named(root):
    blood, target = write(root, "blood.h5ad"), write(root, "target.h5ad", seed=1)
    ad.read_h5ad(blood)[5:30].copy().write_h5ad(root / "own" / "piece.h5ad")
    said = []
    new(root, baseline=blood, add=[root / "own" / "piece.h5ad"], on=[target], said=said)
    assert "  note        25 of the 25 cells of piece stand in blood, too" in said


def test_donors_of_one_name_in_two_files_are_named(root):
    files = [write(root, f"{n}.h5ad", seed=n) for n in range(3)]
    said = []
    path, _ = new(root, baseline=files[0], add=[files[1]], on=[files[2]], said=said)
    assert any("both name a donor d1, d2, d3" in line for line in said)
    assert "give both one `source`" in " ".join(path.read_text().replace("#", "").split())


def test_shallow_cells_get_a_lower_filter_and_the_reason(root):
    def shallow(cells):
        cells.X = sparse.csr_matrix(np.random.default_rng(0).binomial(cells.X.toarray().astype(int), 0.1), dtype="f4")

    files = [write(root, "a.h5ad"), write(root, "b.h5ad", seed=1, change=shallow), write(root, "c.h5ad", seed=2)]
    path, profile = new(root, baseline=files[0], add=[files[1]], on=[files[2]])
    assert (profile.qc.min_counts, profile.qc.max_mito) == (200, 0.1)
    assert "would keep 0% of b" in " ".join(path.read_text().replace("#", "").split())


def test_small_sets_are_taken_whole_and_large_ones_bound_the_block(root, monkeypatch):
    monkeypatch.setattr(own_choices, "LEAST_BLOCK", 40)
    monkeypatch.setattr(own_choices, "EVALUATED", 50)
    sizes = {"a": 200, "b": 60, "c": 20, "e": 70}
    files = {name: write(root, f"{name}.h5ad", n, seed=i) for i, (name, n) in enumerate(sizes.items())}
    _, profile = new(root, baseline=files["a"], add=[files["b"], files["c"]], on=[files["e"]])
    assert profile.cells == 60
    assert {name: added.cells for name, added in profile.added.items()} == {"b": None, "c": "all"}


def test_cells_of_another_organism_write_nothing(root):
    def mouse(cells):
        cells.var_names = [g.capitalize() if not g.startswith("MT-") else g.lower() for g in GENES]

    files = [write(root, "a.h5ad"), write(root, "b.h5ad", seed=1, change=mouse), write(root, "c.h5ad", seed=2)]
    with pytest.raises(DatamixError, match="written as mouse genes are"):
        new(root, baseline=files[0], add=[files[1]], on=[files[2]])
    assert not (root / "config").exists()


def test_a_file_that_changes_afterwards_stops_and_says_where(root):
    files = [write(root, f"{n}.h5ad", seed=n) for n in range(3)]
    _, profile = new(root, baseline=files[0], add=[files[1]], on=[files[2]])
    name = profile.baselines[next(iter(profile.baselines))].dataset
    write(root, "0.h5ad", 61, seed=5)
    with pytest.raises(DatamixError, match="its content has changed"):
        local_files(name, profile.own_datasets[name], root=root)


def test_a_reader_that_stops_points_to_the_profile(root):
    files = [write(root, f"{n}.h5ad", seed=n) for n in range(3)]
    path, profile = new(root, baseline=files[0], add=[files[1]], on=[files[2]])
    path.write_text(path.read_text().replace('cell_type: "celltype"', "cell_type: cell_kind"))
    profile = read_profile("mine", root)
    with pytest.raises(DatamixError, match=r"no column 'cell_kind'") as error:
        prepare(profile.datasets[0], profile=profile, manifest=read_manifest(root, profile), root=root, say=str)
    assert "config/mine.yaml" in str(error.value)
    assert "data_manifest.yaml" not in str(error.value)


def test_names_that_the_manifest_has_are_not_taken(root):
    files = [write(root, f"{n}.h5ad", seed=n) for n in range(3)]
    path, profile = new(root, baseline=f"genes_ensembl={files[0]}", add=[files[1]], on=[files[2]])
    assert profile.baselines["genes_ensembl"].dataset == "genes_ensembl_own"
    path.write_text(path.read_text().replace("genes_ensembl_own", "genes_ensembl"))
    with pytest.raises(DatamixError, match=r"names a dataset genes_ensembl, as data_manifest\.yaml does"):
        read_manifest(root, read_profile("mine", root))


def test_a_panel_of_few_genes_is_named_and_too_few_cells_are_refused(root):
    def panel(cells):
        cells._inplace_subset_var(GENES[:30])

    files = [write(root, "a.h5ad"), write(root, "panel.h5ad", seed=1, change=panel), write(root, "c.h5ad", seed=2)]
    said = []
    new(root, baseline=files[0], add=[files[1]], on=[files[2]], said=said)
    assert "  genes       30 that all training sets have, because panel has few: all is compared on these" in said
    with pytest.raises(DatamixError, match=r"9 of 9 cells have more than 1000 counts .*too few to train on"):
        new(root, name="few", baseline=files[0], add=[write(root, "few.h5ad", 9, seed=4)], on=[files[2]])
    with pytest.raises(DatamixError, match=r"1 cell passes the filters; to be scored on, 'one' needs 2"):
        new(root, name="few", baseline=files[0], add=[files[1]], on=[write(root, "one.h5ad", 1, seed=4)])


def test_nothing_needs_to_be_added(root):
    said = []
    path, profile = new(root, baseline=write(root, "a.h5ad"), on=[write(root, "b.h5ad", seed=1)], said=said)
    assert (profile.added, profile.composition, profile.cells) == ({}, None, 30)
    profile.require_whole()
    assert "become better with twice the cells of a?" in profile.about
    assert "# Nothing is added." in path.read_text()
    assert any(line.startswith("  time        about a minute of training a seed") for line in said)


def test_mixtures_by_shares_are_of_the_sets_that_are_large_enough(root, monkeypatch):
    monkeypatch.setattr(own_shares, "LEAST", 40)
    sizes = {"a": 200, "b": 60, "c": 20, "e": 70}
    files = {name: write(root, f"{name}.h5ad", n, seed=i) for i, (name, n) in enumerate(sizes.items())}
    said = []
    path, profile = new(root, baseline=files["a"], add=[files["b"], files["c"]], on=[files["e"]], said=said)
    shares = profile.composition
    assert (shares.cells, shares.blocks, shares.doses) == (60, ("a", "b"), (10, 30))
    assert len(first_round(profile)) == 3 + shares.mixtures
    assert dose_mixtures(profile, "b")[30] == "a=30+b=30"
    assert "left out: c: with fewer than 40 cells" in path.read_text()
    assert any(line.startswith("  shares      mixtures of 60 cells of a and b, to say") for line in said)
    assert any(line.endswith("; and a minute for the mixtures by shares, all seeds together") for line in said)


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
