"""Mixtures by shares: as many cells of each, in other shares of the blocks (ours).

A block is the corpus of a baseline or an added set. Every mixture has the same number of cells, so that it is trained
for as many steps: what differs is composition alone. Cells are drawn without replacement, and the draws of one seed are
nested: a mixture with more cells of a block has those that one with fewer has.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from datamix.corpora.corpus import n_cells
from datamix.corpora.mixtures import Part, empty_cells
from datamix.corpora.thinning import Thinning
from datamix.project.errors import DatamixError
from datamix.project.files import read_json
from datamix.project.layout import Layout
from datamix.project.mixture_names import name_shares, read_depth, read_shares
from datamix.project.profile import Composition, Profile

Cells = dict[str, int]
"""Block → cells, in the order of the profile's blocks."""

MOST_TRIES = 1000


def composition_of(profile: Profile) -> Composition:
    """Return the settings of mixtures by shares.

    Raises
    ------
    DatamixError
        If the profile has none.
    """
    if profile.composition is None:
        msg = f"Profile {profile.name} has no mixtures by shares."
        raise DatamixError(msg, fix=f"give config/{profile.name}.yaml a section `composition:`, with `cells`")
    return profile.composition


def whole_cells(shares: Mapping[str, float], cells: int) -> Cells:
    """Turn shares into whole cells that add up: rounded down, and what is left goes to the largest remainders.

    Parameters
    ----------
    shares
        Block → share, not negative; they are scaled to add up to 1.
    cells
        Of the mixture.
    """
    wanted = np.array(list(shares.values()), dtype=np.float64)
    wanted = wanted / wanted.sum() * cells
    whole = np.floor(wanted + 1e-9).astype(int)
    # Of equal remainders, the first.
    order = np.argsort(-np.round(wanted - whole, 9), kind="stable")
    whole[order[: cells - whole.sum()]] += 1
    return dict(zip(shares, whole.tolist(), strict=True))


def coalitions(profile: Profile) -> dict[str, frozenset[str]]:
    """List all subsets of the blocks, mixed in equal shares: mixture → its blocks; empty where none are wanted."""
    settings, blocks = composition_of(profile), profile.blocks
    if not settings.coalitions:
        return {}
    subsets = [subset for size in range(1, len(blocks) + 1) for subset in combinations(blocks, size)]
    return {name_shares(whole_cells(dict.fromkeys(s, 1.0), settings.cells)): frozenset(s) for s in subsets}


def random_mixtures(profile: Profile) -> list[str]:
    """List the mixtures of random shares, the same for every seed; none of them is a coalition.

    Raises
    ------
    DatamixError
        If there are not so many different ones.
    """
    settings, blocks = composition_of(profile), profile.blocks
    generator = np.random.default_rng(0)
    equal, found = coalitions(profile), dict[str, None]()
    for _ in range(MOST_TRIES + settings.mixtures):
        if len(found) == settings.mixtures:
            return list(found)
        shares = generator.dirichlet(np.ones(len(blocks)))
        name = name_shares(whole_cells(dict(zip(blocks, shares.tolist(), strict=True)), settings.cells))
        if name not in equal:
            found[name] = None
    msg = f"{settings.cells} cells of {len(blocks)} blocks do not make {settings.mixtures} different mixtures."
    raise DatamixError(msg, fix="ask for fewer under `composition.mixtures`, or for more `composition.cells`")


def dose_mixtures(profile: Profile, block: str) -> dict[int, str]:
    """List the mixtures of the baseline in which a block takes the place of some cells: dose → mixture, from 0 on."""
    settings, baseline = composition_of(profile), profile.composed_baseline
    doses = sorted({0, *settings.doses})
    order = [name for name in profile.blocks if name in (baseline, block)]
    of = {dose: {baseline: settings.cells - dose, block: dose} for dose in doses}
    return {dose: name_shares({name: cells[name] for name in order}) for dose, cells in of.items()}


