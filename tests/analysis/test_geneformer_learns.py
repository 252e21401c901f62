"""What the Geneformer models of the demo have learned, held against what needs no model."""

import pytest

from datamix.analysis.two_families import against_chance, masked_measures, seen_types
from datamix.geneformer.tables import model_of, read_scores, table_of, trained_mixtures, trained_types
from datamix.geneformer.vocabulary import Vocabulary
from datamix.project.layout import Layout


@pytest.fixture(scope="module")
def demo():
    layout = Layout.of("demo")
    if not table_of(layout).is_file():
        pytest.skip("no results of the demo: make book")
    return layout


@pytest.fixture(scope="module")
def scores(demo):
    return read_scores(demo, "blood")


@pytest.fixture(scope="module")
def pooled(demo, scores):
    mixtures = [m.name for m in trained_mixtures(demo.profile, "blood")]
    (seed,) = demo.profile.geneformer.seeds
    vocabularies = {m: model_of(demo, "blood", seed, m) / "vocabulary.json" for m in mixtures}
    genes = {name: len(Vocabulary.load(path).genes) for name, path in vocabularies.items()}
    return against_chance(masked_measures(scores), genes=genes, seen=seen_types(scores, trained_types(demo, "blood")))


def test_every_model_beats_chance_and_the_frequencies_of_genes_on_every_set(pooled):
    assert pooled["below_chance"].all(), pooled[~pooled["below_chance"]]
    assert (pooled["of_unigram"] < 0.65).all(), pooled[pooled["of_unigram"] >= 0.65]


def test_on_seen_types_a_model_is_undecided_among_half_as_many_genes_as_their_frequencies(pooled):
    seen = pooled[pooled["seen"]]
    assert len(seen) >= 3
    assert (seen["of_unigram"] < 0.5).all(), seen


def test_ranks_of_seen_types_are_given_back_better_than_by_the_mean_rank(pooled, scores):
    medians = scores.groupby(["evaluation", "mixture"])[["correlation", "corrected"]].median()
    seen = pooled[pooled["seen"]].set_index(["evaluation", "mixture"]).index
    assert ("blood", "blood") in seen
    assert ("neurons", "blood") not in seen
    over = medians.loc[seen, "correlation"] - medians.loc[seen, "corrected"]
    assert (over > 0.3).all(), over
