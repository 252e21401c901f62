"""What a training set is worth, by models that are trained on simulated cells whose truth is known.

Each test was repeated with every three of ten seeds (120 choices, or every second of them), as its docstring says.
"""

from itertools import combinations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from datamix.analysis.bootstrap import draw_medians
from datamix.analysis.shapley import attribute
from datamix.ldvae import training
from datamix.project.profile import Training
from datamix.scoring import reconstruction
from datamix.sources.simulator.reader import simulated

CELLS, SEEDS = 300, (0, 1, 2)
NEURONAL = ("neuronal", "excitatory_neuron", "inhibitory_neuron")
SWITCHED_ON, SWITCHED_OFF = ("blood", "atlas", "tf_atlas"), ("blood", "atlas", "tf_atlas_off")
ALIKE, WITH_NOTHING = ("blood", "blood_again", "tf_atlas"), ("blood", "tf_atlas", "nothing")


def corpus(name, cells, **options):
    (block,) = simulated({}, corpus=name, cells=cells, **options)
    return block


def coalitions(blocks):
    return {"+".join(c): frozenset(c) for size in range(1, len(blocks) + 1) for c in combinations(blocks, size)}


@pytest.fixture(scope="module")
def corpora():
    """Cells to draw from; `nothing` has counts, but all genes alike in all cells."""
    blood = corpus("blood", 2 * CELLS + 100)
    nothing = blood[:CELLS].copy()
    depth = float(np.median(np.asarray(blood.X.sum(axis=1))))
    counts = np.random.default_rng(0).poisson(depth / blood.n_vars, nothing.shape)
    nothing.X = sparse.csr_matrix(counts, dtype=np.float32)
    return {
        "blood": blood,
        "atlas": corpus("atlas", CELLS + 50),
        "tf_atlas": corpus("tf_atlas", CELLS + 50),
        "tf_atlas_off": corpus("tf_atlas", CELLS + 50, without=NEURONAL),
        "nothing": nothing,
    }


@pytest.fixture(scope="module")
def scores(corpora):
    """Per-cell scores of all coalitions of each game, at one size and one number of steps."""
    sets = {"neurons": corpus("eval_neurons", 120), "blood": corpus("eval_blood", 120)}
    variable = {name: reconstruction.variable_genes(cells, 500) for name, cells in sets.items()}
    settings = Training(max_epochs=20, batch_size=64)
    games = (SWITCHED_ON, SWITCHED_OFF, ALIKE, WITH_NOTHING)
    wanted = {name: name.split("+") for game in games for name in coalitions(game)}
    tables = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        blood, other = rng.permutation(corpora["blood"].n_obs), rng.permutation(CELLS + 50)
        drawn = {name: corpora[name][other] for name in ("atlas", "tf_atlas", "tf_atlas_off")}
        drawn |= {"blood": corpora["blood"][blood[:CELLS]], "blood_again": corpora["blood"][blood[CELLS : 2 * CELLS]]}
        drawn["nothing"] = corpora["nothing"]
        for mixture, blocks in wanted.items():
            cells = ad.concat([drawn[block][: CELLS // len(blocks)] for block in blocks], index_unique="-")
            models = {mixture: training.train(cells, seed=seed, settings=settings)}
            for name, evaluation in sets.items():
                table = reconstruction.score(models, evaluation, variable=variable[name], seed=seed)
                tables.append(table.assign(seed=seed, part=name))
    return pd.concat(tables, ignore_index=True).rename(columns={"model": "mixture"})


def play(scores, blocks):
    """Return the values of a game: (quantity, evaluation, block, other) → value and intervals."""
    of = coalitions(blocks)
    drawn = draw_medians(scores[scores["mixture"].isin(of)], resamples=400, seed=0)
    table = attribute(drawn, of, blocks=blocks)
    return table.set_index(["quantity", "evaluation", "block", "other"]).sort_index()


def test_without_its_truth_the_tf_atlas_is_worth_no_more_than_another_atlas(scores):
    """All assertions held with each of 120 choices of three seeds, of ten.

    The other atlas is fair: like the TF atlas, and unlike blood, it has cells without the programme of blood.
    """
    on, off = (
        play(scores, game)["value"]["shapley", "neurons"].droplevel("other") for game in (SWITCHED_ON, SWITCHED_OFF)
    )
    assert on.idxmax() == "tf_atlas"
    assert on["tf_atlas"] - off["tf_atlas_off"] > 0.005
    # More than half of what it is worth beyond the other atlas goes with the programmes.
    assert on["tf_atlas"] - off["atlas"] > 2 * (off["tf_atlas_off"] - off["atlas"])
    assert off["tf_atlas_off"] - off["atlas"] < 0.015


def test_two_draws_of_one_set_are_worth_the_same_and_bring_the_same(scores):
    """Of 60 choices of three seeds, of ten, the pair's interaction was below zero in 60, and below the others' in 59.

    That the intervals of the two values overlap is looser than a rule that failed in 2 of 120 checks.
    """
    found = play(scores, ALIKE)
    for evaluation in ("blood", "neurons"):
        one, other = (found.loc[("shapley", evaluation, block, "")] for block in ALIKE[:2])
        assert max(one["low"], other["low"]) < min(one["high"], other["high"])
    values = found["value"]["shapley", "neurons"].droplevel("other")
    assert abs(values["blood"] - values["blood_again"]) < (values["tf_atlas"] - values["blood"]) / 2
    pairs = found["value"]["interaction", "blood"]
    assert pairs["blood", "blood_again"] < 0
    assert pairs["blood", "blood_again"] < (pairs["blood", "tf_atlas"] + pairs["blood_again", "tf_atlas"]) / 2


def test_a_set_without_information_is_worth_what_nothing_gives(scores):
    """On neurons the interval held what nothing gives with each of 60 choices of three seeds, of ten; on blood with 58.

    On blood it is worth a little more than nothing, 0.04 on average over ten seeds: models of so few cells of blood and
    so few steps are no worse with half of the cells, so that what takes the place of the other half seems to help.
    """
    found = play(scores, WITH_NOTHING)
    for evaluation in ("blood", "neurons"):
        assert found["value"]["alone", evaluation, "nothing", ""] < 0.01
    nothing = found["value"]["alone", "neurons", "nothing", ""]
    worth = found.loc[("shapley", "neurons", "nothing", "")]
    assert worth["low_all"] <= nothing <= worth["high_all"]
    assert found["low"]["shapley", "neurons", "tf_atlas", ""] > nothing
    assert found["low"]["shapley", "blood", "blood", ""] > nothing