def thinned_mixture(profile: Profile, block: str, *, depth: int) -> str:
    """Return the mixture of the baseline with the largest dose of a block, whose cells are thinned to some counts."""
    doses = dose_mixtures(profile, block)
    return name_shares(read_shares(doses[max(doses)]), depth=depth)


def first_round(profile: Profile) -> list[str]:
    """List the mixtures that are trained first: coalitions, and mixtures of random shares."""
    return [*coalitions(profile), *random_mixtures(profile)]


def read_second_round(layout: Layout) -> dict[str, Any]:
    """Read which mixtures are trained second, and why; doses are numbers.

    Returns
    -------
    `recommended`, `dosed`, `thinned` and `mixtures`, as `datamix.analysis.second_round.choose` returns them.
    """
    found = read_json(layout.second_round)
    doses = {b: {d: of[str(d)] for d in sorted(map(int, of))} for b, of in found["dosed"].items()}
    return found | {"dosed": doses}


def shares_of(names: Iterable[str], profile: Profile) -> "np.ndarray":
    """Return the shares of mixtures, (mixtures, blocks), rows adding up to 1."""
    cells = [read_shares(name) for name in names]
    return np.array([[of.get(block, 0) for block in profile.blocks] for of in cells]) / composition_of(profile).cells


def draw_shares(
    layout: Layout, names: Iterable[str], *, seed: int, say: Callable[[str], None] = print
) -> dict[str, list[Part]]:
    """Draw the cells of mixtures, of those that have a count of the genes that the training corpora share.

    Parameters
    ----------
    layout
        The profile and its folders; the training corpora must have been prepared, and their shared genes.
    names
        Of the mixtures.
    seed
        Decides the draws, and how cells are thinned. Draws depend on a dataset's size and name, not on the other
        mixtures or blocks.
    say
        Called with a line for each dataset that has cells without a count of the shared genes.

    Returns
    -------
    Mixture → its parts, rows of corpora. A set of several datasets takes equally many of each; a dataset that is in
    several blocks is dealt between them, so that no mixture has a cell twice.

    Raises
    ------
    DatamixError
        If a block has fewer cells than a mixture takes of it.
    """
    profile = layout.profile
    datasets = {block: _datasets(profile, block) for block in profile.blocks}
    users = {d: [b for b, of in datasets.items() if d in of] for of in datasets.values() for d in of}
    empty = empty_cells(layout, users, say=say)
    order = {}
    for dataset in users:
        generator = np.random.default_rng((seed, zlib.crc32(dataset.encode())))
        drawn = generator.permutation(n_cells(layout.corpus(dataset)))
        order[dataset] = drawn[~np.isin(drawn, empty[dataset])]

    def take(block: str, cells: int, depth: int | None) -> list[Part]:
        of = datasets[block]
        thinned = None if depth is None or block == profile.composed_baseline else Thinning(depth, seed)
        bounds = [cells * i // len(of) for i in range(len(of) + 1)]
        parts = []
        for dataset, n in zip(of, (upper - lower for lower, upper in pairwise(bounds)), strict=True):
            mine = order[dataset][users[dataset].index(block) :: len(users[dataset])]
            if n > len(mine):
                msg = f"A mixture takes {n:,} cells of {dataset}, which has {len(mine):,} for block {block!r} after QC."
                fix = f"lower `composition.cells` in config/{profile.name}.yaml, or leave the block out of `blocks`"
                raise DatamixError(msg, fix=fix)
            parts.append(Part(dataset, mine[:n].astype(np.int64), thinned))
        return [part for part in parts if len(part.rows)]

    return {
        name: [part for block, n in read_shares(name).items() for part in take(block, n, read_depth(name))]
        for name in names
    }


def _datasets(profile: Profile, block: str) -> tuple[str, ...]:
    return profile.added[block].datasets if block in profile.added else (profile.baselines[block].dataset,)
