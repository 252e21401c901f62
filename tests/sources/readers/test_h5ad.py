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


def test_x_by_genes_is_refused(tmp_path, source):
    source.X = source.X.tocsc()
    with pytest.raises(DatamixError, match=r"a\.h5ad: X is stored as csc"):
        list(read_h5ad(saved(tmp_path / "a.h5ad", source)))


def test_truncated_file(tmp_path, source):
    files = saved(tmp_path / "a.h5ad", source)
    files["a.h5ad"].write_bytes(files["a.h5ad"].read_bytes()[:-3000])
    with pytest.raises(DatamixError, match=r"a\.h5ad cannot be read as an h5ad file: it is truncated"):
        list(read_h5ad(files))


def test_two_files(tmp_path, source):
    files = saved(tmp_path / "a.h5ad", source) | saved(tmp_path / "b.h5ad", source)
    with pytest.raises(DatamixError, match=r"takes one file, the manifest entry lists a\.h5ad, b\.h5ad"):
        list(read_h5ad(files))


def test_real_gut_cells(real_data):
    (path,) = real_data.rglob("scp1884.h5ad")
    options = read_manifest(PROJECT).dataset("gut_crohn").options
    (block,) = read_h5ad({path.name: path}, **options)
    expected = ad.read_h5ad(path)
    assert block.shape == (1020, 18708)
    assert (block.X != expected.X).nnz == 0
    assert block.obs["cell_type"].nunique() == 68
