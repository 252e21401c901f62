"""From files to a profile of one's own: what is chosen, what is written, and what is refused."""

import anndata as ad
import numpy as np
import pytest
from foreign_cells import GENES, IDS, made_up, write_mex
from own_project import DONORS, new, own_project, write
from scipy import sparse

from datamix.corpora import own_choices, own_shares
from datamix.corpora.inventory import local_files
from datamix.corpora.prepare import prepare
from datamix.corpora.shares import dose_mixtures, first_round
from datamix.project.errors import DatamixError
from datamix.project.manifest import read_manifest
from datamix.project.profile_files import read_profile


@pytest.fixture
def root(tmp_path):
    return own_project(tmp_path)


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


def test_a_file_of_a_long_name_gives_a_set_of_a_short_one(root):
    long = "GSM5008737_" + "peripheral_blood_of_a_donor_" * 6
    files = [write(root, f"{long}{part}.h5ad", seed=seed) for seed, part in enumerate(["at_rest", "stimulated"])]
    _, profile = new(root, baseline=files[0], add=[], on=[files[1]])
    names = [*profile.baselines, *profile.evaluations, *profile.datasets]
    assert max(map(len, names)) <= 60
    assert all(name.startswith("gsm5008737_peripheral") and not name.endswith("_") for name in names)


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
        ({"name": "bench"}, "cannot be called bench: results/bench is for something else"),
        ({"name": "a" * 81}, "cannot be called aaa(?s:.*)at most 80 characters"),
        ({"add": [f"{'x' * 41}=own/b.h5ad"]}, "cannot be the name of a set(?s:.*)at most 40 of them"),
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


def test_donors_that_are_numbers_are_held_out_by_the_name_that_the_corpus_gives_them(root):
    def numbered(cells):
        cells.obs["donor"] = np.resize([1.0, 2.0, 3.0, 4.0, np.nan], cells.n_obs)

    blood = write(root, "blood.h5ad", 100, change=numbered)
    _, profile = new(root, baseline=blood, on=[f"fresh={blood}"])
    manifest = read_manifest(root, profile)
    made = [ad.read_h5ad(prepare(d, profile=profile, manifest=manifest, root=root, say=str)) for d in profile.datasets]
    trained, held = (set(cells.obs["donor"]) for cells in made)
    assert (len(held), trained & held, trained | held) == (1, set(), {"1", "2", "3", "4"})


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
    assert any("names a donor d1, d2, d3, and so do" in line for line in said)
    assert "give these one `source`" in " ".join(path.read_text().replace("#", "").split())


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


def test_cells_that_share_names_and_nothing_tells_apart_are_refused(root):
    def repeat(cells):
        cells.obs_names = ["AAAC-1", *cells.obs_names[1:-1], "AAAC-1"]
        del cells.obs["donor"]

    with pytest.raises(DatamixError, match="names of cells repeat, and no column tells these cells apart"):
        new(root, baseline=write(root, "a.h5ad", change=repeat), on=[write(root, "b.h5ad", seed=1)])


def test_an_evaluation_set_of_few_genes_is_named_and_one_of_none_refused(root):
    def few(cells):
        cells._inplace_subset_var([*range(30), *range(95, 100)])

    def others(cells):
        cells._inplace_subset_var(range(60, 90))

    blood, target = write(root, "a.h5ad"), write(root, "b.h5ad", seed=1, change=few)
    said = []
    new(root, baseline=blood, on=[target], said=said)
    assert any("b has 35 of these genes; the others count as 0 in its cells" in line for line in said)
    with pytest.raises(DatamixError, match=r"d.h5ad \('d'\) has none of the 35 genes that all training sets have"):
        new(root, name="two", baseline=blood, add=[target], on=[write(root, "d.h5ad", seed=2, change=others)])


def test_names_that_yaml_reads_as_something_else(root):
    files = [
        write(root, f"{name}.h5ad", 300 if name == "no" else 150, seed=i) for i, name in enumerate(("no", "on", "null"))
    ]
    _, profile = new(root, name="2024", baseline=files[0], add=[files[1]], on=[files[2]])
    assert (profile.name, list(profile.baselines), list(profile.added)) == ("2024", ["no"], ["on"])
    assert list(profile.evaluations) == ["null"]


def test_a_name_that_a_set_cannot_have_is_named(root):
    blood = write(root, "a.h5ad")
    with pytest.raises(DatamixError, match=r"'b\+c' cannot be the name of a set"):
        new(root, baseline=f"b+c={blood}", on=[blood])


def test_donors_of_the_same_name_are_told_once_for_each_evaluation_set(root):
    blood, gut, eye, target = (write(root, f"{n}.h5ad", seed=i) for i, n in enumerate(("a", "b", "c", "d")))
    said = []
    path, _ = new(root, baseline=blood, add=[gut, eye], on=[target], said=said)
    told = [line for line in said if "`source`" in line]
    assert len(told) == 1
    assert "d names a donor d1, d2, d3, and so do a, b and c" in told[0]
    assert path.read_text().count("give these one `source`") == 1
