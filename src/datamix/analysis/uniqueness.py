"""Embedding uniqueness of all mixtures, with intervals over cells and seeds, beside the seed-to-seed band (ours)."""

from collections.abc import Mapping
from itertools import permutations

import numpy as np
import numpy.typing as npt
import pandas as pd

from datamix.analysis.latent_spaces import linear_cka, neighbour_overlap, procrustes, unpredicted
from datamix.corpora.mixtures import Mixture
from datamix.project.errors import NotInProfileError
from datamix.project.mixture_names import read_name

Array = npt.NDArray[np.floating]
Model = tuple[str, int]
"""A mixture and a seed."""

_RESAMPLES_AT_A_TIME = 50


def compare_mixtures(
    latents: pd.DataFrame, *, controls: Mapping[str, str] | None = None, resamples: int = 500, seed: int = 0
) -> pd.DataFrame:
    """Measure the uniqueness of each mixture's latent space, given each other one's.

    Two mixtures are compared through models of different seeds only, as a mixture is with itself: models of the same
    seed start from the same weights and share cells of the baseline, which would make mixtures look alike.

    Parameters
    ----------
    latents
        A row a (seed, mixture, evaluation, cell), with `z_0`, `z_1` …; two seeds or more, the same cells in all.
    controls
        The control that each mixture is held against, by name, as `datamix.corpora.mixtures.controls_of` gives it;
        without it, the published one for all.
    resamples
        Bootstrap draws, over cells and pairs of seeds, the same cells for every pair of models.
    seed
        Decides the bootstrap.

    Returns
    -------
    A row a (evaluation, known, new), the diagonal (a mixture and itself) included:

    - `uniqueness`: the share of the latent space of `new` that `known` does not predict, averaged over pairs of seeds;
      `low`, `high`, its 95 % interval;
    - `band_low`, `band_high`: the smallest and the largest uniqueness between two seeds of `known`, or of `new`;
    - `beyond`: how far `uniqueness` lies above `band_high`; `beyond_low`, `beyond_high`, its 95 % interval, cell by
      cell paired;
    - `differs`: whether `beyond_low` is above zero. A difference within the band is called none;
    - `over_control`, `over_control_low`, `over_control_high`: `uniqueness` less that of `control` (the baseline
      with as many more of its own cells) given `known`; NaN where there is none;
    - `seeds`, `cells`.

    Raises
    ------
    NotInProfileError
        If there is one seed only: without a second training there is nothing to hold a difference against.
    """
    seeds = sorted(latents["seed"].unique())
    if len(seeds) < 2:
        msg = "Latent spaces are compared with those of the same mixture trained again; this profile has one seed."
        raise NotInProfileError(msg, fix="give the profile two seeds or more")
    names = latents["mixture"].unique().tolist()
    if controls is None:
        published = next((n for n in names if (name := read_name(n)).added == name.first and name.cells is None), None)
        controls = dict.fromkeys(names, published) if published else {}
    pairs = list(permutations(seeds, 2))
    tables = []
    for evaluation, table in latents.groupby("evaluation", sort=False):
        spaces = _spaces(table)
        # Row 0 is what was measured, the others are resampled.
        drawn = _resample(spaces, names, pairs, resamples=resamples, seed=seed)
        which = np.random.default_rng(seed).integers(len(pairs), size=(resamples, len(pairs)))
        which = np.vstack([np.arange(len(pairs)), which])
        mean = {key: np.take_along_axis(values, which, axis=1).mean(axis=1) for key, values in drawn.items()}
        cells = len(next(iter(spaces.values())))
        for known, new in drawn:
            both = np.hstack([drawn[known, known], drawn[new, new]])
            beyond = mean[known, new] - both.max(axis=1)
            control = controls.get(new)
            over = mean[known, new] - mean[known, control] if control else np.full(resamples + 1, np.nan)
            row = {
                "evaluation": evaluation,
                "known": known,
                "new": new,
                **_interval("uniqueness", mean[known, new]),
                "band_low": both[0].min(),
                "band_high": both[0].max(),
                **_interval("beyond", beyond),
                **_interval("over_control", over),
                "control": control,
            }
            tables.append(row | {"differs": row["beyond_low"] > 0, "seeds": len(seeds), "cells": cells})
    found = pd.DataFrame(tables)
    return found.rename(columns={"uniqueness_low": "low", "uniqueness_high": "high"})


def what_is_added(comparison: pd.DataFrame, mixtures: list[Mixture]) -> pd.DataFrame:
    """Keep what baseline + added set has and the baseline has not, and the reverse.

    Parameters
    ----------
    comparison
        What `compare_mixtures` returned.
    mixtures
        The mixtures on one baseline.

    Returns
    -------
    The rows of `comparison` that hold, for each mixture of group `added`, the control included, `direction` "gained"
    (`new` = the mixture, `known` = the baseline) and "lost" (the reverse); and `mixture`, `added`.
    """
    baseline = mixtures[0].baseline
    tables = []
    for mixture in (m for m in mixtures if m.group == "added"):
        for direction, known, new in (("gained", baseline, mixture.name), ("lost", mixture.name, baseline)):
            part = comparison[(comparison["known"] == known) & (comparison["new"] == new)]
            tables.append(part.assign(mixture=mixture.name, added=mixture.added, direction=direction))
    table = pd.concat(tables)
    # Against `known` = the mixture, the control is no reference.
    over = table.columns[table.columns.str.startswith("over_control")]
    table.loc[table["direction"] == "lost", over] = np.nan
    order = {name: i for i, name in enumerate(comparison["evaluation"].unique())}
    return table.sort_values("evaluation", key=lambda e: e.map(order), kind="stable").reset_index(drop=True)


