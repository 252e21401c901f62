"""Any h5ad file with raw counts, read block by block."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from anndata import AnnData

from datamix.sources.readers.file import Rule, read_file


def read_h5ad(
    files: Mapping[str, Path],
    *,
    skip: int = 0,
    block_cells: int = 20_000,
    matrix: str | None = None,
    cell_type: Rule | None = None,
    donor: Rule | None = None,
    study: Rule | None = None,
    symbol: str | None = None,
    ensembl: str | None = None,
    name_with: str | list[str] | None = None,
    keep: Mapping[str, str | int | float | bool | list[str | int | float | bool]] | None = None,
) -> Iterator[AnnData]:
    """Read counts from h5ad files: X, `raw` or a layer, stored by cells, by genes or dense.

    It is the reader `file`, whose options these are, under the name that says what the manifest's files are.

    Raises
    ------
    DatamixError
        If a file is not a whole h5ad file, lacks a column, or holds no raw counts.
    """
    yield from read_file(
        files,
        skip=skip,
        block_cells=block_cells,
        matrix=matrix,
        cell_type=cell_type,
        donor=donor,
        study=study,
        symbol=symbol,
        ensembl=ensembl,
        name_with=name_with,
        keep=keep,
    )
