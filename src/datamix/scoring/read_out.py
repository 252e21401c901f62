"""What Figures 3 and 4 read out of trained models: where each cell lies, and how well each gene is predicted."""

from collections.abc import Callable

import pandas as pd

from datamix.corpora.evaluation_sets import read_evaluation
from datamix.corpora.genes import read_genes
from datamix.corpora.mixtures import mixtures_of
from datamix.ldvae import model as ldvae
from datamix.project.layout import Layout
from datamix.project.tables import write_table
from datamix.scoring import reconstruction
from datamix.scoring.posterior import encode


def read_out(layout: Layout, baseline: str, *, seed: int, say: Callable[[str], None] = print) -> None:
    """Encode every evaluation cell with every model of a baseline and seed, and describe each gene's residuals.

    Two parquet files are written. `latents/<baseline>-seed<seed>.parquet` has a row a (mixture, evaluation, cell):
    `mixture`, `evaluation`, `cell`, `cell_type`, `donor`, and the posterior mean of z, `z_0`, `z_1` ….
    `scores/genes/<baseline>-seed<seed>.parquet` has a row a (mixture, evaluation, gene), as
    `datamix.scoring.reconstruction.gene_statistics` describes it.

    Where the profile draws the cells of an evaluation set, they are those of the profile's first seed for every model:
    latent spaces can be compared on the same cells only.

    Parameters
    ----------
    layout
        The profile and its folders; the models must have been trained.
    baseline
        A name in the profile's baselines.
    seed
        Chooses the models of that seed (see `Profile.model_seed`), and seeds the posterior sample of the residuals.
    say
        Called with a line of progress an evaluation set.
    """
    profile = layout.profile
    genes = pd.Index(read_genes(layout)["gene"])
    trained = profile.model_seed(seed)
    models = {m.name: ldvae.load(layout.model(baseline, trained, m.name)) for m in mixtures_of(layout, baseline)}
    latents, residuals = [], []
    for evaluation in profile.evaluations:
        cells = reconstruction.align(read_evaluation(layout, evaluation, seed=profile.seeds[0]), genes)
        about = cells.obs[["cell_type", "donor"]].astype(str).rename_axis("cell").reset_index()
        variable = reconstruction.variable_genes(cells, profile.scoring.n_top_genes)
        for mixture, model in models.items():
            mean, _ = encode(model, cells)
            latent = pd.DataFrame(mean).add_prefix("z_")
            latents.append(pd.concat([about, latent], axis=1).assign(mixture=mixture, evaluation=evaluation))
            described = reconstruction.gene_statistics(model, cells, variable=variable, seed=seed)
            residuals.append(described.reset_index().assign(mixture=mixture, evaluation=evaluation))
        say(f"read out {profile.name}, {baseline} baseline, seed {seed}: {evaluation}, {cells.n_obs:,} cells")
    for path, tables in (
        (layout.latents_of(baseline, seed), latents),
        (layout.gene_scores_of(baseline, seed), residuals),
    ):
        table = pd.concat(tables, ignore_index=True)
        first = ["mixture", "evaluation"]
        write_table(table[first + [c for c in table if c not in first]], path)
