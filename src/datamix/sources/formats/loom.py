"""Cells of a loom file: genes × cells, dense. Layout: https://linnarssonlab.org/loompy/format/index.html."""

from functools import partial

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.sources.formats.cell_file import CellFile, choose_matrix, layers_in_order, looks_like_counts
from datamix.sources.formats.h5ad_rows import SLAB_BYTES, stack

_CELLS = ("CellID", "cell_id", "obs_names", "cell_names", "barcode", "barcodes", "Barcode")
_GENES = ("Gene", "gene", "var_names", "gene_names", "gene_name", "GeneName", "Accession", "ensembl_id", "gene_ids")
_SAMPLED = 200


def open_loom(file: h5py.File, *, matrix: str | None = None) -> CellFile:
    """Read what a loom file is; `matrix` names a layer (`layers/spliced`), nothing means the one with raw counts.

    Rows are genes, as loompy has them, unless the file names its cells among its rows.

    Raises
    ------
    DatamixError
        If its genes or cells have no names, or it holds no raw counts.
    """
    where = str(file.filename)
    places = ["matrix", *(f"layers/{name}" for name in layers_in_order(file.get("layers", {})))]
    rows, columns = _attributes(file["row_attrs"]), _attributes(file["col_attrs"])
    turned = not set(_GENES) & set(rows.columns) and bool(set(_CELLS) & set(rows.columns))
    sizes = {place: file[place].shape[int(turned)] for place in places}
    sampled = {place: file[place][:_SAMPLED] if turned else file[place][:, :_SAMPLED] for place in places}
    counts = {place: looks_like_counts(values.ravel()) for place, values in sampled.items()}
    place = choose_matrix(sizes, counts, wanted=matrix, where=where)
    var, obs = (columns, rows) if turned else (rows, columns)
    of_genes, of_cells = ("col_attrs", "row_attrs") if turned else ("row_attrs", "col_attrs")
    sides = {of_genes: (var, _GENES), of_cells: (obs, _CELLS)}
    for side, (table, known) in sides.items():
        name = next((n for n in known if n in table.columns), None)
        if name is None:
            msg = f"{where}: {side} names nothing as {', '.join(known[:3])} …; it has {', '.join(table.columns)}."
            raise DatamixError(msg, fix="write the file again with CellID and Gene, as loompy asks for")
        table.index = pd.Index(table[name].astype(str), dtype=object, name=None)
    names = obs.index.to_numpy()
    return CellFile(
        kind="loom, cells × genes" if turned else "loom",
        where=where,
        matrix=place,
        var=var.astype(str),
        n_cells=len(obs),
        columns=tuple(obs.columns),
        read_obs=lambda columns: obs[list(columns)].reset_index(drop=True),
        read_names=lambda rows: names[rows],
        read_rows=partial(_rows, file[place], turned=turned),
        places=counts,
    )


def _attributes(group: h5py.Group) -> pd.DataFrame:
    columns = {}
    for name, values in group.items():
        if isinstance(values, h5py.Dataset) and values.ndim == 1:
            found = values[:]
            columns[name] = (
                [v.decode("utf-8") if isinstance(v, bytes) else v for v in found] if found.dtype.kind in "SO" else found
            )
    return pd.DataFrame(columns)


def _rows(matrix: h5py.Dataset, rows: np.ndarray, *, turned: bool) -> sparse.csr_matrix:
    """Read cells (ascending) from whole chunks."""
    cells, genes = (0, 1) if turned else (1, 0)
    n_genes = matrix.shape[genes]
    chunk = matrix.chunks[cells] if matrix.chunks else 1
    step = max(1, SLAB_BYTES // (n_genes * matrix.dtype.itemsize * chunk)) * chunk
    pieces = []
    for slab in np.unique(rows // step):
        inside = rows[rows // step == slab]
        span = slice(int(inside[0]), int(inside[-1]) + 1)
        values = matrix[span] if turned else matrix[:, span].T
        pieces.append(sparse.csr_matrix(values[inside - inside[0]], dtype=np.float32))
    return stack(pieces, n_genes)
