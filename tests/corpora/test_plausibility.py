import re

import numpy as np
import pytest
from scipy import sparse

from datamix.corpora.plausibility import implausible, measure


def notes(counts: np.ndarray, *, mito: int = 3) -> list[str]:
    matrix = sparse.csr_matrix(counts)
    total, of_mito = (np.asarray(m.sum(axis=1)).ravel() for m in (matrix, matrix[:, :mito]))
    facts = {"cells_read": len(counts), "genes_read": counts.shape[1], "mito_genes": mito}
    half = len(counts) // 2  # in two blocks
    found = [
        facts | {"cells_read": len(total[piece])} | measure(matrix[piece].data, total[piece], of_mito[piece])
        for piece in (slice(half), slice(half, None))
    ]
    return implausible(found, totals=total, max_mito=0.1)


@pytest.fixture
def cells() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.poisson(rng.uniform(0.2, 0.6, size=(40, 1)), size=(40, 6000)).astype(float)


def test_cells_are_not_named(cells):
    assert notes(cells) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c * 1000, "half of the cells have more than .* like reads"),
        (lambda c: np.minimum(c, 1), "no count is above 1"),
        (lambda c: c + 1, "of the values are not 0"),
        (lambda c: np.where(np.arange(6000) < 3, 0, c), "no cell has a count of its 3 mitochondrial genes"),
        (lambda c: c + (np.arange(6000) == 9) * 60_000, "largest count of a gene in a cell is 60,00"),
        (lambda c: c + (np.arange(6000) == 9) * (9000 - c.sum(axis=1, keepdims=True)), "all cells have the same 9,000"),
    ],
)
def test_what_is_unlike_cells_is_named(cells, change, message):
    assert any(re.search(message, note) for note in notes(change(cells)))


def test_no_mitochondrial_gene_is_named(cells):
    assert "none of its 6,000 genes is known as mitochondrial" in notes(cells, mito=0)[0]
