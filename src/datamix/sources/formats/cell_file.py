"""What every format comes to: the cells of one file, ready to be read a few rows at a time."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.sources.formats.blocks import nearest, require_columns

GENE_EXPRESSION = "Gene Expression"
# What 10x calls features that are no genes.
_OTHER_KINDS = {
    "Peaks",
    "Antibody Capture",
    "CRISPR Guide Capture",
    "Multiplexing Capture",
    "Antigen Capture",
    "Custom",
}
# Rows among the genes that are none: reads that counting programs (HTSeq, STAR) could give to no gene, and spike-ins.
_NO_GENES = r"^(?:__\w+|N_(?:unmapped|multimapping|noFeature|ambiguous)|unmapped|ERCC[-._]\d{5})$"
_SAMPLE = 1 << 20
_LAYERS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"^(?:raw[_.]?)?(?:counts?|umis?)$|^raw$|^matrix$",
        r"^(?:spliced|mature)$",
        r"(?!)",  # any other
        r"^(?:unspliced|nascent|ambiguous|spanning|antisense)$|binar",  # a part, or yes and no
    )
)


@dataclass(frozen=True)
class CellFile:
    """Counts, cells and genes of one file; counts stay where they are until rows are asked for."""

    kind: str
    """The format in plain words."""
    where: str
    """The file, for messages."""
    matrix: str
    """Where in the file the counts stand (`X`, `raw/X`, `assays/RNA/counts`); empty where there is one matrix only."""
    var: pd.DataFrame
    """Indexed by gene name (n_genes,), with what the file knows of each gene, as text."""
    n_cells: int
    columns: tuple[str, ...]
    """What the file knows of its cells."""
    read_obs: Callable[[Sequence[str]], pd.DataFrame]
    """Some of these columns, a row a cell."""
    read_names: Callable[[np.ndarray], np.ndarray]
    """Names of cells by row number, ascending."""
    read_rows: Callable[[np.ndarray], sparse.csr_matrix]
    """float32 CSR by row number, ascending; over all genes of `var`."""
    places: Mapping[str, bool] = field(default_factory=dict)
    """Matrices that the file holds, and whether each looks like raw counts."""
    notes: tuple[str, ...] = ()

    def obs(self, columns: Sequence[str]) -> pd.DataFrame:
        """Read columns; a `DatamixError` lists those that there are where one is missing."""
        require_columns(self.columns, columns, where=f"{self.where}: obs")
        return self.read_obs(columns)


def in_memory(
    counts: sparse.spmatrix,
    *,
    kind: str,
    where: str,
    cells: Sequence[str] | np.ndarray,
    var: pd.DataFrame,
    obs: pd.DataFrame | None = None,
    matrix: str = "",
    places: Mapping[str, bool] | None = None,
    notes: tuple[str, ...] = (),
) -> CellFile:
    """Make a `CellFile` of counts (n_cells, n_genes) that a format can only give whole."""
    values = sparse.csr_matrix(counts)
    names = np.asarray(cells, dtype=object)
    table = pd.DataFrame(index=range(len(names))) if obs is None else obs.reset_index(drop=True)
    table = table.set_axis([str(c) for c in table.columns], axis=1)
    return CellFile(
        kind=kind,
        where=where,
        matrix=matrix,
        var=var,
        n_cells=len(names),
        columns=tuple(table.columns),
        read_obs=lambda columns: table[list(columns)],
        read_names=lambda rows: names[rows],
        read_rows=lambda rows: _rows(values, rows),
        places=places or {},
        notes=notes,
    )


def _rows(values: sparse.csr_matrix, rows: np.ndarray) -> sparse.csr_matrix:
    block = values[rows].astype(np.float32)
    block.sum_duplicates()
    return block


def layers_in_order(names: Iterable[str]) -> list[str]:
    """Sort layers: those called counts first, then those of spliced molecules, and parts of the counts last."""
    return sorted(names, key=lambda name: (next((i for i, p in enumerate(_LAYERS) if p.search(name)), 2), name))


def looks_like_counts(values: np.ndarray) -> bool:
    """Tell whether values, or a sample of them, are finite whole numbers from 0 up, and not all 0."""
    values = np.asarray(values[:_SAMPLE], dtype=np.float64)
    return bool(
        len(values) and np.isfinite(values).all() and (values >= 0).all() and (values == np.floor(values)).all()
    )


def choose_matrix(sizes: Mapping[str, int], counts: Mapping[str, bool], *, wanted: str | None, where: str) -> str:
    """Choose the matrix that holds raw counts: the one that is asked for, else of those with counts the widest.

    Parameters
    ----------
    sizes
        Genes of each matrix of the file, by its place, those that are looked at first before others.
    counts
        Whether each looks like raw counts.
    wanted
        The place that a person named, whole or its end (`counts` for `layers/counts`).

    Raises
    ------
    DatamixError
        If there is no such place, or none holds raw counts.

    Notes
    -----
    Of matrices as wide as each other the first is taken; `layers_in_order` sorts layers for it.
    """
    listed = ", ".join(f"{place} ({'raw counts' if counts[place] else 'no raw counts'})" for place in sizes)
    if wanted is not None:
        fits = [p for p in sizes if wanted in {p, p.removesuffix("/X")}] or [
            p for p in sizes if p.endswith(f"/{wanted}")
        ]
        if len(fits) != 1:
            near = nearest(wanted, sizes)
            msg = f"{where} has no matrix '{wanted}'; it has {listed or 'none'}."
            fix = "correct `matrix` in the dataset's options in data_manifest.yaml"
            raise DatamixError(msg, fix=f"{fix}: did you mean '{near}'?" if near else fix)
        return fits[0]
    found = [place for place in sizes if counts[place]]
    if not found:
        msg = f"{where} holds no raw counts, whole numbers from 0 up; it has {listed or 'no matrix'}."
        fix = "take the file that holds raw counts: these values look normalised or scaled, or some are missing"
        raise DatamixError(msg, fix=fix)
    return max(found, key=lambda place: sizes[place])


def only_genes(file: CellFile) -> CellFile:
    """Leave out what is no gene: antibodies, peaks and guides, where the file says so, and counters' own rows.

    Raises
    ------
    DatamixError
        If the file says of everything that it is something else.
    """
    notes = []
    kept = np.ones(len(file.var), dtype=bool)
    kinds = next((c for c in ("feature_types", "feature_type") if c in file.var.columns), None)
    if kinds is not None:
        if len(file.var) and set(file.var[kinds]) <= _OTHER_KINDS:
            listed = ", ".join(f"{n:,} of kind {kind}" for kind, n in file.var[kinds].value_counts().items())
            msg = f"{file.where} holds no genes; it has {listed}."
            raise DatamixError(msg, fix="take the file with gene expression")
        genes = (file.var[kinds] == GENE_EXPRESSION).to_numpy()
        if genes.any() and not genes.all():
            others = file.var[kinds][~genes].value_counts()
            kept = genes
            notes.append(", ".join(f"{n:,} of kind {kind}" for kind, n in others.items()))
    counters = file.var.index.astype(str).str.contains(_NO_GENES, regex=True)
    if counters.any():
        kept &= ~counters
        names = file.var.index[counters]
        notes.append(", ".join(map(str, names[:4])) + (f" and {len(names) - 4:,} more" if len(names) > 4 else ""))
    if not notes:
        return file
    columns = np.flatnonzero(kept)
    return replace(
        file,
        var=file.var.iloc[columns],
        read_rows=lambda rows: file.read_rows(rows)[:, columns],
        notes=(*file.notes, f"features that are no genes are left out: {'; '.join(notes)}"),
    )
