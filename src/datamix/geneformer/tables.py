"""Where the results of Geneformer lie, and the tables that the notebook reads."""

from pathlib import Path

import pandas as pd

from datamix.corpora.mixtures import Mixture, list_mixtures
from datamix.project.errors import DatamixError, NotInProfileError
from datamix.project.layout import Layout
from datamix.project.profile import Geneformer, Profile
from datamix.project.tables import write_table


def settings_of(profile: Profile) -> Geneformer:
    """Return the settings of Geneformer.

    Raises
    ------
    NotInProfileError
        If the profile has none, with the reason that it gives under `missing`.
    """
    if profile.geneformer is None:
        reason = profile.missing.get("geneformer", "")
        msg = f"Profile {profile.name} does not train Geneformer. {reason}".strip()
        raise NotInProfileError(msg, fix=f"add `geneformer:` to config/{profile.name}.yaml")
    return profile.geneformer


def model_of(layout: Layout, baseline: str, seed: int, mixture: str) -> Path:
    """Return the folder of a model."""
    return layout.folder / "geneformer" / "models" / baseline / f"seed{seed}" / mixture


def scores_of(layout: Layout, baseline: str, seed: int, mixture: str) -> Path:
    """Return the scores of a model (parquet)."""
    return layout.folder / "geneformer" / "scores" / baseline / f"seed{seed}" / f"{mixture}.parquet"


def embeddings_of(layout: Layout, baseline: str, seed: int, mixture: str) -> Path:
    """Return the embeddings of the evaluation cells (parquet)."""
    return layout.folder / "geneformer" / "embeddings" / baseline / f"seed{seed}" / f"{mixture}.parquet"


def tokens_of(layout: Layout, baseline: str, seed: int, mixture: str) -> Path:
    """Return the folder of a mixture's encoded cells and their vocabulary."""
    return layout.folder / "geneformer" / "tokens" / baseline / f"seed{seed}" / mixture


def table_of(layout: Layout) -> Path:
    """Return the table of all scores (parquet)."""
    return layout.folder / "geneformer" / "scores.parquet"


def trained_mixtures(profile: Profile, baseline: str) -> list[Mixture]:
    """List the mixtures on a baseline that Geneformer is trained on, in the order of Figure 2A.

    Raises
    ------
    NotInProfileError
        If the profile does not train Geneformer.
    """
    asked = settings_of(profile).added
    left_out = set() if asked is None else set(profile.added) - set(asked)
    return [m for m in list_mixtures(profile, baseline) if m.added not in left_out]


def runs(profile: Profile) -> list[tuple[str, int, str]]:
    """List the models of a profile: baseline, seed, mixture; none where it does not train Geneformer."""
    if profile.geneformer is None:
        return []
    of = profile.geneformer
    return [(b, seed, m.name) for b in of.baselines for seed in of.seeds for m in trained_mixtures(profile, b)]


def collect(layout: Layout) -> Path:
    """Put the scores of all models into one table, `geneformer/scores.parquet`."""
    settings_of(layout.profile)
    tables = [pd.read_parquet(_existing(layout, scores_of(layout, *run))) for run in runs(layout.profile)]
    text = ["baseline", "mixture", "evaluation", "cell_type", "donor"]
    scores = pd.concat([t.astype(dict.fromkeys(text, str)) for t in tables], ignore_index=True)
    write_table(scores, table_of(layout))
    return table_of(layout)


def read_scores(layout: Layout, baseline: str) -> pd.DataFrame:
    """Read the scores of a baseline's models; columns as in `datamix.geneformer.run.evaluate_mixture`.

    Raises
    ------
    NotInProfileError
        If the profile does not train Geneformer on this baseline.
    """
    if baseline not in settings_of(layout.profile).baselines:
        msg = f"Profile {layout.profile.name} does not train Geneformer on the {baseline} baseline."
        raise NotInProfileError(msg)
    scores = pd.read_parquet(_existing(layout, table_of(layout)), filters=[("baseline", "==", baseline)])
    return scores.astype(dict.fromkeys(("baseline", "mixture", "evaluation", "cell_type", "donor"), str))


def trained_types(layout: Layout, baseline: str) -> dict[str, set[str]]:
    """Return mixture → the cell types of its training cells, of all seeds."""
    import datasets  # slow to load, and the workflow needs this module for its paths

    found: dict[str, set[str]] = {}
    for name, seed, mixture in runs(layout.profile):
        if name == baseline:
            tokens = datasets.load_from_disk(str(tokens_of(layout, name, seed, mixture) / "cells"))
            found.setdefault(mixture, set()).update(tokens.unique("cell_type"))
    return found


def read_history(layout: Layout, baseline: str) -> pd.DataFrame:
    """Read the training curves of a baseline's models.

    Returns
    -------
    A row a (mixture, seed, step): `epoch`, `loss` (since the row before, nats a hidden gene), `smoothed` (its running
    mean over five rows), `learning_rate`.
    """
    tables = []
    for name, seed, mixture in runs(layout.profile):
        if name == baseline:
            table = pd.read_csv(_existing(layout, model_of(layout, name, seed, mixture) / "history.csv"))
            smoothed = table["loss"].rolling(5, min_periods=1, center=True).mean()
            tables.append(table.assign(mixture=mixture, seed=seed, smoothed=smoothed))
    return pd.concat(tables, ignore_index=True)


def _existing(layout: Layout, path: Path) -> Path:
    if not path.is_file():
        name = layout.profile.name
        msg = f"{path} does not exist: Geneformer has not been trained."
        raise DatamixError(msg, fix=f"make book PROFILE={name}")
    return path
