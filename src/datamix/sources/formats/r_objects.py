"""R objects without R: a named object of an .rda or .rds file as a sparse matrix with names, or as a table."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from datamix.project.errors import DatamixError


@dataclass(frozen=True)
class NamedMatrix:
    """A matrix with the names of its rows and columns."""

    values: sparse.csr_matrix
    """Shape (n_rows, n_columns)."""
    rows: np.ndarray
    columns: np.ndarray

    def transposed(self) -> "NamedMatrix":
        """Return it with rows and columns exchanged."""
        return NamedMatrix(self.values.T.tocsr(), self.columns, self.rows)


def r_object(path: Path, name: str | None = None) -> Any:
    """Read one object of an R file.

    Parameters
    ----------
    path
        An .rda (objects by name) or .rds (one object) file.
    name
        Where the object is: its name, and the names of slots or list members below it, separated by `/`
        (`raw/row_info/gene_id`). Nothing means the only object of the file.

    Returns
    -------
    What the `rdata` package makes of it.

    Raises
    ------
    DatamixError
        If the file cannot be read, or holds no such object.
    """
    content = _read(path, path.stat().st_mtime_ns)
    parts = name.split("/") if name else []
    if not parts and path.suffix.lower() != ".rds":
        if len(content) != 1:
            msg = f"{path} holds {len(content)} objects: {', '.join(map(str, content))}."
            raise DatamixError(msg, fix="name one in the dataset's options in data_manifest.yaml (matrix: …)")
        (content,) = content.values()
    for part in parts:
        members = _members(content)
        if part not in members:
            msg = f"{path} has no '{name}': where '{part}' was sought it has {', '.join(members) or 'nothing'}."
            raise DatamixError(msg, fix="correct the dataset's options in data_manifest.yaml")
        content = members[part]
    return content


def as_matrix(content: Any, *, where: str) -> NamedMatrix:
    """Take a `dgCMatrix`, a `dgeMatrix`, a named matrix or a data frame of numbers as a sparse matrix with names.

    Parameters
    ----------
    content
        What `r_object` returned.
    where
        File and object, for the message.

    Raises
    ------
    DatamixError
        If it is something else, or a dimension has no names.
    """
    slots = _members(content)
    values: Any
    if {"i", "p", "x", "Dim", "Dimnames"} <= slots.keys():
        values = sparse.csc_matrix((slots["x"], slots["i"], slots["p"]), shape=tuple(slots["Dim"])).tocsr()
        names = list(slots["Dimnames"])
    elif {"x", "Dim", "Dimnames"} <= slots.keys() and "i" not in slots:
        # R stores dense matrices column after column.
        values = sparse.csr_matrix(np.reshape(slots["x"], tuple(slots["Dim"]), order="F"))
        names = list(slots["Dimnames"])
    elif isinstance(content, pd.DataFrame):
        try:
            numbers = content.to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            msg = f"{where} is a data frame with columns that are not numbers ({error})."
            raise DatamixError(msg, fix="name another object in data_manifest.yaml (matrix: …)") from error
        values, names = sparse.csr_matrix(numbers), [content.index, content.columns]
    elif hasattr(content, "coords") and getattr(content, "ndim", 0) == 2:
        values = sparse.csr_matrix(content.values)
        names = [content.coords[d].values if d in content.coords else None for d in content.dims]
    else:
        msg = f"{where} is not a matrix but {type(content).__name__}."
        raise DatamixError(msg, fix="name the matrix in the dataset's options in data_manifest.yaml (matrix: …)")
    if any(n is None or len(n) != size for n, size in zip(names, values.shape, strict=True)):
        msg = f"{where} has no names for its rows or columns, so cells and genes cannot be told."
        raise DatamixError(msg, fix="take an object with dimension names")
    rows, columns = (np.asarray([str(n) for n in side], dtype=object) for side in names)
    return NamedMatrix(values, rows, columns)


def as_table(path: Path, name: str | None = None) -> pd.DataFrame:
    """Read a table about cells: a data frame or matrix of an R file, or a text file separated by tabs.

    Returns
    -------
    The table; its index holds the row names (of a text file: its first column).
    """
    if path.suffix.lower() in {".rda", ".rds"}:
        content = r_object(path, name)
        if isinstance(content, pd.DataFrame):
            return content.set_axis([str(i) for i in content.index]).set_axis([str(c) for c in content.columns], axis=1)
        matrix = as_matrix(content, where=f"{path}: {name or 'its object'}")
        return pd.DataFrame(matrix.values.toarray(), index=matrix.rows, columns=matrix.columns)
    return pd.read_csv(path, sep="\t", dtype=str, index_col=0)


# Parsing takes seconds, and several objects of one file are asked for in turn.
@lru_cache(maxsize=3)
def _read(path: Path, _changed: int) -> Any:
    import rdata

    try:
        with warnings.catch_warnings():
            # S4 classes that rdata does not know become plain namespaces, which is what is wanted here.
            warnings.simplefilter("ignore")
            return rdata.read_rds(path) if path.suffix.lower() == ".rds" else rdata.read_rda(path)
    except Exception as error:  # a damaged file fails in any of many ways
        msg = f"{path} cannot be read as R data ({type(error).__name__}: {error}). It may be damaged or cut off."
        raise DatamixError(msg, fix="datamix data verify, then datamix data fetch") from error


def _members(content: Any) -> Mapping[str, Any]:
    """Return the named parts of an R list, S4 object or data frame; empty for anything else."""
    if isinstance(content, pd.DataFrame):
        return {str(c): content[c].to_numpy() for c in content.columns}
    if isinstance(content, Mapping):
        return {str(k): v for k, v in content.items()}
    # An S4 DataFrame of Bioconductor keeps its columns in the slot listData.
    slots = dict(vars(content)) if type(content).__name__ == "SimpleNamespace" else {}
    return {**slots, **{str(k): v for k, v in slots["listData"].items()}} if "listData" in slots else slots
