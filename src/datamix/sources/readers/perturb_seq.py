"""Perturb-seq of essential genes (K562, Jurkat): counts of all genes from MEX batches, cells from a reference file.

The published reference holds a filtered set of genes, so the authors collated the MEX files, which hold all genes, to
the reference's cells. The reference mixes the batches: they are converted on disk first.

Sources: Replogle et al. 2022, doi 10.1016/j.cell.2022.05.013; Nadig et al. 2025, doi 10.1038/s41588-025-02169-3.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from anndata import AnnData

from datamix.project.errors import DatamixError
from datamix.sources.formats.blocks import FETCH_AGAIN, Protocol, cut, make_block, require_cells, require_file
from datamix.sources.formats.h5ad_rows import open_h5ad, read_columns, read_names
from datamix.sources.formats.mex_batches import Batch, gather, read_batches

log = logging.getLogger(__name__)
NON_TARGETING = "non-targeting"
"""The target of control cells, which are left out."""
OVERLAP = 0.3
"""A batch belongs to the gem group that has more than this share of the reference cells with its barcodes."""


def read_perturb_seq(
    files: Mapping[str, Path],
    *,
    scratch: Path,
    skip: int = 0,
    block_cells: int = 20_000,
    reference: str,
    prefix: str,
    cell_line: str,
    gem_groups: Literal["number", "overlap"] = "number",
    skip_batches: Sequence[int] = (),
    protocol: Protocol = "corrected",
) -> Iterator[AnnData]:
    """Read the perturbed cells of a Perturb-seq experiment, with all genes, in the order of the reference.

    Parameters
    ----------
    files
        The reference h5ad, and the MEX files: a folder, a tar, or the single files.
    scratch, skip, block_cells
        See `datamix.sources.registry`; `scratch` gets the counts of all cells, 8 bytes for each that is not 0.
    reference
        Name of the reference h5ad.
    prefix
        How MEX file names begin, `{}` standing for the batch (`KD6_{}_essential_`); what stands before is ignored
        (`GSM8225020_jurkat_1_…` is `jurkat_{}_`), and so are other files.
    cell_line
        Becomes `cell_type` and `donor`.
    gem_groups
        `number`: the batch number is the gem group (K562); `overlap`: found from the barcodes (Jurkat).
    skip_batches
        Batches to leave out (Jurkat's 47 repeats 56).
    protocol
        How a cell comes by its metadata (fault 11): see `assign_metadata`. Under both, the cells are first put into the
        order of the reference by their names, as the published scripts do, so that both give the same cells.

    Yields
    ------
    Blocks with Ensembl ids; obs has `cell_type`, `donor`, `dataset` (the reference's name), `target`, `gem_group`, and
    the authors' `total_counts` (`UMI_count`) and `mito_fraction` (`mitopercent`), on which the published QC is done.

    Raises
    ------
    DatamixError
        If a file is damaged or lacks a column, batches cannot be matched, or a reference cell is in no batch.
    """
    table = _read_reference(require_file(files, reference), reference, cell_line)
    batches, var = read_batches(files, prefix, skip_batches)
    found = _locate(table, batches, skipped=skip_batches, by_overlap=gem_groups == "overlap", path=files[reference])
    obs = assign_metadata(found.index, table, protocol=protocol)
    rows = np.flatnonzero(obs["target"] != NON_TARGETING)
    require_cells(rows, where=str(files[reference]), filters=f"gene != {NON_TARGETING}")
    for piece in cut(rows, skip=skip, block_cells=block_cells):
        cells = rows[piece]
        counts = gather(found.iloc[cells], found, batches, scratch, n_genes=len(var))
        yield make_block(counts, obs=obs.iloc[cells], var=var, cells_in_all=len(rows))


def assign_metadata(names: pd.Index, reference: pd.DataFrame, *, protocol: Protocol) -> pd.DataFrame:
    """Give cells the metadata that the reference has of them.

    Parameters
    ----------
    names
        Of the cells, `<16 nt>-<gem_group>` (n_cells,), each once.
    reference
        Indexed by name, a row a cell.
    protocol
        `corrected` looks each name up. `published` takes the rows of the reference as they come, whatever the names; a
        log says whether they agree, and nothing else depends on it (fault 11).

    Returns
    -------
    A row a cell, in the order of `names`, and indexed by them under `corrected`; under `published` it is the reference
    itself, names included: a cell out of order gets the name, target and quality of another.

    Raises
    ------
    DatamixError
        If the reference lacks a cell, or, under `published`, has more or fewer: the scripts stop there, too.
    """
    if protocol == "published":
        # fault 11: the published script prints whether the names are equal, and then assigns by position.
        if len(names) != len(reference):
            msg = f"{len(names)} cells cannot take the {len(reference)} rows of the reference by position."
            raise DatamixError(msg, fix="set `protocol: corrected`, which looks each cell up by its name")
        log.info("Names of cells and reference agree: %s.", names.equals(reference.index))
        return reference.copy()
    absent = names.difference(reference.index)
    if len(absent):
        msg = f"{len(absent)} of {len(names)} cells are not in the reference, among them {', '.join(absent[:5])}."
        raise DatamixError(msg, fix="take the reference that belongs to these batches")
    return reference.loc[names]


def gem_group_of_rank(numbers: Sequence[int]) -> dict[int, int]:
    """Give each batch number the 1-based rank of its text `"<i>_"` in ASCII order.

    This is the rule by which the Jurkat files seem to have been numbered; it is inferred, and only used as a check.
    """
    return {number: rank for rank, number in enumerate(sorted(numbers, key=lambda i: f"{i}_"), start=1)}


def _read_reference(path: Path, name: str, cell_line: str) -> pd.DataFrame:
    with open_h5ad(path) as file:
        obs = read_columns(file, "obs", ["gem_group", "gene", "mitopercent", "UMI_count"])
        names = pd.Series(read_names(file, "obs"))
    gem_group = pd.to_numeric(obs["gem_group"], errors="coerce")
    fits = names.str.fullmatch(r"[ACGTN]{16}-\d+") & (
        names.str.rpartition("-")[2] == gem_group.astype("Int64").astype(str)
    )
    if not fits.all() or names.duplicated().any():
        wrong = names[~fits | names.duplicated()].iloc[0]
        msg = f"{path}: obs index '{wrong}' stands twice, or is not '<16 nt>-<gem_group>' with its column 'gem_group'."
        raise DatamixError(msg, fix="take the published reference file, unchanged")
    fraction = obs["mitopercent"].to_numpy(float)
    if not ((fraction >= 0) & (fraction <= 1)).all():
        msg = f"{path}: obs column 'mitopercent' reaches {np.nanmax(fraction):g}; expected a fraction from 0 to 1."
        raise DatamixError(msg, fix="take the published reference file, unchanged")
    return pd.DataFrame(
        {
            "cell_type": cell_line,
            "donor": cell_line,
            "dataset": name.removesuffix(".h5ad"),
            "target": obs["gene"].to_numpy(),
            "gem_group": gem_group.to_numpy(int),
            "total_counts": obs["UMI_count"].to_numpy(float),
            "mito_fraction": fraction,
        },
        index=pd.Index(names),
    )


def _locate(
    obs: pd.DataFrame, batches: list[Batch], *, skipped: Sequence[int], by_overlap: bool, path: Path
) -> pd.DataFrame:
    """Find each reference cell by its name, or fail: the published scripts stop at a missing one, too.

    Returns
    -------
    A row a cell, in the order of the reference: `batch` (its place in the list) and `row` (its place in the batch). The
    index is its name, made of the batch's barcode and gem group.
    """
    barcode = obs.index.str.partition("-").get_level_values(0)
    group_of: dict[int, int] = {}
    for place, batch in enumerate(batches):
        group = _match(batch, barcode, obs["gem_group"]) if by_overlap else batch.number
        if group in group_of:
            other = batches[group_of[group]].number
            msg = f"Batches {other} and {batch.number} both match gem group {group}; one may repeat the other."
            raise DatamixError(msg, fix="name the one to leave out in the option `skip_batches`")
        group_of[group] = place
    if by_overlap:
        _compare_with_ranks({batches[place].number: group for group, place in group_of.items()}, skipped)
    found = pd.DataFrame({"batch": -1, "row": -1}, index=obs.index)
    for group, place in group_of.items():
        inside = np.flatnonzero(obs["gem_group"] == group)
        if pd.Index(batches[place].barcodes).has_duplicates:
            msg = f"Batch {batches[place].number} has a barcode twice."
            raise DatamixError(msg, fix=FETCH_AGAIN)
        found.iloc[inside, 0] = place
        found.iloc[inside, 1] = pd.Index(batches[place].barcodes).get_indexer(barcode[inside])
    missing = obs[found["row"] < 0]
    if len(missing):
        groups = ", ".join(map(str, sorted(missing["gem_group"].unique())))
        msg = (
            f"{len(missing)} of {len(obs)} cells of {path} are in no MEX batch, among them "
            f"{', '.join(missing.index[:5])} (gem groups {groups})."
        )
        raise DatamixError(msg, fix="download the missing batches; every reference cell must be found")
    names = np.empty(len(found), dtype=object)
    for group, place in group_of.items():
        inside = np.flatnonzero(found["batch"] == place)
        names[inside] = [f"{code}-{group}" for code in batches[place].barcodes[found["row"].to_numpy()[inside]]]
    return found.set_index(pd.Index(names))


def _match(batch: Batch, barcode: pd.Index, gem_group: pd.Series) -> int:
    """Find the gem group with the most reference cells of these barcodes."""
    counts = gem_group[barcode.isin(batch.barcodes)].value_counts()
    if counts.empty or counts.iloc[0] <= OVERLAP * counts.sum():
        best = f"{counts.iloc[0]} of {counts.sum()} cells in gem group {counts.index[0]}" if len(counts) else "none"
        msg = f"Batch {batch.number} matches no gem group by its barcodes: best {best}, needed more than {OVERLAP:.0%}."
        raise DatamixError(msg, fix="check that batch and reference are of the same experiment, or skip the batch")
    return int(counts.index[0])


def _compare_with_ranks(matched: Mapping[int, int], skipped: Sequence[int]) -> None:
    """Warn where overlap and rank disagree; ranks only mean something in a complete series, skipped ones included."""
    series = sorted({*matched, *skipped})
    if series != list(range(1, len(series) + 1)):
        return
    ranks = gem_group_of_rank(series)
    differing = [f"batch {n}: group {g}, rank {ranks[n]}" for n, g in sorted(matched.items()) if ranks[n] != g]
    if differing:
        log.warning("Barcodes and ASCII ranks give different gem groups; barcodes count (%s).", "; ".join(differing))
