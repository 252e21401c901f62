import functools
import hashlib
import os
import re
import subprocess
import sys
from importlib.resources import files

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.sources.formats.gmt import read_gmt
from datamix.sources.simulator.reader import programmes, programmes_in, simulated, write_gmt

TRAINING = ["blood", "bone_marrow", "blood_cancer", "k562", "jurkat", "tf_atlas", "atlas"]
EVALUATION = ["eval_blood", "eval_bone_marrow", "eval_aml", "eval_scc", "eval_neurons"]
NEURONAL = ("neuronal", "excitatory_neuron", "inhibitory_neuron")
NEUROGENIC = [
    *("ASCL1", "DLX2", "DLX5", "INSM1", "MYT1L", "NEUROD1", "NEUROD2"),
    *("NEUROD4", "NEUROG1", "NEUROG2", "ATOH1", "POU3F2"),
]

# Typed from Ensembl, independently of the table in the package.
KNOWN_IDS = {
    "ACTB": "ENSG00000075624",
    "GAPDH": "ENSG00000111640",
    "B2M": "ENSG00000166710",
    "CD3E": "ENSG00000198851",
    "MS4A1": "ENSG00000156738",
    "CD14": "ENSG00000170458",
    "CD34": "ENSG00000174059",
    "HBB": "ENSG00000244734",
    "GATA1": "ENSG00000102145",
    "MPO": "ENSG00000005381",
    "KRT5": "ENSG00000186081",
    "SNAP25": "ENSG00000132639",
    "POU5F1": "ENSG00000204531",
    "MYC": "ENSG00000136997",
    "TP63": "ENSG00000073282",
}
MITOCHONDRIAL_IDS = {
    "MT-ND1": "ENSG00000198888",
    "MT-ND2": "ENSG00000198763",
    "MT-CO1": "ENSG00000198804",
    "MT-CO2": "ENSG00000198712",
    "MT-ATP8": "ENSG00000228253",
    "MT-ATP6": "ENSG00000198899",
    "MT-CO3": "ENSG00000198938",
    "MT-ND3": "ENSG00000198840",
    "MT-ND4L": "ENSG00000212907",
    "MT-ND4": "ENSG00000198886",
    "MT-ND5": "ENSG00000198786",
    "MT-ND6": "ENSG00000198695",
    "MT-CYB": "ENSG00000198727",
}


def draw(corpus, cells=100, **options):
    return ad.concat(list(simulated({}, corpus=corpus, cells=cells, **options)), merge="same")


@functools.cache
def some(corpus):
    """300 cells of a corpus, drawn once; not to be changed."""
    return draw(corpus, 300)


def digest(adata):
    return hashlib.sha256(
        adata.X.data.tobytes() + adata.X.indices.tobytes() + adata.obs.to_csv().encode() + adata.var.to_csv().encode()
    ).hexdigest()


def mean_share(adata, symbols):
    """Mean over cells of the counts per 10,000 of each of these genes."""
    x = adata.X.toarray()
    shares = 1e4 * x / x.sum(axis=1, keepdims=True)
    return pd.Series(shares.mean(axis=0), index=adata.var["symbol"])[list(symbols)]


@pytest.fixture(scope="module")
def tf_atlas():
    return draw("tf_atlas", 700)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    first = draw("blood", 40)
    assert digest(first) == digest(draw("blood", 40))
    assert digest(first) != digest(draw("blood", 40, seed=1))
    # Seeds and corpora differ in their cells, not only in their donors.
    order = [list(draw(corpus, 40, seed=seed).obs["cell_type"]) for corpus, seed in (("blood", 1), ("eval_blood", 0))]
    assert list(first.obs["cell_type"]) not in order


def test_another_process_with_another_hash_seed_gives_the_same_cells():
    code = (
        "import hashlib; from datamix.sources.simulator.reader import simulated;"
        "x = next(simulated({}, corpus='blood_cancer', cells=30)).X;"
        "print(hashlib.sha256(x.data.tobytes() + x.indices.tobytes()).hexdigest())"
    )
    x = draw("blood_cancer", 30).X
    expected = hashlib.sha256(x.data.tobytes() + x.indices.tobytes()).hexdigest()
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == expected


