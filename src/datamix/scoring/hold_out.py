"""Cell types that a model has not seen: leave one type out of the baseline, train again, and score that type (ours)."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from datamix.corpora.corpus import read_corpus, read_rows
from datamix.corpora.evaluation_sets import read_evaluation
from datamix.corpora.genes import read_genes
from datamix.corpora.mixtures import BASELINE, CONTROL, draw_corpora
from datamix.corpora.normalise import log_normalised
from datamix.ldvae import model as ldvae
from datamix.ldvae import training as ldvae_training
from datamix.ldvae.stacked_training import drop_counts
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout
from datamix.project.tables import write_table
from datamix.scoring import reconstruction
from datamix.sources.formats.cell_labels import NOT_LABELLED

MOST_TYPES = 4
"""Types that are left out, the most frequent among evaluation cells: each takes a training of its own."""

LEAST_CELLS = 20
"""A type is left out where the baseline and the evaluation set have so many cells of it."""

_SPACE_CELLS = 5_000
_COMPONENTS = 20


def hold_out(layout: Layout, baseline: str, *, seed: int, say: Callable[[str], None] = print) -> None:
    """Train the baseline without one cell type, for several types, and score the cells of that type.

    What is left out is replaced by cells of other types from the second half of the corpus, so that a model sees fewer
    types, not fewer cells. Written is `scores/held_out/<baseline>-seed<seed>.parquet`, a row a (held_out, evaluation,
    cell): `held_out` (the type left out; "" for the whole baseline, scored on all evaluation cells), `evaluation`,
    `cell`, `cell_type`, `donor`, `r`, `r2`, and `distance` from the mean of the cell's type in that evaluation set to
    the mean of the nearest type in training, `nearest` (log1p counts per 10,000, in the space of `training_space`).

    Parameters
    ----------
    layout
        The profile and its folders; the baseline model of this seed must have been trained.
    baseline
        A name in the profile's baselines.
    seed
        Seeds draws, training and posterior sample, as everywhere.
    say
        Called with a line of progress a type.

    Raises
    ------
    DatamixError
        If the second half has too few cells of other types.
    """
    profile = layout.profile
    dataset = profile.baselines[baseline].dataset
    genes = pd.Index(read_genes(layout)["gene"])
    blocks = draw_corpora(layout, baseline, seed=seed, say=say)
    rows, spare = (np.concatenate([part.rows for part in blocks[block]]) for block in (BASELINE, CONTROL))
    types = read_corpus(layout.corpus(dataset), backed=True).obs["cell_type"].astype(str).to_numpy()
    evaluations = {
        name: reconstruction.align(read_evaluation(layout, name, seed=profile.seeds[0]), genes)
        for name in profile.evaluations
    }
    healthy = [name for name, e in profile.evaluations.items() if e.group == "non-disease"]
    models = {"": ldvae.load(layout.model(baseline, seed, baseline))}
    for left_out in types_to_hold_out(
        types[rows], types[spare], [evaluations[name].obs["cell_type"] for name in healthy]
    ):
        chosen = without_type(rows, spare, types, left_out)
        counts = read_rows(layout.corpus(dataset), chosen, genes.to_numpy())
        cells = AnnData(counts, obs=pd.DataFrame(index=pd.RangeIndex(len(chosen)).astype(str)))
        cells.var_names = genes
        models[left_out] = ldvae_training.train(cells, seed=seed, settings=profile.training)
        drop_counts(models[left_out])
        say(f"hold out {profile.name}, {baseline} baseline, seed {seed}: without {left_out}")
    centre = training_space(read_rows(layout.corpus(dataset), rows[:_SPACE_CELLS], genes.to_numpy()), seed=seed)
    training = _means(centre(read_rows(layout.corpus(dataset), rows, genes.to_numpy())), types[rows])
    tables = []
    for name, cells in evaluations.items():
        own = cells.obs["cell_type"].astype(str)
        means = _means(centre(sp.csr_matrix(cells.X)), own.to_numpy())
        # A type is only left out of the training of the model that is asked about it.
        asked = {held: model for held, model in models.items() if held == "" or (name in healthy and held in set(own))}
        scores = reconstruction.score(asked, cells, n_top_genes=profile.scoring.n_top_genes, seed=seed)
        scores = scores.rename(columns={"model": "held_out"}).assign(evaluation=name)
        scores = scores[(scores["held_out"] == "") | (scores["held_out"] == scores["cell_type"])]
        pairs = scores[["held_out", "cell_type"]].drop_duplicates()
        near = [nearest(means[t], {k: v for k, v in training.items() if k != h}) for h, t in pairs.to_numpy()]
        found = pairs.assign(nearest=[n for n, _ in near], distance=[d for _, d in near])
        tables.append(scores.merge(found, on=["held_out", "cell_type"], validate="many_to_one"))
    columns = ["held_out", "evaluation", "cell", "cell_type", "donor", "r", "r2", "nearest", "distance"]
    write_table(pd.concat(tables, ignore_index=True)[columns], layout.held_out_of(baseline, seed))


def types_to_hold_out(
    training: npt.NDArray[np.str_], spare: npt.NDArray[np.str_], evaluation: list[pd.Series]
) -> list[str]:
    """Choose the types to leave out: frequent in training and in evaluation, and not too frequent to be replaced.

    Parameters
    ----------
    training
        Types of the baseline's cells.
    spare
        Types of the cells that can take their place.
    evaluation
        Types of the cells of each evaluation set that may hold them.

    Returns
    -------
    Up to `MOST_TYPES` types, the most frequent in evaluation first.
    """
    in_training = pd.Series(training).value_counts()
    others = {name: int((spare != name).sum()) for name in in_training.index}
    possible = {n for n, cells in in_training.items() if n != NOT_LABELLED and LEAST_CELLS <= cells <= others[n]}
    in_evaluation = pd.Series([t for cells in evaluation for t in cells.astype(str)], dtype=object).value_counts()
    return [str(t) for t, n in in_evaluation.items() if t in possible and n >= LEAST_CELLS][:MOST_TYPES]


def without_type(
    rows: npt.NDArray[np.int64], spare: npt.NDArray[np.int64], types: npt.NDArray[np.str_], left_out: str
) -> npt.NDArray[np.int64]:
    """Replace the cells of one type by spare cells of other types.

    Parameters
    ----------
    rows, spare
        Rows of a corpus: the cells, and others to take from, in the order in which they were drawn.
    types
        Type of every row of the corpus.
    left_out
        The type.

    Returns
    -------
    As many rows as `rows`, none of that type.

    Raises
    ------
    DatamixError
        If there are too few spare cells.
    """
    kept = rows[types[rows] != left_out]
    others = spare[types[spare] != left_out][: len(rows) - len(kept)]
    if len(kept) + len(others) < len(rows):
        msg = f"Without {left_out!r}, {len(rows) - len(kept):,} cells are to be replaced; {len(others):,} are spare."
        raise DatamixError(msg, fix="lower `cells` in the profile")
    return np.concatenate([kept, others])


def training_space(counts: sp.csr_matrix, *, seed: int) -> Callable[[sp.csr_matrix], npt.NDArray[np.float64]]:
    """Fit a space on training cells only: the leading principal components of log1p counts per 10,000.

    Parameters
    ----------
    counts
        Raw counts of training cells, CSR, (n_cells, n_genes).
    seed
        Starts the solver.

    Returns
    -------
    A function from raw counts over the same genes to coordinates (n_cells, 20 or fewer).
    """
    from sklearn.decomposition import PCA

    components = min(_COMPONENTS, min(counts.shape) - 1)
    space = PCA(components, svd_solver="arpack", random_state=seed).fit(log_normalised(counts))
    return lambda others: np.asarray(space.transform(log_normalised(others)), dtype=np.float64)


def nearest(mean: npt.NDArray[np.float64], training: dict[str, npt.NDArray[np.float64]]) -> tuple[str, float]:
    """Find the training type whose mean is nearest to a type's mean: its name, and the Euclidean distance."""
    distances = {name: float(np.linalg.norm(mean - other)) for name, other in training.items()}
    name = min(distances, key=lambda key: distances[key])
    return name, distances[name]


def _means(positions: npt.NDArray[np.float64], types: npt.NDArray[np.str_]) -> dict[str, npt.NDArray[np.float64]]:
    return {str(t): positions[types == t].mean(axis=0) for t in np.unique(types)}
