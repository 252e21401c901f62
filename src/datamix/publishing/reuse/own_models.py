"""A reader's own model on the book's cells: the cells to fit it to, and its scores as the book computes its own."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from datamix.corpora.evaluation_sets import read_evaluation
from datamix.corpora.genes import read_genes
from datamix.corpora.mixtures import draw_mixtures
from datamix.corpora.normalise import align, log_normalised, variable_genes
from datamix.ldvae import grid
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout
from datamix.scoring.simple_models import Array, Places, score_predictions


def training_cells(layout: Layout, mixture: str, *, baseline: str, seed: int) -> AnnData:
    """Read the cells of a mixture, log-normalised, with raw counts as a layer: see `Book.training_cells`."""
    drawn = draw_mixtures(layout, baseline, seed=layout.profile.model_seed(seed), say=lambda line: None)
    if mixture not in drawn:
        msg = f"There is no mixture {mixture} on baseline {baseline}; there are {', '.join(drawn)}."
        raise DatamixError(msg, fix="correct the name")
    cells = grid.training_cells(layout, drawn[mixture])
    cells.layers["counts"] = cells.X
    cells.X = log_normalised(sp.csr_matrix(cells.layers["counts"]))
    return cells


def score(layout: Layout, predict: Callable[[np.ndarray], np.ndarray], *, name: str, seed: int) -> pd.DataFrame:
    """Score predictions of all evaluation cells: see `Book.score`."""
    genes = pd.Index(read_genes(layout)["gene"])

    def of_places(counts: sp.csr_matrix, places: Places) -> Array:
        cells = log_normalised(counts).toarray()
        predicted = np.asarray(predict(cells))
        if predicted.shape != cells.shape:
            msg = f"The model predicts {predicted.shape} of {cells.shape} cells × genes; expected the same shape."
            raise DatamixError(msg, fix="predict each cell that is shown, on all genes")
        return predicted[:, places]

    tables = []
    for evaluation in layout.profile.evaluations:
        cells = align(read_evaluation(layout, evaluation, seed=seed), genes)
        variable = variable_genes(cells, layout.profile.scoring.n_top_genes)
        tables.append(score_predictions({name: of_places}, cells, variable=variable).assign(evaluation=evaluation))
    table = pd.concat(tables, ignore_index=True).assign(seed=seed)
    return table[["model", "seed", "evaluation", "cell", "cell_type", "donor", "r", "r2"]]
