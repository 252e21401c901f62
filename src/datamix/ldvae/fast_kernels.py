"""The inner loops of fast training, compiled for the CPU by numba: sparse minibatches, layers, Adam.

A minibatch is held gene by gene: the non-zeros of gene g are `starts[g]` to `starts[g + 1]` of `cells` (position in the
batch) and `counts`. Each gene's weights and logits are then read once a step, whatever the number of its non-zeros.
All loops are single threaded and in a fixed order, so that results are the same bit for bit on one machine.
"""

import math

import numba
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]

# Sums may be reordered to use vector registers; NaN and infinity keep their meaning.
kernel = numba.njit(cache=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")


@kernel
def gather(
    indptr: npt.NDArray[np.integer],
    indices: npt.NDArray[np.integer],
    data: Array,
    rows: npt.NDArray[np.int64],
    n_genes: int,
) -> tuple[Integers, Integers, Array]:
    """Collect rows of a CSR matrix gene by gene (a counting sort).

    Parameters
    ----------
    indptr, indices, data
        The CSR matrix, cells × genes.
    rows
        The cells of the minibatch.
    n_genes
        Columns of the matrix.

    Returns
    -------
    `starts` (n_genes + 1), `cells` and `counts` (non-zeros of the batch).
    """
    starts = np.zeros(n_genes + 1, dtype=np.int32)
    for row in rows:
        for j in range(indptr[row], indptr[row + 1]):
            starts[indices[j] + 1] += 1
    for gene in range(n_genes):
        starts[gene + 1] += starts[gene]
    free = starts[:-1].copy()
    cells = np.empty(starts[-1], dtype=np.int32)
    counts = np.empty(starts[-1], dtype=np.float32)
    for cell in range(len(rows)):
        for j in range(indptr[rows[cell]], indptr[rows[cell] + 1]):
            place = free[indices[j]]
            free[indices[j]] = place + 1
            cells[place] = cell
            counts[place] = data[j]
    return starts, cells, counts


@kernel
def first_layer(starts: Integers, cells: Integers, logged: Array, weight: Array, n_cells: int) -> Array:
    """Multiply log1p counts with the first layer's weights.

    Parameters
    ----------
    starts, cells, logged
        The minibatch, with log1p of its counts.
    weight
        Shape `(n_genes, n_hidden)`.
    n_cells
        Cells in the batch.

    Returns
    -------
    Shape `(n_cells, n_hidden)`.
    """
    n_hidden = weight.shape[1]
    hidden = np.zeros((n_cells, n_hidden), dtype=np.float32)
    for gene in range(weight.shape[0]):
        for j in range(starts[gene], starts[gene + 1]):
            value, cell = logged[j], cells[j]
            for h in range(n_hidden):
                hidden[cell, h] += value * weight[gene, h]
    return hidden


@kernel
def update_first_layer(
    starts: Integers,
    cells: Integers,
    logged: Array,
    upstream: Array,
    weight: Array,
    first_moment: Array,
    second_moment: Array,
    rate: float,
    beta1: float,
    beta2: float,
    floor: float,
    weight_decay: float,
) -> None:
    """Compute the gradient of the first layer's weights and take Adam's step, row by row, in place.

    Parameters
    ----------
    starts, cells, logged
        The minibatch, with log1p of its counts.
    upstream
        Gradient of the loss by the layer's output, shape `(n_cells, n_hidden)`.
    weight, first_moment, second_moment
        Shape `(n_genes, n_hidden)`; overwritten.
    rate, beta1, beta2, floor, weight_decay
        As for `adam`.
    """
    n_hidden = weight.shape[1]
    gradient = np.empty(n_hidden, dtype=np.float32)
    for gene in range(weight.shape[0]):
        gradient[:] = 0
        # Four at a time, so that the gradient is read and written once for them.
        whole = starts[gene] + (starts[gene + 1] - starts[gene]) // 4 * 4
        for j in range(starts[gene], whole, 4):
            v0, v1, v2, v3 = logged[j], logged[j + 1], logged[j + 2], logged[j + 3]
            c0, c1, c2, c3 = cells[j], cells[j + 1], cells[j + 2], cells[j + 3]
            for h in range(n_hidden):
                two = v0 * upstream[c0, h] + v1 * upstream[c1, h]
                gradient[h] += two + (v2 * upstream[c2, h] + v3 * upstream[c3, h])
        for j in range(whole, starts[gene + 1]):
            value, cell = logged[j], cells[j]
            for h in range(n_hidden):
                gradient[h] += value * upstream[cell, h]
        adam(weight[gene], gradient, first_moment[gene], second_moment[gene], rate, beta1, beta2, floor, weight_decay)


def adam_pace(step: int, *, lr: float, beta1: float, beta2: float, eps: float) -> tuple[float, float]:
    """Return Adam's learning rate and ε, corrected for moments that began at 0, as of a step (1 at first)."""
    root = math.sqrt(1 - beta2**step)
    return lr * root / (1 - beta1**step), eps * root


@kernel
def adam(
    values: Array,
    gradient: Array,
    first_moment: Array,
    second_moment: Array,
    rate: float,
    beta1: float,
    beta2: float,
    floor: float,
    weight_decay: float,
) -> None:
    """Take Adam's step, in place.

    Parameters
    ----------
    values, gradient, first_moment, second_moment
        One-dimensional, of one length; all but the gradient are overwritten.
    rate, floor
        Adam's learning rate and ε, each corrected for the number of steps (`adam_pace`).
    beta1, beta2, weight_decay
        Adam's settings, as in torch: weight decay is added to the gradient.
    """
    keep1, take1 = np.float32(beta1), np.float32(1 - beta1)
    keep2, take2 = np.float32(beta2), np.float32(1 - beta2)
    pace, least, decay = np.float32(rate), np.float32(floor), np.float32(weight_decay)
    for i in range(len(values)):
        slope = gradient[i] + decay * values[i]
        first = keep1 * first_moment[i] + take1 * slope
        second = keep2 * second_moment[i] + take2 * slope * slope
        first_moment[i] = first
        second_moment[i] = second
        values[i] -= pace * first / (np.sqrt(second) + least)


@kernel
def normalise(
    values: Array,
    weight: Array,
    bias: Array,
    chances: Array,
    dropout: float,
    running_mean: Array,
    running_variance: Array,
    momentum: float,
    eps: float,
) -> tuple[Array, Array]:
    """Apply BatchNorm, ReLU and dropout to a minibatch in training.

    Parameters
    ----------
    values
        Shape `(n_cells, n_hidden)`; overwritten by what the BatchNorm has before its weight and bias.
    weight, bias
        Of the BatchNorm, shape `(n_hidden,)`.
    chances
        Uniform draws in [0, 1), shape `(n_cells, n_hidden)`: below `dropout`, a value becomes 0.
    dropout
        Probability, 0 to below 1.
    running_mean, running_variance, momentum, eps
        Of the BatchNorm; the running moments are moved on, the variance unbiased, as torch does.

    Returns
    -------
    What comes out `(n_cells, n_hidden)`, and 1 / standard deviation `(n_hidden,)`.
    """
    n_cells, n_hidden = values.shape
    mean, inverse = np.zeros(n_hidden, dtype=np.float32), np.zeros(n_hidden, dtype=np.float32)
    part, floor, pace = np.float32(1 / n_cells), np.float32(eps), np.float32(momentum)
    unbiased = np.float32(n_cells / (n_cells - 1))
    chance, up = np.float32(dropout), np.float32(1 / (1 - dropout))
    for cell in range(n_cells):
        for h in range(n_hidden):
            mean[h] += values[cell, h]
    for h in range(n_hidden):
        mean[h] *= part
    for cell in range(n_cells):
        for h in range(n_hidden):
            centred = values[cell, h] - mean[h]
            values[cell, h] = centred
            inverse[h] += centred * centred
    for h in range(n_hidden):
        variance = inverse[h] * part
        running_mean[h] += pace * (mean[h] - running_mean[h])
        running_variance[h] += pace * (variance * unbiased - running_variance[h])
        inverse[h] = np.float32(1) / np.sqrt(variance + floor)
    out = np.empty((n_cells, n_hidden), dtype=np.float32)
    for cell in range(n_cells):
        for h in range(n_hidden):
            normed = values[cell, h] * inverse[h]
            values[cell, h] = normed
            kept = up if chances[cell, h] >= chance else np.float32(0)
            # Not max(): NaN has to stay NaN, so that a training that diverges is seen.
            straight = weight[h] * normed + bias[h]
            out[cell, h] = np.float32(0) if straight < 0 else straight * kept
    return out, inverse


@kernel
def normalise_backward(
    upstream: Array, out: Array, normed: Array, inverse: Array, weight: Array, dropout: float
) -> tuple[Array, Array, Array]:
    """Compute the gradients of `normalise`.

    Parameters
    ----------
    upstream
        Gradient of the loss by what came out, `(n_cells, n_hidden)`.
    out, normed, inverse
        What `normalise` returned, and left in `values`.
    weight, dropout
        As given to it.

    Returns
    -------
    Gradients by the values `(n_cells, n_hidden)`, by the weight and by the bias `(n_hidden,)`.
    """
    n_cells, n_hidden = out.shape
    by_values = np.empty((n_cells, n_hidden), dtype=np.float32)
    by_weight, by_bias = np.zeros(n_hidden, dtype=np.float32), np.zeros(n_hidden, dtype=np.float32)
    part, up = np.float32(1 / n_cells), np.float32(1 / (1 - dropout))
    for cell in range(n_cells):
        for h in range(n_hidden):
            # What was dropped or below 0 came out as 0.
            slope = upstream[cell, h] * up if out[cell, h] > 0 else np.float32(0)
            by_values[cell, h] = slope
            by_weight[h] += slope * normed[cell, h]
            by_bias[h] += slope
    for cell in range(n_cells):
        for h in range(n_hidden):
            common = by_bias[h] + normed[cell, h] * by_weight[h]
            by_values[cell, h] = weight[h] * inverse[h] * (by_values[cell, h] - part * common)
    return by_values, by_weight, by_bias
