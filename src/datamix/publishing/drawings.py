"""Which function draws which panel of the book from its table, so that a reader can draw it again."""

from collections.abc import Callable, Mapping

import pandas as pd
from matplotlib.figure import Figure

from datamix.figures import (
    claims,
    composition,
    datasets,
    framework,
    geneformer,
    key_genes,
    labels,
    latent_spaces,
    protocols,
    reconstruction,
    speed,
    training,
)  # fmt: skip
from datamix.figures.style import show_text_as_it_is
from datamix.project.errors import DatamixError
from datamix.project.mixture_names import read_name
from datamix.project.profile import Profile

Draw = Callable[[pd.DataFrame, Profile], Figure]
"""From a panel's table, as its csv has it, and the profile that made it, to the figure."""

HEAT_MAPS = ("2a", "6a", "S4a")
"""Panels that `datamix.figures.reconstruction.heat_map` draws: a model of one's own can stand in them."""


def redraw(name: str, table: pd.DataFrame, profile: Profile) -> Figure:
    """Draw a panel from its table.

    Parameters
    ----------
    name
        As in the paper: `2a`, `S4b`.
    table
        The panel's source data, as its csv has them.
    profile
        The profile that made it: labels and colours.

    Raises
    ------
    DatamixError
        If no function is known that draws the panel from its table alone.
    """
    if name not in DRAWINGS:
        msg = f"Panel {name} cannot be drawn from its table here; these can: {', '.join(DRAWINGS)}."
        raise DatamixError(msg, fix="take the saved picture, path('svg'), or run the notebook that draws it")
    figure = DRAWINGS[name](table, profile)
    show_text_as_it_is(figure)
    return figure


def _of_table(draw: Callable[[pd.DataFrame], Figure]) -> Draw:
    return lambda table, profile: draw(table)


def _cell_types(table: pd.DataFrame, profile: Profile) -> Figure:
    # The baseline comes first, whatever the order of rows: the others are held against it.
    mixtures = table["mixture"].unique().tolist()
    first = [mixture for mixture in mixtures if mixture in profile.baselines]
    return reconstruction.cell_types(table, profile, shown=[*first, *(m for m in mixtures if m not in first)])


def _changed_genes(table: pd.DataFrame, profile: Profile) -> Figure:
    mixture = str(table["mixture"].iloc[0])
    rising = bool((table["gain"].diff().dropna() <= 0).all())
    shown = table.head(20) if rising else table[table["gain"].abs().rank(ascending=False) <= 20]
    return key_genes.changed_genes(shown, profile, mixture=mixture)


def _curves(table: pd.DataFrame, profile: Profile) -> Figure:
    return training.training_curves(labels.label_mixtures(table, profile), profile)


def _qc(table: pd.DataFrame, profile: Profile) -> Figure:
    return datasets.qc_distributions(table, min_counts=profile.qc.min_counts, max_mito=profile.qc.max_mito)


def _geneformer(measure: str, references: Mapping[str, str]) -> Draw:
    return lambda table, profile: geneformer.by_mixture(table, profile, measure=measure, references=references)


def _additions(table: pd.DataFrame, profile: Profile) -> Figure:
    added = [read_name(mixture).last for mixture in table["mixture"].unique()]
    return geneformer.additions(table, profile, asked="tf_atlas" if "tf_atlas" in added else added[-1])


def _yardsticks(measure: str) -> Draw:
    return lambda table, profile: composition.yardsticks(table, profile, measure=measure)


DRAWINGS: dict[str, Draw] = {
    "1a": framework.tree,
    "1b": _of_table(framework.ldvae),
    "1c": framework.evaluation_sets,
    "1d": _of_table(framework.strategy),
    **dict.fromkeys(HEAT_MAPS, _of_table(reconstruction.heat_map)),
    "2b": _cell_types,
    "2c": reconstruction.reconstruction_scatter,
    "3a": latent_spaces.umaps,
    "3b": _of_table(latent_spaces.umaps_by_set),
    "3c": _of_table(latent_spaces.uniqueness_matrices),
    "3d": latent_spaces.what_is_added,
    "4a": _of_table(key_genes.loadings),
    "4b": _of_table(key_genes.sets_by_mixture),
    "4c": _changed_genes,
    "5a": _of_table(claims.claims),
    "5b": claims.distance,
    "6b": latent_spaces.what_is_added,
    "7a": composition.value_maps,
    "7b": composition.interactions,
    "7c": composition.predicted_and_found,
    "7d": composition.recommended,
    "7e": composition.rank_agreement,
    "8a": composition.dose_curves,
    "8b": _of_table(composition.published_doses),
    "S1a": _of_table(datasets.cells_kept),
    "S1b": _qc,
    "S2a": reconstruction.seed_scatter,
    "S2b": reconstruction.seed_medians,
    "S3a": _curves,
    "S4b": _cell_types,
    "S5a": _of_table(protocols.faults),
    "S6a": reconstruction.seed_scatter,
    "S6b": reconstruction.seed_medians,
    "S7a": _geneformer(
        "Gene-rank correlation", {"published": "Mean rank, evaluation cells", "corrected": "Mean rank, training cells"}
    ),
    "S7b": _geneformer(
        "Log probability of a hidden gene, nats", {"unigram_log_probability": "Frequencies of genes in training"}
    ),
    "S7c": geneformer.curves,
    "S7d": _additions,
    "S8a": _of_table(speed.training_growth),
    "S8b": _of_table(speed.ten_models),
    "S8c": _of_table(speed.scoring_cost),
    "S8d": _of_table(speed.held_out_bounds),
    "S9a": _yardsticks("r2"),
    "S9b": _yardsticks("r2_held_out"),
}
"""Panel → what draws it from its table and profile. A test draws each again and holds it against the saved one."""
