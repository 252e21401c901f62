"""TF Atlas: human embryonic stem cells, each over-expressing an open reading frame of a transcription factor.

Source: Joung et al. 2023, doi 10.1016/j.cell.2022.11.026; GEO GSE217460.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from datamix.project.errors import DatamixError
from datamix.sources.formats.blocks import Protocol, require_cells, require_file, unique_names
from datamix.sources.formats.h5ad_rows import Part, open_h5ad, read_blocks, read_columns, read_names, shape_of
from datamix.sources.readers.gtex import genes_above, read_gtex, z_scores

_ORF = r"TFORF\d{4}-\S+"


def read_tf_atlas(
    files: Mapping[str, Path],
    *,
    skip: int = 0,
    block_cells: int = 20_000,
    cells: str,
    gtex: str | None = None,
    tissue: str = "Whole Blood",
    min_z: float = -0.25,
    protocol: Protocol = "corrected",
) -> Iterator[AnnData]:
    """Read cells of the atlas, those of TFs that are expressed in a tissue where `gtex` is given.

    Parameters
    ----------
    files
        The atlas and the GTEx table.
    skip, block_cells
        See `datamix.sources`.
    cells
        Name of the h5ad file; X dense or CSR.
    gtex
        Name of the GTEx table of median TPM. Nothing means all cells, controls included.
    tissue, min_z
        Keep a TF if the z-score of its gene in this tissue, over all tissues, is above this.
    protocol
        How the symbol is taken from `TF` (fault 6).

    Yields
    ------
    Blocks with symbols (repeated ones numbered). obs has `cell_type` (the TF's symbol), `donor` (the line, H1),
    `dataset`, `TF` (the reading frame; a gene can have several), `batch`, and the authors' `total_counts`
    (`n_counts`) and `mito_fraction` (`percent_mito`), on which the published QC is done.

    Raises
    ------
    DatamixError
        If a file is damaged, lacks a column, or holds no raw counts.
    """
    path = require_file(files, cells)
    with open_h5ad(path) as file:
        shape_of(file)
        obs = read_columns(file, "obs", ["TF", "n_counts", "percent_mito"], optional=["batch"])
        obs.index = unique_names(read_names(file, "obs"))
        var = pd.DataFrame(index=unique_names(read_names(file, "var")))
    wrong = obs["TF"][~obs["TF"].str.fullmatch(_ORF)]
    if len(wrong):
        msg = f"{path}: obs column 'TF' has '{wrong.iloc[0]}'; expected TFORF, four digits, a hyphen and a symbol."
        raise DatamixError(msg, fix="take the published file, unchanged")
    fraction = obs["percent_mito"].to_numpy(float)
    if not ((fraction >= 0) & (fraction <= 1)).all():
        msg = f"{path}: obs column 'percent_mito' reaches {np.nanmax(fraction):g}; expected a fraction from 0 to 1."
        raise DatamixError(msg, fix="take the published file, unchanged")
    symbols = symbol_of(obs["TF"], protocol=protocol)
    keep = np.ones(len(obs), bool)
    if gtex is not None:
        tpm = read_gtex({gtex: require_file(files, gtex)})
        keep = symbols.isin(genes_above(z_scores(tpm, tissue=tissue), threshold=min_z)).to_numpy()
    rows = np.flatnonzero(keep)
    require_cells(rows, where=str(path), filters=f"z-score in {tissue} above {min_z}")
    obs = obs.rename(columns={"n_counts": "total_counts", "percent_mito": "mito_fraction"})
    obs = obs.assign(cell_type=symbols, donor="H1", dataset="Joung2023")
    yield from read_blocks([Part(path, rows, obs.iloc[rows])], var=var, skip=skip, block_cells=block_cells)


def symbol_of(reading_frames: pd.Series, *, protocol: Protocol = "corrected") -> pd.Series:
    """Take the symbol from names such as `TFORF0001-NKX2-1`.

    Returns
    -------
    Under `corrected` all that follows the first hyphen; under `published` only what stands before the next one.
    """
    if protocol == "published":
        return reading_frames.str.split("-").str[1]
    # fault 6: symbols can hold hyphens (NKX2-1); cut there, they match no gene and their cells are lost.
    return reading_frames.str.partition("-")[2]
