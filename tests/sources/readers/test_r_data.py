from pathlib import Path
from types import SimpleNamespace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import rdata
import xarray as xr
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.project.manifest import read_manifest
from datamix.sources.formats.r_objects import as_matrix, as_table, r_object
from datamix.sources.readers.r_data import read_r_data

PROJECT = Path(__file__).parents[3]
GENES = ["ACTB", "CD3E", "GAPDH", "MT-ND1"]


def counts(cells: list[str], *, seed: int = 0) -> pd.DataFrame:
    """Cells × genes."""
    values = np.random.default_rng(seed).integers(0, 9, size=(len(cells), len(GENES))).astype("int32")
    return pd.DataFrame(values, index=cells, columns=GENES)


def saved(path: Path, **objects: object) -> dict[str, Path]:
    rdata.write_rda(path, objects)
    return {path.name: path}


def read(files: dict[str, Path], **options: object) -> ad.AnnData:
    (block,) = read_r_data(files, **options)
    return block


@pytest.mark.parametrize("genes_in_rows", [True, False])
def test_the_names_tell_which_dimension_holds_the_genes(tmp_path, genes_in_rows):
    # As many cells as genes: the shape tells nothing.
    table = counts(["c1", "c2", "c3", "c4"])
    block = read(saved(tmp_path / "a.rda", m=table.T if genes_in_rows else table))
    assert block.obs_names.tolist() == list(table.index)
    assert block.var_names.tolist() == GENES
    assert isinstance(block.X, sparse.csr_matrix)
    np.testing.assert_array_equal(block.X.toarray(), table)
    assert block.obs["cell_type"].tolist() == ["not labelled"] * 4


def test_no_known_gene(tmp_path):
    table = counts(["c1", "c2"]).set_axis(["g1", "g2", "g3", "g4"], axis=1)
    with pytest.raises(DatamixError, match=r"a\.rda: its object \(2 × 4\): of the genes ACTB, .*there is none of its"):
        read(saved(tmp_path / "a.rda", m=table))


def test_blocks_and_skip_give_the_same_cells(tmp_path):
    table = counts([f"c{i}" for i in range(10)])
    files = saved(tmp_path / "a.rda", m=table)
    blocks = list(read_r_data(files, block_cells=4, donor="D"))
    assert [b.n_obs for b in blocks] == [4, 4, 2]
    np.testing.assert_array_equal(ad.concat(blocks).X.toarray(), table)
    rest = list(read_r_data(files, block_cells=4, skip=2, donor="D"))
    assert [b.obs_names.tolist() for b in rest] == [["c8", "c9"]]
    assert rest[0].obs["donor"].tolist() == ["D", "D"]


def test_versions_of_one_file_are_united(tmp_path):
    table = counts([f"c{i}" for i in range(6)])
    files = saved(tmp_path / "a.rda", m=table.iloc[:4]) | saved(tmp_path / "b.rda", m=table.iloc[[3, 5, 1]].T)
    block = read(files, counts=["a.rda", "b.rda"])
    assert block.obs_names.tolist() == ["c0", "c1", "c2", "c3", "c5"]
    np.testing.assert_array_equal(block.X.toarray(), table.loc[block.obs_names])


def test_versions_that_disagree_are_refused(tmp_path):
    table = counts(["c0", "c1"])
    files = saved(tmp_path / "a.rda", m=table) | saved(
        tmp_path / "b.rda", m=table + np.array([[0, 0, 0, 0], [0, 1, 0, 0]])
    )
    with pytest.raises(DatamixError, match=r"Cell 'c1' has other counts in b\.rda than before"):
        read(files, counts=["a.rda", "b.rda"])
    files |= saved(tmp_path / "c.rda", m=table[GENES[:3]])
    with pytest.raises(DatamixError, match=r"c\.rda has other genes than a\.rda"):
        read(files, counts=["a.rda", "c.rda"])


def test_repeats_inside_one_file_are_left_for_the_corpus_to_refuse(tmp_path):
    table = counts(["c0", "c1"])
    namespace = as_matrix(xr.DataArray(table, coords=[["c0", "c0"], GENES]), where="m")
    assert namespace.rows.tolist() == ["c0", "c0"]


