"""Tables of text: counts (genes × cells or cells × genes) and labels, with any usual separator."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datamix.project.errors import DatamixError
from datamix.sources.formats.archives import Member, naming_damage, open_member
from datamix.sources.formats.cell_file import CellFile
from datamix.sources.formats.gene_side import QC_COLUMNS, genes_are_rows
from datamix.sources.formats.spool import Entries, Spool

_VALUES = 4 << 20
"""Numbers of a table read at a time."""
_HEAD = 200
_COMMENTS = 50  # lines at most that begin with #, before a table
_MOSTLY = 0.8
_GCT = re.compile(rb"#1\.[23]\s*$")  # GenePattern's tables: the next line has their size
# Columns of numbers that tables of genes have beside the counts.
_NO_COUNTS = re.compile(r"^(?:chr|chromosome|start|end|strand|length|gene_?length)$", re.IGNORECASE)


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of text with the names of its rows in the first column, whose title they keep; all as text."""
    with open_member(Member(path, path.name)) as stream:
        first = stream.readline()
    with _in_utf8(path):
        frame = pd.read_csv(path, sep=separator(first), dtype=str, index_col=0)
    rows = pd.Index([str(i) for i in frame.index], dtype=object, name=frame.index.name)
    return frame.set_axis(rows).set_axis([str(c).strip() for c in frame.columns], axis=1)


def separator(line: bytes) -> str:
    """Tell what separates the fields of a line: tabs, commas or semicolons, of which it has most; else blanks."""
    text = line.decode("utf-8", "replace")
    best = max("\t,;", key=text.count)
    return best if best in text or " " not in text.strip() else r"\s+"


def open_count_table(path: Path) -> CellFile:
    """Read a table of counts; which side holds the genes is told by their names.

    It is read twice, a piece at a time: for names, and for counts. Columns of text are what the table knows of its
    genes, or of its cells, beside the counts.

    Raises
    ------
    DatamixError
        If it is no table of numbers, or its genes cannot be told.
    """
    with naming_damage(str(path)), _in_utf8(path):
        return _open_count_table(path)


