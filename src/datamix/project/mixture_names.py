"""Names of mixtures: `blood`, `blood+blood_cancer`; the control `blood+blood`, or `blood+blood_690`, of 690 cells."""

from dataclasses import dataclass


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
