"""scTab (CELLxGENE Census of 2023-05-15): blood, the whole atlas, and bone marrow.

Source: Fischer et al. 2024, doi 10.1038/s41467-024-51059-5.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from anndata import AnnData

from datamix.project.errors import DatamixError
from datamix.sources.formats.blocks import Protocol, require_cells, require_columns, require_file, unique_names
from datamix.sources.formats.h5ad_rows import Part, open_h5ad, read_blocks, read_columns, read_names, shape_of
from datamix.sources.formats.raw_counts import holds_counts

Donors = Literal["training", "evaluation"]
GENE_TABLE = "adata_var.csv"
"""The table that gives the genes of scTab's files by position: columns `feature_id`, `feature_name`."""
NEURON_WORDS = ("neuron", "pyramidal cell", "purkinje cell", "cerebellar granule cell", "photoreceptor")
"""A cell type of the Cell Ontology that contains one of these is a neuron; so are the names below."""
NEURON_NAMES = (
    "amacrine cell",
    "retina horizontal cell",
    "retinal cone cell",
    "retinal rod cell",
    "retinal ganglion cell",
)


def read_sctab(
    files: Mapping[str, Path],
    *,
    skip: int = 0,
    block_cells: int = 20_000,
    cells: Sequence[str],
    tissue_general: str | None = None,
    without_donors: Sequence[str] = (),
    without_cells_of: str | None = None,
    donors: Donors | None = None,
    without_neurons: bool = False,
    log_normalised_if_published: bool = False,
    no_mito_filter_if_published: bool = False,
    protocol: Protocol = "corrected",
) -> Iterator[AnnData]:
    """Read cells of healthy donors (`disease == normal`) from scTab h5ad files.

    Parameters
    ----------
    files
        The h5ad files, and `GENE_TABLE`.
    skip, block_cells
        See `datamix.sources`.
    cells
        Names of the h5ad files whose cells are read, in order.
    tissue_general
        Keep cells of this tissue (`blood`); nothing means all.
    without_donors
        Leave out cells of these `donor_id`.
    without_cells_of
        Name of an h5ad file whose cells are left out (those kept for evaluation).
    donors
        Keep the donors that are held out for evaluation, or the others, under the corrected protocol only (fault 5):
        see `is_held_out`. Nothing means all.
    without_neurons
        Leave out neurons, under the corrected protocol only (fault 13).
    log_normalised_if_published
        Take values that are no raw counts, under the published protocol only (fault 3); such blocks have
        `uns["log_normalised"]`.
    no_mito_filter_if_published
        Give `mito_fraction` as 0 for all cells, under the published protocol only (fault 2).
    protocol
        Which protocol.

    Yields
    ------
    Blocks with Ensembl ids; `obs_names` is the Census-wide `soma_joinid`, which does not repeat, as names in these
    files do; obs has `cell_type`, `donor` (`donor_id`), `dataset` (`dataset_id`), `tissue_general`, `assay`, and
    `source_name`, the name in the file.

    Raises
    ------
    DatamixError
        If a file is damaged, lacks a column, has genes that the table does not know, or holds no raw counts.
    """
    table = read_sctab_genes(require_file(files, GENE_TABLE))
    paths = [require_file(files, name) for name in cells]
    genes = [_genes_of(path, table) for path in paths]
    for path, other in zip(paths[1:], genes[1:], strict=True):
        if not other.equals(genes[0]):
            msg = f"{path} has other genes, or in another order, than {paths[0]}."
            raise DatamixError(msg, fix="read the two as two datasets")
    excluded = require_file(files, without_cells_of) if without_cells_of else None
    parts = []
    for path in paths:
        obs = _read_obs(path)
        # The published scripts number repeated names among the healthy cells (of the tissue), before other filters.
        keep = (obs["disease"] == "normal").to_numpy()
        if tissue_general is not None:
            keep &= (obs["tissue_general"] == tissue_general).to_numpy()
        if excluded is not None:
            keep &= ~_is_in(obs, keep, excluded, protocol=protocol)
        keep &= ~obs["donor_id"].isin(without_donors).to_numpy()
        if donors is not None and protocol == "corrected":
            # fault 5: the files were split over cells, so that a donor is on both sides.
            keep &= is_held_out(obs["donor_id"]) == (donors == "evaluation")
        if without_neurons and protocol == "corrected":
            keep &= ~is_neuron(obs["cell_type"])  # fault 13: neurons would not be out of distribution for this corpus
        rows = np.flatnonzero(keep)
        require_cells(rows, where=str(path), filters=f"disease == normal, tissue_general == {tissue_general or 'any'}")
        parts.append(Part(path, rows, _as_block_obs(obs.iloc[rows])))
    if no_mito_filter_if_published and protocol == "published":
        # fault 2: the published script looks for MT- in names that are Ensembl ids by then, and so finds none.
        parts = [Part(part.path, part.rows, part.obs.assign(mito_fraction=0.0)) for part in parts]
    # fault 3: files named _PREPROCESSED may hold log-normalised values; published takes them, corrected wants counts.
    raw = not (log_normalised_if_published and protocol == "published")
    for block in read_blocks(parts, var=genes[0], skip=skip, block_cells=block_cells, raw=raw):
        if not raw and not holds_counts(block):
            block.uns["log_normalised"] = True
        yield block