def test_nested_object_with_ensembl_ids(tmp_path):
    ids = [f"ENSG{i}" for i in range(4)]
    files = saved(tmp_path / "a.rda", raw={"counts": counts(["c0", "c1"]), "rows": {"id": np.array(ids)}}, other=1)
    block = read(files, matrix="raw/counts", ensembl="raw/rows/id")
    assert block.var_names.tolist() == ids
    assert block.var["symbol"].tolist() == GENES


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"matrix": "o"}, r"a\.rda has no 'o': where 'o' was sought it has m, n"),
        ({"matrix": "m/x"}, r"a\.rda has no 'm/x': where 'x' was sought it has ACTB, CD3E"),
        ({"matrix": "n"}, r"a\.rda: n is not a matrix but"),
        ({"counts": ["b.rda"]}, r"the dataset has no file 'b\.rda', only a\.rda"),
    ],
)
def test_options_that_do_not_fit(tmp_path, options, message):
    files = saved(tmp_path / "a.rda", m=counts(["c0"]), n=np.array([1.0, 2.0]))
    with pytest.raises(DatamixError, match=message):
        read(files, **options)


def test_frame_of_text(tmp_path):
    table = counts(["c0", "c1"]).astype(str)
    with pytest.raises(DatamixError, match=r"a\.rda holds no raw counts"):
        read(saved(tmp_path / "a.rda", m=table))
    with pytest.raises(DatamixError, match=r"a\.rda: m is a data frame with columns that are not numbers \(ACTB"):
        read(saved(tmp_path / "a.rda", m=table), matrix="m")


def test_the_matrix_with_counts_is_found_among_others(tmp_path):
    table = counts(["c0", "c1"])
    block = read(saved(tmp_path / "a.rda", logs=table / 3, m=table, n=np.array([1.0, 2.0])))
    np.testing.assert_array_equal(block.X.toarray(), table)
    assert block.uns["notes"] == ["raw counts are taken from m, not from logs"]


@pytest.mark.parametrize(("rule", "expected"), [("D", ["D", "D"]), ({"rule": "name", "pattern": "(c).*"}, ["c", "c"])])
def test_donors(tmp_path, rule, expected):
    assert read(saved(tmp_path / "a.rda", m=counts(["c0", "c1"])), donor=rule).obs["donor"].tolist() == expected


def test_donor_rule_that_cannot_be_applied(tmp_path):
    with pytest.raises(DatamixError, match=r"donor: none of the 2 cells .* has a label by the rule 'name'"):
        read(saved(tmp_path / "a.rda", m=counts(["c0", "c1"])), donor={"rule": "name", "pattern": "x"})


def test_cut_off_file(tmp_path):
    files = saved(tmp_path / "a.rda", m=counts([f"c{i}" for i in range(50)]))
    path = files["a.rda"]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DatamixError, match=r"a\.rda cannot be read as R data .*cut off"):
        read(files)


def test_every_kind_of_matrix_comes_to_the_same():
    table = counts(["c0", "c1", "c2"])
    names = [np.array(table.index), np.array(GENES)]
    csc = sparse.csc_matrix(table.to_numpy(dtype=float))
    shape = np.array(csc.shape)
    kinds = [
        SimpleNamespace(i=csc.indices, p=csc.indptr, x=csc.data, Dim=shape, Dimnames=names),
        SimpleNamespace(x=table.to_numpy().ravel(order="F"), Dim=shape, Dimnames=names),
        xr.DataArray(table.to_numpy(), coords=names),
        table.astype("Int32"),
    ]
    for kind in kinds:
        matrix = as_matrix(kind, where="m")
        np.testing.assert_array_equal(matrix.values.toarray(), table)
        assert (matrix.rows.tolist(), matrix.columns.tolist()) == (list(table.index), GENES)


def test_matrix_without_names():
    with pytest.raises(DatamixError, match="m has no names for its rows or columns"):
        as_matrix(xr.DataArray(np.eye(3)), where="m")


# Labels ------------------------------------------------------------------------------------------------------------


def labelled(tmp_path: Path, label_file: Path, cells: list[str], **cell_type: object) -> list[str]:
    files = saved(tmp_path / "a.rda", m=counts(cells)) | {label_file.name: label_file}
    return read(files, counts=["a.rda"], cell_type=cell_type).obs["cell_type"].tolist()


