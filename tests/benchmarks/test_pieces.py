import pandas as pd
import pytest
from benchmarks.pieces import SHAPES, measure, terms

from datamix.publishing.runs import pieces


def test_terms_of_a_step_are_found_from_its_times():
    """Those of the plan, from times as the plan has them."""
    seconds = [
        pieces.training(batch / pieces.TRAINED, counts=counts, genes=genes, epochs=1, batch=batch)
        for genes, counts, batch in SHAPES
    ]
    table = pd.DataFrame(SHAPES, columns=["genes", "counts", "batch"]).assign(seconds=seconds)
    found, ratio = terms(table)
    expected = [pieces.STEP_GENE, pieces.CELL, pieces.CELL_GENE, pieces.COUNT]
    assert found.to_list() == pytest.approx(expected, rel=1e-3)
    assert ratio == pytest.approx(1)


def test_steps_are_measured():
    table = measure(((60, 20, 32), (80, 30, 64)), steps=4)
    assert (table["seconds"] > 0).all()
    assert table["batch"].to_list() == [32, 64]
