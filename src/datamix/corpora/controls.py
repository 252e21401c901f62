"""How many cells a control adds: as many as the added set that is held against it (ours).

The published control adds a block, whatever the size of the set that it is compared with. Where sizes are unequal, more
cells and more gradient steps then pass for composition, so that a control of the set's own size is drawn beside it.
"""

from collections.abc import Mapping

from datamix.project.profile import Profile

SIZE_TOLERANCE = 0.1
"""Relative, of the cells a model is trained on: within it, the published control serves and no other is drawn.

If R² grows with the logarithm of the cells, a tenth more of them bring log2(1.1) = 0.14 of what the control's doubling
brings: 0.011 where that is 0.08, as on blood in the draft heat map.
"""


def baseline_cells(profile: Profile, baseline: str, *, sizes: Mapping[str, int]) -> int:
    """Return the cells of a baseline's block: the profile's `cells`, or the first half of its corpus."""
    return sizes[profile.baselines[baseline].dataset] // 2 if profile.cells == "all" else profile.cells


def spare_cells(profile: Profile, baseline: str, *, sizes: Mapping[str, int]) -> int:
    """Return the cells of the second half of a baseline's corpus: no control can add more."""
    return sizes[profile.baselines[baseline].dataset] - sizes[profile.baselines[baseline].dataset] // 2


def published_cells(profile: Profile, baseline: str, *, sizes: Mapping[str, int]) -> int:
    """Return the cells that the published control adds: the profile's `cells`, or the second half of the corpus."""
    return spare_cells(profile, baseline, sizes=sizes) if profile.cells == "all" else profile.cells


def added_cells(profile: Profile, name: str, *, sizes: Mapping[str, int]) -> int:
    """Return the cells of an added set's block."""
    added = profile.added[name]
    wanted = added.cells or profile.cells
    return sum(sizes[dataset] for dataset in added.datasets) if wanted == "all" else wanted


def control_cells(profile: Profile, baseline: str, *, sizes: Mapping[str, int]) -> dict[str, int]:
    """Say how many cells the control of each added set adds.

    They are as many as the set itself adds, or as many as there are in the second half of the baseline's corpus; or, if
    the mixture is within `SIZE_TOLERANCE` of it in size, as many as the published control adds. Under the protocol
    `published` the published control is the only one.

    Parameters
    ----------
    profile
        Its `baselines`, `added` and `cells` decide.
    baseline
        A name in `profile.baselines`.
    sizes
        Cells in each corpus, after QC, by dataset id.

    Returns
    -------
    Added set → cells.
    """
    own, spare, published = (
        count(profile, baseline, sizes=sizes) for count in (baseline_cells, spare_cells, published_cells)
    )
    found = {}
    for name in profile.added:
        adds = added_cells(profile, name, sizes=sizes)
        smaller, larger = sorted((own + adds, own + published))
        serves = profile.protocol == "published" or larger <= (1 + SIZE_TOLERANCE) * smaller
        found[name] = published if serves else min(adds, spare)
    return found