def test_labels_of_a_column_joined_by_name(tmp_path):
    table = pd.DataFrame({"kind": pd.Categorical(["B", "T", "NK"])}, index=["c2", "c0", "c9"])
    saved(tmp_path / "l.rda", l=table)
    found = labelled(
        tmp_path, tmp_path / "l.rda", ["c0-1", "c1-1", "c2-1"], rule="column", file="l.rda", column="kind", suffix="-1"
    )
    assert found == ["T", "not labelled", "B"]


def test_labels_of_a_text_file(tmp_path):
    path = tmp_path / "l.txt"
    path.write_text("cell\tcall\nc1\taneuploid\nc0\tdiploid\n")
    found = labelled(tmp_path, path, ["c0", "c1"], rule="column", file="l.txt", column="call")
    assert found == ["diploid", "aneuploid"]


def test_labels_of_a_mean(tmp_path):
    table = pd.DataFrame({"cell": ["c0", "c0", "c1", "c1"], "p": [0.2, 0.9, 0.3, 0.6]})
    saved(tmp_path / "l.rda", l=table)
    options = {"rule": "mean", "file": "l.rda", "cell": "cell", "column": "p", "threshold": 0.5}
    found = labelled(tmp_path, tmp_path / "l.rda", ["c0", "c1", "c2"], **options, above="tumour", below="not")
    assert found == ["tumour", "not", "not labelled"]


def test_labels_of_marker_proteins(tmp_path):
    table = pd.DataFrame({"CD3": [900, 5, 90], "CD19": [20, 300, 80]}, index=["c0", "c1", "c2"])
    saved(tmp_path / "l.rda", l=table)
    markers = {"B cell": "CD19", "T cell": "CD3"}
    found = labelled(
        tmp_path, tmp_path / "l.rda", ["c0", "c1", "c2"], rule="markers", file="l.rda", markers=markers, at_least=100
    )
    assert found == ["T cell", "B cell", "not labelled"]


def test_labels_of_the_names(tmp_path):
    found = labelled(
        tmp_path, tmp_path / "none", ["Hi_GW21+3_7", "Hi_NPC_12", "else"], rule="name", pattern=r"Hi_(.+)_\d+"
    )
    assert found == ["GW21+3", "NPC", "not labelled"]


@pytest.mark.parametrize(
    ("cell_type", "message"),
    [
        ({"rule": "guess"}, "the rule 'guess' does not exist"),
        ({"rule": "column", "column": "call"}, "the rule 'column' does not take these options: .*'file'"),
        ({"rule": "column", "file": "l.txt", "column": "kind"}, r"l\.txt has no column 'kind'; it has cell, call"),
        ({"rule": "column", "file": "m.txt", "column": "call"}, r"no file 'm\.txt', only a\.rda, l\.txt"),
        (
            {"rule": "column", "file": "l.txt", "column": "call", "suffix": "-1"},
            r"none of the 2 cells \(such as 'c0'\)",
        ),
        ({"rule": "column", "file": "twice.txt", "column": "call"}, "cell 'c0' stands twice in the label file"),
        (
            {"rule": "column", "file": "l.txt", "column": "call", "names": {"b": "B cell"}},
            r"names has 'b', which no cell is labelled; there are a\.",
        ),
    ],
)
def test_labels_that_do_not_fit(tmp_path, cell_type, message):
    (tmp_path / "l.txt").write_text("cell\tcall\nc1\ta\n")
    (tmp_path / "twice.txt").write_text("cell\tcall\nc0\ta\nc0\tb\n")
    path = tmp_path / ("twice.txt" if cell_type.get("file") == "twice.txt" else "l.txt")
    with pytest.raises(DatamixError, match=message):
        labelled(tmp_path, path, ["c0", "c1"], **cell_type)


# The real files ----------------------------------------------------------------------------------------------------

# From the sheet that came with the files: cells, genes, median and highest count.
REAL = {
    "pbmc_donor_a": (2896, 13939, 2115, 231),
    "hesc_rgc": (366, 33020, 16298, 3402),
    "zheng_sorted_blood": (2140, 8863, 3270, 248),
    "kang_stimulated": (1000, 9015, 1294, 2950),
    "hao_blood": (1000, 33538, 7069, 18795),
    "pbmc3k": (2700, 32738, 2197, 419),
    "hca_bone_marrow": (50, 33694, 2392, 3526),
    "breast_tumour": (302, 33694, 18216, 3770),
    "thyroid_atc": (173, 33538, 21199, 1460),
    "fetal_cortex": (64, 23710, 2861044, 185176),
}


