"""Mixtures: which cells each model is trained on, as rows of corpora, drawn as the published scripts draw them."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from datamix.project.errors import DatamixError
from datamix.project.profile import Profile

Rows = npt.NDArray[np.int64]
BASELINE, CONTROL = "baseline", "control"


@dataclass(frozen=True)
class Mixture:
    """A named recipe: the blocks of cells that one model is trained on."""

    name: str
    """`blood`, `blood_cancer`, `blood+blood_cancer`; the control is `blood+blood`."""
    baseline: str
    added: str | None
    """The added set; the baseline's own name for the control; None for the baseline alone."""
    group: Literal["baseline", "alone", "added"]
    """The column group of Figure 2A: the baseline, the added set alone, baseline + added set."""
    blocks: tuple[str, ...]
    """Keys of `draw_blocks`, in the order in which the cells are stacked."""


@dataclass(frozen=True)
class Part:
    """Rows of one corpus, in the order in which they were drawn."""

    dataset: str
    rows: Rows


def list_mixtures(profile: Profile, baseline: str) -> list[Mixture]:
    """List the mixtures on a baseline, in the column order of Figure 2A.

    Returns
    -------
    The baseline alone, each added set alone, then baseline + its own second half (the control) and baseline + each
    added set: ten for the paper's four added sets.

    Raises
    ------
    DatamixError
        If the profile has no such baseline.
    """
    if baseline not in profile.baselines:
        msg = f"Profile {profile.name} has no baseline {baseline!r}; it has: {', '.join(profile.baselines)}."
        raise DatamixError(msg, fix=f"name one of them, or add it to config/{profile.name}.yaml")
    alone = [Mixture(name, baseline, name, "alone", (name,)) for name in profile.added]
    added = [Mixture(f"{baseline}+{name}", baseline, name, "added", (BASELINE, name)) for name in profile.added]
    control = Mixture(f"{baseline}+{baseline}", baseline, baseline, "added", (BASELINE, CONTROL))
    return [Mixture(baseline, baseline, None, "baseline", (BASELINE,)), *alone, control, *added]


def draw_blocks(profile: Profile, baseline: str, *, seed: int, sizes: Mapping[str, int]) -> dict[str, tuple[Part, ...]]:
    """Draw the blocks of cells that the mixtures on a baseline are built of.

    The procedure is the published one, with NumPy's legacy generator: seed it; split the baseline's cells in two
    halves with scikit-learn's `train_test_split`; draw from each half, then from each added set in the profile's
    order, without replacement; a set marked `reseed` seeds the generator again first; a set of `all` cells takes no
    draw. The same files and seed give the same cells.

    Parameters
    ----------
    profile
        Its `baselines`, `added` and `cells` say what is drawn.
    baseline
        A name in `profile.baselines`.
    seed
        0 or above.
    sizes
        Cells in each corpus, after QC, by dataset id.

    Returns
    -------
    Block name (`baseline`, `control`, or an added set) → its parts, one a dataset.

    Raises
    ------
    DatamixError
        If a corpus has fewer cells than a draw asks for.
    """
    generator = np.random.RandomState(seed)
    settings = profile.baselines[baseline]
    halves = train_test_split(np.arange(sizes[settings.dataset]), test_size=0.5, random_state=seed)
    blocks: dict[str, tuple[Part, ...]] = {}
    for block, half in zip((BASELINE, CONTROL), halves, strict=True):
        source = f"half of {settings.dataset} (the '{baseline}' baseline is split in two)"
        blocks[block] = (Part(settings.dataset, _draw(half, profile.cells, generator, source=source)),)
    for name, added in profile.added.items():
        if added.reseed:
            generator.seed(seed)
        wanted = added.cells or profile.cells
        shares = _shares(wanted, len(added.datasets))
        blocks[name] = tuple(
            Part(dataset, _draw(np.arange(sizes[dataset]), share, generator, source=dataset))
            for dataset, share in zip(added.datasets, shares, strict=True)
        )
    return blocks


def _shares(cells: int | Literal["all"], parts: int) -> list[int | Literal["all"]]:
    """Share a block equally; what does not divide goes to the last (50,939 K562 + 50,940 Jurkat)."""
    if cells == "all":
        return ["all"] * parts
    bounds = [cells * i // parts for i in range(parts + 1)]
    return [upper - lower for lower, upper in pairwise(bounds)]


def _draw(rows: Rows, cells: int | Literal["all"], generator: np.random.RandomState, *, source: str) -> Rows:
    if cells == "all":
        return rows
    if cells > len(rows):
        msg = f"A draw asks for {cells:,} cells of {source}, which has {len(rows):,} after QC."
        raise DatamixError(msg, fix="lower `cells` in the profile, or give that block `cells: all`")
    return generator.choice(rows, cells, replace=False)
