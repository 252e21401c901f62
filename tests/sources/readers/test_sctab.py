import zlib

import numpy as np
import pandas as pd
import pytest
from layouts import (
    ensembl_ids,
    rename_column,
    sctab_obs,
    simulate_counts,
    together,
    truncate,
    write_sctab,
    write_sctab_genes,
)

from datamix.project.errors import DatamixError
from datamix.sources.readers.sctab import is_held_out, is_neuron, read_sctab, read_sctab_genes

N, G = 80, 25
COUNTS = simulate_counts(N, G)
OBS = sctab_obs(N)
IDS, SYMBOLS = ensembl_ids(G), [f"GENE{i}" if i else "MT-ND1" for i in range(G)]


@pytest.fixture
def files(tmp_path):
    write_sctab(tmp_path / "train.h5ad", COUNTS, OBS)
    write_sctab_genes(tmp_path / "adata_var.csv", IDS, SYMBOLS)
    return {name: tmp_path / name for name in ("train.h5ad", "adata_var.csv")}


def read(files, **options):
    return together(list(read_sctab(files, **{"cells": ["train.h5ad"], **options})))


def test_blood_of_healthy_donors(files):
    counts, obs, var = read(files, tissue_general="blood", block_cells=9)
    expected = ((OBS["disease"] == "normal") & (OBS["tissue_general"] == "blood")).to_numpy()
    assert (counts == COUNTS[expected]).all()
    assert obs.index.tolist() == OBS["soma_joinid"][expected].astype(str).tolist()
    assert obs["donor"].tolist() == OBS["donor_id"][expected].tolist()
    assert obs["dataset"].tolist() == OBS["dataset_id"][expected].tolist()
    assert var.index.tolist() == IDS
    assert var["symbol"].tolist() == SYMBOLS


@pytest.mark.parametrize("names", ["ensembl", "symbol"])
def test_genes_named_otherwise_and_in_another_order(files, names):
    order = np.random.default_rng(1).permutation(G)[:20]
    known = IDS if names == "ensembl" else SYMBOLS
    write_sctab(files["train.h5ad"], COUNTS[:, order], OBS, var_names=[known[i] for i in order])
    counts, _, var = read(files)
    assert var.index.tolist() == [IDS[i] for i in order]
    assert var["symbol"].tolist() == [SYMBOLS[i] for i in order]
    assert (counts == COUNTS[(OBS["disease"] == "normal").to_numpy()][:, order]).all()


def test_several_files_and_skipping(files, tmp_path):
    other = sctab_obs(30, first_joinid=1000, seed=5)
    write_sctab(tmp_path / "test.h5ad", COUNTS[:30], other)
    files = {**files, "test.h5ad": tmp_path / "test.h5ad"}
    options = {"cells": ["train.h5ad", "test.h5ad"], "block_cells": 11}
    blocks = list(read_sctab(files, **options))
    _, obs, _ = together(blocks)
    healthy = [o["soma_joinid"][o["disease"] == "normal"] for o in (OBS, other)]
    assert obs.index.tolist() == pd.concat(healthy).astype(str).tolist()
    for skip in range(len(blocks) + 1):
        later = list(read_sctab(files, skip=skip, **options))
        assert [b.obs_names.tolist() for b in later] == [b.obs_names.tolist() for b in blocks[skip:]]


def test_cells_for_evaluation_are_left_out(files, tmp_path):
    """fault 4: published compares names, which restart; corrected compares soma_joinid."""
    held_out = OBS.iloc[5:25]
    write_sctab(tmp_path / "val.h5ad", COUNTS[5:25], held_out, obs_names=[str(i) for i in range(3)] + ["x"] * 17)
    files = {**files, "val.h5ad": tmp_path / "val.h5ad"}
    healthy = OBS[OBS["disease"] == "normal"]
    _, corrected, _ = read(files, without_cells_of="val.h5ad")
    expected = healthy[~healthy["soma_joinid"].isin(held_out["soma_joinid"])]
    assert corrected.index.tolist() == expected["soma_joinid"].astype(str).tolist()
    # Published: of the healthy cells named 0, 1 and 2 the first of each goes; the others were renamed 0-1, 0-2, …
    _, published, _ = read(files, without_cells_of="val.h5ad", protocol="published")
    names = pd.Series([str(i % 10) for i in range(N)])[healthy.index]
    gone = names[names.isin(["0", "1", "2"]) & ~names.duplicated()].index
    assert len(gone) == 3
    assert published.index.tolist() == healthy.drop(gone)["soma_joinid"].astype(str).tolist()


def test_donors_and_neurons(files):
    _, obs, _ = read(files, without_donors=["H18.30.002"])
    assert "H18.30.001" in set(obs["donor"])
    assert "H18.30.002" not in set(obs["donor"])
    for protocol, there in (("published", True), ("corrected", False)):  # fault 13
        _, obs, _ = read(files, without_neurons=True, protocol=protocol)
        assert ("neuron" in set(obs["cell_type"])) is there
        assert "astrocyte" in set(obs["cell_type"])


