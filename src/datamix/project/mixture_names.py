"""Names of mixtures: `blood`, `blood+blood_cancer`; the control `blood+blood`, or `blood+blood_690`, of 690 cells.

A mixture by shares is named by its cells, `blood=300+tf_atlas=100`: equal mixtures have one name. Where its added cells
are thinned, the counts that they have left come last, `blood=300+tf_atlas=100@3400`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from datamix.project.errors import DatamixError

LONGEST = 200
"""Characters of the longest name: file systems take 255 bytes, and endings come after it."""


@dataclass(frozen=True)
class MixtureName:
    """A name taken apart."""

    first: str
    """The baseline, or a set that is trained on alone."""
    added: str | None = None
    """What is added to it; its own name in a control; None where nothing is added."""
    cells: int | None = None
    """Cells that a control adds, where they are not a block."""

    @property
    def last(self) -> str:
        """The set that gives the mixture its colour and label: what is added, or the set alone."""
        return self.added or self.first

    def __str__(self) -> str:
        """Put the name together."""
        name = self.first if self.added is None else f"{self.first}+{self.added}"
        return name if self.cells is None else f"{name}_{self.cells}"


def read_name(mixture: str) -> MixtureName:
    """Take the name of a mixture apart; `Profile` sees to it that no set is named as a control of some size is."""
    first, plus, added = mixture.partition("+")
    if not plus:
        return MixtureName(first)
    own, _, cells = added.rpartition("_")
    if own == first and cells.isdecimal():
        return MixtureName(first, own, int(cells))
    return MixtureName(first, added)


def name_shares(cells: Mapping[str, int], *, depth: int | None = None) -> str:
    """Name a mixture by the cells of each block, in the order given; blocks of no cells are left out.

    Parameters
    ----------
    cells
        Block → cells.
    depth
        Counts that added cells are thinned to; nothing: they are whole.

    Raises
    ------
    DatamixError
        If nothing is in it, or the name is longer than file systems take.
    """
    name = "+".join(f"{block}={n}" for block, n in cells.items() if n > 0)
    if name and depth is not None:
        name += f"@{depth}"
    if not name or len(name) > LONGEST:
        msg = f"A mixture of {len(cells)} blocks has a name of {len(name)} characters; expected 1 to {LONGEST}."
        raise DatamixError(msg, fix="mix fewer blocks (`composition.blocks`), or give the sets shorter names")
    return name


def read_shares(name: str) -> dict[str, int]:
    """Take the name of a mixture by shares apart: block → cells, in its order.

    Raises
    ------
    DatamixError
        If it is not such a name.
    """
    shares, at, depth = name.partition("@")
    parts = [part.partition("=") for part in shares.split("+")]
    if not all(block and cells.isdecimal() for block, _, cells in parts) or depth.isdecimal() != bool(at):
        msg = f"{name!r} is not the name of a mixture by shares, such as blood=300+tf_atlas=100."
        raise DatamixError(msg)
    return {block: int(cells) for block, _, cells in parts}


def read_depth(name: str) -> int | None:
    """Return the counts that the added cells of a mixture by shares are thinned to; None where they are whole."""
    _, _, depth = name.partition("@")
    return int(depth) if depth else None
