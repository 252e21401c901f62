"""R objects without R: a named object of an .rda or .rds file as a sparse matrix with names, or as a table."""

import bz2
import gzip
import lzma
import re
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.sources.formats.blocks import FETCH_AGAIN, nearest
from datamix.sources.formats.text_tables import read_table


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
    if not parts and name is None and _magic(path)[:2] == b"RD":
        if len(content) != 1:
            msg = f"{path} holds {len(content)} objects: {', '.join(map(str, content))}."
            raise DatamixError(msg, fix="name one in the dataset's options in data_manifest.yaml (matrix: …)")
        (content,) = content.values()
    for part in parts:
        below = members(content)
        if part not in below:
            near = nearest(part, below)
            msg = f"{path} has no '{name}': where '{part}' was sought it has {', '.join(below) or 'nothing'}."
            fix = "correct the dataset's options in data_manifest.yaml"
            raise DatamixError(msg, fix=f"{fix}: did you mean '{near}'?" if near else fix)
        content = below[part]
    return content


def is_matrix(content: Any) -> bool:
    """Tell whether an object is a matrix, or a data frame, that `as_matrix` may take, or one that only R can read."""
    slots = members(content)
    if isinstance(content, pd.DataFrame):
        return True
    sparse_or_dense = {"Dim", "Dimnames"} <= slots.keys()
    return sparse_or_dense or (hasattr(content, "coords") and getattr(content, "ndim", 0) == 2) or _needs_r(content)


def _needs_r(content: Any) -> bool:
    return (
        re.search(r"Delayed|HDF5|IterableMatrix|MatrixDir|BPCells|TENxMatrix|RenameDims", r_class(content)) is not None
    )


def require_in_memory(content: Any, *, where: str) -> None:
    """Raise a `DatamixError` if a matrix stands in another file, or is only computed by R."""
    if _needs_r(content):
        msg = f"{where} is a {r_class(content)}: its counts are kept in another file or computed by R itself."
        raise DatamixError(msg, fix="in R: counts <- as(counts, 'dgCMatrix'); saveRDS(counts, 'counts.rds')")


def r_class(content: Any) -> str:
    """Return the class that R gives an S4 object, empty for anything else."""
    slots = dict(vars(content)) if type(content).__name__ == "SimpleNamespace" else {}
    return str(np.ravel(slots["class"])[0]) if "class" in slots else ""


def r_kind(content: Any) -> str:
    """Say what an object is, as a user of R would: its class, or a vector, a factor, a list."""
    plain = {"Series": "a named vector", "ndarray": "a vector", "Categorical": "a factor", "DataFrame": "a data frame"}
    others = {"dict": "a list", "list": "a list", "str": "a text", "DataArray": "a vector or an array"}
    name = type(content).__name__
    return r_class(content) or (plain | others).get(name, name)


def as_matrix(content: Any, *, where: str, names: Sequence[np.ndarray | None] | None = None) -> NamedMatrix:
    """Take a matrix of the package Matrix, a named matrix or a data frame of numbers as a sparse matrix with names.

    Parameters
    ----------
    content
        What `r_object` returned: `dgCMatrix`, `dgTMatrix`, `dgRMatrix`, `dgeMatrix` (or their forms for truth values
        and whole numbers), a matrix, a data frame.
    where
        File and object, for the message.
    names
        Of rows and columns, where the object keeps them elsewhere.

    Raises
    ------
    DatamixError
        If it is something else, or a dimension has no names.
    """
    require_in_memory(content, where=where)
    slots = members(content)
    values: Any
    if {"Dim", "Dimnames"} <= slots.keys():
        values = _of_slots(slots)
        found = list(slots["Dimnames"])
    elif isinstance(content, pd.DataFrame):
        try:
            numbers = content.to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            msg = f"{where} is a data frame with columns that are not numbers ({error})."
            raise DatamixError(msg, fix="name another object in data_manifest.yaml (matrix: …)") from error
        values, found = sparse.csr_matrix(numbers), [content.index, content.columns]
    elif hasattr(content, "coords") and getattr(content, "ndim", 0) == 2:
        values = sparse.csr_matrix(content.values)
        found = [content.coords[d].values if d in content.coords else None for d in content.dims]
    else:
        kind = r_kind(content)
        msg = f"{where} is not a matrix but {kind}" + (f"; it has {', '.join(slots)}." if slots else ".")
        raise DatamixError(msg, fix="name the matrix in the dataset's options in data_manifest.yaml (matrix: …)")
    both = zip(found, names or [None, None], strict=True)
    sides: list[Any] = [own if own is not None else other for own, other in both]
    if any(n is None or len(n) != size for n, size in zip(sides, values.shape, strict=True)):
        msg = f"{where} has no names for its rows or columns, so cells and genes cannot be told."
        raise DatamixError(msg, fix="take an object with dimension names")
    rows, columns = (np.asarray([str(n) for n in side], dtype=object) for side in sides)
    return NamedMatrix(values, rows, columns)


