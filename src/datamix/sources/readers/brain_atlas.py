"""Human Brain Cell Atlas: neurons, kept for evaluation.

Source: Siletti et al. 2023, doi 10.1126/science.add7046.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from datamix.project.errors import DatamixError
from datamix.sources.formats.blocks import Protocol, require_cells, unique_names
from datamix.sources.formats.h5ad_rows import Part, open_h5ad, read_blocks, read_columns, read_names, shape_of

CHROMOSOMES = tuple(f"chr{name}" for name in (*range(1, 23), "X", "Y", "M"))


def read_brain_atlas(
    files: Mapping[str, Path],
    *,
    skip: int = 0,
    block_cells: int = 20_000,
    donor: str | None = None,
    cells: int | None = None,
    seed: int = 0,
    protocol: Protocol = "corrected",
) -> Iterator[AnnData]:
    """Read neurons, with the genes on chromosomes 1–22, X, Y and M.

    Parameters
    ----------
    files
        One h5ad file: `Neurons.h5ad`, or the authors' own 10,000 cells of it.
    skip, block_cells
        See `datamix.sources`.
    donor
        Keep cells of this `donor_id`; nothing means all.
    cells
        Draw so many of them, before QC as the authors do; nothing means all.
    seed
        Of the draw.
    protocol
        How cells are drawn (fault 8).

    Yields
    ------
    Blocks with Ensembl ids without version (repeats, genes of X and Y alike, numbered) and `symbol`; obs has
    `cell_type` (`supercluster_term`), `donor`, `dataset`, and `cluster_id`, `roi`, `sample_id` where there are.

    Raises
    ------
    DatamixError
        If the file is damaged, lacks a column, has too few cells, or holds no raw counts.
    """
    (path,) = files.values()
    with open_h5ad(path) as file:
        shape_of(file)
        obs = read_columns(
            file, "obs", ["donor_id", "supercluster_term"], optional=["cluster_id", "roi", "sample_id"]
        ).set_index(pd.Index(read_names(file, "obs")))
        table = read_columns(file, "var", ["Gene", "Chromosome"])
        ids = pd.Series(read_names(file, "var"))
    wrong = ids[~ids.str.match(r"ENSG\d{11}")]
    if len(wrong):
        msg = f"{path}: var index has '{wrong.iloc[0]}'; expected Ensembl ids, with or without version."
        raise DatamixError(msg, fix="take the published file, unchanged")
    genes = np.flatnonzero(table["Chromosome"].isin(CHROMOSOMES))
    if not len(genes):
        found = ", ".join(sorted(set(table["Chromosome"]))[:5])
        msg = f"{path}: var column 'Chromosome' has none of chr1 to chr22, chrX, chrY, chrM; it has {found}."
        raise DatamixError(msg, fix="take the published file, unchanged")
    names = unique_names(ids.str.partition(".")[0].to_numpy()[genes])
    var = pd.DataFrame({"symbol": table["Gene"].to_numpy()[genes]}, index=names)
    rows = np.flatnonzero((obs["donor_id"] == donor) | (donor is None))
    require_cells(rows, where=str(path), filters=f"donor_id == {donor or 'any'}")
    if cells is not None:
        rows = draw(rows, cells, seed=seed, protocol=protocol, where=str(path))
    obs = obs.rename(columns={"donor_id": "donor", "supercluster_term": "cell_type"}).assign(dataset="Siletti2023")
    parts = [Part(path, rows, obs.iloc[rows])]
    yield from read_blocks(parts, var=var, skip=skip, block_cells=block_cells, genes=genes)


def draw(rows: np.ndarray, cells: int, *, seed: int, protocol: Protocol, where: str) -> np.ndarray:
    """Draw cells without replacement.

    Returns
    -------
    Row numbers (cells,). Under `corrected` drawn with the seed, in the order of the file. The authors drew with NumPy's
    legacy generator and no seed, which cannot be repeated: under `published` the same call is made, with the seed.

    Raises
    ------
    DatamixError
        If there are fewer cells.
    """
    if cells > len(rows):
        msg = f"{where}: a draw asks for {cells:,} cells, {len(rows):,} are there."
        raise DatamixError(msg, fix="lower the option `cells` in data_manifest.yaml")
    if protocol == "published":
        return np.random.RandomState(seed).choice(rows, cells, replace=False)
    return np.sort(np.random.default_rng(seed).choice(rows, cells, replace=False))  # fault 8: a draw without a seed
