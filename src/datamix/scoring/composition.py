"""Scores of mixtures by shares: the same scorer, a group of models at a time, and simple models beside them."""

from pathlib import Path

import pandas as pd

from datamix.corpora.evaluation_sets import read_evaluation
from datamix.corpora.genes import read_genes
from datamix.corpora.normalise import align, variable_genes
from datamix.corpora.shares import composition_of, draw_shares
from datamix.ldvae.composition import TURNS, Turn, mixtures_of_turn
from datamix.ldvae.grid import Say, training_cells
from datamix.project.layout import Layout
from datamix.project.tables import write_table
from datamix.scoring.kinds import LDVAE
from datamix.scoring.score import score_models
from datamix.scoring.simple_models import fit_simple_models, score_predictions

MODELS_TOGETHER = 32
"""Models held in memory at a time."""
_COLUMNS = ["model", "mixture", "seed", "evaluation", "cell", "cell_type", "donor", "r", "r2"]


def score_turn(layout: Layout, turn: Turn, *, seed: int, say: Say = print) -> Path:
    """Score the mixtures of a round and seed on every evaluation set.

    Parameters
    ----------
    layout
        The profile and its folders; the models must have been trained.
    turn
        The first round or the second.
    seed
        Chooses the models of that seed, and seeds the posterior sample.
    say
        Called with a line of progress a group of models.

    Returns
    -------
    A parquet file, a row a (model, mixture, evaluation, cell): `model` (`ldvae`, or a simple model that the profile
    wants beside it), `mixture`, `seed`, `evaluation`, `cell`, `cell_type`, `donor`, `r`, `r2`.
    """
    profile = layout.profile
    names = mixtures_of_turn(layout, turn)
    models_in = layout.composition_models(turn, seed).with_suffix("")
    wanted = composition_of(profile).simple_models
    parts = draw_shares(layout, names, seed=seed, say=lambda _: None)
    genes = pd.Index(read_genes(layout)["gene"])
    sets = {}
    for name in profile.evaluations if wanted else ():
        cells = align(read_evaluation(layout, name, seed=seed), genes)
        sets[name] = cells, variable_genes(cells, profile.scoring.n_top_genes)
    tables = [pd.DataFrame(columns=_COLUMNS)]
    for start in range(0, len(names), MODELS_TOGETHER):
        group = names[start : start + MODELS_TOGETHER]
        folders = {name: models_in / name for name in group}
        tables.append(score_models(layout, folders, seed=seed, say=lambda _: None).assign(model=LDVAE)[_COLUMNS])
        for mixture in group if wanted else ():
            simple = fit_simple_models(training_cells(layout, parts[mixture]), seed=seed, names=wanted)
            for name, (cells, variable) in sets.items():
                table = score_predictions(simple, cells, variable=variable)
                tables.append(table.assign(mixture=mixture, seed=seed, evaluation=name)[_COLUMNS])
        say(f"score {profile.name}, mixtures by shares, {turn} round, seed {seed}: to {group[-1]}")
    filled = [table for table in tables if len(table)] or tables
    return write_table(pd.concat(filled, ignore_index=True), layout.composition_scores_of(turn, seed))


def collect_composition(layout: Layout) -> Path:
    """Put the scores of both rounds and all seeds into one table, `composition/scores.parquet`."""
    seeds = composition_of(layout.profile).seeds
    tables = [pd.read_parquet(layout.composition_scores_of(turn, seed)) for turn in TURNS for seed in seeds]
    text = [c for c in _COLUMNS if c not in ("seed", "r", "r2")]
    whole = pd.concat([t.astype(dict.fromkeys(text, str)) for t in tables if len(t)], ignore_index=True)
    return write_table(whole.astype({"seed": "int64"}), layout.composition_scores)
