"""What lies in the folders and archives of 3CA: which studies there are, and the genes and cells of each.

The names are those that 3CA gives; other groups write the same three files compressed, under a study's name of their
own, with semicolons for commas, or with two columns of gene names. These are read alike.
"""

import logging
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from datamix.project.errors import DatamixError
from datamix.sources.formats.archives import Member, list_members, open_member
from datamix.sources.formats.blocks import Protocol, require_columns, unique_names

log = logging.getLogger(__name__)
UMI_COUNTS = "Exp_data_UMIcounts.mtx"
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_STUDY_FOLDER = re.compile(r"Data_(?P<study>[^_/]+)_[^/]+")
_OPTIONAL = ("sample", "patient", "complexity", "cell_subtype", "malignant")
_GENE_HEADERS = {"gene", "genes", "gene_id", "gene_ids", "gene_name", "gene_names", "gene_symbol", "gene_symbols",
                 "symbol", "symbols", "ensembl", "ensembl_id", "hgnc_symbol", "x"}  # fmt: skip


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


def find_studies(path: Path, *, protocol: Protocol = "corrected") -> list[Study]:
    """Find the studies in a study's folder or archive, or in a folder of those.

    Studies without UMI counts are left out with a warning; under the published protocol those in parts, too (fault 9).
    """
    members = list_members(path)
    for packed in [m for m in members if m.base.lower().endswith(ARCHIVES) and path.is_dir()]:
        members += list_members(path / packed.name)
    by_folder: dict[tuple[Path, str], dict[str, Member]] = {}
    for member in members:
        of_folder = by_folder.setdefault((member.source, member.name.rpartition("/")[0]), {})
        # Where a file lies beside its compressed copy, it comes first.
        of_folder.setdefault(member.base.lower().removesuffix(".gz"), member)
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
    """Take the second `_` field of the study's folder (or archive), and what sub-folder follows it.

    Where none is named as 3CA names them, the study's name is its folder, or the archive that holds it.
    """
    inside = [part for part in folder.split("/") if part]
    parts = [source.name, *inside]
    for i, part in enumerate(parts):
        match = _STUDY_FOLDER.fullmatch(part)
        # An archive holds a folder of its own name: the last match counts.
        if match and not any(_STUDY_FOLDER.fullmatch(later) for later in parts[i + 1 :]):
            return "/".join([match["study"], *parts[i + 1 :]])
    ending = next((e for e in ARCHIVES if source.name.lower().endswith(e)), "")
    return "/".join(inside) or source.name[: len(source.name) - len(ending)]


def read_study_genes(study: Study) -> pd.Index:
    """Read the genes of a study and number repeated ones.

    They stand in the first tab column, quoted or not; where that holds Ensembl ids and another one names, in the other.
    A line that only names the columns is passed over.

    Raises
    ------
    DatamixError
        If the file is empty or damaged.
    """
    with open_member(study.genes) as stream:
        try:
            table = pd.read_csv(stream, sep="\t", header=None, dtype=str, keep_default_na=False, skip_blank_lines=False)
        except pd.errors.EmptyDataError as error:
            msg = f"{study.genes} is empty; expected a gene symbol a line."
            raise DatamixError(msg, fix="download the study again from 3CA") from error
    table = table.apply(lambda column: column.str.strip())
    if set(table.iloc[0].str.lower()) <= _GENE_HEADERS:
        table = table.iloc[1:]
    are_ids = [bool(table[column].str.match(r"ENSG\d").mean() > 0.5) for column in table.columns]
    chosen = 0 if all(are_ids) else are_ids.index(False)
    names = table.iloc[:, chosen]
    # A gene without a symbol keeps its id.
    return unique_names(names.where(names != "", table.iloc[:, 0]).to_numpy())


def read_study_cells(study: Study, cell_type: str | None) -> pd.DataFrame:
    """Read the cells of a study, indexed by `<study>:<cell_name>`; `cell_type` must be there where one is wanted.

    Raises
    ------
    DatamixError
        If the table lacks a column or is damaged.
    """
    with open_member(study.cells) as stream:
        header = stream.readline().decode("utf-8", "replace")
    separator = max(",;\t", key=header.count)
    with open_member(study.cells) as stream:
        # Text throughout: cell names can look like numbers. Empty is missing, and stays empty.
        table = pd.read_csv(stream, dtype=str, keep_default_na=False, sep=separator, encoding="utf-8-sig")
    needed = ["cell_name"] if cell_type is None else ["cell_name", "cell_type"]
    require_columns(table.columns, needed, where=str(study.cells))
    obs = pd.DataFrame({"cell_type": table.get("cell_type", ""), "dataset": study.label}, index=table.index)
    for name in _OPTIONAL:
        obs[name] = table.get(name, "")
    person = obs["patient"].where(obs["patient"] != "", obs["sample"])
    obs["donor"] = np.where(person == "", study.label, study.label + ":" + person)
    return obs.drop(columns="patient").set_index(unique_names((study.name + ":" + table["cell_name"]).to_numpy()))
