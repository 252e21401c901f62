import numpy as np
import pandas as pd
import pytest
from small_grid import small_grid

from datamix.corpora.corpus import read_corpus
from datamix.ldvae import model as ldvae
from datamix.project.layout import Layout
from datamix.publishing.results import Results
from datamix.scoring.read_out import read_out


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    layout = small_grid(tmp_path_factory.mktemp("readout"), seeds=(0, 1))
    for seed in (0, 1):
        read_out(layout, "blood", seed=seed, say=str)
    return layout


def test_latents_are_those_of_scvi_tools(layout):
    table = Results("tiny", notebook="n", root=layout.root).latents("blood")
    assert table.groupby(["seed", "mixture", "evaluation"]).ngroups == 2 * 4 * 2
    cells = read_corpus(layout.corpus("e"))
    # Cells were aligned by hand here: the corpus has the models' genes.
    genes = pd.read_csv(layout.genes)["gene"]
    model = ldvae.load(layout.model("blood", 1, "blood+other"), cells[:, genes].copy())
    expected = model.get_latent_representation()
    found = table.query("seed == 1 and mixture == 'blood+other' and evaluation == 'all'").set_index("cell")
    np.testing.assert_allclose(found.loc[cells.obs_names].filter(like="z_"), expected, atol=1e-4)
    assert found.loc[cells.obs_names, "cell_type"].tolist() == cells.obs["cell_type"].astype(str).tolist()


def test_drawn_cells_are_the_same_for_every_seed(layout):
    table = Results("tiny", notebook="n", root=layout.root).latents("blood")
    some = table[table["evaluation"] == "some"].groupby("seed")["cell"].agg(set)
    assert len(some[0]) == 20
    assert some[0] == some[1]


def test_published_reads_out_the_models_of_the_first_seed(layout, tmp_path):
    """fault 1: whatever the seed, the models of seed 0; its sample of the posterior still has the seed."""
    for name in ("corpora", "models"):
        (tmp_path / "results" / "tiny").mkdir(parents=True, exist_ok=True)
        (tmp_path / "results" / "tiny" / name).symlink_to(layout.folder / name)
    published = Layout(tmp_path, layout.profile.model_copy(update={"protocol": "published"}))
    for seed in (0, 1):
        read_out(published, "blood", seed=seed, say=str)
    tables = [pd.read_parquet(published.latents_of("blood", seed)) for seed in (0, 1)]
    pd.testing.assert_frame_equal(*tables)
    pd.testing.assert_frame_equal(tables[1], pd.read_parquet(layout.latents_of("blood", 0)))
    ours = pd.read_parquet(layout.latents_of("blood", 1))
    assert not np.allclose(tables[1].filter(like="z_"), ours.filter(like="z_"))
    genes = [pd.read_parquet(published.gene_scores_of("blood", seed)) for seed in (0, 1)]
    pd.testing.assert_frame_equal(genes[0], pd.read_parquet(layout.gene_scores_of("blood", 0)))
    assert not genes[1].equals(genes[0])
    assert not genes[1].equals(pd.read_parquet(layout.gene_scores_of("blood", 1)))


def test_residuals_of_genes_explain_the_error(layout):
    table = Results("tiny", notebook="n", root=layout.root).gene_scores("blood")
    assert set(table["mixture"]) == {"blood", "other", "blood+blood", "blood+other"}
    sizes = table.groupby(["seed", "mixture", "evaluation"])["gene"].nunique()
    assert sizes.between(20, 22).all()
    assert (table["residual_variance"] >= 0).all()
    assert (table["explained_variance"].dropna() <= 1).all()


def test_loadings_are_of_every_model(layout):
    loadings = Results("tiny", notebook="n", root=layout.root).loadings("blood")
    assert set(loadings) == {(m, s) for m in ("blood", "other", "blood+blood", "blood+other") for s in (0, 1)}
    assert loadings["blood", 0].shape == (60, 10)
