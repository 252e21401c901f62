"""The text of a profile of one's own cells: every choice with its reason, and how to change it."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamix.corpora.gene_tables import GENE_TABLE
from datamix.corpora.likely_columns import Column
from datamix.corpora.own_choices import (
    EVALUATED,
    LARGEST_BLOCK,
    LEAST_BLOCK,
    Part,
    shared_cells,
    shared_donor_names,
)
from datamix.corpora.own_shares import LEAST, Shares, comment, in_minutes, name_text, seconds_of_training, shares_text
from datamix.project.files import files_in
from datamix.project.profile import QC

EPOCHS = 60
"""The paper trains for 250, on about a hundred thousand cells; the small profiles for these."""
SEEDS = (0, 1, 2)
_SHOWN = 8
_FEW_GENES = 2_000  # fewer are a panel


@dataclass(frozen=True)
class Choices:
    """What a profile sets."""

    name: str
    parts: Sequence[Part]
    qc: QC
    cells: int
    whole: tuple[str, ...]
    """Added sets that are taken whole."""
    shares: Shares | None
    genes: int
    """Genes that all training sets share."""
    fewest: Part
    """The training set with the fewest genes of its own."""
    tested_genes: Mapping[str, int]
    """How many of them each evaluation set has."""
    gene_sets: str | None

    def of(self, role: str) -> list[Part]:
        """Return the sets of a role, as they were given."""
        return [part for part in self.parts if part.role == role]

    @property
    def asked(self) -> str:
        """The question, in a sentence."""
        (baseline,), added, tested = self.of("baseline"), self.of("added"), self.of("evaluation")
        if not added:
            more = f"twice the cells of {label([baseline])}"
            return f"Does a model of the cells of {label(tested)} become better with {more}?"
        return (
            f"Does a model of the cells of {label(tested)} become better where {label(added)} "
            f"{'is' if len(added) == 1 else 'are'} added to {label([baseline])} for training?"
        )

    @property
    def minutes(self) -> int:
        """About how long the models of one seed train on one thread."""
        blocks = 1 + len(self.of("added")) + 2 * (1 + len(self.of("added")))
        return max(1, round(seconds_of_training(blocks * self.cells * EPOCHS, genes=self.genes) / 60))

    @property
    def minutes_of_shares(self) -> int:
        """About how long all mixtures by shares train on one thread."""
        of = self.shares
        return 0 if of is None else of.minutes(genes=self.genes, evaluations=len(self.of("evaluation")))

    def told(self) -> Iterator[str]:
        """Say what was chosen and why, a line each."""
        yield "Chosen:"
        for name, words in self._told():
            yield f"  {name:<12}{words}"

    def _told(self) -> Iterator[tuple[str, str]]:
        sizes = ", ".join(f"{part.name} {int(part.cells(self.qc).sum()):,}" for part in self.parts)
        yield "filters", f"{_why_qc(self)}; cells that pass: {sizes}"
        yield "cells", f"{self.cells:,} in a training block: {_why_cells(self)}"
        if self.whole:
            yield "whole", f"{label(self.whole)}, smaller than a block, held against a control as small"
        of_few = f", because {self.fewest.name} has few: all is compared on these" if self.genes < _FEW_GENES else ""
        yield "genes", f"{self.genes:,} that all training sets have{of_few}"
        for name, n in self.tested_genes.items():
            if n < self.genes / 2:
                yield "note", f"{name} has {n:,} of these genes; the others count as 0 in its cells"
        for part in (part for part in self.of("evaluation") if part.source is not None):
            donors = ", ".join(part.donors[:_SHOWN])
            yield "held out", f"donors {donors} of {part.path.name} are for '{part.name}' only"
        (baseline,) = self.of("baseline")
        for part in self.of("added"):
            if n := shared_cells(part, baseline):
                yield "note", f"{n:,} of the {part.found.n_cells:,} cells of {part.name} stand in {baseline.name}, too"
        for tested, others, names in _namesakes(self.parts):
            both = f"{tested.name} names a donor {', '.join(names[:3])}, and so {'does' if len(others) == 1 else 'do'}"
            yield "note", f"{both} {label(others)}: if it is the same person, give these datasets one `source`"
        time = f"about {in_minutes(self.minutes)} of training a seed on one core, for {len(SEEDS)} seeds"
        if self.shares is not None:
            of = f"mixtures of {self.shares.cells:,} cells of {label(self.shares.blocks)}"
            yield "shares", f"{of}, to say what each is worth (Figures 7 and 8)"
            time += f"; and {in_minutes(self.minutes_of_shares)} for the mixtures by shares, all seeds together"
        yield "time", time


def label(parts: Iterable[Part | str]) -> str:
    """Name sets for readers: `gut`, `gut and tf`, `gut, tf and eye`."""
    names = [(part if isinstance(part, str) else part.name).replace("_", " ") for part in parts]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def profile_text(choices: Choices, *, root: Path) -> str:
    """Write the profile.

    Parameters
    ----------
    choices
        What it sets.
    root
        The project's folder, from which paths of files in it are told.

    Returns
    -------
    YAML with comments.
    """
    return "\n".join([*_head(choices), "", *_sets(choices), "", *_end(choices), "", *_datasets(choices, root), ""])


def _head(choices: Choices) -> Iterator[str]:
    sets, tested = choices.of("added"), label(choices.of("evaluation"))
    added = label(sets) if sets else ""
    (baseline,) = choices.of("baseline")
    yield from comment(
        f"Your own cells. `make book PROFILE={choices.name}` makes the book, and after a change here what it concerns."
    )
    yield f"name: {name_text(choices.name)}"
    asked = f"{added} added to {label([baseline])}" if added else label([baseline])
    yield f"title: {_text(f'{choices.name}: {asked}, on {tested}')}"
    yield "simulated: false"
    answer = (
        "Figure 2 has the answer: each added set on each evaluation set, against a control of its size."
        if added
        else "Figure 2 has the answer: half of the cells, and all of them, on each evaluation set."
    )
    yield f"about: {_text(f'{choices.asked} {answer}')}"
    yield "protocol: corrected     # `published` repeats the faults of the paper's scripts"
    yield ""
    yield from comment("Each mixture is trained once a seed. One is enough for Figure 2, two for all pages.")
    yield f"seeds: {list(SEEDS)}"
    yield ""
    why = _why_cells(choices)
    yield from comment(
        f"Cells in a training block: {why}. More take longer: now about {in_minutes(choices.minutes)} a seed "
        "on one core. `all` takes each set whole."
    )
    yield f"cells: {choices.cells}"
    yield from comment(f"null: all {choices.genes:,} genes that the training sets share. A number keeps so many.")
    yield "most_variable_genes: null"
    if choices.gene_sets:
        yield f"gene_sets: {choices.gene_sets}      # what Figure 4 looks for in the factors of the models"
    else:
        yield "gene_sets: null      # `hallmark` for Figure 4: it could not be fetched when this was written"
    yield ""
    yield from comment(f"A cell is kept above min_counts and below max_mito, a fraction: {_why_qc(choices)}.")
    yield "qc:"
    yield f"  min_counts: {choices.qc.min_counts:g}"
    yield f"  max_mito: {choices.qc.max_mito:g}"


def _sets(choices: Choices) -> Iterator[str]:
    (baseline,) = choices.of("baseline")
    yield "# What the others are added to; its cells are split in two halves, the second being the control."
    yield "baselines:"
    yield f"  {name_text(baseline.name)}:"
    yield f"    label: {_label(baseline)}"
    yield f"    dataset: {name_text(baseline.dataset)}"
    yield ""
    if choices.of("added"):
        yield "# Each is trained on alone, and on top of the baseline."
        yield "added:"
    else:
        yield from comment(
            "Nothing is added. To ask what a set of another file is worth: name: {label: Name, datasets: [id]}, the id "
            "being one under `datasets`; or `datamix new` with --add FILE."
        )
        yield "added: {}"
    for part in choices.of("added"):
        yield f"  {name_text(part.name)}:"
        yield f"    label: {_label(part)}"
        yield f"    datasets: [{name_text(part.dataset)}]"
        if part.name in choices.whole:
            yield "    cells: all       # it is smaller than a block; its control is as small"
    yield ""
    yield from comment(
        "No model is trained on these. group is non-disease, cancer, or out of distribution (cells unlike any that a "
        "model is trained on); it decides the place in the heat map, and which claims of the paper are asked of the "
        "set. `cell_types: [name, …]` keeps cells of these types only."
    )
    yield "evaluations:"
    for part in choices.of("evaluation"):
        group, why = part.found.group or ("non-disease", "nothing in the file says so; change it where it is not")
        n = int(part.cells(choices.qc).sum())
        yield f"  {name_text(part.name)}:"
        yield f"    label: {_label(part)}"
        yield f"    dataset: {name_text(part.dataset)}"
        yield f"    group: {group}     # {why}"
        if n > EVALUATED:
            yield f"    cells: {EVALUATED}      # drawn of {n:,}, so that scoring takes minutes"
        yield f"    note: {_text(_note(part, n))}"


def _note(part: Part, n: int) -> str:
    held = f", of the held-out donors {', '.join(part.donors[:_SHOWN])}" if part.source is not None else ""
    few = "; too few for more than a first look" if n < 50 else ""
    return f"{n:,} cells of {part.path.name} after quality control{held}{few}."


def _end(choices: Choices) -> Iterator[str]:
    yield "training:"
    yield f"  max_epochs: {EPOCHS}   # the paper: 250, on blocks of 101,879 cells"
    yield ""
    if choices.shares is not None:
        yield from shares_text(choices.shares, name=choices.name, minutes=choices.minutes_of_shares)
    elif choices.of("added"):
        yield from comment(
            f"No mixtures by shares (Figures 7 and 8): fewer than two sets, the baseline being one, have {LEAST:,} "
            "cells. config/demo.yaml has a section `composition` to copy."
        )
        yield ""
    yield "missing:"
    yield "  the paper: The cells are your own; of the paper's data this profile has none."
    yield ""
    yield "# Geneformer, the second model family, is not trained here: config/demo.yaml has a small one to copy."


def _datasets(choices: Choices, root: Path) -> Iterator[str]:
    yield from comment(
        "The files, read where they lie and never changed; `datamix inspect FILE` says what is in one. cell_type and "
        "donor name columns, or labels beside the counts, as cell_type: {rule: column, file: labels.csv, column: "
        "cluster}, the table being one of `files`, or donor: {rule: constant, value: D1}. The book's page “Your own "
        "cells” has all options."
    )
    yield "datasets:"
    of: dict[str, Part] = {}
    for part in choices.parts:
        of.setdefault(part.dataset, part)
    for dataset, part in of.items():
        found = part.found
        yield f"  {name_text(dataset)}:"
        side = "" if part.source is None else f", {'held-out' if part.role == 'evaluation' else 'other'} donors"
        yield f"    title: {_text(part.path.name + side)}"
        yield "    reader: file"
        how = "Ensembl ids" if found.gene_ids == "ensembl" else "symbols"
        yield f"    gene_ids: {found.gene_ids}      # {how}; {_known(part)}"
        if found.wants_table:
            yield f"    gene_table: {GENE_TABLE}"
        if part.source is not None:
            source = name_text(part.source)
            yield f"    source: {source}      # parts of one file: the run stops where they share a donor"
        yield "    access: own"
        yield from _options(part)
        yield "    files:"
        for name, path in found.all_files.items():
            size = sum(inside.stat().st_size for inside in files_in(path))
            yield f"      - name: {_text(name)}"
            yield f"        path: {_text(_told(path, root))}"
            yield f"        bytes: {size}"
            yield f"        sha256: {part.sha256[name]}"
        for tested, others, names in _namesakes(choices.parts):
            if tested is part:
                both = f"{label(others)} {'names' if len(others) == 1 else 'name'} a donor {', '.join(names[:3])}, too"
                yield from comment(f"{both}: if it is the same person, give these one `source`.", indent=4)


def _options(part: Part) -> Iterator[str]:
    found = part.found
    yield "    options:" + ("" if found.cell_type or found.donor or found.name_with else " {}")
    if found.cell_type is not None:
        yield f"      cell_type: {_rule(found.cell_type)}      # {_counted(found.cell_type, 'type')}"
    else:
        words = "No column is named like cell types, so cells are “not labelled”. Name it: cell_type: column"
        yield from comment(words, indent=6)
    if found.donor is not None:
        named, what = ("sample", ", the nearest that it has to donors") if found.donor.is_sample else ("donor", "")
        yield f"      donor: {_rule(found.donor)}      # {_counted(found.donor, named)}{what}"
    elif len(found.samples) == 1:
        words = "No column is named like donors, so whether two sets share one is not known. Name it: donor: column"
        yield from comment(words, indent=6)
    if found.name_with:
        yield f"      name_with: {_text(found.name_with)}      # put before the names of cells, some of which repeat"
    if part.donors and found.donor is not None:
        kept = "donor" if found.donor.file else found.donor.name
        yield f"      keep: {{{_text(kept)}: {json.dumps(list(part.donors), ensure_ascii=False)}}}"


def _counted(column: Column, what: str) -> str:
    n = len(column.values)
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _rule(column: Column) -> str:
    """Write a column of the file itself, or of a table beside it."""
    if column.file is None:
        return _text(column.name)
    return f"{{rule: column, file: {_text(column.file)}, column: {_text(column.name)}}}"


def _known(part: Part) -> str:
    genes = part.found.genes
    return "not known how many" if genes is None else f"{genes.known.mean():.0%} of {part.found.genes_read:,} are known"


def _why_cells(choices: Choices) -> str:
    (baseline,) = choices.of("baseline")
    half = int(baseline.cells(choices.qc).sum()) // 2
    added = {part.name: int(part.cells(choices.qc).sum()) for part in choices.of("added")}
    if choices.cells == LARGEST_BLOCK:
        return f"the bound for a first run; every set that is at least {LEAST_BLOCK:,} cells large has as many"
    if choices.cells == half:
        return f"half of {baseline.name}, whose other half is the control"
    return f"as many as {min((n for n in added if added[n] == choices.cells), default=baseline.name)} has"


def _why_qc(choices: Choices) -> str:
    qc, usual = choices.qc, QC()
    if qc == usual:
        return f"more than {qc.min_counts:,g} counts, less than {qc.max_mito:.0%} mitochondrial, as in the paper"
    least = min(
        [part for part in choices.parts if not part.found.is_unfiltered] or choices.parts,
        key=lambda part: part.found.passing(min_counts=usual.min_counts, max_mito=usual.max_mito).mean(),
    )
    share = least.found.passing(min_counts=usual.min_counts, max_mito=usual.max_mito).mean()
    return (
        f"more than {qc.min_counts:,g} counts, less than {qc.max_mito:.0%} mitochondrial; the paper's filters "
        f"({usual.min_counts:,g}, {usual.max_mito:.0%}) would keep {share:.0%} of {least.name}, whose cells have "
        f"{np.median(least.found.total):,.0f} counts"
    )


def _namesakes(parts: Sequence[Part]) -> Iterator[tuple[Part, list[Part], list[str]]]:
    """Give each evaluation set with the training sets that name a donor as it does, and these names."""
    for tested in (part for part in parts if part.role == "evaluation"):
        names = {p.name: shared_donor_names(tested, p) for p in parts if p.role != "evaluation"}
        others = [part for part in parts if part.role != "evaluation" and names[part.name]]
        if others:
            yield tested, others, list(dict.fromkeys(name for part in others for name in names[part.name]))


def _label(part: Part) -> str:
    words = part.name.replace("_", " ")
    return _text(words[:1].upper() + words[1:])


def _told(path: Path, root: Path) -> str:
    """Name a file from the project's folder on where it lies in it, else in full."""
    inside = path.is_relative_to(root)
    return os.fspath(path.relative_to(root) if inside else path)


def _text(text: str) -> str:
    """Quote a text for YAML, whatever is in it."""
    return json.dumps(text, ensure_ascii=False)