def _of_slots(slots: Mapping[str, Any]) -> sparse.csr_matrix:
    """Build a matrix of the package Matrix from its slots: by columns, by rows, as triplets, or dense."""
    shape = tuple(int(n) for n in slots["Dim"])
    x = slots.get("x")
    stored = next((len(slots[side]) for side in ("i", "j") if side in slots), 0)
    values = np.ones(stored) if x is None else x  # a pattern matrix says only where something is
    if {"i", "j"} <= slots.keys():
        return sparse.coo_matrix((values, (slots["i"], slots["j"])), shape=shape).tocsr()
    if {"i", "p"} <= slots.keys():
        return sparse.csc_matrix((values, slots["i"], slots["p"]), shape=shape).tocsr()
    if {"j", "p"} <= slots.keys():
        return sparse.csr_matrix((values, slots["j"], slots["p"]), shape=shape)
    # R stores dense matrices column after column.
    return sparse.csr_matrix(np.reshape(values, shape, order="F"))


def as_frame(content: Any) -> pd.DataFrame | None:
    """Take a data frame, or Bioconductor's DFrame, as a table; None if it is neither."""
    if isinstance(content, pd.DataFrame):
        return content
    slots = dict(vars(content)) if type(content).__name__ == "SimpleNamespace" else {}
    if "listData" not in slots or "nrows" not in slots:
        return None
    n = int(np.ravel(slots["nrows"])[0])
    columns = slots["listData"] if isinstance(slots["listData"], Mapping) else {}
    names: Any = slots.get("rownames")
    index = pd.RangeIndex(n) if names is None else pd.Index([str(i) for i in names])
    flat: dict[str, Any] = {str(k): v for k, v in columns.items() if np.ndim(v) == 1 and len(v) == n}
    return pd.DataFrame({k: _values(v) for k, v in flat.items()}, index=index)


def _values(column: Any) -> Any:
    return column if isinstance(column, pd.Categorical) else getattr(column, "values", column)


def as_table(path: Path, name: str | None = None) -> pd.DataFrame:
    """Read a table about cells: a data frame, DFrame, matrix or named vector of an R file, or a table of text.

    Returns
    -------
    The table; its index holds the row names (of text: its first column). A named vector has one column, `value`.
    """
    if not is_r(path):
        return read_table(path)
    content = r_object(path, name)
    frame = as_frame(content)
    if frame is None and isinstance(content, pd.Series):
        frame = content.to_frame("value")
    if frame is None and hasattr(content, "coords") and content.ndim == 1 and content.dims[0] in content.coords:
        frame = pd.DataFrame({"value": content.values}, index=content.coords[content.dims[0]].values)
    if frame is None and isinstance(content, pd.Categorical | np.ndarray) and np.ndim(content) == 1:
        msg = f"{path}: {name or 'its object'} is a vector of {len(content):,} labels without names of cells."
        raise DatamixError(msg, fix="in R: names(labels) <- colnames(counts); saveRDS(labels, …)")
    if frame is None and "meta.data" in members(content):
        frame = as_frame(members(content)["meta.data"])
    if frame is None and "colData" in members(content):
        frame = as_frame(members(content)["colData"])
    if frame is not None:
        return frame.set_axis([str(i) for i in frame.index]).set_axis([str(c) for c in frame.columns], axis=1)
    matrix = as_matrix(content, where=f"{path}: {name or 'its object'}")
    return pd.DataFrame(matrix.values.toarray(), index=matrix.rows, columns=matrix.columns)


