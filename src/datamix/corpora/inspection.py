"""What is in a file of cells: format, counts, genes, labels and depth, found out without being told anything."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from datamix.corpora.cell_names import find_name_with, require_other_cells
from datamix.corpora.gene_names import GeneMap, map_genes
from datamix.corpora.labels_beside import Beside, find_labels, without_counts
from datamix.corpora.likely_columns import Column, likely_cell_types, likely_donors, likely_group
from datamix.corpora.plausibility import implausible, measure
from datamix.project.errors import DatamixError, naming
from datamix.project.profile import QC
from datamix.project.progress import progress
from datamix.sources.formats.blocks import cut
from datamix.sources.formats.cell_file import CellFile
from datamix.sources.formats.damage import reading
from datamix.sources.formats.missing import as_labels
from datamix.sources.formats.open_cells import open_cells
from datamix.sources.formats.raw_counts import require_counts
from datamix.sources.readers.file import genes_in_all, is_ensembl

_BLOCK_CELLS = 2_000
_EMPTY = 10  # counts: a droplet with fewer has no cell


@dataclass(frozen=True)
class Inspection:
    """What one file of cells, or several that are samples of one dataset, holds; arrays have an entry a cell."""

    files: Mapping[str, Path]
    formats: tuple[str, ...]
    matrices: tuple[str, ...]
    """Where the counts stand in each file; empty where a format has one place only."""
    others: Mapping[str, bool]
    """Other matrices of the first file, and whether each looks like raw counts."""
    samples: tuple[str, ...]
    genes_read: int
    gene_ids: str
    """As the manifest says it: `ensembl` or `symbol`."""
    wants_table: bool
    """Whether a gene table is needed to name the genes, or to know the mitochondrial ones."""
    genes: GeneMap | None
    """None where the genes could not be named: `problem` says why."""
    problem: DatamixError | None
    columns: tuple[str, ...]
    cell_type: Column | None
    donor: Column | None
    group: tuple[str, str] | None
    """The group of evaluation sets that a column on disease tells, and why."""
    known_counts: float
    """The share of its counts that lies in genes with a known name, 0 to 1."""
    total: npt.NDArray[np.float64]
    mito: npt.NDArray[np.float64]
    """Counts of mitochondrial genes."""
    detected: npt.NDArray[np.int32]
    """Genes with a count."""
    labels: Path | None
    """The table of labels beside the counts from which `cell_type` or `donor` is taken."""
    name_with: str | None
    """The column that sets cells of one name apart, where names are not unique; empty where none does."""
    keys: npt.NDArray[np.uint64]
    """A hash of each cell's name and total: the same cell in two files has the same."""
    notes: tuple[str, ...]

    @property
    def all_files(self) -> dict[str, Path]:
        """The files with counts, and the table of labels, by name."""
        return dict(self.files) | ({self.labels.name: self.labels} if self.labels is not None else {})

    @property
    def n_cells(self) -> int:
        """Cells of all files."""
        return len(self.total)

    @cached_property
    def mito_fraction(self) -> npt.NDArray[np.float64]:
        """0 to 1; 0 in a cell without counts."""
        return np.divide(self.mito, self.total, out=np.zeros_like(self.mito), where=self.total > 0)

    @property
    def is_unfiltered(self) -> bool:
        """Whether most of the cells look like empty droplets."""
        return _is_unfiltered(self.total)

    def passing(self, *, min_counts: float, max_mito: float) -> npt.NDArray[np.bool_]:
        """Say which cells QC keeps."""
        return (self.total > min_counts) & (self.mito_fraction < max_mito)


