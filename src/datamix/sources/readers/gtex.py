"""GTEx v8 gene median TPM: which genes are expressed in a tissue, relative to the others.

Source: GTEx Consortium 2020, doi 10.1126/science.aaz1776.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from datamix.project.errors import DatamixError
from datamix.sources.formats.archives import Member, open_member
from datamix.sources.formats.blocks import FETCH_AGAIN, require_columns


def read_gtex(files: Mapping[str, Path]) -> pd.DataFrame:
    """Read the table of gene medians.

    Parameters
    ----------
    files
        One GCT 1.2 file, which may be compressed.

    Returns
    -------
    TPM (n_genes, n_tissues), all genes; indexed by `gene` (Ensembl id with version) and `symbol`, which may repeat.

    Raises
    ------
    DatamixError
        If the file is no GCT, is truncated, lacks a column, or has negative or missing values.
    """
    (path,) = files.values()
    with open_member(Member(path, path.name)) as stream:
        version, size = stream.readline().decode().strip(), stream.readline().split()
        if version != "#1.2" or len(size) < 2 or not all(word.isdigit() for word in size):
            msg = (
                f"{path} begins with '{version[:40]}'; expected '#1.2', then a line with numbers of genes and tissues."
            )
            raise DatamixError(msg, fix=FETCH_AGAIN)
        try:
            table = pd.read_csv(stream, sep="\t", dtype={"Name": str, "Description": str}, keep_default_na=False)
        except ValueError as error:
            msg = f"{path} cannot be read as a table: it is truncated or damaged ({error})."
            raise DatamixError(msg, fix=FETCH_AGAIN) from error
    require_columns(table.columns, ["Name", "Description"], where=str(path))
    tpm = table.set_index(["Name", "Description"]).rename_axis(["gene", "symbol"])
    if tpm.shape != (int(size[0]), int(size[1])):
        said = " × ".join(word.decode() for word in size)
        msg = f"{path} is {tpm.shape[0]} × {tpm.shape[1]} (genes × tissues), but its second line says {said}."
        raise DatamixError(msg, fix=FETCH_AGAIN)
    numbers = tpm.apply(pd.to_numeric, errors="coerce").astype(float)
    wrong = ~(numbers >= 0)
    if wrong.to_numpy().any():
        tissue = wrong.columns[wrong.any()][0]
        (gene, _), value = next(tpm.loc[wrong[tissue], tissue].items())
        msg = f"{path}: column '{tissue}' has {value!r} for {gene}; expected TPM, not below 0."
        raise DatamixError(msg, fix="take the file of median TPM, neither log-transformed nor scaled; " + FETCH_AGAIN)
    return numbers


def z_scores(tpm: pd.DataFrame, *, tissue: str) -> pd.Series:
    """Score each gene's expression in a tissue against all tissues.

    Parameters
    ----------
    tpm
        The table of `read_gtex`.
    tissue
        One of its columns, `Whole Blood`.

    Returns
    -------
    z (n_genes,): (TPM − mean over tissues) / sample standard deviation, on raw TPM; indexed by symbol, without the
    genes that are zero everywhere. NaN where a gene does not vary. A repeated symbol gives several rows.

    Raises
    ------
    DatamixError
        If there is no such tissue.
    """
    require_columns(tpm.columns, [tissue], where="The GTEx table")
    expressed = tpm[(tpm != 0).any(axis=1)]
    z = (expressed[tissue] - expressed.mean(axis=1)) / expressed.std(axis=1, ddof=1).replace(0, np.nan)
    return z.droplevel("gene").rename("z")


def genes_above(z: pd.Series, *, threshold: float) -> Collection[str]:
    """Return the symbols with a score above the threshold, in any of their rows where a symbol repeats.

    The published script stops with an error at a repeated symbol that it needs, so it must have met none.
    """
    return set(z.index[z > threshold])
