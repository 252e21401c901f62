"""What a profile of one's own cells sets, chosen from what is in the files: filters, sizes, held-out donors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from datamix.corpora.inspection import Inspection
from datamix.project.errors import DatamixError
from datamix.project.profile import QC

LARGEST_BLOCK = 5_000
"""Cells of a training block at most: with more, a notebook computer trains for hours."""
LEAST_BLOCK = 500
"""An added set with fewer cells is taken whole and does not make the other blocks as small as itself."""
EVALUATED = 2_000
"""Cells drawn of an evaluation set at most."""
HELD_OUT = 0.2
"""The share of cells, about, whose donors are held out where one file is to be trained on and evaluated."""
_MIN_COUNTS = (1000, 500, 200, 100, 50, 20, 0)
_MAX_MITO = (0.1, 0.2, 0.3, 0.5, 1.0)
_SAME_CELLS = 0.01
_TRAINABLE = 10  # as `ldvae.training` asks for
Role = Literal["baseline", "added", "evaluation"]


@dataclass(frozen=True)
class Part:
    """One set of cells and what it is for."""

    role: Role
    name: str
    dataset: str
    """Its id as a dataset."""
    path: Path
    sha256: Mapping[str, str]
    """Of each of its files, by name."""
    found: Inspection
    donors: tuple[str, ...] = ()
    """Only cells of these donors; nothing means all."""
    source: str | None = None
    """What datasets of one file have in common."""

    @property
    def content(self) -> list[str]:
        """What its files of counts hold, whatever they are called."""
        return sorted(self.sha256[name] for name in self.found.files)

    def cells(self, qc: QC) -> npt.NDArray[np.bool_]:
        """Say which cells of the files are in the set, after QC."""
        kept = self.found.passing(min_counts=qc.min_counts, max_mito=qc.max_mito)
        if self.donors and self.found.donor is not None:
            chosen = self.found.donor.values.index.get_indexer(pd.Index(self.donors))
            kept &= np.isin(self.found.donor.codes, chosen)
        return kept


def choose_qc(parts: Sequence[Part]) -> QC:
    """Choose the paper's filters, or, where half of a file's cells would not pass, the nearest that let half pass.

    A file with all droplets, most of them empty, has no say where enough of its cells pass the paper's filters.
    """
    strict = QC()
    asked = [part.found for part in parts if part.found.n_cells and not _has_enough(part, strict)]

    def passes(qc: QC) -> bool:
        return all(found.passing(min_counts=qc.min_counts, max_mito=qc.max_mito).mean() >= 0.5 for found in asked)

    tried = [QC(min_counts=counts, max_mito=mito) for mito in _MAX_MITO for counts in _MIN_COUNTS]
    # Depth differs more between technologies than quality does: it is let down first, as far as it helps.
    return next((qc for qc in tried if passes(qc)), tried[-1]) if not passes(strict) else strict


def _has_enough(part: Part, qc: QC) -> bool:
    return part.found.is_unfiltered and int(part.cells(qc).sum()) >= 2 * _TRAINABLE


def choose_cells(parts: Sequence[Part], *, qc: QC) -> tuple[int, tuple[str, ...]]:
    """Choose how many cells a training block has: the smallest of half the baseline and the added sets, up to a bound.

    Returns
    -------
    The cells, and the added sets that have fewer and are taken whole.

    Raises
    ------
    DatamixError
        If QC leaves too few cells of the baseline or of an added set.
    """
    sizes = {part.name: int(part.cells(qc).sum()) for part in parts if part.role != "evaluation"}
    baseline = next(part for part in parts if part.role == "baseline")
    if sizes[baseline.name] < 2 * _TRAINABLE:
        raise _too_few(baseline, sizes[baseline.name], qc)
    added = {part.name: sizes[part.name] for part in parts if part.role == "added"}
    for part in (part for part in parts if part.role == "added"):
        if added[part.name] < _TRAINABLE:
            raise _too_few(part, added[part.name], qc)
    half = sizes[baseline.name] // 2
    cells = min(LARGEST_BLOCK, half, *(n for n in added.values() if n >= LEAST_BLOCK))
    return cells, tuple(name for name, n in added.items() if n < cells)


def _too_few(part: Part, cells: int, qc: QC) -> DatamixError:
    msg = (
        f"{part.path}: {cells:,} of {part.found.n_cells:,} cells have more than {qc.min_counts:g} counts and a "
        f"mitochondrial fraction below {qc.max_mito:g}; that is too few to train on."
    )
    return DatamixError(msg, fix="give a file with more cells")


def hold_out_donors(parts: Sequence[Part]) -> list[Part]:
    """Part the donors of a file that is to be trained on and evaluated, so that no donor is on both sides.

    The donor with most cells is trained on. Of the others, from those with most cells on, so many are held out that
    they have about a fifth of all cells, and one at least.

    Raises
    ------
    DatamixError
        If the file names no donors, or only one, if it is given twice for the same side, or if another file holds the
        same cells.
    """
    result = list(parts)
    trained = [part for part in parts if part.role != "evaluation"]
    for side in (trained, [part for part in parts if part.role == "evaluation"]):
        for number, part in enumerate(side):
            twice = next((other for other in side[:number] if other.content == part.content), None)
            if twice is not None:
                both = f"{twice.role} '{twice.name}' and {part.role} '{part.name}'"
                msg = f"{part.path} is given twice, for {both}: it has the same content as {twice.path}."
                raise DatamixError(msg, fix="give it once")
    for number, part in enumerate(parts):
        if part.role != "evaluation":
            continue
        same = next((other for other in trained if other.content == part.content), None)
        if same is None:
            for other in trained:
                _require_other_cells(part, other)
            continue
        at = parts.index(same)
        kept, held = _donors(same, part)
        result[at] = replace(same, donors=kept, source=same.dataset)
        result[number] = replace(part, donors=held, source=same.dataset)
    return result


def _donors(trained: Part, tested: Part) -> tuple[tuple[str, ...], tuple[str, ...]]:
    donor = trained.found.donor
    if donor is None or len(donor.values) < 2:
        known = "it names no donors" if donor is None else f"its column '{donor.name}' names one donor only"
        msg = (
            f"{tested.path} is to be trained on ({trained.role} '{trained.name}') and evaluated ('{tested.name}'): a "
            f"model would be scored on cells that it has seen. Donors would be held out, but {known}."
        )
        raise DatamixError(msg, fix="give another file with --on, of other donors")
    others = donor.values.iloc[1:]  # the one with most cells is trained on
    wanted = HELD_OUT * donor.labelled
    held: list[str] = []
    cells = 0
    for name, n in others.items():
        if cells < wanted and cells + n <= 1.5 * wanted:
            held.append(str(name))
            cells += int(n)
    held = held or [str(others.index[-1])]
    return tuple(str(name) for name in donor.values.index if name not in held), tuple(held)


def _require_other_cells(tested: Part, trained: Part) -> None:
    if shared := shared_cells(tested, trained):
        msg = (
            f"{shared:,} of the {tested.found.n_cells:,} cells of {tested.path} ('{tested.name}') stand in "
            f"{trained.path} ({trained.role} '{trained.name}'), with the same names and as many counts: a model would "
            "be scored on cells that it has seen."
        )
        raise DatamixError(msg, fix="give a file with other cells, or leave these out of one of them")


def shared_cells(part: Part, other: Part) -> int:
    """Count the cells that stand in another file too, with name and counts; a few, as chance has it, are none."""
    shared = int(np.isin(part.found.keys, other.found.keys).sum())
    return shared if shared > _SAME_CELLS * part.found.n_cells else 0


def shared_donor_names(tested: Part, trained: Part) -> tuple[str, ...]:
    """Name the donors that two different files both name; whether they are the same, the files cannot say."""
    if tested.source is not None or tested.found.donor is None or trained.found.donor is None:
        return ()
    names = set(map(str, trained.found.donor.values.index))
    return tuple(str(name) for name in tested.found.donor.values.index if str(name) in names)


def count_shared_genes(parts: Sequence[Part]) -> tuple[int, Part, dict[str, int]]:
    """Count the genes that all training sets have.

    Returns
    -------
    Their number, the set with the fewest genes of its own, and how many of them each evaluation set has, by its name.

    Raises
    ------
    DatamixError
        If there is none, or an evaluation set has none of them.
    """
    named = [(part, set(part.found.genes.genes)) for part in parts if part.found.genes]
    trained = [(part, genes) for part, genes in named if part.role != "evaluation"]
    common = set.intersection(*(genes for _, genes in trained))
    if not common:
        sizes = ", ".join(f"{part.name} ({len(genes):,})" for part, genes in trained)
        msg = f"No gene is common to all training sets: {sizes}."
        raise DatamixError(msg, fix="leave out the set that measures other genes")
    tested = {part.name: len(genes & common) for part, genes in named if part.role == "evaluation"}
    for part in (part for part in parts if tested.get(part.name) == 0 and part.role == "evaluation"):
        msg = f"{part.path} ('{part.name}') has none of the {len(common):,} genes that all training sets have."
        raise DatamixError(
            msg, fix="give another file with --on, or leave out the training set that measures few genes"
        )
    return len(common), min(trained, key=lambda one: len(one[1]))[0], tested