def similarity(latents: pd.DataFrame, mixtures: list[Mixture], *, k: int = 15, permutations: int = 20) -> pd.DataFrame:
    """Compare the baseline's latent space with that of each mixture by other measures of likeness.

    Parameters
    ----------
    latents
        As in `compare_mixtures`.
    mixtures
        The mixtures on one baseline.
    k
        Neighbours; fewer where an evaluation set has fewer than four times as many cells.
    permutations
        Shuffles for the null distribution of the neighbour overlap.

    Returns
    -------
    A row a (evaluation, mixture), the baseline with itself trained again included: `cka`, `procrustes`, `neighbours`,
    each averaged over pairs of different seeds; `neighbours_chance`, what is expected by chance, and
    `neighbours_null_high`, the largest of the shuffles; `k`.
    """
    baseline = mixtures[0].baseline
    names = [m.name for m in mixtures if m.group != "alone"]
    rows = []
    for evaluation, table in latents.groupby("evaluation", sort=False):
        spaces = _spaces(table)
        cells = len(next(iter(spaces.values())))
        near = max(1, min(k, cells // 4))
        seeds = sorted({s for _, s in spaces})
        for name in names:
            found = []
            for i, j in ((i, j) for i in seeds for j in seeds if i != j):
                x, y = spaces[baseline, i], spaces[name, j]
                overlap, null = neighbour_overlap(x, y, k=near, permutations=permutations)
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


def _spaces(table: pd.DataFrame) -> dict[Model, Array]:
    """Return the latent means of one evaluation set by model, the cells in one order."""
    columns = _dimensions(table)
    groups = table.set_index("cell").groupby(["mixture", "seed"], sort=False)[columns]
    spaces = {(str(mixture), int(str(seed))): group for (mixture, seed), group in groups}
    cells = next(iter(spaces.values())).index
    return {model: space.loc[cells].to_numpy(dtype=np.float64) for model, space in spaces.items()}


def _resample(
    spaces: dict[Model, Array], names: list[str], pairs: list[tuple[int, int]], *, resamples: int, seed: int
) -> dict[tuple[str, str], Array]:
    """Return (known, new) → (1 + resamples, pairs of seeds): uniqueness of all cells, then of resampled cells."""
    errors: dict[tuple[str, str], list[Array]] = {}
    totals: dict[tuple[str, str], list[Array]] = {}
    for i, j in pairs:
        targets = {name: spaces[name, j] for name in names}
        for known in names:
            for new, found in unpredicted(spaces[known, i], targets).items():
                errors.setdefault((known, new), []).append(found.error)
                totals.setdefault((known, new), []).append(found.total)
    keys = list(errors)
    error, total = (np.array([by_key[key] for key in keys]) for by_key in (errors, totals))
    n_cells = error.shape[2]
    generator = np.random.default_rng(seed)
    results = [error.sum(axis=2) / total.sum(axis=2)]
    for start in range(0, resamples, _RESAMPLES_AT_A_TIME):
        draws = min(_RESAMPLES_AT_A_TIME, resamples - start)
        weights = generator.multinomial(n_cells, np.full(n_cells, 1 / n_cells), size=draws).T
        results.extend(np.moveaxis((error @ weights) / (total @ weights), 2, 0))
    stacked = np.stack(results)
    return {key: stacked[:, i] for i, key in enumerate(keys)}


def _dimensions(table: pd.DataFrame) -> list[str]:
    return table.columns[table.columns.str.startswith("z_")].tolist()


def _interval(name: str, values: Array) -> dict[str, float]:
    """Give the first value, and the 2.5th and 97.5th percentile of the others."""
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return {name: float(values[0]), f"{name}_low": float(low), f"{name}_high": float(high)}


def umap_positions(latents: pd.DataFrame, mixtures: list[str], *, cells: int = 500, seed: int = 0) -> pd.DataFrame:
    """Lay evaluation cells out in two dimensions as a few models place them, each model on its own.

    Parameters
    ----------
    latents
        A row a (mixture, evaluation, cell) of one seed, of one evaluation set or several, with `z_0`, `z_1` ….
    mixtures
        The models.
    cells
        Cells in all, as many of each evaluation set where there are so many.
    seed
        Decides the cells and the layout.

    Returns
    -------
    A row a (mixture, cell): `mixture`, `evaluation`, `cell`, `cell_type`, `x`, `y`. Distances in such a layout are not
    to be read as distances in the latent space; UMAP is for a look only.

    References
    ----------
    McInnes et al. 2018, doi:10.21105/joss.00861.
    """
    import umap

    columns = _dimensions(latents)
    one = latents[latents["mixture"] == mixtures[0]]
    share = cells // one["evaluation"].nunique()
    chosen = pd.concat([part.sample(min(share, len(part)), random_state=seed) for _, part in one.groupby("evaluation")])
    tables = []
    for mixture in mixtures:
        part = latents[(latents["mixture"] == mixture) & latents["cell"].isin(chosen["cell"])]
        near = max(2, min(15, len(part) // 4))
        layout = umap.UMAP(n_neighbors=near, random_state=seed, n_jobs=1).fit_transform(part[columns].to_numpy())
        about = part[["mixture", "evaluation", "cell", "cell_type"]].reset_index(drop=True)
        tables.append(about.assign(x=layout[:, 0], y=layout[:, 1]))
    return pd.concat(tables, ignore_index=True)
