from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from datamix.analysis.share_tables import rank_agreement
from datamix.analysis.two_families import (
    MEASURES,
    against_chance,
    beside_ldvae,
    masked_measures,
    seen_types,
    side_by_side,
    summarise_measure,
    under_published_control,
)
from datamix.corpora.mixtures import Mixture, controls_of

MIXTURES = [
    Mixture("blood", "blood", None, "baseline", ("baseline",)),
    Mixture("x", "blood", "x", "alone", ("x",)),
    Mixture("blood+blood", "blood", "blood", "added", ("baseline", "control")),
    Mixture("blood+x", "blood", "x", "added", ("baseline", "x")),
]


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    tables = []
    for level, mixture in enumerate(MIXTURES):
        n = 40
        table = {
            "evaluation": "neurons", "mixture": mixture.name, "seed": 0, "cell": [f"c{i}" for i in range(n)],
            "cell_type": "t", "donor": "a",
            "correlation": 0.1 * level + rng.normal(0, 0.02, n), "published": 0.5, "corrected": 0.2,
            "masked": rng.integers(1, 9, n), "loss": 7 - level + rng.normal(0, 0.1, n), "unigram_loss": 7.5,
        }  # fmt: skip
        table["correct"] = table["masked"] // 2
        tables.append(pd.DataFrame(table))
    scores = pd.concat(tables, ignore_index=True)
    # A cell without tokens.
    scores.loc[scores["cell"] == "c3", ["masked", "correct"]] = 0
    scores.loc[scores["cell"] == "c3", ["correlation", "loss", "unigram_loss"]] = np.nan
    return scores


def test_higher_is_better_in_both_measures(scores):
    assert list(MEASURES) == ["correlation", "log_probability"]
    for measure, reference in (("correlation", 0.5), ("log_probability", -7.5)):
        table = summarise_measure(scores, MIXTURES, measure=measure).set_index("mixture")
        assert table["median"].is_monotonic_increasing
        assert table.loc["blood+x", "over_control_low"] > 0
        assert table["without_value"].eq(1).all()
        column = {"correlation": "published", "log_probability": "unigram_log_probability"}[measure]
        assert table[column].eq(reference).all()
    assert table.loc["blood", "median"] == pytest.approx(-scores.query("mixture == 'blood'")["loss"].median())


def test_perplexity_weighs_cells_by_their_hidden_genes(scores):
    table = masked_measures(scores).set_index("mixture")
    part = scores.query("mixture == 'x' and masked > 0")
    each = np.repeat(part["loss"], part["masked"])  # as if every hidden gene had the mean loss of its cell
    assert table.loc["x", "perplexity"] == pytest.approx(np.exp(each.mean()))
    assert table.loc["x", "unigram_perplexity"] == pytest.approx(np.exp(7.5))
    assert table.loc["x", "masked"] == len(each)
    assert table.loc["x", "accuracy"] == pytest.approx(part["correct"].sum() / len(each))


def test_side_by_side_holds_the_additions(scores):
    families = {m: summarise_measure(scores, MIXTURES, measure=m) for m in MEASURES}
    table = side_by_side(families)
    assert table["measure"].tolist() == list(MEASURES)
    assert table["mixture"].tolist() == ["blood+x"] * 2
    assert table["over_control"].iloc[0] == pytest.approx(0.1, abs=0.02)
    assert table["over_control"].iloc[1] == pytest.approx(1, abs=0.1)


def test_gains_can_all_be_held_against_the_published_control():
    small = Mixture("blood+blood_5", "blood", "blood", "control", ("baseline", "control_5"), control="blood+blood_5")
    sized = [*MIXTURES[:3], replace(MIXTURES[3], control="blood+blood_5"), small]
    assert controls_of(sized)["blood+x"] == "blood+blood_5"
    assert set(controls_of(under_published_control(sized)).values()) == {"blood+blood"}


def test_perplexities_are_held_against_chance_and_the_unigram_model(scores):
    scores["cell_type"] = "T cell"
    scores.loc[scores["cell"] == "c7", "cell_type"] = "neuron"
    trained = {m.name: {"T cell"} for m in MIXTURES} | {"x": {"T cell", "neuron", "B cell"}}
    seen = seen_types(scores, trained)
    assert seen == {("neurons", "x")}
    pooled = masked_measures(scores)
    table = against_chance(pooled, genes={m.name: 500 for m in MIXTURES}, seen=seen).set_index("mixture")
    # Losses of about 7, 6, 5 and 4 nats, a unigram model of 7.5, and the logarithm of 500 is 6.2.
    assert table["below_chance"].to_dict() == {"blood": False, "x": True, "blood+blood": True, "blood+x": True}
    assert table["of_unigram"].to_numpy() == pytest.approx(np.exp(-0.5 - np.arange(4)), rel=0.1)
    assert table["seen"].to_dict() == {"blood": False, "x": True, "blood+blood": False, "blood+x": False}


def test_ranks_of_geneformer_are_held_against_those_of_the_ldvae(scores):
    """Here Geneformer's log probability grows from mixture to mixture, and R² falls; PCA has no part in it."""
    fall = {m.name: -0.1 * i for i, m in enumerate(MIXTURES)} | {"other": 0.9}
    rows = [
        {"model": model, "mixture": name, "seed": seed, "evaluation": "neurons", "cell": f"c{i}", "r2": 0.5 + value}
        for model in ("ldvae", "pca")
        for name, value in fall.items()
        for seed in (0, 1)
        for i in range(3)
    ]
    table = rank_agreement(beside_ldvae(scores, pd.DataFrame(rows)))
    assert table[["model", "mixtures", "tau", "tau_of_seeds"]].to_dict("records") == [
        {"model": "geneformer", "mixtures": 4, "tau": -1.0, "tau_of_seeds": 1.0}
    ]
