"""MEX batches (barcodes, features, matrix) of one experiment, and cells of them in any order.

Text cannot be read out of order, so each batch is converted once to CSR on disk (the spool).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.project.files import replacing
from datamix.sources.formats.archives import Member, list_members, open_member
from datamix.sources.formats.blocks import FETCH_AGAIN, require_columns
from datamix.sources.formats.h5ad_rows import open_h5ad, read_rows
from datamix.sources.formats.matrix_market import stream_cells

SPOOL_CELLS = 2_000
"""Cells converted at a time."""
_PARTS = ("barcodes.tsv", "features.tsv", "matrix.mtx")


@dataclass(frozen=True)
class Batch:
    """One MEX batch: a lane of the sequencer's chip."""

    number: int
    barcodes: np.ndarray
    """16-mers (n_cells,), without the `-1` of the file."""
    genes: np.ndarray
    """For each feature its column among the genes (n_features,), -1 for guide captures."""
    matrix: Member


def read_batches(
    files: Mapping[str, Path], prefix: str, skip_batches: Sequence[int]
) -> tuple[list[Batch], pd.DataFrame]:
    """Read barcodes and features of all batches.

    Parameters
    ----------
    files
        Folders, tar archives, or single MEX files; h5ad files among them are passed over.
    prefix
        How MEX file names begin, `{}` standing for the batch; what stands before it is ignored.
    skip_batches
        Batches to leave out.

    Returns
    -------
    The batches by number, and their genes: indexed by Ensembl id, column `symbol`.

    Raises
    ------
    DatamixError
        If there is none, one lacks a file, or they differ in their genes.
    """
    before, after = (re.escape(text) for text in prefix.split("{}"))
    pattern = re.compile(rf"(?:.*_)?{before}(\d+){after}({'|'.join(map(re.escape, _PARTS))})(?:\.gz)?")
    found: dict[int, dict[str, Member]] = {}
    for member in (m for path in files.values() if path.suffix != ".h5ad" for m in list_members(path)):
        match = pattern.fullmatch(member.base)
        if match and int(match[1]) not in skip_batches:
            found.setdefault(int(match[1]), {})[match[2]] = member
    if not found:
        msg = f"No MEX file is named {prefix.format('<batch>')}matrix.mtx among {', '.join(map(str, files.values()))}."
        raise DatamixError(msg, fix="download the MEX files, or edit the option `prefix` in data_manifest.yaml")
    batches, var = list[Batch](), pd.DataFrame()
    for number, parts in sorted(found.items()):
        absent = [part for part in _PARTS if part not in parts]
        if absent:
            msg = f"Batch {number} ({prefix.format(number)}) has no {', '.join(absent)}."
            raise DatamixError(msg, fix="download it again")
        features = _read_table(parts["features.tsv"], ["gene", "symbol", "kind"])
        is_gene = (features["kind"] == "Gene Expression").to_numpy()
        genes = features[is_gene].set_index("gene")[["symbol"]]
        if genes.index.has_duplicates or genes.empty:
            msg = f"{parts['features.tsv']}: a 'Gene Expression' feature stands twice, or there is none."
            raise DatamixError(msg, fix=FETCH_AGAIN)
        if batches and not genes.equals(var):
            msg = f"{parts['features.tsv']} lists other genes than batch {batches[0].number}."
            raise DatamixError(msg, fix="take the MEX files of one experiment, and " + FETCH_AGAIN)
        var = genes
        column = np.where(is_gene, np.cumsum(is_gene) - 1, -1)
        barcodes = _read_table(parts["barcodes.tsv"], ["barcode"])["barcode"].str.partition("-")[0].to_numpy()
        batches.append(Batch(number, barcodes, column, parts["matrix.mtx"]))
    return batches, var


def _read_table(member: Member, columns: list[str]) -> pd.DataFrame:
    with open_member(member) as stream:
        try:
            table = pd.read_csv(stream, sep="\t", header=None, dtype=str, keep_default_na=False)
        except pd.errors.EmptyDataError:
            table = pd.DataFrame()
    require_columns(columns[: table.shape[1]], columns, where=f"{member} (columns {', '.join(columns)})")
    return table.iloc[:, : len(columns)].set_axis(columns, axis=1)


def gather(
    wanted: pd.DataFrame, found: pd.DataFrame, batches: list[Batch], spool: Path, *, n_genes: int
) -> sparse.csr_matrix:
    """Take cells out of batches.

    Parameters
    ----------
    wanted
        The cells, in order: columns `batch` (place in `batches`) and `row` (place in the batch).
    found
        The same for all cells of the experiment; these are spooled, so that one spool serves every call.
    batches
        The batches.
    spool
        Folder for the converted batches; those of an interrupted run are used.
    n_genes
        Number of genes.

    Returns
    -------
    float32 CSR (n_wanted, n_genes).
    """
    order = np.argsort(wanted["batch"].to_numpy(), kind="stable")
    pieces = []
    for place, cells in wanted.iloc[order].groupby("batch", sort=True):
        rows = np.sort(found["row"].to_numpy()[found["batch"].to_numpy() == place])
        path = _spool(batches[int(str(place))], rows, spool, n_genes=n_genes)
        with open_h5ad(path) as file:
            pieces.append(read_rows(file, np.searchsorted(rows, cells["row"].to_numpy())))
    return sparse.vstack(pieces, format="csr")[np.argsort(order)]


def _spool(batch: Batch, rows: np.ndarray, folder: Path, *, n_genes: int) -> Path:
    """Convert the wanted cells of a batch to CSR on disk, unless a run before has done so from the same file."""
    source = batch.matrix.source
    stat = (source / batch.matrix.name if source.is_dir() else source).stat()
    path = folder / f"{batch.number}-{len(rows)}-{stat.st_size}-{stat.st_mtime_ns}.h5ad"
    if path.is_file():
        return path
    with replacing(path) as beside, h5py.File(beside, "w") as file:
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "shape": (len(rows), n_genes)})
        indptr = [np.zeros(1, np.int64)]
        for name, kind in (("data", np.float32), ("indices", np.int32)):
            group.create_dataset(name, shape=(0,), maxshape=(None,), dtype=kind, chunks=(1 << 16,))
        for block in stream_cells(
            batch.matrix, genes=batch.genes, n_cells=len(batch.barcodes), wanted=rows, block_cells=SPOOL_CELLS
        ):
            start = int(indptr[-1][-1])
            for name in ("data", "indices"):
                group[name].resize((start + block.nnz,))
                group[name][start:] = getattr(block, name)
            indptr.append(start + block.indptr[1:].astype(np.int64))
        group["indptr"] = np.concatenate(indptr)
    return path
