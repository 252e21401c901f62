import numpy as np
import pandas as pd
import pytest

from datamix.analysis.key_genes import gene_gains, sets_of_mixtures, sets_that_gain
from datamix.corpora.mixtures import Mixture

GENES = [f"G{i:03d}" for i in range(200)]
MIXTURES = [
    Mixture("blood", "blood", None, "baseline", ("baseline",)),
    Mixture("blood+tf_atlas", "blood", "tf_atlas", "added", ("baseline", "tf_atlas")),
]


def test_what_a_mixture_gains_and_loses():
    """Set A is in the baseline only, B in the mixture only, C in both, D in one of the mixture's two seeds."""
    sets = {name: GENES[i * 20 : (i + 1) * 20] for i, name in enumerate("ABCDE")}
    held = {
        ("blood", 0): "AC",
        ("blood", 1): "AC",
        ("blood+tf_atlas", 0): "BC",
        ("blood+tf_atlas", 1): "BCD",
    }
    rng = np.random.default_rng(0)
    loadings = {}
    for model, names in held.items():
        table = pd.DataFrame(rng.normal(size=(200, 4)), index=GENES).add_prefix("Z_")
        for name in names:
            factor, sign = rng.integers(4), rng.choice([-1, 1])  # neither factor nor sign is the same twice
            table.loc[sets[name], f"Z_{factor}"] += 2.5 * sign
        loadings[model] = table
    gene_sets = pd.DataFrame([(s, g) for s, genes in sets.items() for g in genes], columns=["source", "target"])
    table = sets_of_mixtures(loadings, gene_sets, MIXTURES).set_index(["mixture", "source"])
    mixture = table.loc["blood+tf_atlas"]
    assert mixture["verdict"].to_dict() == {"A": "lost", "B": "gained", "C": "", "D": "", "E": ""}
    assert mixture["found"].to_dict() == {"A": 0, "B": 2, "C": 2, "D": 1, "E": 0}
    assert mixture.loc["B", "change_low"] > 3
    assert mixture.loc["A", "change_high"] < -3
    assert (table.loc["blood", "change"] == 0).all()
    assert (table["score"] >= 0).all()


def test_gains_add_up_to_the_fall_of_the_squared_error():
    rng = np.random.default_rng(1)
    target = rng.normal(size=(30, 6))
    rows, errors = [], {}
    for mixture, noise in (("blood+blood", 1.0), ("blood+tf_atlas", 0.5)):
        for seed in (0, 1):
            residual = target - (target + rng.normal(0.2, noise, target.shape))
            errors[mixture, seed] = (residual**2).mean(axis=0).sum()
            rows.append(
                pd.DataFrame(
                    {
                        "gene": GENES[:6],
                        "residual_mean": residual.mean(axis=0),
                        "residual_variance": residual.var(axis=0),
                        "mixture": mixture,
                        "seed": seed,
                        "evaluation": "neurons",
                    }
                )
            )
    table = pd.concat(rows)
    gains = gene_gains(table, evaluation="neurons", mixture="blood+tf_atlas", reference="blood+blood")
    fall = np.mean([errors["blood+blood", s] - errors["blood+tf_atlas", s] for s in (0, 1)])
    assert gains["gain"].sum() == pytest.approx(fall)
    assert gains["gain"].is_monotonic_decreasing
    assert ((gains["low"] <= gains["gain"]) & (gains["gain"] <= gains["high"])).all()


def test_a_set_gains_where_every_seed_has_it():
    """Set A gains with both seeds, B with one, C loses."""
    rng = np.random.default_rng(2)
    sets = {name: GENES[i * 20 : (i + 1) * 20] for i, name in enumerate("ABC")}
    rows = []
    for mixture in ("blood+blood", "blood+tf_atlas"):
        for seed in (0, 1):
            error = pd.Series(1.0, index=GENES) + rng.normal(0, 0.05, 200)
            if mixture == "blood+tf_atlas":
                error[sets["A"]] -= 0.3
                error[sets["C"]] += 0.3
                error[sets["B"]] -= 0.3 * seed
            table = pd.DataFrame({"gene": GENES, "residual_mean": 0.0, "residual_variance": error.to_numpy()})
            rows.append(table.assign(mixture=mixture, seed=seed, evaluation="neurons"))
    gene_sets = pd.DataFrame([(s, g) for s, genes in sets.items() for g in genes], columns=["source", "target"])
    compared = {"evaluation": "neurons", "mixture": "blood+tf_atlas", "reference": "blood+blood"}
    symbols = pd.Series(GENES, index=GENES)
    assert sets_that_gain(pd.concat(rows), gene_sets, symbols, **compared) == ["A"]


def test_without_a_difference_pairs_agree_by_chance_only():
    rng = np.random.default_rng(3)
    rows = [
        pd.DataFrame({"gene": range(4000), "residual_mean": 0.0, "residual_variance": rng.gamma(5, size=4000)}).assign(
            mixture=mixture, seed=seed, evaluation="neurons"
        )
        for mixture in ("blood+blood", "blood+tf_atlas")
        for seed in (0, 1)
    ]
    gains = gene_gains(pd.concat(rows), evaluation="neurons", mixture="blood+tf_atlas", reference="blood+blood")
    assert (gains["low"] > 0).mean() == pytest.approx(1 / 6, abs=0.03)
    assert (gains["high"] < 0).mean() == pytest.approx(1 / 6, abs=0.03)
