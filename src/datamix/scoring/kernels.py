"""The inner loops of scoring, compiled for the CPU by numba: one pass over the non-zeros of a chunk of cells."""

import numba
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Integers = npt.NDArray[np.integer]

# Sums may be reordered to use vector registers; NaN and infinity keep their meaning.
_kernel = numba.njit(cache=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")


@_kernel
def csr_product(indptr: Integers, indices: Integers, data: Array, weight: Array) -> Array:
    """Multiply a CSR matrix (cells × genes) with weights.

    Parameters
    ----------
    indptr, indices, data
        The CSR matrix.
    weight
        Shape `(n_genes, n_hidden)`.

    Returns
    -------
    Shape `(n_cells, n_hidden)`.
    """
    n_cells, n_hidden = len(indptr) - 1, weight.shape[1]
    product = np.zeros((n_cells, n_hidden), dtype=np.float32)
    for cell in range(n_cells):
        j, stop = indptr[cell], indptr[cell + 1]
        while j + 4 <= stop:  # four at a time, so that the row of the product is read and written a quarter as often
            a, b, c, d = data[j], data[j + 1], data[j + 2], data[j + 3]
            e, f, g, k = indices[j], indices[j + 1], indices[j + 2], indices[j + 3]
            for h in range(n_hidden):
                product[cell, h] += a * weight[e, h] + b * weight[f, h] + c * weight[g, h] + d * weight[k, h]
            j += 4
        while j < stop:
            value, gene = data[j], indices[j]
            for h in range(n_hidden):
                product[cell, h] += value * weight[gene, h]
            j += 1
    return product


@_kernel
def normalised_columns(
    indptr: Integers, indices: Integers, data: Array, places: Integers, n_columns: int, scale: float
) -> Array:
    """Return counts scaled to a total, dense, for some genes.

    Parameters
    ----------
    indptr, indices, data
        Raw counts, CSR, cells × genes.
    places
        Where each gene goes, shape `(n_genes,)`: a column of the result, or −1.
    n_columns
        Columns of the result.
    scale
        The total that each cell is scaled to, over all genes.

    Returns
    -------
    Shape `(n_cells, n_columns)`; an empty cell stays empty.
    """
    n_cells = len(indptr) - 1
    dense = np.zeros((n_cells, n_columns), dtype=np.float32)
    for cell in range(n_cells):
        total = 0.0
        for j in range(indptr[cell], indptr[cell + 1]):
            total += data[j]
        if total > 0:
            factor = np.float32(scale) / np.float32(total)
            for j in range(indptr[cell], indptr[cell + 1]):
                place = places[indices[j]]
                if place >= 0:
                    dense[cell, place] = data[j] * factor
    return dense
