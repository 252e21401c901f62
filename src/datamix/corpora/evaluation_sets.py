"""Which cells an evaluation set holds: of the wanted cell types, and drawn where the profile says how many."""

import logging

import numpy as np
from anndata import AnnData

from datamix.corpora.corpus import read_corpus, read_obs
from datamix.corpora.genes import cells_without, read_genes
from datamix.corpora.mixtures import Part
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout

log = logging.getLogger(__name__)
LEAST_CELLS = 2
"""With one cell, no gene varies."""


def evaluation_rows(layout: Layout, name: str, *, seed: int) -> Part:
    """Choose the cells of an evaluation set, without reading counts.

    Parameters
    ----------
    layout
        The profile and its folders; the corpus must have been prepared.
    name
        A name in the profile's evaluations.
    seed
        Seeds the draw, where the profile draws.

    Returns
    -------
    The corpus and its rows, ascending.

    Raises
    ------
    DatamixError
        If the corpus lacks a cell type that the profile asks for, or has fewer cells than it draws.
    """
    evaluation = layout.profile.evaluations[name]
    obs = read_obs(layout.corpus(evaluation.dataset))
    edit = f"edit `evaluations.{name}` in config/{layout.profile.name}.yaml"
    rows = np.arange(len(obs))
    if evaluation.cell_types is not None:
        found = obs["cell_type"].astype(str)
        absent = [t for t in evaluation.cell_types if t not in set(found)]
        if absent:
            msg = (
                f"Evaluation set {name!r} asks for cell type {', '.join(map(repr, absent))}; "
                f"{evaluation.dataset} has: {', '.join(sorted(set(found)))}."
            )
            raise DatamixError(msg, fix=edit)
        rows = np.flatnonzero(found.isin(evaluation.cell_types))
    if evaluation.cells is not None:
        if evaluation.cells > len(rows):
            msg = f"Evaluation set {name!r} draws {evaluation.cells:,} cells; {len(rows):,} are there after QC."
            raise DatamixError(msg, fix=edit)
        rows = rows[np.sort(np.random.default_rng(seed).choice(len(rows), evaluation.cells, replace=False))]
    if len(rows) < LEAST_CELLS:
        msg = (
            f"Evaluation set {name!r} has {len(rows)} cell{'' if len(rows) == 1 else 's'} after QC, of {len(obs):,} in "
            f"its corpus. Cells are compared on the genes that vary most in their set, so it needs {LEAST_CELLS}."
        )
        raise DatamixError(msg, fix=f"give it more cells or leave it out: {edit}")
    return Part(evaluation.dataset, rows)


def read_evaluation(layout: Layout, name: str, *, seed: int) -> AnnData:
    """Read the cells that `evaluation_rows` chooses, raw counts over all genes of their corpus.

    Cells without a count of the genes that the training corpora share are left out, and counted in the log: a model can
    say nothing of them.
    """
    part = evaluation_rows(layout, name, seed=seed)
    path = layout.corpus(part.dataset)
    empty = np.intersect1d(part.rows, cells_without(path, read_genes(layout)["gene"].to_numpy()))
    if len(empty):
        some = f"{len(empty):,} of {len(part.rows):,}"
        log.warning("%s: %s cells have none of the shared genes and are left out.", name, some)
    return read_corpus(path)[np.setdiff1d(part.rows, empty)].copy()
