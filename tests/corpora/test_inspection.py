"""What is in a file is found out and said, whatever its format."""

import numpy as np
import pandas as pd
import pytest
from foreign_cells import GENES, IDS, TABLE, made_up, write_loom, write_mex, write_tenx_h5

from datamix.corpora import inspection
from datamix.corpora.cell_folders import files_of
from datamix.corpora.inspection import inspect_cells
from datamix.corpora.inspection_words import describe
from datamix.corpora.likely_columns import likely_cell_types, likely_donors, likely_group
from datamix.project.errors import DatamixError
from datamix.project.profile import QC

KNOWN = TABLE.rename(columns={"gene_id": "gene", "gene_name": "symbol"})


def looked(path):
    return inspect_cells(files_of(path), gene_table=lambda: KNOWN, say=str)


def said(found):
    return dict(line.strip().split(maxsplit=1) for line in describe(found, qc=QC()))


def h5ad(path):
    made_up().write_h5ad(path / "a.h5ad")
    return path / "a.h5ad"


def layer(path):
    cells = made_up()
    cells.layers["counts"] = cells.X.copy()
    cells.X = np.log1p(cells.X.toarray() / 7.3)
    cells.write_h5ad(path / "a.h5ad")
    return path / "a.h5ad"


def mex(path):
    write_mex(path / "m", made_up())
    return path / "m"


def cell_ranger(path):
    write_mex(path / "outs" / "filtered_feature_bc_matrix", made_up())
    write_mex(path / "outs" / "raw_feature_bc_matrix", made_up(200))
    return path


def csv(path):
    made_up().to_df().astype(int).T.to_csv(path / "a.csv")
    return path / "a.csv"


def loom(path):
    write_loom(path / "a.loom", made_up())
    return path / "a.loom"


def tenx(path):
    write_tenx_h5(path / "a.h5", made_up())
    return path / "a.h5"


@pytest.mark.parametrize("write", [h5ad, layer, mex, cell_ranger, csv, loom, tenx], ids=lambda f: f.__name__)
def test_every_format_is_measured_alike(tmp_path, write, monkeypatch):
    monkeypatch.setattr(inspection, "_BLOCK_CELLS", 7)
    (tmp_path / "outs").mkdir()
    found = looked(write(tmp_path))
    expected = made_up().X.toarray()
    np.testing.assert_array_equal(found.total, expected.sum(axis=1))
    np.testing.assert_array_equal(found.mito, expected[:, 3:5].sum(axis=1))
    np.testing.assert_array_equal(found.detected, (expected > 0).sum(axis=1))
    assert found.genes is not None
    assert (len(found.genes.genes), found.known_counts, found.problem) == (100, 1.0, None)
    median, fraction = np.median(expected.sum(axis=1)), np.median(expected[:, 3:5].sum(axis=1) / expected.sum(axis=1))
    words = said(found)
    assert words["cells"] == "40"
    assert words["organism"] == "human"
    assert words["depth"].startswith(f"median {median:,.0f} counts and 1")
    assert f"{fraction:.1%} of a cell's counts are mitochondrial" in words["depth"]
    assert found.passing(min_counts=1000, max_mito=0.1).all()


def test_labels_are_found_and_counted(tmp_path):
    words = said(looked(h5ad(tmp_path)))
    assert words["cell"].startswith("types  column 'celltype', 2 of them: ")
    assert "T cell 20" in words["cell"]
    assert words["donors"] == "column 'donor', 2 of them: d1 27, d2 13"
    assert "counts  in layers/counts (X has none)" in said(looked(layer(tmp_path)))["raw"]


def test_files_in_a_folder_are_samples(tmp_path):
    for n in (1, 2):
        made_up(20, seed=n).write_h5ad(tmp_path / f"s{n}.h5ad")
    (tmp_path / "notes.txt").write_text("nothing")
    found = looked(tmp_path)
    assert (list(found.files), found.samples, found.n_cells) == (["s1.h5ad", "s2.h5ad"], ("s1", "s2"), 40)
    assert said(found)["cells"] == "40 in 2 samples (s1, s2)"