def inspect_cells(
    files: Mapping[str, Path],
    *,
    gene_table: Callable[[], pd.DataFrame | None],
    beside: Sequence[Path] = (),
    say: Callable[[str], None] = print,
) -> Inspection:
    """Find out what files hold, reading each once and a block at a time.

    Parameters
    ----------
    files
        By name, as from `cell_folders.files_of`; several are samples of one dataset.
    gene_table
        Gives the table of gene names, where one is needed; None where it is not at hand.
    beside
        Tables that may hold labels of these cells, as `labels_beside.tables_beside` lists them; looked into where the
        files themselves name no cell types, or no donors.
    say
        Called with a line now and then where there is no terminal for a progress bar.

    Raises
    ------
    DatamixError
        If a file cannot be read, or holds no raw counts. Genes that are not those of human cells are no error here, but
        the `problem` of the result.
    """
    with reading(files.values()), ExitStack() as opened:
        samples = open_cells(files, opened)
        var, places, notes = genes_in_all(samples, symbol=None, ensembl=None)
        n_cells = sum(file.n_cells for _, file in samples)
        where = ", ".join(files)
        by_id = "ensembl" in var.columns or is_ensembl(var.index)
        wants_table = not by_id or (is_ensembl(var.index) and "symbol" not in var.columns)
        table = gene_table() if wants_table else None
        genes, problem = _named(var, gene_ids="ensembl" if by_id else "symbol", table=table, where=where)
        if wants_table and table is None:
            problem = None
        if not wants_table and genes is not None and not genes.mito.any() and (table := gene_table()) is not None:
            # Names in another spelling (MT.ND1) beside Ensembl ids: the table knows which they are.
            by_table, _ = _named(var, gene_ids="ensembl", table=table, where=where)
            if by_table is not None and by_table.mito.any():
                genes, wants_table = by_table, True
        symbols = pd.Series(var["symbol"] if "symbol" in var.columns else var.index, dtype=object).astype(str)
        mito = genes.mito if genes is not None else symbols.str.upper().str.startswith("MT-").to_numpy()
        known = genes.known if genes is not None else np.zeros(len(var), dtype=bool)
        shared = [c for c in samples[0][1].columns if all(c in file.columns for _, file in samples)]

        def column(name: str) -> pd.Series:
            # As the reader does, a file at a time: `keep` names these values.
            texts = [pd.Series(as_labels(file.obs([name])[name], missing="")) for _, file in samples]
            return pd.concat(texts, ignore_index=True)

        cells = [pd.Index(file.read_names(np.arange(file.n_cells)), dtype=object) for _, file in samples]
        require_other_cells(cells, [sample for sample, _ in samples])
        name_with, repeats = find_name_with(cells, shared, column)
        cell_type, donor = (find(shared, column, n_cells=n_cells) for find in (likely_cell_types, likely_donors))
        labels: Beside | None = None
        unsure: tuple[Path, ...] = ()
        if beside and (cell_type is None or donor is None):
            stem = samples[0][0] if len(samples) == 1 else ""
            labels, unsure = find_labels(without_counts(beside, files), cells, stem=stem)
        if labels is not None:
            cell_type, donor = cell_type or labels.cell_type, donor or labels.donor
        used = labels is not None and any(c is not None and c.file for c in (cell_type, donor))
        if labels is not None and used:
            notes = [*notes, _of_labels(labels, n_cells)]
        elif unsure:
            names = ", ".join(path.name for path in unsure)
            notes = [*notes, f"several tables beside it name its cells, and none is taken: {names}"]
        notes = [*notes, repeats] if repeats else notes
        measured = _measure(samples, places, var=var, mito=mito, known=known, where=where, say=say)
        ends = np.cumsum([len(own) for own in cells])[:-1]
        require_other_cells([pd.Index(k) for k in np.split(measured["keys"], ends)], [sample for sample, _ in samples])
        first = samples[0][1]
        return Inspection(
            files=files,
            formats=tuple(dict.fromkeys(file.kind for _, file in samples)),
            matrices=tuple(dict.fromkeys(file.matrix for _, file in samples if file.matrix)),
            others={place: counts for place, counts in first.places.items() if place != first.matrix},
            samples=tuple(sample for sample, _ in samples),
            genes_read=len(var),
            gene_ids="ensembl" if by_id else "symbol",
            wants_table=wants_table,
            genes=genes,
            problem=problem,
            columns=tuple(shared),
            cell_type=cell_type,
            donor=donor,
            labels=labels.path if labels is not None and used else None,
            name_with=name_with,
            group=likely_group(shared, column, n_cells=n_cells),
            notes=(*notes, *measured.pop("unlike")),
            **measured,
        )


