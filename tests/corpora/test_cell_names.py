"""Names of cells that repeat, samples that are one, and droplets without a cell."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from foreign_cells import TABLE, made_up, write_mex
from scipy import sparse

from datamix.corpora.cell_folders import files_of
from datamix.corpora.inspection import inspect_cells
from datamix.corpora.own_choices import Part, choose_qc
from datamix.project.errors import DatamixError
from datamix.project.profile import QC

KNOWN = TABLE.rename(columns={"gene_id": "gene", "gene_name": "symbol"})


def looked(path):
    return inspect_cells(files_of(path), gene_table=lambda: KNOWN, say=str)


def barcodes(n, *, length):
    return ["".join("ACGT"[i // 4**place % 4] for place in range(length)) + "-1" for i in range(n)]


def test_two_matrices_of_one_sample_are_not_two_samples(tmp_path):
    """Genes with introns beside those without: the same droplets, with other counts."""
    cells, more = made_up(), made_up(30, seed=1)
    cells.obs_names, more.obs_names = barcodes(40, length=16), barcodes(30, length=16)
    cells.write_h5ad(tmp_path / "Gene.h5ad")
    more.write_h5ad(tmp_path / "GeneFull.h5ad")
    with pytest.raises(DatamixError, match="'Gene' and 'GeneFull' hold 30 of the same cells"):
        looked(tmp_path)


def test_barcodes_of_plates_are_the_same_on_every_plate(tmp_path):
    for number in range(2):
        plate = made_up(seed=number)
        plate.obs_names = barcodes(40, length=8)
        plate.write_h5ad(tmp_path / f"plate{number}.h5ad")
    assert looked(tmp_path).n_cells == 80


def test_wells_have_the_same_names_on_every_plate(tmp_path):
    for number in range(2):
        plate = made_up(seed=number)
        plate.obs_names = [f"well{i}" for i in range(40)]
        plate.write_h5ad(tmp_path / f"plate{number}.h5ad")
    assert looked(tmp_path).n_cells == 80
    plate[:5].copy().write_h5ad(tmp_path / "some.h5ad")  # of the same names, and the same counts
    with pytest.raises(DatamixError, match="'plate1' and 'some' hold 5 of the same cells"):
        looked(tmp_path)


def test_empty_droplets_are_named_and_have_no_say_on_filters(tmp_path):
    cells = made_up()
    empty = sparse.csr_matrix(np.random.default_rng(1).poisson(0.02, (2000, 100)), dtype=np.float32)
    drops = ad.AnnData(empty, obs=pd.DataFrame(index=[f"E{i}" for i in range(2000)]), var=cells.var)
    write_mex(tmp_path / "raw", ad.concat([cells, drops]))
    found = looked(tmp_path / "raw")
    assert found.is_unfiltered
    assert any("of 2,040 have fewer than 10 counts: empty droplets" in note for note in found.notes)
    part = Part("baseline", "blood", "blood", tmp_path, {}, found)
    assert choose_qc([part]) == QC()
    assert part.cells(QC()).sum() == 40


def test_samples_that_share_barcodes_are_told_apart_by_their_column(tmp_path):
    cells = made_up()
    cells.obs["Sample"] = np.repeat(["s1", "s2"], 20)
    cells.obs_names = [f"AAAC{i % 20:012d}-1" for i in range(40)]
    cells.write_h5ad(tmp_path / "a.h5ad")
    found = looked(tmp_path / "a.h5ad")
    assert found.name_with == "Sample"
    assert "20 names of cells repeat; with the column 'Sample' each is unique" in found.notes
    del cells.obs["Sample"]
    cells.write_h5ad(tmp_path / "b.h5ad")
    assert looked(tmp_path / "b.h5ad").name_with == ""
