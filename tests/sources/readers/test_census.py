import importlib.util
import sys
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from layouts import ensembl_ids, sctab_obs, simulate_counts, together, write_sctab, write_sctab_genes
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.sources.readers.census import read_census
from datamix.sources.readers.sctab import is_held_out, read_sctab

N, G, RELEASE = 60, 8, "2023-05-15"
IDS = ensembl_ids(G)
OBS = sctab_obs(N, first_joinid=500)
COUNTS = simulate_counts(N, G)


class Census:
    """The cells and genes of a small census: more than the scTab files have, in another order of genes."""

    def __init__(self):
        strangers = sctab_obs(15, first_joinid=2000, seed=3)
        self.obs = pd.concat([OBS, strangers]).sort_values("soma_joinid", ignore_index=True)
        genes = ["ENSG99999999999", *IDS[::-1]]
        self.var = pd.DataFrame({"soma_joinid": np.arange(len(genes)), "feature_id": genes, "feature_name": genes})
        by_joinid = dict(zip(OBS["soma_joinid"], COUNTS, strict=True))
        rows = [by_joinid.get(i, np.ones(G)) for i in self.obs["soma_joinid"]]
        self.counts = np.array([[7, *row[::-1]] for row in rows])
        self.asked = []


def _install(monkeypatch, census):
    module = ModuleType("cellxgene_census")

    @contextmanager
    def open_soma(*, census_version="stable"):
        assert census_version == RELEASE
        read = SimpleNamespace(concat=lambda: SimpleNamespace(to_pandas=census.var.copy))
        measurement = SimpleNamespace(var=SimpleNamespace(read=lambda: read))
        experiment = SimpleNamespace(ms={"RNA": measurement})
        yield {"census_data": {"homo_sapiens": experiment}}

    def get_anndata(opened, organism, measurement_name="RNA", X_name="raw", *, obs_coords, var_coords):
        assert "census_data" in opened
        assert (organism, measurement_name, X_name) == ("Homo sapiens", "RNA", "raw")
        census.asked.append(len(obs_coords))
        # Coordinates only choose: rows come by soma_joinid, and ids that there are none of are passed over.
        cells, genes = (np.flatnonzero(t["soma_joinid"].isin(c)) for t, c in
                        ((census.obs, obs_coords), (census.var, var_coords)))  # fmt: skip
        obs = census.obs.iloc[cells].reset_index(drop=True).rename(index=str)
        var = census.var.iloc[genes].reset_index(drop=True).rename(index=str)
        text = obs.select_dtypes("object").columns
        counts = sparse.csr_matrix(census.counts[np.ix_(cells, genes)], dtype=np.float32)
        return ad.AnnData(counts, obs=obs.astype(dict.fromkeys(text, "category")), var=var)

    module.open_soma, module.get_anndata = open_soma, get_anndata
    monkeypatch.setitem(sys.modules, "cellxgene_census", module)


@pytest.fixture
def census(monkeypatch):
    """A stand-in for the package `cellxgene_census`, which needs the network.

    It has the two calls that the reader makes, with the parameters and columns of the package's documentation
    (`open_soma`, `get_anndata`, version 1.17) and gives real AnnData, cells in the order of `soma_joinid` as SOMA does.
    """
    census = Census()
    _install(monkeypatch, census)
    return census


@pytest.fixture
def files(tmp_path):
    """The counts in the file are not counts: only its columns are read."""
    write_sctab(tmp_path / "cells.h5ad", np.log1p(COUNTS), OBS)
    write_sctab_genes(tmp_path / "adata_var.csv", IDS, [f"S{i}" for i in range(G)])
    return {name: tmp_path / name for name in ("cells.h5ad", "adata_var.csv")}


def read(files, **options):
    return list(read_census(files, **{"cells": ["cells.h5ad"], "donors": None, "block_cells": 11, **options}))


def test_raw_counts_in_the_order_of_the_file_and_the_gene_table(census, files):
    """Stand-in: the blocks are those that scTab's reader gives of a file with raw counts."""
    blocks = read(files)
    counts, obs, var = together(blocks)  # CSR, float32
    kept = (OBS["disease"] == "normal").to_numpy()
    assert not OBS["soma_joinid"][kept].is_monotonic_increasing
    assert obs.index.tolist() == OBS["soma_joinid"][kept].astype(str).tolist()
    assert (counts == COUNTS[kept]).all()
    assert census.asked == [len(block) for block in blocks]
    assert max(census.asked) == 11

    raw = write_sctab(files["cells.h5ad"].with_name("raw.h5ad"), COUNTS, OBS)
    expected = together(list(read_sctab(files | {"raw.h5ad": raw}, cells=["raw.h5ad"])))
    assert (counts == expected[0]).all()
    pd.testing.assert_frame_equal(obs, expected[1][obs.columns])
    assert list(obs.columns) == ["cell_type", "donor", "dataset", "assay"]
    pd.testing.assert_frame_equal(var, expected[2])


def test_skipping_and_donors(census, files):
    """Stand-in: later blocks are those of a whole reading; donors are left out under the corrected protocol only."""
    blocks = read(files)
    later = read(files, skip=2)
    assert [b.obs_names.tolist() for b in later] == [b.obs_names.tolist() for b in blocks[2:]]
    assert blocks[0].uns["cells_in_all"] == (OBS["disease"] == "normal").sum()
    donors = OBS["donor_id"][OBS["disease"] == "normal"]
    for side in ("training", "evaluation"):
        found = [b.obs["donor"] for b in read(files, donors=side)]
        assert sum(map(len, found)) == (is_held_out(donors) == (side == "evaluation")).sum() > 0
        assert sum(map(len, (b.obs for b in read(files, donors=side, protocol="published")))) == len(donors)


def test_cell_that_the_census_lacks(census, files):
    """Stand-in: SOMA gives fewer cells without a word; the reader names the missing one."""
    gone = int(OBS["soma_joinid"][OBS["disease"] == "normal"].iloc[12])
    keep = (census.obs["soma_joinid"] != gone).to_numpy()
    census.obs, census.counts = census.obs[keep].reset_index(drop=True), census.counts[keep]
    message = rf"CELLxGENE Census {RELEASE} lacks 1 cell of scTab: {gone}\.\n.*scTab files, unchanged"
    with pytest.raises(DatamixError, match=message):
        read(files)


def test_gene_that_the_census_lacks(census, files):
    """Stand-in: found before any count is read."""
    census.var.loc[3, "feature_id"] = "ENSG88888888888"
    gone = IDS[::-1][2]
    with pytest.raises(DatamixError, match=rf"CELLxGENE Census {RELEASE} lacks 1 gene of scTab: {gone}\."):
        read(files)
    assert census.asked == []


def test_values_that_are_no_counts(census, files):
    """Stand-in: a layer other than `raw` would be noticed."""
    census.counts = census.counts / 3
    with pytest.raises(DatamixError, match=rf"CELLxGENE Census {RELEASE}: cell '\d+' has .*expected raw counts"):
        read(files)


@pytest.mark.skipif(importlib.util.find_spec("cellxgene_census") is not None, reason="cellxgene_census is installed")
def test_missing_package_is_said(files):
    with pytest.raises(DatamixError, match=r"needs the package cellxgene_census.*\n.*pip install cellxgene-census"):
        read(files)
