"""3CA, the Curated Cancer Cell Atlas: a folder or archive a study, or the aggregate of a tissue's studies.

Sources: Gavish et al. 2023, doi 10.1038/s41586-023-06130-4; Tyler et al. 2025, doi 10.1038/s43018-025-00957-8.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from datamix.project.errors import DatamixError
from datamix.sources.formats.blocks import (
    Protocol,
    count_blocks,
    cut,
    make_block,
    require_cells,
    require_file,
    unique_names,
)
from datamix.sources.formats.h5ad_rows import Part, open_h5ad, read_blocks, read_columns, read_names, shape_of
from datamix.sources.formats.matrix_market import stream_cells
from datamix.sources.readers.cancer_atlas_files import UMI_COUNTS, find_studies, read_study_cells, read_study_genes
from datamix.sources.readers.sctab import read_sctab_genes


def read_cancer_atlas(
    files: Mapping[str, Path],
    *,
    skip: int = 0,
    block_cells: int = 20_000,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    cell_type: str | None = "Malignant",
    genes_if_published: str | None = None,
    training_genes_if_published: bool = False,
    training_genes: Collection[str] = (),
    protocol: Protocol = "corrected",
) -> Iterator[AnnData]:
    """Read cells of 3CA studies with UMI counts.

    Parameters
    ----------
    files
        Study folders or archives (`Data_Galen2019_Hematologic`, `.zip`, `.tar.gz`), or folders of those; and the table
        that `genes_if_published` names.
    skip, block_cells
        See `datamix.sources`. The text of a matrix is read again from its front to reach a block inside it.
    only
        Keep these studies; empty means all.
    without
        Leave out these studies.
    cell_type
        Keep cells of this type; nothing means all.
    genes_if_published
        Name of scTab's gene table. Under the published protocol only the symbols in it are given, and so measured by
        QC, as the authors do for the evaluation sets (for the training set they measure before they map symbols).
    training_genes_if_published
        Of these, under the published protocol, only the genes that all training corpora share (fault 15).
    training_genes
        Their Ensembl ids, which the preparation of a corpus gives.
    protocol
        Under `published` studies in several parts are left out (fault 9), and the genes are those that all other
        studies in the files share, kept or not (fault 14); under `corrected` those that the kept studies share.

    Yields
    ------
    Blocks with symbols, the genes that the studies share; repeated symbols of a study are numbered (`TBCE`, `TBCE-1`)
    before. Studies come sorted by name; the authors' order was that of their file system. `obs_names` is
    `<study>:<cell_name>`, repeats numbered; obs has `cell_type`, `donor` (`<study>:<patient>`, else the sample, else
    the study), `dataset` (the study), and `sample`, `complexity`, `cell_subtype`, `malignant` where a study has them,
    otherwise empty.

    Raises
    ------
    DatamixError
        If a study is asked for and not there, is not raw counts, or a file is damaged or lacks a column.
    """
    archives = [path for name, path in files.items() if name != genes_if_published]
    studies = [study for path in archives for study in find_studies(path, protocol=protocol)]
    names = [study.name for study in studies]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        msg = f"Study {', '.join(repeated)} is there twice, perhaps packed and unpacked."
        raise DatamixError(msg, fix="keep one of the two")
    studies.sort(key=lambda study: study.name)
    kept = [study for study in studies if (not only or study.label in only) and study.label not in without]
    absent = sorted(set(only) - {study.label for study in studies})
    if absent or not kept:
        msg = f"No study {', '.join(absent) or 'is left'} with {UMI_COUNTS}; found: {', '.join(names) or 'none'}."
        raise DatamixError(msg, fix="download it from 3CA into the dataset's folder, or edit the dataset's options")
    # fault 14: the published scripts join all studies of the folder first, and measure what is left of each cell.
    joined = studies if protocol == "published" else kept
    genes = {study.name: read_study_genes(study) for study in joined}
    shared = reduce(lambda a, b: a.intersection(b, sort=False), (genes[study.name] for study in joined))
    if protocol == "published" and genes_if_published is not None:
        table = read_sctab_genes(require_file(files, genes_if_published))
        if training_genes_if_published:
            # fault 15: symbols of this set are looked up in a training file, which has the shared genes only.
            table = table[table["gene"].isin(training_genes)]
        shared = shared[shared.isin(table["symbol"])]
    if not len(shared):
        msg = f"No gene is shared by the studies {', '.join(study.name for study in joined)}"
        msg += "." if genes_if_published is None or protocol == "corrected" else f" and {genes_if_published}."
        raise DatamixError(msg, fix="check what names the genes in each study's Genes.txt")
    cells = [read_study_cells(study, cell_type) for study in kept]
    wanted = [np.flatnonzero((obs["cell_type"] == cell_type) | (cell_type is None)) for obs in cells]
    require_cells(np.concatenate(wanted), where=", ".join(s.name for s in kept), filters=f"cell_type == {cell_type}")
    for study, obs, rows in zip(kept, cells, wanted, strict=True):
        blocks = count_blocks(rows, block_cells=block_cells)
        if skip >= blocks:
            skip -= blocks
            continue
        counts = stream_cells(
            study.matrix,
            genes=shared.get_indexer(genes[study.name]),
            n_cells=len(obs),
            wanted=rows,
            block_cells=block_cells,
            skip=skip,
            name=f"Study {study.name} ({study.matrix})",
            if_not_counts=f"leave it out: add {study.label} to the option `without` in data_manifest.yaml",
        )
        pieces = cut(rows, skip=skip, block_cells=block_cells)
        for piece, block in zip(pieces, counts, strict=True):
            yield make_block(
                block, obs=obs.iloc[rows[piece]], var=pd.DataFrame(index=shared), cells_in_all=sum(map(len, wanted))
            )
        skip = 0


def read_cancer_atlas_aggregate(
    files: Mapping[str, Path],
    *,
    skip: int = 0,
    block_cells: int = 20_000,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    cell_type: str | None = "Malignant",
) -> Iterator[AnnData]:
    """Read cells of an aggregate such as the authors' `cca_Hematologic_aggregated.h5ad`.

    Parameters
    ----------
    files
        One h5ad file with obs `study`, `cell_name`, `cell_type`, and `sample`, `complexity` where it has them.
    skip, block_cells, only, without, cell_type
        As in `read_cancer_atlas`.

    Yields
    ------
    Blocks as those of `read_cancer_atlas`, in the order of the file.

    Raises
    ------
    DatamixError
        If the file is damaged, lacks a column, or a kept study is not raw counts.
    """
    (path,) = files.values()
    with open_h5ad(path) as file:
        shape_of(file)
        obs = read_columns(file, "obs", ["study", "cell_name", "cell_type"], optional=["sample", "complexity"])
        var = pd.DataFrame(index=unique_names(read_names(file, "var")))
    keep = ~obs["study"].isin(without) & (obs["study"].isin(only) if only else True)
    if cell_type is not None:
        keep &= obs["cell_type"] == cell_type
    rows = np.flatnonzero(keep)
    require_cells(
        rows, where=str(path), filters=f"cell_type == {cell_type}, only {list(only)}, without {list(without)}"
    )
    sample = obs.get("sample", pd.Series("", index=obs.index)).astype(str)
    obs["donor"] = np.where(sample == "", obs["study"], obs["study"] + ":" + sample)
    obs = obs.set_index(unique_names((obs["study"] + ":" + obs.pop("cell_name").astype(str)).to_numpy()))
    obs = obs.rename(columns={"study": "dataset"})
    yield from read_blocks([Part(path, rows, obs.iloc[rows])], var=var, skip=skip, block_cells=block_cells)
