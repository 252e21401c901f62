"""The authors' own prepared training cells (Zenodo record 15186018), as a shortcut and as a check.

Source: Nadig et al. 2025, doi 10.1101/2025.02.19.639127. What the record holds is known from another paper (Navidi et
al. 2025, doi 10.1101/2025.11.04.686583); its layout is inferred from the published scripts that wrote the files.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from datamix.project.errors import DatamixError
from datamix.sources.formats.h5ad_rows import Part, open_h5ad, read_blocks, read_columns, read_names, shape_of

_OBS = ("soma_joinid", "cell_type", "donor_id", "dataset_id", "tissue_general", "assay", "dataset")


def read_prepared(files: Mapping[str, Path], *, skip: int = 0, block_cells: int = 20_000) -> Iterator[AnnData]:
    """Read the cells of a prepared training file: drawn, filtered and cut to the shared genes by the authors.

    Parameters
    ----------
    files
        One h5ad file, such as `BaseModel_scTabBloodOnly_seed0_bloodbase_TrainingData.h5ad`.
    skip, block_cells
        See `datamix.sources`.

    Yields
    ------
    Blocks with Ensembl ids and, where the file has it, `symbol`; obs has, where the file does, `cell_type`, `donor`,
    `dataset` (the study), `block` (the authors' `dataset`, which files of mixtures have), and `soma_joinid` of scTab
    cells. Names are running numbers, as in the file.

    Raises
    ------
    DatamixError
        If the file is damaged, has other genes than Ensembl ids, or holds no raw counts.
    """
    (path,) = files.values()
    genes = read_prepared_genes(files)
    with open_h5ad(path) as file:
        obs = read_columns(file, "obs", [], optional=_OBS)
        obs = obs.set_index(pd.Index(read_names(file, "obs")))
        symbols = read_columns(file, "var", [], optional=["feature_name"])
    var = pd.DataFrame({"symbol": symbols["feature_name"].to_numpy()} if len(symbols.columns) else {}, index=genes)
    # `dataset` of the authors is their name of a block; ours is the study.
    obs = obs.rename(columns={"dataset": "block", "donor_id": "donor", "dataset_id": "dataset"})
    yield from read_blocks([Part(path, np.arange(len(obs)), obs)], var=var, skip=skip, block_cells=block_cells)


def read_prepared_genes(files: Mapping[str, Path]) -> pd.Index:
    """Read the authors' list of shared genes from a prepared file.

    Returns
    -------
    Ensembl ids (n_genes,), in the order of the file, which changed from run to run (fault 7).

    Raises
    ------
    DatamixError
        If the file is damaged, or an id is not an Ensembl id or stands twice.
    """
    (path,) = files.values()
    with open_h5ad(path) as file:
        shape_of(file)
        genes = pd.Index(read_names(file, "var"))
    wrong = genes[~genes.str.fullmatch(r"ENSG\d{11}") | genes.duplicated()]
    if len(wrong):
        msg = f"{path}: var index has '{wrong[0]}', which is no Ensembl id without version, or stands twice."
        raise DatamixError(msg, fix="take the file from Zenodo record 15186018, unchanged")
    return genes