def test_donors_are_on_one_side_only(files):
    """fault 5."""
    obs = OBS.assign(donor_id=[f"donor {i % 30}" for i in range(N)])
    write_sctab(files["train.h5ad"], COUNTS, obs)
    held_out = {name for name in obs["donor_id"] if zlib.crc32(name.encode()) % 5 == 0}
    assert 2 < len(held_out) < 12
    assert set(obs["donor_id"][is_held_out(obs["donor_id"])]) == held_out
    healthy = set(obs["donor_id"][obs["disease"] == "normal"])
    sides = {side: set(read(files, donors=side)[1]["donor"]) for side in ("training", "evaluation")}
    assert sides == {"training": healthy - held_out, "evaluation": healthy & held_out}
    assert set(read(files, donors="evaluation", protocol="published")[1]["donor"]) == healthy


def test_which_cell_types_are_neurons():
    neurons = ["GABAergic neuron", "cerebellar granule cell", "Purkinje cell", "pvalb GABAergic cortical interneuron",
               "amacrine cell", "retinal rod cell"]  # fmt: skip
    others = ["astrocyte", "granulocyte", "granulosa cell", "Mueller cell", "neural crest cell", "rod"]
    assert is_neuron(pd.Series(neurons + others)).tolist() == [True] * 6 + [False] * 6


def test_log_normalised_values(files):
    """fault 3: corrected refuses them, published takes them where the entry says so."""
    totals = COUNTS.sum(axis=1, keepdims=True) + 1
    logs = np.log1p(COUNTS / totals * 1e4)
    write_sctab(files["train.h5ad"], logs, OBS)
    with pytest.raises(DatamixError, match=r"train\.h5ad: X: cell '\d+' has \d+\.\d+ of gene 'ENSG.*raw counts"):
        read(files, log_normalised_if_published=True)
    with pytest.raises(DatamixError, match="raw counts"):
        read(files, protocol="published")
    options = {"cells": ["train.h5ad"], "log_normalised_if_published": True, "protocol": "published"}
    blocks = list(read_sctab(files, **options))
    assert blocks[0].uns["log_normalised"]
    counts, _, _ = together(blocks)
    assert np.allclose(counts, logs[(OBS["disease"] == "normal").to_numpy()])


def test_no_mitochondrial_filter(files):
    """fault 2."""
    _, obs, _ = read(files, no_mito_filter_if_published=True, protocol="published")
    assert (obs["mito_fraction"] == 0).all()
    assert "mito_fraction" not in read(files, no_mito_filter_if_published=True)[1]
    (block,) = read_sctab(files, cells=["train.h5ad"], log_normalised_if_published=True, protocol="published")
    assert "log_normalised" not in block.uns  # counts are taken as what they are


def test_wrong_files(files, tmp_path):
    with pytest.raises(DatamixError, match=r"needs the file 'x\.h5ad'; the manifest entry lists train\.h5ad"):
        read(files, cells=["x.h5ad"])
    with pytest.raises(DatamixError, match=r"no cell is left by the filters.*tissue_general == heart"):
        read(files, tissue_general="heart")
    write_sctab_genes(tmp_path / "adata_var.csv", IDS[:-1], SYMBOLS[:-1])
    with pytest.raises(DatamixError, match=r"has 25 genes named by position, the table adata_var\.csv 24"):
        read(files)
    write_sctab_genes(tmp_path / "adata_var.csv", IDS, SYMBOLS)
    write_sctab(files["train.h5ad"], COUNTS, OBS, var_names=[*IDS[:-1], "ENSG00000099999"])
    with pytest.raises(DatamixError, match=r"1 of 25 genes are not in adata_var\.csv: ENSG00000099999"):
        read(files)
    write_sctab(files["train.h5ad"], COUNTS, OBS.assign(soma_joinid=7))
    with pytest.raises(DatamixError, match="'soma_joinid' has 7 twice"):
        read(files)


def test_wrong_column_and_truncated_file(files):
    rename_column(files["train.h5ad"], "obs", "tissue_general", "tissue_name")
    with pytest.raises(DatamixError, match=r"train\.h5ad: obs has no column 'tissue_general'"):
        read(files)
    truncate(files["train.h5ad"])
    with pytest.raises(DatamixError, match=r"train\.h5ad cannot be read"):
        read(files)


def test_gene_table(files, tmp_path):
    assert read_sctab_genes(files["adata_var.csv"]).to_numpy().tolist() == [
        list(p) for p in zip(IDS, SYMBOLS, strict=True)
    ]
    path = tmp_path / "other.csv"
    pd.DataFrame({"feature_id": IDS, "name": SYMBOLS}).to_csv(path)
    with pytest.raises(DatamixError, match=r"other\.csv has no column 'feature_name'; it has .*feature_id, name"):
        read_sctab_genes(path)
    write_sctab_genes(path, [*IDS[:-1], "ENSG00000000001.3"], SYMBOLS)
    with pytest.raises(
        DatamixError, match=r"feature_id 'ENSG00000000001\.3' is not an Ensembl gene id without version"
    ):
        read_sctab_genes(path)