def test_blocks_skip_and_number_of_cells_do_not_change_the_cells():
    whole = draw("bone_marrow", 100)
    blocks = list(simulated({}, corpus="bone_marrow", cells=100, block_cells=30))
    assert [b.n_obs for b in blocks] == [30, 30, 30, 10]
    assert digest(ad.concat(blocks, merge="same")) == digest(whole)
    rest = list(simulated({}, corpus="bone_marrow", cells=100, block_cells=30, skip=2))
    assert [digest(b) for b in rest] == [digest(b) for b in blocks[2:]]
    assert list(simulated({}, corpus="bone_marrow", cells=100, block_cells=30, skip=4)) == []
    assert digest(draw("bone_marrow", 25)) == digest(whole[:25].copy())


@pytest.mark.parametrize("corpus", TRAINING + EVALUATION)
def test_every_corpus_is_raw_counts_on_the_same_genes(corpus):
    adata = some(corpus)
    assert adata.shape[0] == 300
    assert isinstance(adata.X, sparse.csr_matrix)
    assert adata.X.dtype == np.float32
    assert adata.X.data.min() >= 1  # nothing negative, no zero stored
    assert (adata.X.data == np.round(adata.X.data)).all()
    assert adata.obs_names.is_unique
    assert adata.var_names.is_unique
    assert adata.var["symbol"].is_unique
    assert adata.var.equals(some("blood").var)
    assert {"cell_type", "donor", "dataset"} <= set(adata.obs)
    assert not adata.obs.isna().any().any()


@pytest.mark.parametrize("corpus", TRAINING + EVALUATION)
def test_counts_look_like_10x(corpus):
    adata = some(corpus)
    total = np.asarray(adata.X.sum(axis=1)).ravel()
    mito = adata.var["symbol"].str.startswith("MT-").to_numpy()
    mito_fraction = np.asarray(adata.X[:, mito].sum(axis=1)).ravel() / total
    assert 0.7 < 1 - adata.X.nnz / np.prod(adata.shape) < 0.9
    assert 2500 < np.median(total) < 6000
    # The published thresholds remove some cells, and only some.
    kept = (total > 1000) & (mito_fraction < 0.1)
    assert 0.8 < kept.mean() < 1
    assert 0.2 < np.log(total[kept]).std() < 0.8
    # No gene swallows the counts.
    assert adata.X.sum(axis=0).max() < 0.1 * total.sum()


def test_counts_are_overdispersed():
    # Within one kind of cell and donor, housekeeping genes vary more than Poisson counts of the same share would.
    adata = draw("blood", 800)
    adata = adata[(adata.obs["cell_type"] == "CD4 T cell") & (adata.obs["donor"] == "blood_donor1")]
    total = np.asarray(adata.X.sum(axis=1)).ravel()
    x = adata[:, adata.var["symbol"].isin(["ACTB", "GAPDH", "TMSB4X", "EEF2", "HLA-A", "PFN1"])].X.toarray()
    expected = x.sum(axis=0) / total.sum() * total[:, None]
    assert len(x) > 20
    assert ((x - expected) ** 2 / expected).mean() > 1.3


def test_known_genes_have_their_ensembl_ids():
    var = some("blood").var
    ids = dict(zip(var["symbol"], var.index, strict=True))
    assert {s: ids[s] for s in KNOWN_IDS} == KNOWN_IDS
    assert {s: i for s, i in ids.items() if s.startswith("MT-")} == MITOCHONDRIAL_IDS


def test_artificial_genes_cannot_be_taken_for_real_ones():
    var = some("blood").var
    real = var.index.str.fullmatch(r"ENSG\d{11}")
    assert 150 <= real.sum() < len(var)
    assert 1800 < len(var) < 2400
    assert var.index[~real].str.fullmatch(r"SIMG\d{10}").all()
    assert var["symbol"][~real].str.fullmatch(r"SIM\d{4}").all()
    assert not var["symbol"][real].str.match(r"SIM\d").any()
    assert len(real) - real.sum() == var.index.str.startswith("SIMG").sum()


def test_every_marker_belongs_to_a_programme_or_is_on_everywhere():
    with (files("datamix.sources.simulator") / "simulated_genes.csv").open(encoding="utf-8") as file:
        table = pd.read_csv(file)
    named = {name for text in table["programmes"] for name in text.split()}
    assert named == set(programmes()) | {"housekeeping", "mitochondrial"}
    sets = programmes()
    for symbol, text in zip(table["symbol"], table["programmes"], strict=True):
        assert {name for name, genes in sets.items() if symbol in genes} == set(text.split()) - {
            "housekeeping",
            "mitochondrial",
        }


