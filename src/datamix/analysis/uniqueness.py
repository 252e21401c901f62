"""Embedding uniqueness of all mixtures, held against what another training of the same mixture leaves (ours)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from datamix.analysis.bootstrap import SEED, draw_cells, interval, simultaneous
from datamix.analysis.latent_spaces import FOLDS, Model, spaces_of_models, unpredicted
from datamix.analysis.retraining import training_deviations
from datamix.corpora.mixtures import Mixture
from datamix.project.errors import NotInProfileError
from datamix.project.mixture_names import read_name

Array = npt.NDArray[np.floating]

FEWEST = 2 * FOLDS
"""Cells of an evaluation set on which latent spaces can be compared."""

RESAMPLES = 1000
"""Draws behind each interval."""


@dataclass(frozen=True)
class PairErrors:
    """Every model of one evaluation set predicted from every other: squared errors of each cell."""

    evaluation: str
    models: list[Model]
    error: Array
    """(models, models, n_cells): the row's model predicts the column's."""
    total: Array
    """The same for the mean of the other cells as the prediction."""
    cells: pd.DataFrame
    """A row a cell: `donor`, `cell_type`."""

    def renamed(self, names: dict[Model, Model]) -> "PairErrors":
        """Return the same for some of the models, under other names: old → new."""
        at = [self.models.index(model) for model in names]
        square = np.ix_(at, at)
        return replace(self, models=list(names.values()), error=self.error[square], total=self.total[square])


def leave_out_small_sets(latents: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Leave out the evaluation sets of too few cells for a comparison.

    Parameters
    ----------
    latents
        As in `compare_mixtures`.

    Returns
    -------
    The rest, and the names of those that were left out.

    Raises
    ------
    NotInProfileError
        If all are too small.
    """
    cells = latents.groupby("evaluation", sort=False)["cell"].nunique()
    small = [str(name) for name in cells.index[cells < FEWEST]]
    if len(small) == len(cells):
        msg = f"Latent spaces are compared on {FEWEST} cells or more; each evaluation set of this profile has fewer."
        raise NotInProfileError(msg, fix="give the profile an evaluation set of more cells")
    return latents[~latents["evaluation"].isin(small)], small


