"""R² beside that of simple models, and as a part of what a cell of its depth allows."""

import pandas as pd


def summarise_yardsticks(yardsticks: pd.DataFrame) -> pd.DataFrame:
    """Summarise the scores of all kinds of model.

    Parameters
    ----------
    yardsticks
        A row a (mixture, seed, model, evaluation, cell), as `datamix.scoring.yardsticks` writes it.

    Returns
    -------
    A row a (evaluation, mixture, model), in order of first appearance: medians over cells, averaged over seeds, of
    `r2`, `r2_held_out`, `reliability`, `ceiling`, and of `share`, the part of its ceiling that each cell's R² reaches.
    """
    keys = ["evaluation", "mixture", "model"]
    measures = ["r2", "r2_held_out", "reliability", "ceiling", "share"]
    share = (yardsticks["r2"] / yardsticks["ceiling"]).where(yardsticks["ceiling"] > 0)
    of_seeds = yardsticks.assign(share=share).groupby([*keys, "seed"], sort=False, observed=True)[measures].median()
    return of_seeds.groupby(level=keys, sort=False, observed=True).mean().reset_index()
