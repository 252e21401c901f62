from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.project.manifest import read_manifest
from datamix.sources.readers.h5ad import read_h5ad

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def source() -> ad.AnnData:
    rng = np.random.default_rng(0)
    return ad.AnnData(
        sparse.csr_matrix(rng.poisson(0.7, size=(11, 6)).astype("float32")),
        obs=pd.DataFrame(
            {"kind": pd.Categorical(list("aabbccaabbc")), "who": [1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2], "study": "S"},
            index=[f"cell{i}" for i in range(11)],
        ),
        var=pd.DataFrame({"name": [f"G{i}" for i in range(6)]}, index=[f"ENSG{i}" for i in range(6)]),
    )


def saved(path: Path, source: ad.AnnData) -> dict[str, Path]:
    source.write_h5ad(path)
    return {path.name: path}


@pytest.mark.parametrize("dense", [False, True])
def test_blocks_hold_the_cells_in_order(tmp_path, source, dense):
    if dense:
        source.X = source.X.toarray()
    options = {"cell_type": "kind", "donor": "who", "study": "study", "symbol": "name", "block_cells": 4}
    blocks = list(read_h5ad(saved(tmp_path / "a.h5ad", source), **options))
    assert [b.n_obs for b in blocks] == [4, 4, 3]
    whole = ad.concat(blocks, merge="same")
    assert isinstance(whole.X, sparse.csr_matrix)
    np.testing.assert_array_equal(whole.to_df(), source.to_df())
    assert whole.obs["cell_type"].tolist() == source.obs["kind"].tolist()
    assert whole.obs["donor"].tolist() == source.obs["who"].astype(str).tolist()
    assert set(whole.obs["dataset"]) == {"S"}
    assert whole.var["symbol"].tolist() == source.var["name"].tolist()
    rest = list(read_h5ad(saved(tmp_path / "a.h5ad", source), **options, skip=2))
    assert [b.obs_names.tolist() for b in rest] == [["cell8", "cell9", "cell10"]]


def test_keep_takes_cells_that_agree_in_all_columns(tmp_path, source):
    keep = {"kind": ["a", "c"], "who": [1]}
    blocks = list(read_h5ad(saved(tmp_path / "a.h5ad", source), keep=keep, block_cells=3))
    assert [b.obs_names.tolist() for b in blocks] == [["cell0", "cell1", "cell4"], ["cell5"]]
    np.testing.assert_array_equal(blocks[1].X.toarray(), source["cell5"].X.toarray())
    assert blocks[0].obs.shape[1] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell_type": "type"}, r"a\.h5ad: obs has no column 'type'; it has .*kind"),
        ({"keep": {"tissue": ["blood"]}}, r"a\.h5ad: obs has no column 'tissue'"),
        ({"symbol": "symbol"}, r"a\.h5ad: var has no column 'symbol'; it has .*name"),
    ],
)
def test_missing_columns(tmp_path, source, options, message):
    with pytest.raises(DatamixError, match=message):
        list(read_h5ad(saved(tmp_path / "a.h5ad", source), **options))


def test_truncated_file(tmp_path, source):
    files = saved(tmp_path / "a.h5ad", source)
    files["a.h5ad"].write_bytes(files["a.h5ad"].read_bytes()[:-3000])
    with pytest.raises(DatamixError, match=r"a\.h5ad cannot be read as an h5ad file: it is truncated"):
        list(read_h5ad(files))


def test_files_are_samples_of_one_dataset(tmp_path, source):
    other = source[:, [5, 0, 1, 2, 3]].copy()
    files = saved(tmp_path / "a.h5ad", source) | saved(tmp_path / "b.h5ad", other)
    blocks = list(read_h5ad(files, cell_type="kind", block_cells=8))
    assert [b.n_obs for b in blocks] == [8, 3, 8, 3]
    whole = ad.concat(blocks, merge="same")
    assert whole.var_names.tolist() == ["ENSG0", "ENSG1", "ENSG2", "ENSG3", "ENSG5"]
    expected = source.to_df()[whole.var_names].to_numpy()
    np.testing.assert_array_equal(whole.X.toarray(), np.vstack([expected, expected]))
    assert whole.obs_names.tolist() == [f"{f}:{n}" for f in "ab" for n in source.obs_names]
    assert whole.obs["donor"].tolist() == ["a"] * 11 + ["b"] * 11
    rest = list(read_h5ad(files, cell_type="kind", block_cells=8, skip=3))
    assert [b.obs_names.tolist() for b in rest] == [["b:cell8", "b:cell9", "b:cell10"]]


def test_files_that_share_few_genes_are_no_samples_of_one_dataset(tmp_path, source):
    other = source.copy()
    other.var_names = [f"G{i}" for i in range(5)] + ["ENSG0"]
    files = saved(tmp_path / "a.h5ad", source) | saved(tmp_path / "b.h5ad", other)
    with pytest.raises(DatamixError, match=r"share 1 genes, of 6 and more: a: ENSG0, ENSG1 …; b: G0, G1"):
        list(read_h5ad(files))


def test_names_that_repeat_are_told_apart_by_a_column(tmp_path, source):
    source.obs_names = ["x"] * 11
    source.obs["sample"] = [f"s{i}" for i in range(11)]
    (block,) = read_h5ad(saved(tmp_path / "a.h5ad", source), name_with="sample")
    assert block.obs_names.tolist() == [f"s{i}:x" for i in range(11)]


def test_real_gut_cells(real_data):
    (path,) = real_data.rglob("scp1884.h5ad")
    options = read_manifest(PROJECT).dataset("gut_crohn").options
    (block,) = read_h5ad({path.name: path}, **options)
    expected = ad.read_h5ad(path)
    assert block.shape == (1020, 18708)
    assert (block.X != expected.X).nnz == 0
    assert block.obs["cell_type"].nunique() == 68
