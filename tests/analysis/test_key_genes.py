import numpy as np
import pandas as pd
import pytest

from datamix.analysis.key_genes import gene_gains, sets_of_mixtures
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
    assert gains["share"].sum() == pytest.approx(1)
    assert gains["gain"].is_monotonic_decreasing
    assert ((gains["low"] <= gains["gain"]) & (gains["gain"] <= gains["high"])).all()
