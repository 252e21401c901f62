"""Files that once failed, a case each: what comes of them now, or the words of the refusal."""

import os
from pathlib import Path

import pytest
import yaml
from foreign_cells import (
    corpus_of,
    project_of,
)

from datamix.corpora.fetch import fetch
from datamix.corpora.genes import shared_genes
from datamix.corpora.leakage import require_no_leak
from datamix.corpora.mixtures import draw_corpora
from datamix.corpora.prepare import prepare
from datamix.ldvae.grid import train_baseline
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout
from datamix.project.manifest import read_manifest
from datamix.project.profile_files import read_profile
from datamix.sources.readers.gene_table import read_gene_table
from datamix.sources.readers.geneformer_dictionaries import read_geneformer_dictionaries

PROJECT = Path(__file__).parents[2]
NONE = {"not labelled"}

TB, D12 = {"B cell", "T cell"}, {"d1", "d2"}
MALIGNANT, P1 = {"Malignant"}, {"Mine2024:p1"}  # the reader of the cancer atlas keeps malignant cells
CASES = {  # case: cells, genes, sum of counts, types, donors; or the words of the refusal
    "01-nullable": (40, 200, 118586, TB, D12),
    "02-cellxgene-raw": (40, 200, 118586, TB, D12),
    "03-layer-counts": (40, 200, 118586, TB, None),
    "04-csc": (40, 200, 118586, TB, None),
    "05-no-x": (40, 200, 118586, TB, None),
    "06-scanpy-10x-layout": (40, 200, 118586, TB, None),
    "07-dup-cells": r"stands more than once \(20 repeats",
    "08-par-y": (40, 198, 117863, TB, None),
    "09-mouse-ensembl": "200 are of mouse",
    "10-mouse-symbols": "gene names are human symbols; others, such as",
    "11-mixed-as-symbol": (40, 200, 118586, NONE, None),
    "12-mixed-as-ensembl": (40, 200, 118586, NONE, None),
    "13-symbols-said-ensembl": (40, 200, 118586, NONE, None),  # the ids stand in a column of the file
    "14-make-names": (40, 200, 119012, NONE, None),
    "20-nan-obs": (40, 200, 118586, {"B", "T", "not labelled"}, {"1", "2", "not recorded"}),
    "21-nan-text": (40, 200, 118586, NONE, None),
    "19-zstd": (40, 200, 118586, TB, None),
    "22-anndata06": (40, 200, 118586, TB, None),
    "23-csr-dup-entries": (40, 200, 119086, TB, None),
    "25-wrong-column": "did you mean 'celltype'",
    "26-two-samples": (80, 200, 240938, TB, {"s1", "s2"}),
    "27-mex-v3": (40, 200, 118586, NONE, None),
    "28-csv": (40, 200, 118586, NONE, None),
    "29-loom": (40, 200, 118586, NONE, None),
    "30-dgc-ensembl-rows": (40, 200, 118586, NONE, None),
    "31-dgT": (40, 200, 118586, NONE, None),
    "34-seurat-v4": (40, 200, 118586, NONE, None),
    "35-seurat-v5": (40, 200, 118586, NONE, None),
    "36-sce": (40, 200, 118586, TB, None),
    "38-df-gene-column": (40, 200, 118586, NONE, None),
    "40-labels-csv": (40, 200, 118586, TB, None),
    "41-labels-RData": (40, 200, 118586, TB, None),
    "42-labels-named-factor": (40, 200, 118586, TB, None),
    "43-labels-barcode-column": (40, 200, 118586, TB, None),
    "47-donor-rule": (40, 200, 118586, NONE, {f"AAAC{i:012d}" for i in range(40)}),
    "49-list-option-as-text": (40, 200, 118586, NONE, None),
    "61-max-mito-in-percent": r"QC keeps none of 40 cells.*the lowest is 0\.575",
}
MORE = {  # case / dataset: likewise, where there are several datasets or a table of its own
    "40-labels-csv/c65_labels_csv_gz": (40, 200, 118586, TB, None),
    "51-3ca-genes-header-two-columns/c100_3ca_genes_header_two_columns": (20, 200, 59994, MALIGNANT, P1),
    "53-3ca-mtx-gz/c102_3ca_mtx_gz": (20, 200, 59994, MALIGNANT, P1),
    "53-3ca-mtx-gz/c104_3ca_uppercase_zip": (20, 200, 59994, MALIGNANT, P1),
    "53-3ca-mtx-gz/c98_3ca_semicolon": (40, 200, 118586, MALIGNANT, P1),
    "56-table-ensembl-chromosomes/c114_table_ensembl_chromosomes": (40, 200, 118586, NONE, None),
    "57-h5ad-as-table/c110_biomart_csv": (40, 200, 118586, NONE, None),
    "57-h5ad-as-table/c115_h5ad_as_table": "holds cells and is no table of genes",
    "57-h5ad-as-table/c116_gmt_as_table": "is read by 'gmt' and is no table of genes",
}