def test_what_cannot_be_used_is_said_and_no_error_yet(tmp_path):
    cells = made_up()
    cells.var_names = [g.capitalize() if not g.startswith("MT-") else g.lower() for g in GENES]
    cells.write_h5ad(tmp_path / "a.h5ad")
    found = looked(tmp_path / "a.h5ad")
    assert "written as mouse genes are" in said(found)["organism"]
    assert found.problem is not None
    without = inspect_cells(files_of(h5ad(tmp_path)), gene_table=lambda: None, say=str)
    assert without.problem is None
    assert said(without)["genes"].endswith("how many are known cannot be said without the gene table")


def test_nothing_and_a_folder_of_nothing_are_named(tmp_path):
    with pytest.raises(DatamixError, match="does not exist"):
        files_of(tmp_path / "none")
    with pytest.raises(DatamixError, match="holds no file of counts; it has nothing"):
        files_of(tmp_path)


def test_an_error_that_nobody_foresaw_names_file_and_cells(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("boom")

    monkeypatch.setattr(inspection, "require_counts", broken)
    monkeypatch.setattr(inspection, "_BLOCK_CELLS", 25)
    path = h5ad(tmp_path)
    with pytest.raises(DatamixError, match=r"(?s)RuntimeError: boom.*cells 0 to 25.*report it with what"):
        looked(path)


@pytest.mark.parametrize(
    ("columns", "types", "donors"),
    [
        ({"cell_type": "ab", "cell_type_ontology_term_id": "xy", "donor_id": "12"}, "cell_type", "donor_id"),
        ({"leiden": "01", "seurat_clusters": "12", "orig.ident": "pq"}, None, "orig.ident"),
        ({"Cell.Type": "ab", "CellLabel": "cd", "Patient": "12", "sample": "345"}, "Cell.Type", "Patient"),
        ({"celltype": ["NA", "nan"], "annotation": "ab", "donor": ["Unknown", ""]}, "annotation", None),
        ({"author_cell_type": "aa", "label": "ab", "sample_id": "11"}, "label", "sample_id"),
        ({"cell_type": "aa", "individual": "11"}, "cell_type", "individual"),
        ({"n_counts": [1.5, 2.5], "percent.mt": [0.1, 0.2]}, None, None),
    ],
)
def test_columns_are_chosen_by_name_and_value(columns, types, donors):
    table = pd.DataFrame({name: np.resize(list(values), 60) for name, values in columns.items()})
    chosen = [
        choose(list(table), lambda name: table[name], n_cells=60) for choose in (likely_cell_types, likely_donors)
    ]
    assert [column and column.name for column in chosen] == [types, donors]
    for column in chosen:
        if column is not None:
            assert (column.codes >= 0).sum() == column.labelled == column.values.sum()


def test_a_name_for_each_cell_is_no_donor():
    table = pd.DataFrame({"sample": [f"c{i}" for i in range(60)]})
    assert likely_donors(list(table), lambda name: table[name], n_cells=60) is None


@pytest.mark.parametrize(
    ("values", "group"), [(["normal"], "non-disease"), (["myeloid leukemia", "myeloid leukemia", "normal"], "cancer")]
)
def test_a_column_on_disease_gives_the_group(values, group):
    table = pd.DataFrame({"disease": np.resize(values, 60)})
    found = likely_group(list(table), lambda name: table[name], n_cells=60)
    assert found is not None
    assert found[0] == group


def test_a_matrix_is_named_alone_and_its_genes_and_barcodes_lie_beside_it(tmp_path):
    for number, sample in enumerate(("GSM1_a_", "GSM1_")):
        write_mex(tmp_path, made_up(30 + number, seed=number), prefix=sample)
    found = looked(tmp_path / "GSM1_matrix.mtx.gz")
    assert list(found.files) == ["GSM1_matrix.mtx.gz", "GSM1_features.tsv.gz", "GSM1_barcodes.tsv.gz"]
    assert (found.n_cells, found.samples) == (31, ("GSM1",))


def test_mitochondrial_genes_in_another_spelling_are_known_by_the_table(tmp_path):
    cells = made_up()
    cells.var["gene_ids"] = IDS
    cells.var_names = [gene.replace("-", ".") for gene in GENES]  # as R's make.names does
    cells.write_h5ad(tmp_path / "a.h5ad")
    found = looked(tmp_path / "a.h5ad")
    assert found.wants_table
    assert found.mito.sum() == cells.X[:, 3:5].sum()
    assert not any("mitochondrial" in note for note in found.notes)
