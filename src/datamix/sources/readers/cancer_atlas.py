"""3CA, the Curated Cancer Cell Atlas: a folder or archive a study, or the aggregate of a tissue's studies.

Sources: Gavish et al. 2023, doi 10.1038/s41586-023-06130-4; Tyler et al. 2025, doi 10.1038/s43018-025-00957-8.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from datamix.project.errors import DatamixError
from datamix.sources.formats.archives import Member, list_members, open_member
from datamix.sources.formats.blocks import (
    Protocol,
    count_blocks,
    cut,
    make_block,
    require_cells,
    require_columns,
    require_file,
    unique_names,
)
from datamix.sources.formats.h5ad_rows import Part, open_h5ad, read_blocks, read_columns, read_names, shape_of
from datamix.sources.formats.matrix_market import stream_cells
from datamix.sources.readers.sctab import read_sctab_genes

log = logging.getLogger(__name__)
UMI_COUNTS = "Exp_data_UMIcounts.mtx"
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_STUDY_FOLDER = re.compile(r"Data_(?P<study>[^_/]+)_[^/]+")
_OPTIONAL = ("sample", "patient", "complexity", "cell_subtype", "malignant")


@dataclass(frozen=True)
class Study:
    """The three files of a study, or of one part of a study in several parts."""

    name: str
    """`Galen2019`; `Yost2019/BCC` for a part."""
    cells: Member
    genes: Member
    matrix: Member

    @property
    def label(self) -> str:
        """The study without its part, as 3CA and the authors name it."""
        return self.name.partition("/")[0]


def read_cancer_atlas(
    files: Mapping[str, Path],
    *,
    skip: int = 0,
    block_cells: int = 20_000,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    cell_type: str | None = "Malignant",
    qc_genes_if_published: str | None = None,
    protocol: Protocol = "corrected",
) -> Iterator[AnnData]:
    """Read cells of 3CA studies with UMI counts.

    Parameters
    ----------
    files
        Study folders or archives (`Data_Galen2019_Hematologic`, `.zip`, `.tar.gz`), or folders of those; and the table
        that `qc_genes_if_published` names.
    skip, block_cells
        See `datamix.sources`. The text of a matrix is read again from its front to reach a block inside it.
    only
        Keep these studies; empty means all.
    without
        Leave out these studies. Their genes still count in the intersection, as in the authors' aggregate.
    cell_type
        Keep cells of this type; nothing means all.
    qc_genes_if_published
        Name of scTab's gene table. Under the published protocol `total_counts` and `mito_fraction` are given over the
        symbols in it, as the authors do for the evaluation sets (for the training set they count all genes).
    protocol
        Under `published` studies in several parts are left out (fault 9).

    Yields
    ------
    Blocks with symbols, the genes that all studies share; repeated symbols of a study are numbered (`TBCE`, `TBCE-1`)
    before. Studies come sorted by name; the authors' order was that of their file system. `obs_names` is
    `<study>:<cell_name>`, repeats numbered; obs has `cell_type`, `donor` (`<study>:<patient>`, else the sample, else
    the study), `dataset` (the study), and `sample`, `complexity`, `cell_subtype`, `malignant` where a study has them,
    otherwise empty.

    Raises
    ------
    DatamixError
        If a study is asked for and not there, is not raw counts, or a file is damaged or lacks a column.
    """
    archives = [path for name, path in files.items() if name != qc_genes_if_published]
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
    genes = {study.name: _read_genes(study) for study in studies}
    shared = reduce(lambda a, b: a.intersection(b, sort=False), (genes[study.name] for study in studies))
    qc_symbols = None
    if qc_genes_if_published is not None and protocol == "published":
        qc_symbols = read_sctab_genes(require_file(files, qc_genes_if_published))["symbol"]
    cells = [_read_cells(study, cell_type) for study in kept]
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
            made = make_block(
                block, obs=obs.iloc[rows[piece]], var=pd.DataFrame(index=shared), cells_in_all=sum(map(len, wanted))
            )
            if qc_symbols is not None:
                made.obs = made.obs.assign(**_measure(made, qc_symbols))
            yield made
        skip = 0


def find_studies(path: Path, *, protocol: Protocol = "corrected") -> list[Study]:
    """Find the studies in a study's folder or archive, or in a folder of those.

    Studies without UMI counts are left out with a warning.
    """
    members = list_members(path)
    for packed in [m for m in members if m.base.endswith(ARCHIVES) and path.is_dir()]:
        members += list_members(path / packed.name)
    by_folder: dict[tuple[Path, str], dict[str, Member]] = {}
    for member in members:
        by_folder.setdefault((member.source, member.name.rpartition("/")[0]), {})[member.base.lower()] = member
    studies = []
    for (source, folder), found in by_folder.items():
        if "cells.csv" not in found:
            continue
        name = _study_name(source, folder)
        if UMI_COUNTS.lower() not in found:
            log.warning("3CA study %s has no %s, so no UMI counts: left out.", name, UMI_COUNTS)
        elif "/" in name and protocol == "published":
            # fault 9: the published scripts look for the matrix directly in the study's folder only.
            log.warning("3CA study %s lies in a sub-folder: left out under the published protocol.", name)
        elif "genes.txt" not in found:
            msg = f"Study {name} ({source}) has no Genes.txt beside {UMI_COUNTS}."
            raise DatamixError(msg, fix="download the study again from 3CA")
        else:
            studies.append(Study(name, found["cells.csv"], found["genes.txt"], found[UMI_COUNTS.lower()]))
    return studies


def _study_name(source: Path, folder: str) -> str:
    """Take the second `_` field of the study's folder (or archive), and what sub-folder follows it."""
    parts = [source.name, *(part for part in folder.split("/") if part)]
    for i, part in enumerate(parts):
        match = _STUDY_FOLDER.fullmatch(part)
        # An archive holds a folder of its own name: the last match counts.
        if match and not any(_STUDY_FOLDER.fullmatch(later) for later in parts[i + 1 :]):
            return "/".join([match["study"], *parts[i + 1 :]])
    msg = f"{source / folder} holds Cells.csv, but no folder above it is named Data_<Study>_<Tissue>."
    raise DatamixError(msg, fix="give the study's folder the name that 3CA gives it")