@pytest.fixture
def foreign_inputs() -> Path:
    """Return the folder of foreign inputs: DATAMIX_INPUTS, or ../shared/inputs beside the project."""
    named = os.environ.get("DATAMIX_INPUTS")
    folder = Path(named) if named else PROJECT.parent / "shared" / "inputs"
    if not folder.is_dir():
        pytest.skip("the foreign inputs are not here: set DATAMIX_INPUTS to their folder")
    return folder


@pytest.fixture(scope="module")
def real_table(real_data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the project's own gene table, read once and written short."""
    entry = read_manifest(PROJECT).dataset("genes_ensembl")
    by_size = {path.stat().st_size: path for path in real_data_folder.rglob("*") if path.is_file()}
    table = read_gene_table({file.name: by_size[file.bytes] for file in entry.files}, **entry.options)
    path = tmp_path_factory.mktemp("table") / "genes.csv"
    table.rename(columns={"gene": "gene_id", "symbol": "gene_name"}).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("case", CASES)
def test_a_case_that_failed_once(tmp_path, foreign_inputs, real_table, case):
    ((_, entry),) = yaml.safe_load((foreign_inputs / case / "entry.yaml").read_text()).items()
    names = {"mex": "file", "csv": "file", "loom": "file"}
    entry |= {"reader": names.get(entry["reader"], entry["reader"]), "gene_table": "genes"}
    files = [foreign_inputs / case / file["name"] for file in entry.pop("files")]
    root = project_of(tmp_path, files, table=real_table, **entry)
    expected = CASES[case]
    if isinstance(expected, str):
        with pytest.raises(DatamixError, match=expected):
            corpus_of(root)
        return
    cells, genes, total, types, donors = expected
    found = corpus_of(root)
    assert (found.shape, int(found.X.sum())) == ((cells, genes), total)
    assert set(found.obs["cell_type"]) == types
    assert set(found.obs["donor"]) == (donors or {"not recorded"})


def project_in(root: Path, folder: Path, table: Path) -> Path:
    """Lay out a case with all its datasets, under the ids that it gives them, and its profile where it has one."""
    entries = {}
    for path in folder.glob("entry*.yaml"):
        entries |= yaml.safe_load(path.read_text())
    own = {"title": "t", "access": "own"}
    entries["genes_ensembl"] = own | {"reader": "gene_table", "files": [{"name": "genes.csv", "path": str(table)}]}
    entries["hallmark"] = own | {"reader": "gmt", "files": [{"name": "h.gmt", "path": "h.gmt"}]}
    (root / "h.gmt").write_text("SET\tx\tACTB\tGAPDH\n")
    for dataset, entry in entries.items():
        for file in (file for file in entry["files"] if "path" not in file):
            target = root / "data" / dataset / file["name"]
            target.parent.mkdir(parents=True, exist_ok=True)
            own_copy = folder / dataset / file["name"]
            target.write_bytes((own_copy if own_copy.is_file() else folder / file["name"]).read_bytes())
    (root / "data_manifest.yaml").write_text(yaml.safe_dump({"datasets": entries}))
    (root / "config").mkdir()
    for path in folder.glob("*.yaml"):
        if not path.name.startswith("entry"):
            (root / "config" / path.name).write_bytes(path.read_bytes())
    return root


@pytest.mark.parametrize("case", MORE)
def test_a_case_of_several_datasets(tmp_path, foreign_inputs, real_table, case):
    folder, _, dataset = case.partition("/")
    root = project_in(tmp_path, foreign_inputs / folder, real_table)
    profile = {
        "name": "tiny", "title": "t", "about": "t", "simulated": False, "cells": "all",
        "qc": {"min_counts": 500, "max_mito": 0.5},
        "baselines": {"blood": {"label": "B", "dataset": dataset}}, "added": {}, "evaluations": {},
    }  # fmt: skip
    (root / "config" / "tiny.yaml").write_text(yaml.safe_dump(profile))
    if isinstance(MORE[case], str):
        with pytest.raises(DatamixError, match=MORE[case]):
            corpus_of(root, dataset)
        return
    cells, genes, total, types, donors = MORE[case]
    found = corpus_of(root, dataset)
    assert (found.shape, int(found.X.sum())) == ((cells, genes), total)
    assert set(found.obs["cell_type"]) == types
    assert set(found.obs["donor"]) == (donors or {"not recorded"})


def test_56_a_symbol_goes_to_its_gene_on_the_main_chromosome(foreign_inputs):
    path = foreign_inputs / "56-table-ensembl-chromosomes" / "t5_ensembl_chroms" / "genes.csv"
    table = read_gene_table({"genes.csv": path}, biotype="biotype", chromosome="chromosome")
    assert table.set_index("symbol")["gene"]["ACTB"] == "ENSG00000999999"  # not that on HSCHR7_ALT


def test_54_the_published_dictionaries_of_geneformer_are_read(foreign_inputs):
    folder = foreign_inputs / "54-geneformer-numpy"
    content = read_geneformer_dictionaries({path.name: path for path in folder.glob("*.pkl")})
    assert set(content) == {"token_dictionary", "gene_median_dictionary"}
    assert all(type(value) is float for value in content["gene_median_dictionary"].values())


def test_60_a_file_of_this_machine_as_url_is_copied(tmp_path, foreign_inputs, monkeypatch):
    monkeypatch.delenv("DATAMIX_MIRROR", raising=False)
    root = project_in(tmp_path, foreign_inputs / "60-fileurl", tmp_path / "none.csv")
    manifest = (root / "data_manifest.yaml").read_text()
    own = foreign_inputs / "60-fileurl" / "a.h5ad"
    path = root / "data" / "u1_fileurl" / "a.h5ad"
    path.unlink()
    (root / "data_manifest.yaml").write_text(manifest.replace("file:///home/me/a.h5ad", own.as_uri()))
    fetch("u1_fileurl", read_manifest(root).dataset("u1_fileurl"), root=root, say=str)
    assert path.read_bytes() == own.read_bytes()


def test_61_a_filter_in_per_cent_is_refused(tmp_path, foreign_inputs):
    profile = project_of(tmp_path, []) / "config" / "tiny.yaml"
    qc = (foreign_inputs / "61-max-mito-in-percent" / "qc.yaml").read_text()
    profile.write_text(yaml.safe_dump(yaml.safe_load(profile.read_text()) | yaml.safe_load(qc)))
    with pytest.raises(DatamixError, match=r"a fraction from 0 to 1, not per cent: write 0\.1 for 10 %"):
        read_profile("tiny", tmp_path)


def test_62_one_file_trained_on_and_evaluated_is_a_leak(tmp_path, foreign_inputs, real_table):
    layout = prepared(project_in(tmp_path, foreign_inputs / "62-same-file-trained-and-evaluated", real_table), "leak")
    with pytest.raises(DatamixError, match=r"'e' \(leak_b\): 60 of its 60 cells are also in the training cells"):
        require_no_leak(layout, draw_corpora(layout, "blood", seed=0, say=str))


def test_63_cells_without_shared_genes_are_left_out_and_counted(tmp_path, foreign_inputs, real_table):
    layout = prepared(project_in(tmp_path, foreign_inputs / "63-cells-without-shared-genes", real_table), "panel")
    said: list[str] = []
    train_baseline(layout, "blood", seed=0, say=said.append)
    assert "panel: 3 of 60 cells have none of the 60 shared genes and are left out" in said
    assert any("blood+panel" in line for line in said)


def prepared(root: Path, name: str) -> Layout:
    """Make the corpora of a case's profile, and the genes that they share."""
    layout = Layout.of(name, root)
    for dataset in layout.profile.datasets:
        prepare(dataset, profile=layout.profile, manifest=read_manifest(root), root=root, say=str)
    shared_genes([layout.corpus(d) for d in layout.profile.training_datasets]).to_csv(layout.genes, index=False)
    return layout


@pytest.mark.parametrize("case", ["65-profile-baseline-name", "66-profile-short", "67-profile-nothing-added"])
def test_65_to_67_a_profile_runs_or_is_refused_when_it_is_read(foreign_inputs, case):
    (path,) = (foreign_inputs / case).glob("*.yaml")
    profile = read_profile(str(path))
    profile.require_whole()  # `tests/workflow/test_profiles.py` takes such ones to the book
