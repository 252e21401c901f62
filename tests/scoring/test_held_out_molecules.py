"""Held-out molecules and ceilings, against simulated cells, of which the simulator knows what each expresses."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from datamix.corpora.normalise import log_normalised, variable_genes
from datamix.scoring.held_out_molecules import agreement, ceilings, split_molecules
from datamix.scoring.simple_models import score_predictions
from datamix.sources.simulator import reader
from datamix.sources.simulator.corpora import find_corpus
from datamix.sources.simulator.programmes import without_programmes


class Listening:
    """A random generator that remembers the expectation of the counts last drawn."""

    def __init__(self, generator):
        self.generator = generator

    def __getattr__(self, name):
        return getattr(self.generator, name)

    def poisson(self, expected):
        self.expected = expected
        return self.generator.poisson(expected)


class Simulator(reader._Simulator):
    expected: list

    def _counts(self, rng, rates):
        listening = Listening(rng)
        counts = super()._counts(listening, rates)
        self.expected.append(listening.expected)
        return counts


def simulate(corpus, *, n_cells=250, seed=11):
    """Cells as QC leaves them, and the expected counts of each."""
    simulator = Simulator(corpus, find_corpus(corpus), seed=seed, stays=without_programmes(()))
    simulator.expected = []
    cells = simulator.block(range(n_cells))
    kept = np.asarray(cells.X.sum(axis=1)).ravel() > 1000
    return cells[kept].copy(), np.array(simulator.expected)[kept]


@pytest.fixture(scope="module")
def blood():
    return simulate("eval_blood")


def correlations(one, other):
    return np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(one, other, strict=True)])


def log_counts(counts):
    return np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))


def test_halves_add_up_and_are_as_large(blood):
    cells, _ = blood
    one, other = split_molecules(cells, seed=3)
    np.testing.assert_array_equal((one.X + other.X).toarray(), cells.X.toarray())
    assert one.X.sum() / cells.X.sum() == pytest.approx(0.5, abs=0.01)
    assert one.X.dtype == np.float32
    assert (one.X.data > 0).all()
    again, _ = split_molecules(cells, seed=3)
    assert (again.X != one.X).nnz == 0
    another, _ = split_molecules(cells, seed=4)
    assert (another.X != one.X).nnz > 0
    # Given what a cell expresses, its halves share no noise.
    flat = ad.AnnData(cells.X.copy(), obs=cells.obs, var=cells.var)
    flat.X.data[:] = np.random.default_rng(0).poisson(3, flat.X.nnz)
    one, other = (half.X.toarray() for half in split_molecules(flat, seed=0))
    present = cells.X.toarray() > 0
    assert abs(np.corrcoef(one[present], other[present])[0, 1]) < 0.01


@pytest.mark.parametrize("corpus", ["eval_blood", "eval_aml", "eval_neurons", "eval_scc"])
def test_the_ceiling_is_what_a_model_reaches_that_knows_the_truth(corpus):
    cells, expected = simulate(corpus)
    variable = variable_genes(cells, 1000)
    chosen = cells.var_names.isin(variable)
    counts = cells.X.toarray()
    reached = correlations(log_counts(counts)[:, chosen], log_counts(expected)[:, chosen]) ** 2
    found = ceilings(cells, variable=variable, seed=0)
    assert list(found.index) == list(cells.obs_names)
    assert found["ceiling"].mean() == pytest.approx(reached.mean(), abs=0.02)
    assert found["ceiling"].median() == pytest.approx(np.median(reached), abs=0.02)
    # It goes with the cells, deep ones above shallow ones.
    assert np.corrcoef(found["ceiling"], reached)[0, 1] > 0.8
    # Stepped up as Spearman and Brown have it, it would be too high.
    plain = (2 * found["reliability"] / (1 + found["reliability"])).mean()
    assert abs(plain - reached.mean()) > abs(found["ceiling"].mean() - reached.mean())


def test_a_model_that_copies_its_input_scores_at_the_reliability_and_no_higher(blood):
    cells, _ = blood
    variable = variable_genes(cells, 1000)
    one, other = split_molecules(cells, seed=0)
    copy = {"copy": lambda counts, places: log_normalised(counts)[:, places].toarray()}
    reliability = ceilings(cells, variable=variable, seed=0)["reliability"].to_numpy()
    of_itself = score_predictions(copy, one, variable=variable)
    np.testing.assert_allclose(of_itself["r"], 1, atol=1e-5)
    held_out = score_predictions(copy, one, variable=variable, target=other)
    np.testing.assert_allclose(held_out["r"], reliability, atol=1e-6)
    np.testing.assert_allclose(held_out["r2"], reliability**2, atol=1e-6)
    # A model that knows the truth does better, and reaches the reliability itself.
    _, expected = blood
    known = correlations(
        log_counts(expected)[:, cells.var_names.isin(variable)],
        log_counts(other.X.toarray())[:, cells.var_names.isin(variable)],
    )
    assert np.median(known**2) > np.median(held_out["r2"])
    assert np.median(known**2) == pytest.approx(np.median(reliability), abs=0.02)


def test_cells_without_anything_have_no_ceiling(blood):
    cells, _ = blood
    few = cells[:4].copy()
    few.X.data[: few.X.indptr[1]] = 0
    few.X.eliminate_zeros()
    found = ceilings(few, variable=few.var_names, seed=0)
    assert np.isnan(found["ceiling"].iloc[0])
    assert found["ceiling"].iloc[1:].between(0, 1).all()
    assert isinstance(agreement(few, few, variable=pd.Index(few.var_names)), np.ndarray)
