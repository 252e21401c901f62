"""The negative binomial likelihood of a minibatch and its gradient, compiled for the CPU by numba."""

import math

import numpy as np

from datamix.ldvae.fast_kernels import Array, Integers, kernel

EPS = 1e-8
"""The constant that scvi-tools adds within logarithms of the negative binomial."""

LARGEST_LOG_LIBRARY = 70.0
"""Log library sizes are held here in the likelihood: e⁷⁰ molecules, beyond which products leave single precision.

In the first steps the posterior of the library size can be so wide that a sample lies in the hundreds. scvi-tools then
has infinities, and training ends in NaN. The gradient has long reached its limit, −θ a gene, so that it stays exact.
"""

_EXACT = 16
"""Counts up to here have an exact likelihood; beyond, it is Stirling's series, with an error below 1e-10."""

_RECIPROCALS = 1 / np.arange(1.0, _EXACT + 1)


@kernel
def negative_binomial(
    starts: Integers, cells: Integers, counts: Array, rho: Array, library: Array, theta: Array
) -> tuple[float, Array, Array, Array]:
    """Evaluate the negative binomial log-likelihood of a minibatch and its gradient.

    For a zero the likelihood is θ (log θ − log(θ + μ)). A non-zero x has besides Γ(x + θ) / (Γ(θ) x!) · ratio^x, where
    ratio is μ / (θ + μ). As x is an integer, the quotient of gammas is a product over θ, θ + 1, …, θ + x − 1, and the
    difference of digammas, its slope, a sum: both are tabulated once a gene.

    Parameters
    ----------
    starts, cells, counts
        The minibatch.
    rho
        Expected shares, shape `(n_genes, n_cells)`: a softmax over genes.
    library
        Library sizes, shape `(n_cells,)`; μ = library · ρ.
    theta
        Inverse dispersions, shape `(n_genes,)`.

    Returns
    -------
    The log-likelihood summed over the batch, and its gradients by the logits of ρ `(n_genes, n_cells)`, by log library
    size `(n_cells,)` and by log θ `(n_genes,)`.
    """
    n_genes, n_cells = rho.shape
    by_logit = np.empty((n_genes, n_cells), dtype=np.float32)
    by_library = np.zeros(n_cells, dtype=np.float32)
    by_theta = np.empty(n_genes, dtype=np.float32)
    means, inverse = np.empty(n_cells, dtype=np.float32), np.empty(n_cells, dtype=np.float32)
    quotients, digammas = np.ones(_EXACT + 1), np.zeros(_EXACT + 1)
    eps32 = np.float32(EPS)
    total = 0.0
    for gene in range(n_genes):
        shape = theta[gene]
        wide = np.float64(shape)
        scale = 1 / (wide + EPS)
        shares = np.float32(0)
        for cell in range(n_cells):
            means[cell] = library[cell] * rho[gene, cell]
            inverse[cell] = np.float32(1) / (shape + means[cell] + eps32)
            shares += means[cell] * inverse[cell]
            by_logit[gene, cell] = -shape * means[cell] * inverse[cell]
        logs = _sum_log1p(means, scale)
        value = -shape * logs
        slope = shape * scale * shares - logs
        # A large θ is taken out of the quotients and given to the ratio, so that neither is huge or tiny.
        large = max(wide, 1.0)
        share = 1 / large
        for i in range(_EXACT):
            quotients[i + 1] = quotients[i] * ((wide + i) * share * _RECIPROCALS[i])
            digammas[i + 1] = digammas[i] + 1.0 / (wide + i)
        known = _stirling(wide + _EXACT) - _stirling(_EXACT + 1.0)
        slope_known = _stirling_slope(wide + _EXACT)
        # One logarithm for many non-zeros: taken when their product nears what a double can hold.
        product = 1.0
        for j in range(starts[gene], starts[gene + 1]):
            cell, x = cells[j], counts[j]
            mean = means[cell]
            ratio = (mean + EPS) * inverse[cell]
            near = min(int(x), _EXACT)
            product *= quotients[near] * _power(large * ratio, near)
            if not 1e-100 < product < 1e100:
                value += math.log(product)
                product = 1.0
            slope += digammas[near] - x * inverse[cell]
            if x > _EXACT:
                value += _stirling(wide + x) - _stirling(x + 1.0) - known + (x - _EXACT) * math.log(ratio)
                slope += _stirling_slope(wide + x) - slope_known
            by_logit[gene, cell] += x * mean * (np.float32(1) / (mean + eps32) - inverse[cell])
        value += math.log(product)
        total += value
        by_theta[gene] = shape * slope
        for cell in range(n_cells):
            by_library[cell] += by_logit[gene, cell]
    # The softmax: what every logit gains, the others of its cell lose in proportion to their share.
    for gene in range(n_genes):
        for cell in range(n_cells):
            by_logit[gene, cell] -= rho[gene, cell] * by_library[cell]
    return total, by_logit, by_library, by_theta


@kernel
def _sum_log1p(values: Array, scale: float) -> float:
    """Return Σ log(1 + scale · value).

    Logarithms cost more than all else here, so products of 128 factors, eight in each of sixteen lanes, share one where
    double precision holds them.
    """
    total = 0.0
    lanes = np.empty(16)
    for start in range(0, len(values), 128):
        stop = min(start + 128, len(values))
        whole = stop - (stop - start) % 16
        lanes[:] = 1.0
        for block in range(start, whole, 16):
            for lane in range(16):
                lanes[lane] *= 1 + scale * np.float64(values[block + lane])
        for i in range(whole, stop):
            lanes[0] *= 1 + scale * np.float64(values[i])
        product = 1.0
        for lane in range(16):
            product *= lanes[lane]
        if product < 1e300:
            total += math.log(product)
        else:
            for lane in range(16):
                total += math.log(lanes[lane])
    return total


@kernel
def _power(base: float, exponent: int) -> float:
    """Return base^exponent, for exponents of 0 to 16, without a branch that a processor could mispredict."""
    square = base * base
    fourth = square * square
    eighth = fourth * fourth
    low = (base if exponent & 1 else 1.0) * (square if exponent & 2 else 1.0)
    high = (fourth if exponent & 4 else 1.0) * (eighth if exponent & 8 else 1.0)
    return low * high * (eighth * eighth if exponent & 16 else 1.0)


@kernel
def _stirling(y: float) -> float:
    """Return log Γ(y), less its constant, for y of 16 and more (Abramowitz and Stegun 6.1.41)."""
    return (y - 0.5) * math.log(y) - y + (1 - (1 / 30 - (1 / 105) / (y * y)) / (y * y)) / (12 * y)


@kernel
def _stirling_slope(y: float) -> float:
    """Return digamma(y) for y of 16 and more (Abramowitz and Stegun 6.3.18)."""
    return math.log(y) - 1 / (2 * y) - (1 - (1 / 10 - (1 / 21) / (y * y)) / (y * y)) / (12 * y * y)