def _measure(block: AnnData, symbols: pd.Series) -> dict[str, np.ndarray]:
    """Measure cells over the genes with these symbols only."""
    known = block.var_names.isin(symbols)
    mito = known & block.var_names.str.startswith("MT-")
    total, of_mito = (np.asarray(block.X[:, np.flatnonzero(g)].sum(axis=1)).ravel() for g in (known, mito))
    return {"total_counts": total, "mito_fraction": np.divide(of_mito, total, out=total * 0, where=total > 0)}


def _read_genes(study: Study) -> pd.Index:
    """Read the symbols, first tab column, quoted or not, and number repeated ones."""
    with open_member(study.genes) as stream:
        try:
            table = pd.read_csv(
                stream, sep="\t", header=None, usecols=[0], dtype=str, keep_default_na=False, skip_blank_lines=False
            )
        except pd.errors.EmptyDataError as error:
            msg = f"{study.genes} is empty; expected a gene symbol a line."
            raise DatamixError(msg, fix="download the study again from 3CA") from error
    return unique_names(table[0].str.strip().to_numpy())


def _read_cells(study: Study, cell_type: str | None) -> pd.DataFrame:
    with open_member(study.cells) as stream:
        # Text throughout: cell names can look like numbers. Empty is missing, and stays empty.
        table = pd.read_csv(stream, dtype=str, keep_default_na=False)
    needed = ["cell_name"] if cell_type is None else ["cell_name", "cell_type"]
    require_columns(table.columns, needed, where=str(study.cells))
    obs = pd.DataFrame({"cell_type": table.get("cell_type", ""), "dataset": study.label}, index=table.index)
    for name in _OPTIONAL:
        obs[name] = table.get(name, "")
    person = obs["patient"].where(obs["patient"] != "", obs["sample"])
    obs["donor"] = np.where(person == "", study.label, study.label + ":" + person)
    return obs.drop(columns="patient").set_index(unique_names((study.name + ":" + table["cell_name"]).to_numpy()))


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
