import math

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from tiny_cells import SMALL

from datamix.geneformer import zero_shot
from datamix.geneformer.pretraining import new_model
from datamix.geneformer.tokenizer import Ranks
from datamix.geneformer.vocabulary import MASK, Vocabulary
from datamix.project.profile import Geneformer

VOCABULARY = Vocabulary.of_medians({f"G{i:02d}": 1.0 for i in range(30)})


def ranks(*cells):
    tokens = np.array([t for cell in cells for t in cell], dtype=np.int32)
    return Ranks(tokens, np.cumsum([0, *(len(c) for c in cells)]))


@pytest.fixture(scope="module")
def model():
    return new_model(VOCABULARY, settings=Geneformer(**SMALL), seed=0).eval()


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(0)
    lengths = [5, 0, 20, 1, 9, 14]
    return ranks(*(rng.permutation(np.arange(2, 32))[:n].tolist() for n in lengths))


def test_the_correlation_worked_by_hand():
    # Scores of what was given: tokens 5, 6, 7 → 1, ½, 0. Returned 6, 6, 9 → 6 twice, (1 + ½) / 2 = ¾; 9 → 0.
    # Joined: token 5: (1, 0); 6: (½, ¾); 7: (0, 0); 9: (0, 0).
    given, returned = [1, 0.5, 0, 0], [0, 0.75, 0, 0]
    # Mean ranks over both cells, positive scores only: 5 → 1; 6 → (½ + 1) / 2; 8, last in its cell, and 9 have none.
    baseline = [1, 0.75, 0, 0]
    first, second = ranks([5, 6, 7], [6, 8]), ranks([6, 6, 9], [6, 8])
    mean = zero_shot.mean_rank(zero_shot.rank_scores(first))
    assert mean.to_dict() == {5: 1.0, 6: 0.75}
    table = zero_shot.gene_rank_correlation(first, second, baselines={"published": mean})
    assert table["correlation"].iloc[0] == pytest.approx(np.corrcoef(given, returned)[0, 1])
    assert table["published"].iloc[0] == pytest.approx(np.corrcoef(given, baseline)[0, 1])
    assert table["correlation"].iloc[1] == pytest.approx(1)
    assert table["published"].iloc[1] == pytest.approx(1)  # (1, ¾) and (0, 0): a line through two points


def test_against_the_definition_with_pandas():
    """Repeats the published steps one by one, for many cells."""
    rng = np.random.default_rng(1)
    given = [rng.permutation(40)[: rng.integers(2, 30)].tolist() for _ in range(25)]
    returned = [rng.integers(0, 40, len(cell)).tolist() for cell in given]

    def scores(cells, column):
        rows = [(t, c, (len(x) - 1 - p) / (len(x) - 1)) for c, x in enumerate(cells) for p, t in enumerate(x)]
        return pd.DataFrame(rows, columns=["token", "cell", column])

    inputs, outputs = scores(given, "x"), scores(returned, "y").groupby(["token", "cell"], as_index=False)["y"].mean()
    joined = inputs.merge(outputs, on=["token", "cell"], how="outer").fillna(0)
    mean = inputs[inputs["x"] > 0].groupby("token")["x"].mean().rename("mean_rank")
    joined = joined.merge(mean, on="token", how="left").fillna(0)
    expected = joined.groupby("cell")[["x", "y", "mean_rank"]].apply(lambda t: t.corr().loc["x", ["y", "mean_rank"]])
    found = zero_shot.gene_rank_correlation(ranks(*given), ranks(*returned), baselines={"mean_rank": mean})
    np.testing.assert_allclose(found["correlation"], expected["y"], atol=1e-12)
    np.testing.assert_allclose(found["mean_rank"], expected["mean_rank"], atol=1e-12)


def test_cells_of_one_token_and_empty_cells():
    table = zero_shot.gene_rank_correlation(
        ranks([4], [4], [], [4, 5]), ranks([4], [6], [], [5, 4]), baselines={"b": pd.Series({4: 0.3})}
    )
    assert np.isnan(table["correlation"].iloc[0])  # given back: one point does not vary
    assert table["correlation"].iloc[1] == pytest.approx(-1)  # (1, 0) and (0, 1)
    assert np.isnan(table["correlation"].iloc[2])
    assert table["correlation"].iloc[3] == pytest.approx(-1)
    described = zero_shot.describe(table, ["correlation", "b"])
    assert described.loc["correlation", "count"] == 2
    assert described.columns.tolist() == ["count", "mean", "std", "min", "25%", "50%", "75%", "max"]


def test_the_single_token_scores_one():
    table = zero_shot.rank_scores(ranks([9], [8, 7, 6]))
    assert table["score"].tolist() == [1, 1, 0.5, 0]
    assert table["cell"].tolist() == [0, 1, 1, 1]


def test_unmasked_cells_in_batches_are_as_one_by_one(model, cells, monkeypatch):
    monkeypatch.setattr(zero_shot, "_TOKENS_AT_A_TIME", 30)
    found = zero_shot.run_unmasked(model, cells)
    assert found.embeddings.shape == (6, 16)
    for i in range(6):
        if not cells.lengths[i]:
            assert not found.embeddings[i].any()
            continue
        with torch.inference_mode():
            out = model(torch.from_numpy(cells[i][None].astype(np.int64)), output_hidden_states=True)
        assert found.returned[i].tolist() == out.logits[0].argmax(-1).tolist()
        np.testing.assert_allclose(found.embeddings[i], out.hidden_states[-2][0].mean(0), atol=1e-5)


def test_masked_cells_against_the_model_itself(model, cells):
    frequencies = zero_shot.unigram(np.arange(32))
    table = zero_shot.run_masked(model, cells, frequencies=frequencies, share=0.2, seed=4)
    assert table["masked"].tolist() == [1, 0, 4, 1, 2, 3]  # at least one of each cell that has any
    assert table.loc[1, ["loss", "unigram_loss"]].isna().all()
    for i in (0, 2, 5):
        ids = torch.from_numpy(cells[i][None].astype(np.int64))
        n = table.loc[i, "masked"]
        hidden = np.random.default_rng([4, i]).choice(len(cells[i]), n, replace=False)
        shown = ids.clone()
        shown[0, hidden] = MASK
        with torch.inference_mode():
            log = model(shown).logits[0, hidden].log_softmax(-1)
        truth = ids[0, hidden]
        assert table.loc[i, "loss"] == pytest.approx(-log[range(n), truth].mean().item(), abs=1e-5)
        assert table.loc[i, "correct"] == (log.argmax(-1) == truth).sum()
        assert table.loc[i, "unigram_loss"] == pytest.approx(-np.log(frequencies[truth]).mean())


def test_unigram():
    found = zero_shot.unigram(np.array([0, 0, 3, 0]))
    assert found.tolist() == [0, 0, 0.8, 0.2]


@pytest.mark.parametrize("at_a_time", [2, 1000])
def test_training_statistics(monkeypatch, at_a_time):
    monkeypatch.setattr(zero_shot, "_CELLS_AT_A_TIME", at_a_time)
    cells = [[5, 6, 7], [6, 8], [], [6], [7, 5, 6, 9]]
    found = zero_shot.training_statistics(Dataset.from_dict({"input_ids": cells}), size=11)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 2, 4, 2, 1, 1, 0]
    expected = zero_shot.mean_rank(zero_shot.rank_scores(ranks(*cells)))
    assert found.mean_rank.to_dict() == pytest.approx(expected.to_dict())
    assert math.isclose(found.mean_rank[6], (0.5 + 1 + 1 + 1 / 3) / 4)