def test_donors_and_tumour_studies_of_the_evaluation_sets_are_in_no_training_corpus():
    training = pd.concat([some(c).obs for c in TRAINING])
    evaluation = pd.concat([some(c).obs for c in EVALUATION])
    assert not set(training["donor"]) & set(evaluation["donor"])
    assert not set(training["dataset"]) & set(evaluation["dataset"])
    assert training.loc[training["cell_type"] == "Malignant", "dataset"].nunique() >= 3
    assert some("blood").obs["donor"].nunique() >= 4


@pytest.mark.parametrize(
    ("corpus", "target", "raised"), [("k562", "HSPA5", "unfolded_protein"), ("jurkat", "PSMB5", "stress")]
)
def test_a_knocked_down_gene_is_lower_and_its_pathway_shifts(corpus, target, raised):
    adata = draw(corpus, 900)
    hit, untouched = (adata[adata.obs["target"] == t] for t in (target, "non-targeting"))
    assert hit.n_obs > 10
    assert adata.obs["target"].nunique() > 30
    assert mean_share(hit, [target]).item() < 0.4 * mean_share(untouched, [target]).item()
    others = [g for g in programmes()[raised] if g != target]
    assert mean_share(hit, others).sum() > 1.5 * mean_share(untouched, others).sum()


def test_programmes_raise_their_genes_where_they_are_active_and_nowhere_else():
    adata = draw("blood", 600)
    sets = programmes()
    lineages = {"CD4 T cell": "t_cell", "B cell": "b_cell", "NK cell": "nk_cell", "monocyte": "monocyte"}
    genes_of_one = {
        name: [g for g in sets[name] if sum(g in other for other in sets.values()) == 1] for name in lineages.values()
    }
    for cell_type, name in lineages.items():
        inside = mean_share(adata[adata.obs["cell_type"] == cell_type], genes_of_one[name])
        for other in set(lineages) - {cell_type}:
            outside = mean_share(adata[adata.obs["cell_type"] == other], genes_of_one[name])
            assert (inside > outside).mean() > 0.9
            assert inside.sum() > 5 * outside.sum()


def test_neuronal_programmes_are_in_neurons_and_in_the_tf_atlas_but_not_in_blood_or_atlas(tf_atlas):
    markers = ["SNAP25", "SYT1", "STMN2", "MAP2", "GAP43"]
    neurons = mean_share(some("eval_neurons"), markers).sum()
    for corpus in ("blood", "blood_cancer", "atlas", "bone_marrow"):
        assert mean_share(some(corpus), markers).sum() < 0.1 * neurons
        assert not set(NEURONAL) & programmes_in(corpus)
    induced = tf_atlas[tf_atlas.obs["TF"].isin(["ASCL1", "NEUROD1", "NEUROG2"])]
    control = tf_atlas[tf_atlas.obs["TF"] == "mCherry"]
    assert mean_share(induced, markers).sum() > 5 * mean_share(control, markers).sum()
    assert mean_share(induced, ["POU5F1", "LIN28A"]).sum() < mean_share(control, ["POU5F1", "LIN28A"]).sum()
    assert set(NEURONAL) <= programmes_in("tf_atlas")
    assert set(NEURONAL) <= programmes_in("eval_neurons")


def test_a_transcription_factor_is_itself_overexpressed(tf_atlas):
    control = tf_atlas[tf_atlas.obs["TF"] == "mCherry"]
    for factor in ("SPI1", "GATA1", "RUNX1", "MYOD1"):
        induced = tf_atlas[tf_atlas.obs["TF"] == factor]
        assert mean_share(induced, [factor]).item() > 5 * mean_share(control, [factor]).item()


def test_programmes_in_tells_what_training_and_evaluation_share():
    assert {"t_cell", "b_cell", "nk_cell", "monocyte", "cytotoxic"} <= programmes_in("blood")
    # Mature cells keep part of their parents' programmes, and of their grandparents' too little to count.
    assert {"clp", "gmp"} <= programmes_in("blood")
    assert {"esc", "hsc", "mpp"} & programmes_in("blood") == set()
    assert {"hsc", "mpp", "cmp", "mep", "erythroid"} <= programmes_in("bone_marrow")
    shared = programmes_in("eval_aml") & programmes_in("blood_cancer")
    assert {"oncogenic", "leukaemic"} <= shared
    assert "malignant_aml" in programmes_in("eval_aml")
    assert not any("malignant_aml" in programmes_in(corpus) for corpus in TRAINING)
    assert all(programmes_in(corpus) <= set(programmes()) for corpus in TRAINING + EVALUATION)