def read_sctab_genes(path: Path) -> pd.DataFrame:
    """Read the gene table of scTab.

    Returns
    -------
    Columns `gene` (Ensembl id) and `symbol`, in the order of the files' genes (19,331 in the published table).

    Raises
    ------
    DatamixError
        If a column is missing, or an id is not an Ensembl id or stands twice.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    require_columns(table.columns, ["feature_id", "feature_name"], where=str(path))
    wrong = table["feature_id"][~table["feature_id"].str.fullmatch(r"ENSG\d{11}") | table["feature_id"].duplicated()]
    if len(wrong):
        msg = f"{path}: feature_id '{wrong.iloc[0]}' is not an Ensembl gene id without version, or stands twice."
        raise DatamixError(msg, fix="take the gene table that belongs to scTab")
    return table[["feature_id", "feature_name"]].set_axis(["gene", "symbol"], axis=1)


def is_held_out(donors: pd.Series) -> np.ndarray:
    """Tell which donors are held out for evaluation: about one in five, by a hash of the name."""
    names = donors.unique()
    return donors.map({name: zlib.crc32(name.encode()) % 5 == 0 for name in names}).to_numpy(bool)


def is_neuron(cell_types: pd.Series) -> np.ndarray:
    """Tell which cell types (Cell Ontology names) are neurons, those of the retina included."""
    names = cell_types.str.lower()
    return (names.str.contains("|".join(NEURON_WORDS), regex=True) | names.isin(NEURON_NAMES)).to_numpy()


def _genes_of(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Name the genes of a file, which may be positions in the table, Ensembl ids, or symbols."""
    with open_h5ad(path) as file:
        shape_of(file)
        names = pd.Series(read_names(file, "var"))
    if names.str.fullmatch(r"\d+").all():
        if len(names) != len(table):
            msg = f"{path} has {len(names)} genes named by position, the table {GENE_TABLE} {len(table)}."
            raise DatamixError(msg, fix="take the gene table that belongs to this file")
        position = names.astype(int).to_numpy()
    else:
        key = "gene" if names.str.startswith("ENSG").mean() > 0.5 else "symbol"
        first = table.drop_duplicates(key)
        position = pd.Series(first.index, index=first[key]).reindex(names).fillna(-1).astype(int).to_numpy()
    unknown = names[(position < 0) | (position >= len(table))]
    if len(unknown):
        msg = f"{path}: {len(unknown)} of {len(names)} genes are not in {GENE_TABLE}: {', '.join(unknown[:5])}."
        raise DatamixError(msg, fix="take the gene table that belongs to this file")
    if len(set(position)) < len(position):
        msg = f"{path}: a gene of {GENE_TABLE} stands twice among the genes."
        raise DatamixError(msg, fix="take the published file, unchanged")
    return table.iloc[position].set_index("gene")


def _read_obs(path: Path) -> pd.DataFrame:
    columns = ["soma_joinid", "dataset_id", "donor_id", "cell_type", "disease", "tissue_general"]
    with open_h5ad(path) as file:
        obs = read_columns(file, "obs", columns, optional=["assay"])
        obs["source_name"] = read_names(file, "obs")
    if obs["soma_joinid"].duplicated().any():
        twice = obs["soma_joinid"][obs["soma_joinid"].duplicated()].iloc[0]
        msg = f"{path}: obs column 'soma_joinid' has {twice} twice; it should name each cell once."
        raise DatamixError(msg, fix="take the published file, unchanged")
    return obs


def _is_in(obs: pd.DataFrame, keep: np.ndarray, excluded: Path, *, protocol: Protocol) -> np.ndarray:
    """Tell which cells are in another file, too."""
    with open_h5ad(excluded) as file:
        if protocol == "corrected":
            # fault 4: names are running numbers that restart in each piece of scTab; soma_joinid names the cell.
            ids = read_columns(file, "obs", ["soma_joinid"])["soma_joinid"]
            return obs["soma_joinid"].isin(ids).to_numpy()
        names = read_names(file, "obs")
    found = np.zeros(len(obs), bool)
    found[keep] = unique_names(obs["source_name"].to_numpy()[keep]).isin(names)
    return found


def _as_block_obs(obs: pd.DataFrame) -> pd.DataFrame:
    block = obs.rename(columns={"donor_id": "donor", "dataset_id": "dataset"}).drop(columns="disease")
    return block.set_index(block.pop("soma_joinid").astype(str).rename(None))
