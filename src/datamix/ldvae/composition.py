"""Mixtures by shares, trained by the same grid: first coalitions and random shares, then what they suggest."""

from pathlib import Path
from typing import Literal

from datamix.corpora.shares import composition_of, draw_shares, first_round
from datamix.ldvae.grid import Say, train_all
from datamix.project.errors import DatamixError
from datamix.project.files import read_json
from datamix.project.layout import Layout
from datamix.project.profile import Profile, Training

Turn = Literal["first", "second"]
TURNS: tuple[Turn, ...] = ("first", "second")


def mixtures_of_turn(layout: Layout, turn: Turn) -> list[str]:
    """List the mixtures of a round: the second holds those that the first did not train.

    Raises
    ------
    DatamixError
        If the second has not been planned.
    """
    if turn == "first":
        return first_round(layout.profile)
    if not layout.second_round.is_file():
        msg = f"{layout.second_round} does not exist: what is trained second depends on the scores of the first round."
        raise DatamixError(msg, fix=f"datamix composition plan --profile {layout.profile.name}")
    return list(read_json(layout.second_round)["mixtures"])


def training_of(profile: Profile) -> Training:
    """Return how every mixture by shares is trained: `training`, with the epochs and batches of `composition`."""
    settings = composition_of(profile)
    changed = {"max_epochs": settings.max_epochs, "batch_size": settings.batch_size}
    return profile.training.model_copy(update=changed)


def train_turn(layout: Layout, turn: Turn, *, seed: int, say: Say = print) -> Path:
    """Train the mixtures of a round with one seed; finished models are kept (`datamix.ldvae.grid.train_all`).

    Returns
    -------
    The list of models (json).
    """
    profile = layout.profile
    return train_all(
        layout,
        draw_shares(layout, mixtures_of_turn(layout, turn), seed=seed, say=say),
        listed=layout.composition_models(turn, seed),
        seed=seed,
        settings=training_of(profile),
        about={"baseline": profile.composed_baseline, "round": turn},
        say=lambda line: say(f"train {profile.name}, mixtures by shares, {turn} round, seed {seed}: {line}"),
    )