@contextmanager
def _in_utf8(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        letter = error.object[error.start : error.start + 1]
        msg = f"{path} is text in another encoding than UTF-8: it has the byte {letter.hex()} where a letter should be."
        raise DatamixError(msg, fix=f"iconv -f WINDOWS-1252 -t UTF-8 {path} > {path.stem}_utf8{path.suffix}") from error


def _open_count_table(path: Path) -> CellFile:
    mark, skipped = _start(path)
    head, index = _with_names(_read(path, mark, skiprows=skipped, nrows=_HEAD))
    others = _other_columns(head)
    numbers = [c for c in head.columns if c not in others]
    if not numbers:
        msg = f"{path} has no column of numbers; it has {', '.join(map(str, head.columns[:10])) or 'one column'}."
        raise DatamixError(msg, fix="take a table of counts, genes × cells or cells × genes")
    options = {"skiprows": skipped, "chunksize": max(1, _VALUES // len(numbers))}
    of_cells = [c for c in numbers if re.match(QC_COLUMNS, str(c))]  # where rows are cells
    with _read(path, mark, **options) as pieces:
        text = [_with_names(piece, index)[0][[*others, *of_cells]].astype(str) for piece in pieces]
    rows = pd.concat(text)
    by_genes = genes_are_rows([str(i) for i in rows.index], [str(c) for c in numbers], where=str(path))
    if by_genes:
        rows = rows[others]
    else:
        numbers = [c for c in numbers if c not in of_cells]
    shape = (len(numbers), len(rows)) if by_genes else (len(rows), len(numbers))

    def entries() -> Iterator[Entries]:
        start = 0
        with _read(path, mark, **options) as pieces:
            for piece in pieces:
                values = as_numbers(_with_names(piece, index)[0][numbers], where=str(path))
                row, column = np.nonzero(values)
                found = values[row, column]
                yield (column, row + start, found) if by_genes else (row + start, column, found)
                start += len(values)

    spool = Spool(entries(), shape=shape)
    plain = pd.DataFrame(index=pd.Index([str(c) for c in numbers], dtype=object))
    var, obs = (rows, plain) if by_genes else (plain, rows)
    cells = obs.index.astype(str).to_numpy(dtype=object)
    return CellFile(
        kind=f"table of text, {'genes × cells' if by_genes else 'cells × genes'}",
        where=str(path),
        matrix="",
        var=var.set_axis(var.index.astype(str)),
        n_cells=len(cells),
        columns=tuple(map(str, obs.columns)),
        read_obs=lambda columns: obs[list(columns)].reset_index(drop=True),
        read_names=lambda chosen: cells[chosen],
        read_rows=spool.read,
    )


def _start(path: Path) -> tuple[str, int]:
    """Say what separates the fields of a table, and how many lines of comments stand before it."""
    with open_member(Member(path, path.name)) as stream:
        lines = [stream.readline() for _ in range(_COMMENTS)]
    if _GCT.match(lines[0]):
        return "\t", 2
    skipped = next((i for i, line in enumerate(lines) if not line.startswith(b"#")), 0)
    mark = separator(lines[skipped])
    fields = [len(re.split(mark, line.decode("utf-8", "replace"))) for line in lines[: skipped + 1]]
    if skipped and fields[skipped - 1] >= fields[skipped] - 1:
        skipped -= 1  # titles of columns, the first of which begins so
    return mark, skipped


def split_frame(frame: pd.DataFrame, *, where: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split a data frame into its counts, named on both sides, and what else it says of its rows.

    Raises
    ------
    DatamixError
        If it has no column of numbers.
    """
    named, _ = _with_names(frame)
    others = _other_columns(named)
    numbers = [c for c in named.columns if c not in others and not re.match(QC_COLUMNS, str(c))]
    if not numbers:
        msg = f"{where} is a data frame with columns that are not numbers ({', '.join(map(str, others[:5]))})."
        raise DatamixError(msg, fix="name another object in data_manifest.yaml (matrix: …)")
    return named[numbers], named[[c for c in named.columns if c not in numbers]]


def as_numbers(frame: pd.DataFrame, *, where: str) -> np.ndarray:
    """Return counts as numbers (n_rows, n_columns); a `DatamixError` names the first that is none."""
    try:
        values = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        msg = f"{where}: a column has text among its counts ({error})."
        raise DatamixError(msg, fix="take a table whose counts are numbers") from error
    missing = np.argwhere(np.isnan(values))
    if len(missing):
        row, column = missing[0]
        msg = (
            f"{where}: no number stands at '{frame.index[row]}', '{frame.columns[column]}'; expected counts everywhere."
        )
        raise DatamixError(msg, fix="take the whole table, or write 0 where nothing was counted")
    return values


def _read(path: Path, mark: str, **options: Any) -> Any:
    with path.open("rb") as stream:
        options["compression"] = "gzip" if stream.read(2) == b"\x1f\x8b" else "infer"
    if mark == ";":  # as spreadsheets write where the comma is the decimal mark
        plain = {name: options[name] for name in ("compression", "skiprows") if name in options}
        first = pd.read_csv(path, sep=mark, dtype=str, nrows=20, **plain)
        commas = first.apply(lambda column: column.str.fullmatch(r"\d+,\d+", na=False)).to_numpy().any()
        options["decimal"] = "," if commas else "."
    return pd.read_csv(path, sep=mark, low_memory=False, **options)


def _with_names(frame: pd.DataFrame, column: str | None = None) -> tuple[pd.DataFrame, str | None]:
    """Put the names of the rows into the index, and say in which column they stood: None where they were there.

    R leaves their column without a title; others call it gene or cell, behind row numbers or not.
    """
    if column is None and not pd.api.types.is_integer_dtype(frame.index) and list(frame.index) != _numbered(frame):
        return frame, None
    if column is None:
        text = [c for c in frame.columns if not pd.api.types.is_numeric_dtype(frame[c])]
        column = next((c for c in text if frame[c].is_unique), text[0] if text else frame.columns[0])
    before = frame.columns[: list(frame.columns).index(column)]
    row_numbers = [c for c in before if not str(c) or str(c).startswith("Unnamed")]
    return frame.drop(columns=row_numbers).set_index(column).rename_axis(None), column


def _is_nearly_numeric(column: pd.Series) -> bool:
    """Whether most values of a column of text are numbers, and not all: a word among counts, not labels."""
    return bool(_MOSTLY < pd.to_numeric(column, errors="coerce").notna().mean() < 1)


def _numbered(frame: pd.DataFrame) -> list[str]:
    return [str(i) for i in range(1, len(frame) + 1)]


def _other_columns(frame: pd.DataFrame) -> list[Any]:
    """Name the columns that are no counts; one of counts with a word among them is none of these, and an error."""
    numeric = {c for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c]) or _is_nearly_numeric(frame[c])}
    empty = {c for c in frame.columns if str(c).startswith("Unnamed") and frame[c].isna().all()}  # a mark at the end
    return [c for c in frame.columns if c not in numeric or c in empty or _NO_COUNTS.match(str(c))]