def _of_labels(labels: Beside, n_cells: int) -> str:
    named = f"{labels.cells:,} of {n_cells:,} cells"
    return f"labels are taken from {labels.path.name}, which lies beside it and names {named}"


def _named(
    var: pd.DataFrame, *, gene_ids: str, table: pd.DataFrame | None, where: str
) -> tuple[GeneMap | None, DatamixError | None]:
    try:
        return map_genes(var, gene_ids=gene_ids, table=table, where=where), None
    except DatamixError as error:
        return None, error


def _measure(
    samples: Sequence[tuple[str, CellFile]],
    places: Sequence[npt.NDArray[np.intp] | None],
    *,
    var: pd.DataFrame,
    mito: npt.NDArray[np.bool_],
    known: npt.NDArray[np.bool_],
    where: str,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Read all counts once: totals, mitochondrial counts and genes of each cell, and what is unlike raw counts."""
    totals, mitos, detected, keys, facts = [], [], [], [], []
    known_counts = 0.0
    in_all = sum(file.n_cells for _, file in samples)
    with progress(where, unit="cells", done=0, say=say) as advance:
        for (_, file), own in zip(samples, places, strict=True):
            rows = np.arange(file.n_cells)
            for piece in cut(rows, skip=0, block_cells=_BLOCK_CELLS):
                with naming(f"{file.where}, cells {piece.start:,} to {min(piece.stop, file.n_cells):,}"):
                    block = file.read_rows(rows[piece])
                    counts = sparse.csr_matrix(block if own is None else block[:, own])
                    names = pd.Index(file.read_names(rows[piece]), dtype=object)
                    require_counts(counts, cells=names, genes=var.index, where=file.where)
                    total = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
                    mitochondrial = np.asarray(counts[:, np.flatnonzero(mito)].sum(axis=1, dtype=np.float64)).ravel()
                    known_counts += float(counts[:, np.flatnonzero(known)].sum(dtype=np.float64))
                    detected.append(np.asarray((counts > 0).sum(axis=1)).ravel().astype(np.int32))
                    keys.append(_keys(names, total))
                totals.append(total)
                mitos.append(mitochondrial)
                facts.append(
                    measure(counts.data, total, mitochondrial)
                    | {"cells_read": len(total), "genes_read": len(var), "mito_genes": int(mito.sum())}
                )
                advance(len(total), in_all)
    total = np.concatenate([np.empty(0), *totals])
    return {
        "known_counts": known_counts / max(1.0, float(total.sum())),
        "total": total,
        "mito": np.concatenate([np.empty(0), *mitos]),
        "detected": np.concatenate([np.empty(0, dtype=np.int32), *detected]),
        "keys": np.concatenate([np.empty(0, dtype=np.uint64), *keys]),
        "unlike": [
            *(implausible(facts, totals=total, max_mito=QC().max_mito) if facts else []),
            *([_of_droplets(total)] if _is_unfiltered(total) else []),
        ],
    }


def _is_unfiltered(total: npt.NDArray[np.float64]) -> bool:
    return len(total) > 0 and bool((total < _EMPTY).mean() > 0.5)


def _of_droplets(total: npt.NDArray[np.float64]) -> str:
    empty = f"{int((total < _EMPTY).sum()):,} of {len(total):,} have fewer than {_EMPTY} counts"
    return f"{empty}: empty droplets, of a matrix that was not filtered? Quality control leaves them out"


def _keys(names: pd.Index, total: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
    return np.asarray(pd.util.hash_array(names.astype(str).to_numpy(dtype=object), categorize=False)) ^ np.asarray(
        pd.util.hash_array(total)
    )
