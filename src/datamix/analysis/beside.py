"""R² beside that of simple models, and as a part of what a cell of its depth allows."""

import pandas as pd

from datamix.scoring.kinds import LDVAE, SIMPLE_MODELS


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


def beside_each(yardsticks: pd.DataFrame) -> pd.DataFrame:
    """Put what stands beside each LDVAE into a row: the same training cells, the same measure.

    Returns
    -------
    A row a (evaluation, mixture): the median R² of each simple model of the mixture's cells, `simple_mean`,
    `simple_pca`, `simple_nmf` and `simple_nearest`; the `ceiling`, and the `share` of it that the LDVAE reaches.
    """
    table = summarise_yardsticks(yardsticks)
    keys = ["evaluation", "mixture"]
    simple = table[table["model"].isin(SIMPLE_MODELS)].pivot(index=keys, columns="model", values="r2")
    own = table[table["model"] == LDVAE].set_index(keys)[["ceiling", "share"]]
    return own.join(simple.add_prefix("simple_")).reset_index()


def simple_models_in_words(table: pd.DataFrame) -> str:
    """Say whether simple models describe the cells better than the LDVAEs of the same training cells.

    Parameters
    ----------
    table
        As `summarise_yardsticks` gives it.

    Returns
    -------
    A sentence on the ten components and the ten factors together, and the number of pairs behind it.
    """
    r2 = table.pivot(index=["evaluation", "mixture"], columns="model", values="r2")
    above = {name: int((r2[name] > r2[LDVAE]).sum()) for name in ("pca", "nmf")}
    pairs = len(r2)
    if all(count > pairs / 2 for count in above.values()):
        said = "Ten principal components and ten non-negative factors describe these cells better than the LDVAE"
    elif all(count < pairs / 2 for count in above.values()):
        said = "The LDVAE describes these cells better than ten principal components and ten non-negative factors"
    else:
        said = "Neither the LDVAE nor the simple models describe these cells better throughout"
    return (
        f"{said}: of {pairs} pairs of a mixture and an evaluation set, the components have the higher median R² in "
        f"{above['pca']}, the factors in {above['nmf']}."
    )