def read_real(folder: Path, dataset_id: str) -> ad.AnnData:
    dataset = read_manifest(PROJECT).dataset(dataset_id)
    by_size = {p.stat().st_size: p for p in folder.rglob("*") if p.is_file()}
    return read({file.name: by_size[file.bytes] for file in dataset.files}, **dataset.options)


@pytest.mark.parametrize("dataset_id", REAL)
def test_real_files_are_as_described(real_data, dataset_id):
    block = read_real(real_data, dataset_id)
    n_cells, n_genes, median, highest = REAL[dataset_id]
    assert block.shape == (n_cells, n_genes)
    assert np.median(block.X.sum(axis=1).A1) == pytest.approx(median, abs=0.51)
    assert block.X.max() == highest
    assert block.obs_names.is_unique


def test_real_lymphoma_cells_x_genes_with_labels_that_agree_with_rna(real_data):
    train, held_out = read_real(real_data, "malt_lymphoma"), read_real(real_data, "malt_lymphoma_held_out")
    assert (train.shape, held_out.shape) == ((1000, 33538), (1100, 33538))
    assert not set(train.obs_names) & set(held_out.obs_names)
    both = sparse.vstack([train.X, held_out.X])
    assert (np.median(both.sum(axis=1).A1), both.max()) == (3226.5, 10272)
    share = {}
    for name in ("B cell", "T cell"):
        cells = train[(train.obs["cell_type"] == name).to_numpy()]
        share[name] = {gene: (cells[:, gene].X.toarray() > 0).mean() for gene in ("CD79A", "CD3D")}
    assert share["B cell"]["CD79A"] > 0.8 > 0.1 > share["B cell"]["CD3D"]
    assert share["T cell"]["CD3D"] > 0.7 > 0.3 > share["T cell"]["CD79A"]


def test_real_labels(real_data):
    found = read_real(real_data, "pbmc3k").obs["cell_type"].value_counts()
    assert (len(found), found["CD4 T cell"], found["not labelled"]) == (9, 1180, 62)  # naive and memory cells together
    sorted_ = read_real(real_data, "zheng_sorted_blood").obs["cell_type"].value_counts().to_dict()
    assert sorted_ == {"NK cell": 769, "CD4 T cell": 721, "B cell": 330, "CD8 T cell": 191, "Monocyte": 129}
    # Leaving a type out of training asks for the same words on both sides.
    assert set(sorted_) < set(found.index)
    assert read_real(real_data, "breast_tumour").obs["cell_type"].value_counts().to_dict() == {
        "aneuploid": 228,
        "diploid": 74,
    }
    thyroid = read_real(real_data, "thyroid_atc").obs["cell_type"].value_counts()
    assert thyroid.to_dict() == {"tumour-like": 124, "not tumour-like": 49}
    assert set(read_real(real_data, "fetal_cortex").obs["cell_type"]) == {"NPC", "GW16", "GW21", "GW21+3"}


def test_the_names_of_sorted_cells_are_the_populations_of_the_file_beside_them(real_data):
    cells = read_real(real_data, "zheng_sorted_blood").obs_names
    (path,) = real_data.rglob("referenceAnnot.rda")
    population = [str(p) for p in r_object(path)]
    assert [cell.startswith(p) for cell, p in zip(cells, population, strict=True)] == [True] * len(cells)


def test_interferon_shows_in_the_stimulated_cells_only(real_data):
    """The two matrices of the file are not exchanged: ISG15 is the strongest answer to interferon beta."""
    options = read_manifest(PROJECT).dataset("kang_stimulated").options
    (path,) = real_data.rglob("pbmc_stim.RData")
    stimulated, control = (
        read({path.name: path}, **options | {"matrix": matrix}) for matrix in (options["matrix"], "pbmc.ctrl")
    )
    share = {name: (block[:, "ISG15"].X.toarray() > 0).mean() for name, block in (("s", stimulated), ("c", control))}
    assert share["s"] > 0.9 > 0.5 > share["c"]


def test_r_object_and_table_of_the_real_protein_counts(real_data):
    (path,) = real_data.rglob("train.malt.adt.mat.rda")
    table = as_table(path)
    assert table.shape == (1000, 17)
    slots = vars(r_object(path))
    assert table.iloc[3, 0] == slots["x"][3]
    assert table.iloc[0, 1] == slots["x"][1000]