def compare_mixtures(latents: pd.DataFrame, *, controls: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Measure the uniqueness of each mixture's latent space, given each other one's.

    Two mixtures are compared through models of different seeds only, as a mixture is with itself: models of the same
    seed start from the same weights and share cells of the baseline, which would make mixtures look alike.

    Parameters
    ----------
    latents
        A row a (seed, mixture, evaluation, cell): `cell_type`, `donor`, and `z_0`, `z_1` …; two seeds or more, the same
        cells in all.
    controls
        The control that each mixture is held against, by name, as `datamix.corpora.mixtures.controls_of` gives it;
        without it, the published one for all.

    Returns
    -------
    As `compare_pairs` does.

    Raises
    ------
    NotInProfileError
        If there is one seed only: without a second training there is nothing to hold a difference against.
    """
    if latents["seed"].nunique() < 2:
        msg = "Latent spaces are compared with those of the same mixture trained again; this profile has one seed."
        raise NotInProfileError(msg, fix="give the profile two seeds or more")
    return compare_pairs(predict_pairs(latents), controls=controls, resamples=RESAMPLES, seed=SEED)


def predict_pairs(latents: pd.DataFrame) -> Iterator[PairErrors]:
    """Predict the latent space of every model from that of every other, an evaluation set at a time.

    Parameters
    ----------
    latents
        As in `compare_mixtures`.
    """
    for evaluation, table in latents.groupby("evaluation", sort=False, observed=True):
        spaces = spaces_of_models(table)
        models = list(spaces)
        about = table.drop_duplicates("cell")[["donor", "cell_type"]].reset_index(drop=True)
        error = np.empty((len(models), len(models), len(about)), dtype=np.float32)
        total = np.empty_like(error)
        for i, known in enumerate(models):
            found = unpredicted(spaces[known], {str(j): spaces[new] for j, new in enumerate(models)})
            for j in range(len(models)):
                error[i, j], total[i, j] = found[str(j)].error, found[str(j)].total
        yield PairErrors(str(evaluation), models, error, total, about)


def compare_pairs(
    pairs: Iterable[PairErrors], *, controls: Mapping[str, str] | None = None, resamples: int, seed: int
) -> pd.DataFrame:
    """Measure the uniqueness of each mixture's latent space, from predictions of every model by every other.

    The logarithm of the uniqueness of one model given another scatters alike whatever its level. It is taken to be a
    constant of the two mixtures, plus a deviation of the model that predicts, one of the model that is predicted, and a
    rest. Their scatter is estimated from the deviations between seeds of all mixtures together, the seeds' common part
    taken out, and draws follow Student's t with its degrees of freedom, as in `bootstrap`; cells are drawn with
    replacement as there. How well a space is predicted at all depends most on which training of it is predicted, which
    drops out where `known` is held against `new` itself as the predictor.

    Parameters
    ----------
    pairs
        The evaluation sets, with the same models.
    controls
        As in `compare_mixtures`.
    resamples
        Bootstrap draws.
    seed
        Decides them.

    Returns
    -------
    A row a (evaluation, known, new), the diagonal (a mixture and itself) included:

    - `uniqueness`: the share of the latent space of `new` that `known` does not predict, the geometric mean over pairs
      of seeds; `low`, `high`, its 95 % interval;
    - `band_low`, `band_high`: the smallest and the largest uniqueness between two seeds of `new`;
    - `excess`: how many times as much of `new` is not predicted by `known` as by another training of `new`;
      `excess_low`, `excess_high`, its 95 % interval, and `excess_low_all`, `excess_high_all` the simultaneous one: all
      rows of the table, of all evaluation sets, lie in theirs in 95 %;
    - `differs`: whether `excess_low_all` is above 1. Of tables in which nothing differs, at most one in twenty has a
      row that does (measured: `benchmarks/calibration.py`);
    - `over_control`, with the same ends: `excess` over that of its `control` (the baseline with as many more of its
      own cells) given the same `known`, a ratio; simultaneous over the mixtures that hold the baseline's cells, given
      the baseline, and NaN for others; all NaN where there is no control;
    - `seeds`, `cells`, `degrees` (of the scatter of the predicting models), `compared` (rows off the diagonal).
    """
    generator = np.random.default_rng(seed)
    logs, drawn, sets = [], [], []
    names: list[str] = []
    seeds: list[int] = []
    for of_set in pairs:
        names = list(dict.fromkeys(name for name, _ in of_set.models))
        seeds = sorted({s for _, s in of_set.models})
        order = [of_set.models.index((name, s)) for name in names for s in seeds]
        counts = draw_cells(of_set.cells, resamples=resamples, generator=generator)
        # Row 0 is what was measured, the others are drawn.
        weights = np.vstack([np.ones((1, counts.shape[1])), counts]).astype(np.float32)
        logged = _log_uniqueness(of_set, order, weights, names=len(names), seeds=len(seeds))
        logs.append(logged[0])
        drawn.append(_over_different_seeds(logged))
        sets.append((of_set.evaluation, len(of_set.cells)))
    measured = np.stack([d[0] for d in drawn])  # (sets, known, new)
    cells = np.stack([d[1:] for d in drawn], axis=1)  # (resamples, sets, known, new)
    deviations = training_deviations(np.stack(logs), resamples=resamples, generator=generator)
    predicts, predicted, rest = deviations.predicts, deviations.predicted, deviations.rest
    level = cells + predicts[..., :, None] + predicted[..., None, :] + rest
    # The diagonal, as (…, new): what another training of `new` leaves. Its model is predicted, and drops out.
    itself = np.einsum("...kk->...k", level) - predicted - predicts
    excess_drawn = cells + rest + predicts[..., :, None] - itself[..., None, :] - predicts[..., None, :]
    excess = measured - np.einsum("ekk->ek", measured)[:, None, :]
    off = np.broadcast_to(~np.eye(len(names), dtype=bool), excess.shape)
    excess_drawn[:, ~off] = 0.0
    together = simultaneous(excess_drawn[:, off])
    columns = {"uniqueness": measured, "excess": excess}
    ends = {"low": interval(_flat(level))[0], "high": interval(_flat(level))[1]}
    ends |= dict(zip(("excess_low", "excess_high"), interval(_flat(excess_drawn)), strict=True))
    for end, values in zip(("excess_low_all", "excess_high_all"), together, strict=True):
        ends[end] = np.zeros(excess.size)
        ends[end][off.ravel()] = values
    controls = _published_controls(names) if controls is None else controls
    columns |= _over_control(excess, excess_drawn, names, controls)
    table = pd.DataFrame(
        [(e, k, n, size) for e, size in sets for k in names for n in names],
        columns=["evaluation", "known", "new", "cells"],
    )
    for column, values in (columns | ends).items():
        table[column] = np.exp(values.ravel())
    for column, values in _band(np.stack(logs)).items():
        table[column] = np.exp(np.broadcast_to(values[:, None, :], excess.shape).ravel())
    table["differs"] = (table["excess_low_all"] > 1) & (table["known"] != table["new"])
    table["control"] = table["new"].map(controls)
    return table.assign(seeds=len(seeds), degrees=deviations.degrees, compared=int(off.sum()))


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


def _log_uniqueness(
    pairs: PairErrors, order: list[int], counts: npt.NDArray[np.float32], *, names: int, seeds: int
) -> Array:
    """Return (draws, known mixture, its seed, new mixture, its seed)."""
    result = np.empty((len(counts), len(order), len(order)))
    for i, known in enumerate(order):
        result[:, i] = counts @ pairs.error[known, order].T / (counts @ pairs.total[known, order].T)
    return np.log(np.maximum(result, np.finfo(float).tiny)).reshape(len(counts), names, seeds, names, seeds)


def _over_different_seeds(logged: Array) -> Array:
    """Average (…, known, seed, new, seed) over pairs of different seeds."""
    seeds = logged.shape[-1]
    apart = ~np.eye(seeds, dtype=bool)
    return np.einsum("...isjt,st->...ij", logged, apart) / apart.sum()


def _published_controls(names: list[str]) -> dict[str, str]:
    """Hold all against the control of a whole block, where there is one."""
    parts = {name: read_name(name) for name in names}
    published = next((n for n, part in parts.items() if part.added == part.first and part.cells is None), None)
    return dict.fromkeys(names, published) if published else {}


def _over_control(excess: Array, drawn: Array, names: list[str], controls: Mapping[str, str]) -> dict[str, Array]:
    keys = ["over_control", *(f"over_control_{end}" for end in ("low", "high", "low_all", "high_all"))]
    result = {key: np.full(excess.shape, np.nan) for key in keys}
    if not controls:
        return result
    at = [names.index(controls[name]) for name in names]
    result["over_control"] = excess - excess[:, :, at]
    over = drawn - drawn[..., at]
    for end, values in zip(("low", "high"), interval(_flat(over)), strict=True):
        result[f"over_control_{end}"] = values.reshape(excess.shape)
    baseline = read_name(names[at[0]]).first
    with_baseline = [i for i, name in enumerate(names) if read_name(name).added and read_name(name).first == baseline]
    added = [i for i in with_baseline if i not in set(at)]
    if baseline in names and added:
        known = names.index(baseline)
        for end, values in zip(("low_all", "high_all"), simultaneous(_flat(over[:, :, known, added])), strict=True):
            result[f"over_control_{end}"][:, known, added] = values.reshape(len(excess), -1)
            result[f"over_control_{end}"][:, known, sorted(set(at))] = 0.0
    return result


def _band(logs: Array) -> dict[str, Array]:
    """Return the smallest and the largest uniqueness (log) between two seeds of each mixture, (sets, mixtures)."""
    apart = ~np.eye(logs.shape[-1], dtype=bool)
    within = np.einsum("ekskt->ekst", logs)[..., apart]
    return {"band_low": within.min(axis=-1), "band_high": within.max(axis=-1)}


def _flat(drawn: Array) -> Array:
    return drawn.reshape(len(drawn), -1)
