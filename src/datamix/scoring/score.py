"""Score every model of a baseline and seed on every evaluation set, and put the scores into one table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

from datamix.corpora.evaluation_sets import read_evaluation
from datamix.corpora.genes import read_genes
from datamix.corpora.mixtures import mixtures_of
from datamix.corpora.normalise import log_normalised
from datamix.ldvae import model as ldvae
from datamix.ldvae.grid import Say, mean_profile_file
from datamix.project.layout import Layout
from datamix.project.tables import write_table
from datamix.scoring import reconstruction
from datamix.scoring.posterior import Decoder


def score_baseline(layout: Layout, baseline: str, *, seed: int, say: Say = print) -> Path:
    """Score every model of a baseline and seed on every evaluation set.

    Parameters
    ----------
    layout
        The profile and its folders; the models must have been trained.
    baseline
        A name in the profile's baselines.
    seed
        Chooses the models of that seed (see `Profile.model_seed`), and seeds the posterior sample.
    say
        Called with a line of progress an evaluation set.

    Returns
    -------
    A parquet file, a row a (mixture, evaluation, cell); columns as in `datamix.scoring.reconstruction.score`, and
    `r_profile`, the correlation of the cell with the mean profile of the training mixture (no model at all).
    """
    trained = layout.profile.model_seed(seed)
    folders = {m.name: layout.model(baseline, trained, m.name) for m in mixtures_of(layout, baseline)}
    about = f"score {layout.profile.name}, {baseline} baseline, seed {seed}"
    scores = score_models(layout, folders, seed=seed, say=lambda line: say(f"{about}: {line}"))
    scores.insert(0, "baseline", baseline)
    first = ["baseline", "mixture", "seed", "evaluation", "cell", "cell_type", "donor"]
    scores = scores[first + [c for c in scores if c not in first]]
    return write_table(scores, layout.scores_of(baseline, seed))


def score_models(layout: Layout, folders: Mapping[str, Path], *, seed: int, say: Say = print) -> pd.DataFrame:
    """Score models on every evaluation set of a profile.

    Parameters
    ----------
    layout
        The profile and its folders.
    folders
        Mixture → the folder of its model, beside which its mean profile lies (`datamix.ldvae.grid`).
    seed
        Seeds the posterior sample, and the cells of evaluation sets that are drawn.
    say
        Called with a line of progress an evaluation set.

    Returns
    -------
    A row a (mixture, evaluation, cell): `mixture`, `seed`, columns as in `datamix.scoring.reconstruction.score`,
    `r_profile`, and `evaluation`.
    """
    genes = pd.Index(read_genes(layout)["gene"])
    models = {name: ldvae.load(folder) for name, folder in folders.items()}
    profiles = pd.DataFrame(
        {name: pd.read_parquet(mean_profile_file(f.parent, name))["mean"] for name, f in folders.items()}
    )
    tables = []
    for name, evaluation in layout.profile.evaluations.items():
        cells = reconstruction.align(read_evaluation(layout, name, seed=seed), genes)
        variable = reconstruction.variable_genes(cells, layout.profile.scoring.n_top_genes)
        table = reconstruction.score(models, cells, variable=variable, seed=seed)
        simple = reconstruction.mean_profile_scores(profiles, cells, variable=variable)
        simple_scores = simple[["model", "cell", "r"]].rename(columns={"r": "r_profile"})
        table = table.merge(simple_scores, on=["model", "cell"], validate="one_to_one")
        tables.append(table.assign(evaluation=name))
        say(f"{evaluation.label}, {cells.n_obs:,} cells")
    scores = pd.concat(tables, ignore_index=True).rename(columns={"model": "mixture"})
    scores.insert(1, "seed", seed)
    return scores


def predict_cell(
    layout: Layout, baseline: str, *, seed: int, evaluation: str, cell: str, mixtures: Sequence[str]
) -> pd.DataFrame:
    """Predict one evaluation cell gene by gene, from the same posterior sample as its score.

    Parameters
    ----------
    layout, baseline, seed
        As in `score_baseline`.
    evaluation, cell
        The evaluation set and the name of the cell in it.
    mixtures
        The models to ask.

    Returns
    -------
    A row a (mixture, gene), for the most variable genes of the evaluation set: `evaluation`, `cell`, `mixture`, `gene`,
    `symbol`, `observed` and `predicted` (both log1p of counts per 10,000), and `r2` of the cell.
    """
    genes = read_genes(layout)
    cells = reconstruction.align(read_evaluation(layout, evaluation, seed=seed), pd.Index(genes["gene"]))
    variable = reconstruction.variable_genes(cells, layout.profile.scoring.n_top_genes)
    chosen = np.flatnonzero(cells.var_names.isin(variable))
    row = cells.obs_names.get_loc(cell)
    observed = log_normalised(sp.csr_matrix(cells.X)[row])[:, chosen].toarray()[0]
    tables = []
    for mixture in mixtures:
        model = ldvae.load(layout.model(baseline, layout.profile.model_seed(seed), mixture))
        z = reconstruction.sample_latent(model, cells, seed=seed)[[row]]
        with torch.inference_mode():
            predicted = Decoder(model, chosen)(torch.from_numpy(z)).numpy()[0]
        table = genes.iloc[chosen].assign(observed=observed, predicted=predicted)
        table["r2"] = np.corrcoef(observed, predicted)[0, 1] ** 2
        tables.append(table.assign(evaluation=evaluation, cell=cell, mixture=mixture))
    return pd.concat(tables, ignore_index=True)


def collect_scores(layout: Layout) -> Path:
    """Put the scores of all baselines and seeds into one table, `scores/reconstruction.parquet`."""
    profile = layout.profile
    paths = [layout.scores_of(b, s) for b in profile.baselines for s in profile.seeds]
    scores = pd.concat([pd.read_parquet(p).astype({"seed": "int64"}) for p in paths], ignore_index=True)
    return write_table(scores, layout.scores)
