"""Correlations of cells with predictions, at the ends of what they can be."""

import numpy as np
import pytest
import torch

from datamix.scoring.correlation import correlate


def test_rows_are_correlated_as_numpy_does():
    generator = torch.Generator().manual_seed(0)
    target, predicted = (torch.rand(7, 40, generator=generator) for _ in range(2))
    before = predicted.clone()
    expected = [np.corrcoef(one, other)[0, 1] for one, other in zip(target.numpy(), predicted.numpy(), strict=True)]
    assert correlate(target, predicted).tolist() == pytest.approx(expected, abs=1e-5)
    assert torch.equal(predicted, before)


def test_a_prediction_beyond_single_precision_has_no_correlation():
    target = torch.tensor([[0.0, 1.0, 2.0]] * 3)
    predicted = torch.tensor([[3e38, -3e38, 3e38], [0.0, 1.0, torch.inf], [0.0, 1.0, 3.0]])
    found = correlate(target, predicted)
    assert found.isnan().tolist() == [True, True, False]
