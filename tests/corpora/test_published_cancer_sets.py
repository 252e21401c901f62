"""SCC and AML as the published scripts choose and measure their cells, replayed with anndata and scanpy alone.

The replay knows the files only: all studies of a folder that have UMI counts directly in their own, joined on the genes
that all have; malignant cells of one; genes whose symbol has an id (for SCC in a training file, for AML in scTab's
table); QC on what is left.
"""

import shutil
import tarfile
from pathlib import Path

import anndata as ad
import layouts
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import yaml
from scipy.io import mmread
from small_project import read_entries, write_manifest, write_project

from datamix.corpora.fetch import fetch
from datamix.corpora.prepare import prepare
from datamix.project.errors import DatamixError
from datamix.project.manifest import read_manifest
from datamix.project.profile_files import read_profile

ENTRIES = yaml.safe_load((Path(__file__).parents[2] / "data_manifest.yaml").read_text())["datasets"]
GENES = layouts.ensembl_ids(300)
SYMBOLS = [f"MT-{i}" if i < 13 else f"GENE{i}" for i in range(300)]
IN_SCTAB, IN_TRAINING = slice(0, 290), slice(5, 240)
SETS = {"cancer_scc": ("Ji2020", "Skin"), "cancer_aml": ("Galen2019", "Hematologic")}
pytestmark = pytest.mark.filterwarnings("ignore:.* names are not unique")


def counts(n, *, seed):
    """Of cells on both sides of both thresholds."""
    rng = np.random.default_rng(seed)
    rates = np.full((n, 300), 6.0) * rng.uniform(0.5, 1.2, (n, 1))
    rates[:, :13] *= rng.uniform(0.5, 4.0, (n, 1))
    return rng.poisson(rates)


def write_folder(folder, study, tissue):
    """Four studies: the set's own, one on fewer genes in another order, one in parts and one without UMI counts."""
    rng = np.random.default_rng(7)
    cells = pd.DataFrame({"cell_name": [str(i % 90) for i in range(120)], "sample": "s", "complexity": 500})
    cells["cell_type"] = np.where(np.arange(120) % 4 < 3, "Malignant", "T_cell")
    order = rng.permutation(300)
    own = [SYMBOLS[i] for i in order[:-1]] + ["GENE100"]  # one symbol stands twice
    layouts.write_3ca_study(folder, counts(120, seed=1)[:, order], own, cells, study=study, tissue=tissue)
    fewer = rng.permutation(np.setdiff1d(np.arange(300), [2, 3, *range(150, 190)]))
    for name, given in (
        ("Other2021", {}),
        ("Parts2022", {"part": "A"}),
        ("Tpm2020", {"matrix_name": "Exp_data_TPM.mtx"}),
    ):
        kept = fewer if name == "Other2021" else fewer[:40]
        layouts.write_3ca_study(
            folder,
            counts(50, seed=2)[:, kept],
            [SYMBOLS[i] for i in kept],
            cells[:50],
            study=name,
            tissue=tissue,
            **given,
        )


@pytest.fixture
def root(tmp_path):
    """The manifest's own entries, their files, and one training set on fewer genes."""
    for dataset, (study, tissue) in SETS.items():
        write_folder(tmp_path / "raw" / dataset, study, tissue)
        put(tmp_path, dataset)
    rng = np.random.default_rng(0)
    training = ad.AnnData(
        rng.poisson(8.0, (20, 235)).astype(np.float32),
        obs=pd.DataFrame({"type": "B", "who": "donor 1"}, index=[f"cell{i}" for i in range(20)], dtype=object),
        var=pd.DataFrame({"symbol": SYMBOLS[IN_TRAINING]}, index=GENES[IN_TRAINING]),
    )
    write_project(tmp_path, {"training": training})
    layouts.write_sctab_genes(tmp_path / "adata_var.csv", GENES[IN_SCTAB], SYMBOLS[IN_SCTAB])
    for dataset in (*SETS, "genes_sctab"):
        (tmp_path / "data" / dataset).mkdir(exist_ok=True)
        shutil.copy(tmp_path / "adata_var.csv", tmp_path / "data" / dataset)
    write_manifest(tmp_path, read_entries(tmp_path) | {d: ENTRIES[d] for d in (*SETS, "genes_sctab")})
    return tmp_path


def put(root, dataset):
    """Put the folder where the manifest wants it, as a tar whose content is not known yet."""
    folder = root / "data" / dataset
    shutil.rmtree(folder, ignore_errors=True)
    (root / "data" / "pins.lock.json").unlink(missing_ok=True)
    folder.mkdir(parents=True)
    name = "3CA_skin.tar" if dataset == "cancer_scc" else "3CA_hematologic.tar"
    with tarfile.open(folder / name, "w") as packed:
        for study in sorted((root / "raw" / dataset).iterdir()):
            packed.add(study, study.name)


