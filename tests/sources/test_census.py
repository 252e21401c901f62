import importlib.util

import pytest
from layouts import ensembl_ids, sctab_obs, simulate_counts, write_sctab, write_sctab_genes

from datamix.errors import DatamixError
from datamix.sources.census import read_census


@pytest.mark.skipif(importlib.util.find_spec("cellxgene_census") is not None, reason="cellxgene_census is installed")
def test_missing_package_is_said(tmp_path):
    """All that can be tested without the package and the network; the reader itself was never run."""
    write_sctab(tmp_path / "cells.h5ad", simulate_counts(10, 4), sctab_obs(10))
    write_sctab_genes(tmp_path / "adata_var.csv", ensembl_ids(4), list("ABCD"))
    files = {name: tmp_path / name for name in ("cells.h5ad", "adata_var.csv")}
    with pytest.raises(DatamixError, match=r"needs the package cellxgene_census.*\n.*pip install cellxgene-census"):
        next(read_census(files, cells=["cells.h5ad"]))