def is_r(path: Path) -> bool:
    """Tell by content whether a file is R's, .rds or .RData, compressed or not."""
    return _magic(path)[:2] in {b"X\n", b"A\n", b"B\n"} or _magic(path)[:3] in {b"RDX", b"RDA", b"RDB"}


def _magic(path: Path) -> bytes:
    with path.open("rb") as stream:
        start = stream.read(6)
    opener = next(
        (o for mark, o in ((b"\x1f\x8b", gzip), (b"BZh", bz2), (b"\xfd7zXZ", lzma)) if start.startswith(mark)), None
    )
    if opener is None:
        return start
    try:
        with opener.open(path, "rb") as opened:
            return bytes(opened.read(6))
    except (OSError, EOFError, lzma.LZMAError, zlib.error):
        return b""


# Parsing takes seconds, and several objects of one file are asked for in turn.
@lru_cache(maxsize=3)
def _read(path: Path, _changed: int) -> Any:
    import rdata

    try:
        with warnings.catch_warnings():
            # S4 classes that rdata does not know become plain namespaces, which is what is wanted here.
            warnings.simplefilter("ignore")
            parsed = rdata.parser.parse_file(path)
            converter = {**rdata.conversion.DEFAULT_CLASS_MAP, "factor": _factor, "ordered": _factor}
            content = rdata.conversion.convert(parsed, constructor_dict=converter)
    except (NotImplementedError, AssertionError) as error:  # what rdata raises at objects that it does not know
        msg = f"{path} holds something that can only be read by R itself ({type(error).__name__}: {error})."
        raise DatamixError(msg, fix="in R, save the matrix of counts alone: saveRDS(counts, 'counts.rds')") from error
    except Exception as error:  # a damaged file fails in any of many ways
        msg = f"{path} cannot be read as R data ({type(error).__name__}: {error}). It may be damaged or cut off."
        raise DatamixError(msg, fix=FETCH_AGAIN) from error
    if _magic(path)[:2] == b"RD":
        named = dict(_pairs(parsed.object))
        return {key: _with_names(value, named.get(str(key))) for key, value in content.items()}
    return _with_names(content, parsed.object)


def _factor(codes: Any, attributes: Mapping[str, Any]) -> Any:
    """Make a factor a series with the names of its elements, where it has them."""
    levels = [str(level) for level in attributes["levels"]]
    numbers = np.ma.filled(np.ma.asarray(getattr(codes, "values", codes)), 0).astype(int)
    # R counts levels from 1, and its NA is the smallest integer.
    values = pd.Categorical.from_codes(np.where(numbers < 1, 0, numbers) - 1, pd.Index(levels))
    return pd.Series(values, index=[str(n) for n in attributes["names"]]) if "names" in attributes else values


def _pairs(node: Any) -> Iterator[tuple[str, Any]]:
    """Walk the objects of an .RData file, as rdata parses them."""
    while node is not None and isinstance(node.value, tuple) and node.tag is not None:
        yield _symbol(node.tag), node.value[0]
        node = node.value[1]


def _symbol(tag: Any) -> str:
    tag = getattr(tag, "referenced_object", None) or tag
    return bytes(tag.value.value).decode("utf-8", "replace")


def _with_names(value: Any, parsed: Any) -> Any:
    """Give a vector of text the names that rdata leaves out."""
    if parsed is None or not isinstance(value, np.ndarray) or value.dtype.kind not in "UO" or parsed.attributes is None:
        return value
    import rdata

    attributes = rdata.conversion.convert(parsed.attributes)
    names = attributes.get("names") if isinstance(attributes, Mapping) else None
    return value if names is None or len(names) != len(value) else pd.Series(value, index=[str(n) for n in names])


def members(content: Any) -> dict[str, Any]:
    """Return the named parts of an R list, S4 object or data frame; empty for anything else."""
    if isinstance(content, pd.DataFrame):
        return {str(c): content[c].to_numpy() for c in content.columns}
    if isinstance(content, Mapping):
        return {str(k): v for k, v in content.items()}
    # An S4 DataFrame of Bioconductor keeps its columns in the slot listData.
    slots = dict(vars(content)) if type(content).__name__ == "SimpleNamespace" else {}
    return {**slots, **{str(k): v for k, v in slots["listData"].items()}} if "listData" in slots else slots
