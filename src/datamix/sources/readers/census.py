"""Raw counts of scTab's cells straight from CELLxGENE Census, for files that hold normalised values.

The package `cellxgene_census` is not part of the environment, and needs the network: where this reader was written, it
was run on a small stand-in for the package only.
Source: CZI Cell Science Program 2025, doi 10.1093/nar/gkae1142.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
from anndata import AnnData

from datamix.project.errors import DatamixError
from datamix.sources.formats.blocks import Protocol, cut, make_block, require_cells, require_file
from datamix.sources.formats.h5ad_rows import open_h5ad, read_columns
from datamix.sources.readers.sctab import GENE_TABLE, Donors, is_held_out, read_sctab_genes

RELEASE = "2023-05-15"
"""Release of the Census that scTab was made of; `soma_joinid` holds within one release only."""


def read_census(
    files: Mapping[str, Path],
    *,
    skip: int = 0,
    block_cells: int = 20_000,
    cells: Sequence[str],
    donors: Donors | None,
    protocol: Protocol = "corrected",
) -> Iterator[AnnData]:
    """Read the healthy cells that scTab files name, with their raw counts from the Census.

    Parameters
    ----------
    files
        scTab h5ad files, of which only `soma_joinid`, `disease` and `donor_id` are read, and the gene table.
    skip, block_cells
        See `datamix.sources`.
    cells, donors, protocol
        As in `read_sctab`.

    Yields
    ------
    Blocks as those of `read_sctab`, without `tissue_general` and `source_name`.

    Raises
    ------
    DatamixError
        If `cellxgene_census` is not installed, or the Census lacks a cell or a gene.
    """
    census_package = _import_census()
    table = read_sctab_genes(require_file(files, GENE_TABLE))
    donors = donors if protocol == "corrected" else None  # fault 5
    ids = np.concatenate([_read_ids(require_file(files, name), donors) for name in cells])
    with census_package.open_soma(census_version=RELEASE) as census:
        var = census["census_data"]["homo_sapiens"].ms["RNA"].var.read().concat().to_pandas()
        joinid_of = pd.Series(var["soma_joinid"].to_numpy(), index=var["feature_id"])
        _require_all(table["gene"], joinid_of.index, what="gene")
        for piece in cut(ids, skip=skip, block_cells=block_cells):
            block = census_package.get_anndata(
                census,
                organism="Homo sapiens",
                obs_coords=np.sort(ids[piece]).tolist(),
                var_coords=np.sort(joinid_of[table["gene"]].to_numpy()).tolist(),
            )
            block.obs_names = block.obs["soma_joinid"].astype(str).to_numpy()
            block.var_names = block.var["feature_id"].astype(str).to_numpy()
            names = [str(i) for i in ids[piece]]
            _require_all(names, block.obs_names, what="cell")
            block = block[names, table["gene"].tolist()]
            columns = {"cell_type": "cell_type", "donor_id": "donor", "dataset_id": "dataset", "assay": "assay"}
            obs = block.obs[[*columns]].rename(columns=columns).astype(str)
            counts = block.X.tocsr().astype(np.float32)
            yield make_block(
                counts,
                obs=obs,
                var=table.set_index("gene"),
                raw_in=f"CELLxGENE Census {RELEASE}",
                cells_in_all=len(ids),
            )


def _import_census() -> ModuleType:
    try:
        import cellxgene_census
    except ImportError as error:
        msg = "Reading from CELLxGENE Census needs the package cellxgene_census, which is not installed."
        raise DatamixError(
            msg, fix="pip install cellxgene-census (in an environment of its own, if pip objects)"
        ) from error
    return cellxgene_census


def _read_ids(path: Path, donors: Donors | None) -> np.ndarray:
    with open_h5ad(path) as file:
        obs = read_columns(file, "obs", ["soma_joinid", "disease", "donor_id"])
    keep = obs["disease"] == "normal"
    if donors is not None:
        keep &= is_held_out(obs["donor_id"]) == (donors == "evaluation")
    ids = obs["soma_joinid"][keep].to_numpy()
    require_cells(ids, where=str(path), filters=f"disease == normal, donors == {donors or 'any'}")
    return ids


def _require_all(wanted: Sequence[str] | pd.Series, found: pd.Index, *, what: str) -> None:
    absent = pd.Index(wanted).difference(found)
    if len(absent):
        lacking = f"{len(absent)} {what}{'' if len(absent) == 1 else 's'}"
        msg = f"CELLxGENE Census {RELEASE} lacks {lacking} of scTab: {', '.join(map(str, absent[:5]))}."
        raise DatamixError(msg, fix="take the published scTab files, unchanged")
