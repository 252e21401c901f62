"""What stands beside each R²: simple models of the same training cells, held-out molecules, and each cell's ceiling."""

import pandas as pd

from datamix.corpora.evaluation_sets import read_evaluation
from datamix.corpora.genes import read_genes
from datamix.corpora.mixtures import draw_mixtures
from datamix.corpora.normalise import align, variable_genes
from datamix.ldvae import model as ldvae
from datamix.ldvae.grid import Say, training_cells
from datamix.project.layout import Layout
from datamix.project.tables import write_table
from datamix.scoring import reconstruction
from datamix.scoring.held_out_molecules import ceilings, split_molecules
from datamix.scoring.kinds import LDVAE
from datamix.scoring.simple_models import fit_simple_models, score_predictions


def measure_yardsticks(layout: Layout, baseline: str, *, seed: int, say: Say = print) -> None:
    """Score simple models beside each LDVAE of a baseline and seed, on whole cells and on held-out molecules.

    Written is `scores/yardsticks/<baseline>-seed<seed>.parquet`, a row a (mixture, model, evaluation, cell):
    `baseline`, `mixture`, `seed`, `model` (`ldvae`, or one of `datamix.scoring.kinds.SIMPLE_MODELS`),
    `evaluation`, `cell`, `cell_type`, `donor`; `r`, `r2` of the whole cell, `r2_held_out` of one half of its molecules
    predicted from the other; and of the cell alone `reliability` and `ceiling` (`held_out_molecules.ceilings`).

    Parameters
    ----------
    layout
        The profile and its folders; the models must have been trained and scored.
    baseline
        A name in the profile's baselines.
    seed
        Chooses the models of that seed (see `Profile.model_seed`), and seeds split and posterior sample.
    say
        Called with a line of progress a mixture.
    """
    profile = layout.profile
    genes = pd.Index(read_genes(layout)["gene"])
    trained = profile.model_seed(seed)
    whole = pd.read_parquet(layout.scores_of(baseline, seed), columns=["mixture", "evaluation", "cell", "r", "r2"])
    whole = whole.astype({"mixture": str, "evaluation": str}).assign(model=LDVAE)
    sets, limits = {}, []
    for name in profile.evaluations:
        cells = align(read_evaluation(layout, name, seed=seed), genes)
        variable = variable_genes(cells, profile.scoring.n_top_genes)
        sets[name] = cells, variable, *split_molecules(cells, seed=seed)
        limits.append(ceilings(cells, variable=variable, seed=seed).reset_index().assign(evaluation=name))
    tables = []
    # One mixture at a time, so that its training cells are held once, and no others.
    for number, (mixture, parts) in enumerate(draw_mixtures(layout, baseline, seed=trained).items(), start=1):
        simple = fit_simple_models(training_cells(layout, parts), seed=seed)
        models = {LDVAE: ldvae.load(layout.model(baseline, trained, mixture))}
        for name, (cells, variable, shown, other) in sets.items():
            of_whole = score_predictions(simple, cells, variable=variable)[["model", "cell", "r", "r2"]]
            own = whole[(whole["mixture"] == mixture) & (whole["evaluation"] == name)]
            halves = [
                score_predictions(simple, shown, variable=variable, target=other),
                reconstruction.score(models, shown, variable=variable, compared_with=other, seed=seed),
            ]
            held_out = pd.concat(halves, ignore_index=True)[["model", "cell", "cell_type", "donor", "r2"]]
            table = held_out.rename(columns={"r2": "r2_held_out"}).merge(
                pd.concat([of_whole, own[["model", "cell", "r", "r2"]]]), on=["model", "cell"], validate="one_to_one"
            )
            tables.append(table.assign(baseline=baseline, mixture=mixture, seed=seed, evaluation=name))
        say(f"yardsticks {profile.name}, {baseline} baseline, seed {seed}: {number}, {mixture}")
    scores = pd.concat(tables, ignore_index=True).merge(
        pd.concat(limits, ignore_index=True), on=["evaluation", "cell"], validate="many_to_one"
    )
    first = [
        "baseline",
        "mixture",
        "seed",
        "model",
        "evaluation",
        "cell",
        "cell_type",
        "donor",
        "r",
        "r2",
        "r2_held_out",
    ]
    write_table(scores[[*first, "reliability", "ceiling"]], layout.yardsticks_of(baseline, seed))
