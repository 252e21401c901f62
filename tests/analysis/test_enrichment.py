import numpy as np
import pandas as pd
import pytest
from scipy.stats import linregress

from datamix.analysis.enrichment import confirm, enrich, precision_recall, strongest
from datamix.analysis.key_genes import match_factors, rank_genes, strength
from datamix.project.errors import DatamixError

GENES = [f"G{i:03d}" for i in range(300)]


@pytest.fixture
def loadings():
    """Five factors; set A rises in Z_1, set B falls in Z_3, set C is nowhere."""
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 5)), index=GENES).add_prefix("Z_")
    table.iloc[:20, 1] += 2
    table.iloc[20:40, 3] -= 2
    return table


@pytest.fixture
def gene_sets():
    sets = {"A": GENES[:20], "B": GENES[20:40], "C": GENES[40:60], "few": GENES[60:63], "away": ["X1"] * 9}
    return pd.DataFrame([(s, g) for s, genes in sets.items() for g in genes], columns=["source", "target"])


def test_factors_are_matched_through_order_and_sign(loadings):
    shuffled = loadings.iloc[:, [3, 0, 4, 1, 2]] * [-2, 1, 1, -1, 5]
    shuffled.columns = [f"other_{i}" for i in range(5)]
    found = match_factors(loadings, shuffled).set_index("first")
    assert found["second"].tolist() == ["other_1", "other_3", "other_4", "other_0", "other_2"]
    assert found["cosine"].tolist() == pytest.approx([1, -1, 1, -1, 1])
    noise = pd.DataFrame(np.random.default_rng(5).normal(size=(300, 5)), index=GENES)
    assert match_factors(loadings, noise)["cosine"].abs().max() < 0.3


def test_the_match_is_the_best_of_all():
    from itertools import permutations

    rng = np.random.default_rng(3)
    one, two = (pd.DataFrame(rng.normal(size=(12, 4))) for _ in range(2))
    cosine = np.abs(np.corrcoef(one.T, two.T)[:4, 4:])  # not centred in the code: compare with plain cosines
    cosine = np.abs((one / np.linalg.norm(one, axis=0)).to_numpy().T @ (two / np.linalg.norm(two, axis=0)).to_numpy())
    best = max(sum(cosine[i, p[i]] for i in range(4)) for p in permutations(range(4)))
    assert match_factors(one, two)["cosine"].abs().sum() == pytest.approx(best)


def test_other_genes_are_refused(loadings):
    with pytest.raises(DatamixError, match="the first model has 300, the second 299"):
        match_factors(loadings, loadings.iloc[1:])


def test_genes_are_ranked_by_absolute_loading(loadings):
    table = rank_genes(loadings, n=3)
    assert len(table) == 15
    expected = loadings["Z_3"].abs().nlargest(3).index.tolist()
    assert table.loc[table["factor"] == "Z_3", "gene"].tolist() == expected
    assert table.loc[table["rank"] == 1, "loading"].abs().min() > 1


def test_strength_sums_to_one(loadings):
    shares = strength(loadings * [1, 1, 10, 1, 1])
    assert shares.index[0] == "Z_2"
    assert shares.sum() == pytest.approx(1)


def test_sets_are_found_where_they_are_and_only_there(loadings, gene_sets):
    table = enrich(loadings, gene_sets)
    found = table[table["found"]].set_index(["factor", "source"])
    assert set(found.index) == {("Z_1", "A"), ("Z_3", "B")}
    assert found.loc[("Z_1", "A"), "score"] > 0 > found.loc[("Z_3", "B"), "score"]
    assert set(table["source"]) == {"A", "B", "C"}  # too few genes in the model, and none
    assert strongest(table).loc["A", "factor"] == "Z_1"


def test_scores_are_those_of_a_regression(loadings, gene_sets):
    table = enrich(loadings, gene_sets).set_index(["factor", "source"])
    for factor, source in (("Z_1", "A"), ("Z_0", "C")):
        member = loadings.index.isin(gene_sets.loc[gene_sets["source"] == source, "target"]).astype(float)
        line = linregress(member, loadings[factor])
        assert table.loc[(factor, source), "score"] == pytest.approx(line.slope / line.stderr, rel=1e-4)
        assert table.loc[(factor, source), "p"] == pytest.approx(line.pvalue, rel=1e-3)
    # Benjamini-Hochberg over factors × sets, plainly.
    p = np.sort(table["p"])
    plain = np.minimum.accumulate((p * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    assert np.sort(table["fdr"]) == pytest.approx(plain.clip(max=1))


def test_permuted_genes_hold_nothing(loadings, gene_sets):
    wrong = 0
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(300)
        permuted = loadings.iloc[order].set_axis(GENES)
        wrong += enrich(permuted, gene_sets)["found"].any()
    assert wrong <= 2


def test_no_set_in_the_model(loadings, gene_sets):
    with pytest.raises(DatamixError, match=r"No gene set has 5 genes or more among the model's 300 \(G000"):
        enrich(loadings, gene_sets[gene_sets["source"] == "few"])


def test_a_second_method_confirms(loadings, gene_sets):
    table = enrich(loadings, gene_sets)
    second = confirm(loadings, table, gene_sets)
    assert second["confirmed"].tolist() == [True, True]
    assert np.sign(second["nes"]).tolist() == np.sign(second["score"]).tolist()
    assert confirm(loadings, table.assign(found=False), gene_sets).empty


def test_area_under_the_precision_recall_curve():
    scores = pd.Series({"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0})
    assert precision_recall(scores, {"a", "b"}) == (1.0, 0.5)
    assert precision_recall(scores, {"a", "d"})[0] == pytest.approx((1 + 2 / 4) / 2)
