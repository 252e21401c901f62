"""What an inspection found, in the words that `datamix inspect` and `datamix new` print."""

from collections.abc import Iterator

import numpy as np

from datamix.corpora.inspection import Inspection
from datamix.corpora.likely_columns import Column
from datamix.project.profile import QC

_NAMED = 4
_WIDE = 12


def describe(found: Inspection, *, qc: QC) -> list[str]:
    """Say what files hold: a line for each of format, cells, counts, genes, labels, depth, and what is unusual.

    Parameters
    ----------
    found
        From `inspect_cells`.
    qc
        The filters whose effect is told.
    """
    return [f"  {name:<{_WIDE}}{words}" for name, words in _lines(found, qc)]


def _lines(found: Inspection, qc: QC) -> Iterator[tuple[str, str]]:
    yield "format", ", ".join(found.formats)
    samples = f" in {len(found.samples)} samples ({_some(found.samples)})" if len(found.samples) > 1 else ""
    yield "cells", f"{found.n_cells:,}{samples}"
    place = ", ".join(found.matrices)
    others = "; ".join(f"{name} has {'counts, too' if counts else 'none'}" for name, counts in found.others.items())
    yield "raw counts", f"{f'in {place}' if place else 'its only matrix'}{f' ({others})' if others else ''}"
    yield "genes", _genes(found)
    yield "organism", _organism(found)
    yield "cell types", _column(found.cell_type, "cell types", found)
    yield "donors", _donors(found)
    if found.n_cells:
        yield (
            "depth",
            (
                f"median {np.median(found.total):,.0f} counts and {np.median(found.detected):,.0f} genes a cell; "
                f"{np.median(found.mito_fraction):.1%} of a cell's counts are mitochondrial"
            ),
        )
        kept = int(found.passing(min_counts=qc.min_counts, max_mito=qc.max_mito).sum())
        yield (
            "quality",
            (
                f"{kept:,} of {found.n_cells:,} cells have more than {qc.min_counts:,g} counts and less than "
                f"{qc.max_mito:.0%} of them mitochondrial"
            ),
        )
    yield from (("note", note) for note in found.notes)


def _genes(found: Inspection) -> str:
    ids = "Ensembl ids" if found.gene_ids == "ensembl" else "symbols"
    if found.genes is None:
        unknown = "" if found.problem else "; how many are known cannot be said without the gene table"
        return f"{found.genes_read:,}, named by {ids}{unknown}"
    how = ", ".join(f"{way}: {n:,}" for way, n in found.genes.named_by.items())
    return (
        f"{found.genes_read:,}, named by {ids}; {found.genes.known.mean():.0%} are known, with "
        f"{found.known_counts:.0%} of the counts ({how})"
    )


def _organism(found: Inspection) -> str:
    if found.problem is not None:
        return f"cannot be used: {found.problem.problem}"
    return "human" if found.genes is not None else "not known"


def _column(column: Column | None, what: str, found: Inspection) -> str:
    if column is None:
        listed = f"there are: {_some(found.columns, 12)}" if found.columns else "of cells only names are known"
        return f"no column is named like {what}; {listed}"
    values = [f"{value} {n:,}" for value, n in column.values.items()]
    missing = f"; {found.n_cells - column.labelled:,} cells have none" if column.labelled < found.n_cells else ""
    where = f"column '{column.name}'" + (f" of {column.file}" if column.file else "")
    return f"{where}, {len(values):,} of them: {_some(values)}{missing}"


def _donors(found: Inspection) -> str:
    if found.donor is None and len(found.samples) > 1:
        return f"no column is named like donors; each of the {len(found.samples)} samples is taken as one"
    words = _column(found.donor, "donors", found)
    return f"{words} (samples, which may share donors)" if found.donor is not None and found.donor.is_sample else words


def _some(names: list[str] | tuple[str, ...], most: int = _NAMED) -> str:
    return ", ".join(map(str, names[:most])) + (", …" if len(names) > most else "")
