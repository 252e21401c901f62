"""Mixtures by shares of one's own cells: which sets, how many cells, how long, and the section of the profile."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from datamix.corpora.planning import SECONDS_A_CELL

LARGEST = 1_000
"""Cells of a mixture at most: there are dozens of them."""
LEAST = 100
"""A set with fewer cells is not mixed: all mixtures are as large as the smallest set."""
MOST = 6
"""Sets that are mixed: six have 63 combinations, and one more would double them."""
MIXTURES = 12
"""Of random shares."""
EPOCHS = 30
SEEDS = (0, 1)
BATCH = 64  # the mixtures are small: larger ones would leave them few steps
_DOSES = (10, 30, 100, 300)
_GENES = 5_000  # those that `SECONDS_A_CELL` is of
_LINE = 110


@dataclass(frozen=True)
class Shares:
    """Which mixtures by shares there are."""

    cells: int
    """Of each mixture."""
    smallest: str | None
    """The set that bounds it."""
    blocks: tuple[str, ...]
    left_out: tuple[str, ...]
    """Sets that are not mixed."""

    @property
    def doses(self) -> list[int]:
        """Cells of a set in place of as many of the baseline's, up to half of a mixture."""
        return [*(dose for dose in _DOSES if 3 * dose <= self.cells), self.cells // 2]

    def minutes(self, *, genes: int, evaluations: int) -> int:
        """Say about how long all train, on one thread."""
        # The second round has one for each evaluation set and one for all, and two sets in doses at most.
        mixtures = 2 ** len(self.blocks) - 1 + MIXTURES + evaluations + 1 + 2 * len(self.doses)
        return max(1, round(seconds_of_training(mixtures * self.cells * len(SEEDS) * EPOCHS, genes=genes) / 60))


def seconds_of_training(cells: int, *, genes: int) -> float:
    """Say about how long cells, counted once an epoch, train on one thread."""
    return cells * genes * SECONDS_A_CELL / _GENES


def choose_shares(sizes: Mapping[str, int]) -> Shares | None:
    """Choose what is mixed.

    Parameters
    ----------
    sizes
        Cells of each training set after QC, the baseline first.

    Returns
    -------
    The mixtures; None where fewer than two sets, the baseline being one, are large enough.
    """
    baseline = next(iter(sizes))
    blocks = tuple(name for name, n in sizes.items() if n >= LEAST)[:MOST]
    if len(blocks) < 2 or baseline not in blocks:
        return None
    smallest = min(blocks, key=lambda name: sizes[name])
    bound = smallest if sizes[smallest] <= LARGEST else None
    return Shares(min(LARGEST, sizes[smallest]), bound, blocks, tuple(name for name in sizes if name not in blocks))


def shares_text(shares: Shares, *, name: str, minutes: int) -> Iterator[str]:
    """Write the section `composition` of a profile, a line each, with comments."""
    yield from comment(
        "Mixtures by shares: what is each set worth, and what should be mixed? All have as many cells, and differ in "
        f"shares only; `datamix advise --profile {name}` says what came out. About {in_minutes(minutes)} on one core; "
        "without this section Figures 7 and 8 are left out."
    )
    why = f"as many as {shares.smallest} has" if shares.smallest else "the bound for a first run"
    yield "composition:"
    yield f"  cells: {shares.cells}     # of each mixture: {why}"
    if shares.left_out:
        yield f"  blocks: [{', '.join(map(name_text, shares.blocks))}]"
        why = f"{', '.join(shares.left_out)}: with fewer than {LEAST:,} cells, or beyond {MOST} sets"
        yield from comment(f"left out: {why}", indent=2)
    equal = 2 ** len(shares.blocks) - 1
    yield f"  mixtures: {MIXTURES}     # of random shares, beside the {equal} of equal shares of some of the sets"
    yield f"  doses: {shares.doses}     # cells of one set in place of as many of the baseline's"
    yield f"  seeds: {list(SEEDS)}"
    yield f"  max_epochs: {EPOCHS}"
    yield f"  batch_size: {BATCH}"
    yield ""


def comment(words: str, *, indent: int = 0) -> list[str]:
    """Wrap words as comments of YAML."""
    before = " " * indent + "# "
    return textwrap.wrap(words, width=_LINE, initial_indent=before, subsequent_indent=before, break_on_hyphens=False)


def name_text(name: str) -> str:
    """Write a name for YAML: quoted where it would be read as something else (`on`, `null`, `2024`)."""
    return name if yaml.safe_load(name) == name else json.dumps(name)


def in_minutes(minutes: int) -> str:
    """Say a time: `a minute`, `1,200 minutes`."""
    return "a minute" if minutes == 1 else f"{minutes:,} minutes"
