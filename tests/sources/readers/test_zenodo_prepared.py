import numpy as np
import pytest
from layouts import ensembl_ids, rename_column, sctab_obs, simulate_counts, together, truncate, write_prepared

from datamix.project.errors import DatamixError
from datamix.sources.readers.zenodo_prepared import read_prepared, read_prepared_genes

COUNTS = simulate_counts(40, 9)
GENES = [ensembl_ids(9)[i] for i in np.random.default_rng(3).permutation(9)]
SYMBOLS = [f"S{i}" for i in range(9)]
OBS = sctab_obs(40).assign(dataset=["scTabBlood_subset1"] * 25 + ["CCAHematologic"] * 15)


@pytest.fixture
def path(tmp_path):
    return write_prepared(tmp_path / "prepared.h5ad", COUNTS, OBS, GENES, SYMBOLS)


def read(path, **options):
    return together(list(read_prepared({"prepared.h5ad": path}, **options)))


def test_cells_and_genes(path):
    counts, obs, var = read(path, block_cells=7)
    assert (counts == COUNTS).all()
    assert obs["soma_joinid"].tolist() == OBS["soma_joinid"].tolist()
    assert obs["donor"].tolist() == OBS["donor_id"].tolist()
    assert obs["dataset"].tolist() == OBS["dataset_id"].tolist()
    assert obs.index.tolist() == [str(i) for i in range(40)]
    assert var["symbol"].tolist() == SYMBOLS
    assert read_prepared_genes({"prepared.h5ad": path}).tolist() == GENES


def test_blocks_of_a_mixture_are_told_apart(path):
    _, obs, _ = read(path)
    assert obs["block"].tolist() == OBS["dataset"].tolist()


def test_without_the_columns_of_sctab(tmp_path):
    path = write_prepared(tmp_path / "p.h5ad", COUNTS, OBS[["cell_type"]], GENES, SYMBOLS)
    rename_column(path, "var", "feature_name", "other")
    _, obs, var = read(path)
    assert list(obs) == ["cell_type"]
    assert var.shape == (9, 0)


def test_wrong_files(path):
    with pytest.raises(
        DatamixError, match=r"prepared\.h5ad: var index has 'S0', which is no Ensembl id without version"
    ):
        read(write_prepared(path, COUNTS, OBS, SYMBOLS, SYMBOLS))
    with pytest.raises(DatamixError, match=r"prepared\.h5ad: X: cell '0' has .* of gene 'ENSG.*raw counts"):
        read(write_prepared(path, np.log1p(COUNTS), OBS, GENES, SYMBOLS))
    with pytest.raises(DatamixError, match=r"prepared\.h5ad cannot be read"):
        read(truncate(path))