def test_without_removes_that_programme_and_nothing_else(tf_atlas):
    reduced = draw("tf_atlas", 700, without=NEURONAL)
    assert reduced.obs.equals(tf_atlas.obs)
    neurogenic = tf_atlas.obs["TF"].isin(NEUROGENIC).to_numpy()
    assert 50 < neurogenic.sum() < 350
    # Cells that never had the programme stay as they were, to the last count.
    assert (reduced[~neurogenic].X != tf_atlas[~neurogenic].X).nnz == 0
    sets = programmes()
    off = {gene for name in NEURONAL for gene in sets[name]}
    before, after = tf_atlas[neurogenic], reduced[neurogenic]
    genes = [g for g in sets["neuronal"] if sum(g in other for other in sets.values()) == 1 and g not in NEUROGENIC]
    in_any = {gene for members in sets.values() for gene in members}
    steady = [s for s in tf_atlas.var["symbol"] if s not in in_any and not s.startswith("MT-")]

    def level(adata):
        """Against genes that are on everywhere: shares of all counts shift when a programme falls away."""
        return mean_share(adata, genes).sum() / mean_share(adata, steady).sum()

    elsewhere = level(tf_atlas[~neurogenic])
    assert level(before) > 5 * elsewhere
    assert level(after) == pytest.approx(elsewhere, rel=0.15)
    # The other genes keep their proportions among themselves.
    others = [s for s in tf_atlas.var["symbol"] if s not in off]
    old, new = mean_share(before, others), mean_share(after, others)
    frequent = old > 5
    change = np.log(new[frequent] / new.sum()) - np.log(old[frequent] / old.sum())
    assert frequent.sum() > 50
    assert change.abs().median() < 0.1
    assert abs(change.mean()) < 0.05


def test_donors_differ_and_cells_of_one_donor_agree_more():
    adata = draw("blood", 1200)
    adata = adata[adata.obs["cell_type"] == "CD4 T cell"]
    frequent = adata.var["symbol"][np.asarray(adata.X.mean(axis=0)).ravel() > 3]

    def profile(donor, part):
        return np.log(mean_share(adata[adata.obs["donor"] == donor][part::2], frequent))

    within = [np.abs(profile(f"blood_donor{d}", 0) - profile(f"blood_donor{d}", 1)).mean() for d in (1, 2, 3)]
    between = [np.abs(profile(f"blood_donor{d}", 0) - profile(f"blood_donor{d + 1}", 1)).mean() for d in (1, 2, 3)]
    assert np.mean(between) > np.mean(within)


def test_gmt_holds_the_truth(tmp_path):
    path = tmp_path / "truth" / "programmes.gmt"
    write_gmt(path)
    network = read_gmt({"programmes.gmt": path})
    assert network.groupby("source", sort=False)["target"].agg(list).to_dict() == programmes()
    assert min(len(genes) for genes in programmes().values()) >= 15
    first = path.read_bytes()
    write_gmt(path)
    assert path.read_bytes() == first


def test_an_unknown_corpus_names_the_known_ones():
    with pytest.raises(DatamixError, match=r"'bloood'.*blood, bone_marrow, blood_cancer.*eval_neurons") as raised:
        draw("bloood")
    assert "data_manifest.yaml" in str(raised.value)
    with pytest.raises(DatamixError, match="'bloood'"):
        programmes_in("bloood")


def test_an_unknown_programme_names_the_known_ones():
    with pytest.raises(DatamixError, match=r"called neurones; the programmes are esc, hsc.*neuronal"):
        draw("tf_atlas", without=("neurones", "neuronal"))


def test_no_cells_is_refused():
    with pytest.raises(DatamixError, match=re.escape("'blood' is to have 0 cells; expected at least 1")):
        draw("blood", 0)


def test_targets_are_left_out():
    every, some = (only(corpus="k562", cells=150, **o) for o in ({}, {"without_targets": ["non-targeting"]}))
    kept = every.obs["target"] != "non-targeting"
    assert 0 < (~kept).sum() < 60
    assert some.obs_names.tolist() == every.obs_names[kept].tolist()
    assert (some.X != every[kept.to_numpy()].X).nnz == 0


def only(**options):
    (block,) = simulated({}, **options)
    return block
