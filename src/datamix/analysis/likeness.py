"""Other looks at the latent spaces of mixtures: measures of likeness that treat both alike, and UMAP layouts."""

import warnings

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from datamix.analysis.latent_spaces import dimensions, linear_cka, neighbour_overlap, procrustes, spaces_of_models
from datamix.corpora.mixtures import Mixture

NEIGHBOURS = 15
"""Nearest neighbours that are compared, and that UMAP lays out by; fewer where there are few cells."""

EPOCHS = 200
"""Of a UMAP layout: umap-learn's number for many cells; for few it takes 500, more than a first look needs."""

SHUFFLES = 20
"""Shuffles of the cells, for the neighbour overlap by chance."""

SEED = 0
"""Decides which cells are laid out, and their layout."""


def similarity(latents: pd.DataFrame, mixtures: list[Mixture]) -> pd.DataFrame:
    """Compare the baseline's latent space with that of each mixture by other measures of likeness.

    Parameters
    ----------
    latents
        As in `compare_mixtures`.
    mixtures
        The mixtures on one baseline.

    Returns
    -------
    A row a (evaluation, mixture), the baseline with itself trained again included: `cka`, `procrustes`, `neighbours`,
    each averaged over pairs of different seeds; `neighbours_chance`, what is expected by chance, and
    `neighbours_null_high`, the largest of the shuffles; `k`, the neighbours compared, fewer than `NEIGHBOURS` where an
    evaluation set has fewer than four times as many cells.
    """
    baseline = mixtures[0].baseline
    names = [m.name for m in mixtures if m.group != "alone"]
    rows = []
    for evaluation, table in latents.groupby("evaluation", sort=False):
        spaces = spaces_of_models(table)
        cells = len(next(iter(spaces.values())))
        near = max(1, min(NEIGHBOURS, cells // 4))
        seeds = sorted({s for _, s in spaces})
        for name in names:
            found = []
            for i, j in ((i, j) for i in seeds for j in seeds if i != j):
                x, y = spaces[baseline, i], spaces[name, j]
                overlap, null = neighbour_overlap(x, y, k=near, permutations=SHUFFLES)
                found.append((linear_cka(x, y), procrustes(x, y), overlap, null.max(initial=0)))
            cka, rotated, overlap, null_high = np.array(found).T
            rows.append(
                {
                    "evaluation": evaluation,
                    "mixture": name,
                    "cka": cka.mean(),
                    "procrustes": rotated.mean(),
                    "neighbours": overlap.mean(),
                    "neighbours_chance": near / (cells - 1),
                    "neighbours_null_high": null_high.max(),
                    "k": near,
                }
            )
    return pd.DataFrame(rows)


def umap_positions(latents: pd.DataFrame, mixtures: list[str], *, cells: int = 500) -> pd.DataFrame:
    """Lay evaluation cells out in two dimensions as a few models place them, each model on its own.

    Parameters
    ----------
    latents
        A row a (mixture, evaluation, cell) of one seed, of one evaluation set or several, with `z_0`, `z_1` ….
    mixtures
        The models.
    cells
        Cells in all, as many of each evaluation set where there are so many.

    Returns
    -------
    A row a (mixture, cell): `mixture`, `evaluation`, `cell`, `cell_type`, `x`, `y`. Distances in such a layout are not
    to be read as distances in the latent space; UMAP is for a look only.

    References
    ----------
    McInnes et al. 2018, doi:10.21105/joss.00861.
    """
    columns = dimensions(latents)
    one = latents[latents["mixture"] == mixtures[0]]
    share = cells // one["evaluation"].nunique()
    chosen = pd.concat([part.sample(min(share, len(part)), random_state=SEED) for _, part in one.groupby("evaluation")])
    tables, keys = [], ["evaluation", "cell"]
    for mixture in mixtures:
        # By evaluation set too, since two sets may hold the same cell.
        is_chosen = pd.MultiIndex.from_frame(latents[keys]).isin(pd.MultiIndex.from_frame(chosen[keys]))
        part = latents[(latents["mixture"] == mixture) & is_chosen]
        near = max(2, min(NEIGHBOURS, len(part) // 4))
        layout = _lay_out(part[columns].to_numpy(), near)
        about = part[["mixture", "evaluation", "cell", "cell_type"]].reset_index(drop=True)
        tables.append(about.assign(x=layout[:, 0], y=layout[:, 1]))
    return pd.concat(tables, ignore_index=True)


def _lay_out(space: np.ndarray, near: int) -> np.ndarray:
    """Lay cells out by UMAP, (n_cells, 2); neighbours found by scikit-learn, for which nothing has to be compiled."""
    import umap

    distances, neighbours = NearestNeighbors(n_neighbors=near).fit(space).kneighbors(space)
    lay_out = umap.UMAP(
        n_neighbors=near,
        precomputed_knn=(neighbours, distances),
        force_approximation_algorithm=True,  # or the neighbours of few cells would be looked for again
        n_epochs=EPOCHS,
        random_state=SEED,
        n_jobs=1,
    )
    with warnings.catch_warnings():
        # New cells could not be placed in such a layout; none are.
        warnings.filterwarnings("ignore", message=r"precomputed_knn\[2\]")
        return np.asarray(lay_out.fit_transform(space))