def made(root, dataset, protocol, *, after=("training",)):
    """Prepare a set, after the training corpora, as `datamix prepare` does."""
    profile = read_profile(str(root / "config" / "tiny.yaml")).model_copy(update={"protocol": protocol})
    manifest = read_manifest(root)
    fetch(dataset, manifest.dataset(dataset), root=root)
    for wanted in (*after, dataset):
        path = prepare(wanted, profile=profile, manifest=manifest, root=root, say=lambda _: None)
    return ad.read_h5ad(path)


def replay(folder, study, ids):
    """Join, choose, name and measure: `ids` maps the symbols that have one."""
    parts = []
    for one in sorted(folder.iterdir()):
        if not (one / "Exp_data_UMIcounts.mtx").exists():
            continue
        symbols = pd.read_csv(one / "Genes.txt", header=None, sep="\t")[0]
        obs = pd.read_csv(one / "Cells.csv", dtype={"cell_name": str}).assign(study=one.name.split("_")[1])
        part = ad.AnnData(mmread(one / "Exp_data_UMIcounts.mtx").T.tocsr(), obs=obs.set_axis(obs.index.astype(str)))
        part.var_names = symbols.astype(str).tolist()
        part.var_names_make_unique()
        parts.append(part)
    cells = ad.concat(parts, join="inner")
    cells = cells[(cells.obs["study"] == study) & (cells.obs["cell_type"] == "Malignant")]
    cells = cells[:, cells.var_names.isin(list(ids))].copy()
    cells.var["mt"] = cells.var_names.str.startswith("MT-")
    sc.pp.calculate_qc_metrics(cells, qc_vars=["mt"], percent_top=None, log1p=False, inplace=True)
    cells = cells[(cells.obs["total_counts"] > 1000) & (cells.obs["pct_counts_mt"] < 10)].copy()
    cells.var_names = [ids[symbol] for symbol in cells.var_names]
    return cells


def known(dataset):
    genes = IN_TRAINING if dataset == "cancer_scc" else IN_SCTAB
    return dict(zip(SYMBOLS[genes], GENES[genes], strict=True))


def assert_same(corpus, expected):
    names = [name.rsplit(":", 1)[1] for name in corpus.obs_names]
    assert [name.partition("-")[0] for name in names] == expected.obs["cell_name"].tolist()
    assert set(corpus.var_names) == set(expected.var_names)
    np.testing.assert_array_equal(corpus.X.toarray(), expected[:, corpus.var_names].X.toarray())
    np.testing.assert_array_equal(corpus.obs["total_counts"], expected.obs["total_counts"])
    np.testing.assert_allclose(corpus.obs["mito_fraction"] * 100, expected.obs["pct_counts_mt"], rtol=1e-5)


@pytest.mark.parametrize("dataset", SETS)
def test_published_sets_are_those_of_the_scripts(root, dataset):
    """faults 14 and 15."""
    expected = replay(root / "raw" / dataset, SETS[dataset][0], known(dataset))
    assert 10 < expected.n_obs < 80
    assert_same(made(root, dataset, "published"), expected)


@pytest.mark.parametrize("dataset", SETS)
def test_other_studies_decide_only_as_published(root, dataset):
    before = {protocol: made(root, dataset, protocol) for protocol in ("published", "corrected")}
    other = root / "raw" / dataset / f"Data_Other2021_{SETS[dataset][1]}"
    shutil.rmtree(other)
    put(root, dataset)
    shutil.copy(root / "adata_var.csv", root / "data" / dataset)
    after = {protocol: made(root, dataset, protocol) for protocol in before}
    assert set(before["published"].obs_names) != set(after["published"].obs_names)
    assert before["published"].n_vars < after["published"].n_vars
    assert_same(after["published"], replay(other.parent, SETS[dataset][0], known(dataset)))
    pd.testing.assert_frame_equal(before["corrected"].obs, after["corrected"].obs)
    assert before["corrected"].var_names.tolist() == after["corrected"].var_names.tolist()


@pytest.mark.parametrize("dataset", SETS)
def test_corrected_sets_are_measured_on_all_genes_of_their_study(root, dataset):
    study, tissue = SETS[dataset]
    alone = root / "alone"
    shutil.copytree(root / "raw" / dataset / f"Data_{study}_{tissue}", alone / f"Data_{study}_{tissue}")
    every = {symbol: symbol for symbol in (*SYMBOLS, "GENE100-1")}
    expected = replay(alone, study, every)
    corpus = made(root, dataset, "corrected")
    np.testing.assert_array_equal(corpus.obs["total_counts"], expected.obs["total_counts"])
    np.testing.assert_allclose(corpus.obs["mito_fraction"] * 100, expected.obs["pct_counts_mt"], rtol=1e-5)
    assert corpus.n_obs > made(root, dataset, "published").n_obs


def test_published_scc_comes_after_the_training_corpora(root):
    with pytest.raises(DatamixError, match=r"training\.h5ad"):
        made(root, "cancer_scc", "published", after=())
    assert made(root, "cancer_scc", "corrected", after=()).n_obs > 10
