"""Zero-shot evaluation of a pretrained model: how well it gives back, and how well it fills in, the ranks of a cell.

The gene-rank correlation is that of the published scripts (doi 10.1101/2025.02.19.639127), after Kedzierska et al.
2023 (doi 10.1101/2023.10.16.561085). The model sees every gene that it is asked for, so it tests something else than
what was trained; the masked measures beside it test just that, on cells that were not trained on.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import datasets
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import nn
from transformers import BertForMaskedLM

from datamix.geneformer.tokenizer import Ranks
from datamix.geneformer.vocabulary import MASK, PAD

_TOKENS_AT_A_TIME = 8_192
_SCORED_AT_A_TIME = 512
"""Tokens whose scores over all genes are held: so few that they stay in a processor's cache."""
_CELLS_AT_A_TIME = 2_000


def rank_scores(ranks: Ranks) -> pd.DataFrame:
    """Give each token of each cell its score: 1 for the first, falling evenly to 0 for the last.

    A cell with a single token gives it 1.

    Returns
    -------
    A row a token: `cell` (its number), `token`, `score`.
    """
    lengths = ranks.lengths
    cell = np.repeat(np.arange(len(ranks)), lengths)
    position = np.arange(len(ranks.tokens)) - np.repeat(ranks.starts[:-1], lengths)
    score = 1 - position / np.maximum(lengths - 1, 1)[cell]
    return pd.DataFrame({"cell": cell, "token": ranks.tokens, "score": score})


def mean_rank(scores: pd.DataFrame) -> pd.Series:
    """Average the positive scores of each token over cells.

    Returns
    -------
    Indexed by token; a token that no cell has above zero is left out.
    """
    return scores[scores["score"] > 0].groupby("token")["score"].mean()


def gene_rank_correlation(given: Ranks, returned: Ranks, *, baselines: dict[str, pd.Series]) -> pd.DataFrame:
    """Correlate, cell by cell, the ranks that went into a model with those that came out.

    Parameters
    ----------
    given
        The cells as they were encoded.
    returned
        At each position the token that the model puts there; it may repeat a token, whose scores are then averaged.
    baselines
        Name → mean rank of each token, as `mean_rank` gives it; correlated with what was given, in place of the model.

    Returns
    -------
    A row a cell: `correlation`, and a column a baseline; all from −1 to 1. They are Pearson's over the tokens that
    were given or returned, one that is missing on a side (or in the mean ranks) counting 0 there. Where a side does not
    vary there is no correlation, and the value is missing: so for a cell without tokens, and for a cell of one token
    that is given back.
    """
    inputs, outputs = rank_scores(given), rank_scores(returned)
    size = 1 + int(max(inputs["token"].max(), outputs["token"].max())) if len(inputs) else 1
    # A number a (cell, token): far faster than an index of pairs.
    put_in, put_out = (t["cell"].to_numpy() * size + t["token"].to_numpy() for t in (inputs, outputs))
    named, place = np.unique(np.concatenate([put_in, put_out]), return_inverse=True)
    table = pd.DataFrame({"cell": named // size, "token": named % size, "given": 0.0})
    table.loc[place[: len(put_in)], "given"] = inputs["score"].to_numpy()
    times = np.bincount(place[len(put_in) :], minlength=len(named))
    total = np.bincount(place[len(put_in) :], weights=outputs["score"], minlength=len(named))
    table["returned"] = total / np.maximum(times, 1)
    result = {"correlation": _pearson(table, "returned", n_cells=len(given))}
    for name, ranks in baselines.items():
        table[name] = table["token"].map(ranks).fillna(0.0)
        result[name] = _pearson(table, name, n_cells=len(given))
    return pd.DataFrame(result)


def describe(scores: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Summarise per-cell correlations as the published scripts report them: pandas' `describe`.

    Returns
    -------
    A row a column: `count` (cells with a value), `mean`, `std`, `min`, `25%`, `50%`, `75%`, `max`.
    """
    return scores[columns].describe().T


@dataclass(frozen=True)
class Unmasked:
    """What a model makes of cells that it sees whole."""

    returned: Ranks
    """The most probable token at each position."""
    embeddings: npt.NDArray[np.float32]
    """(n_cells, width): mean over the tokens of the second-to-last layer; zeros for a cell without tokens."""


def run_unmasked(model: BertForMaskedLM, ranks: Ranks) -> Unmasked:
    """Run cells through a model, nothing hidden."""
    returned = np.zeros_like(ranks.tokens)
    embeddings = np.zeros((len(ranks), model.config.hidden_size), dtype=np.float32)
    with torch.inference_mode():
        for cells, ids, attention in _batches(ranks, model.device):
            hidden = model.bert(ids, attention_mask=attention, output_hidden_states=True).hidden_states
            pieces = hidden[-1][attention.bool()].split(_SCORED_AT_A_TIME)
            best = torch.cat([model.cls(piece).argmax(dim=-1) for piece in pieces]).cpu().numpy()
            weights = attention[..., None]
            means = (hidden[-2] * weights).sum(dim=1) / weights.sum(dim=1)
            embeddings[cells] = means.float().cpu().numpy()
            ends = np.cumsum(ranks.lengths[cells])
            for cell, tokens in zip(cells, np.split(best, ends[:-1]), strict=True):
                returned[ranks.starts[cell] : ranks.starts[cell + 1]] = tokens
    return Unmasked(Ranks(returned, ranks.starts), embeddings)


def run_masked(
    model: BertForMaskedLM, ranks: Ranks, *, frequencies: npt.NDArray[np.float64], share: float, seed: int
) -> pd.DataFrame:
    """Hide tokens of cells, and ask a model, and the frequencies of tokens in training, which they were.

    Parameters
    ----------
    model
        The model.
    ranks
        Cells that it was not trained on.
    frequencies
        Probability of each token (n_tokens,) under the unigram model, as `unigram` gives it.
    share
        Of each cell's tokens, 0 to 1; at least one. All that are chosen become `<mask>`.
    seed
        With a cell's number it fixes what is hidden in it.

    Returns
    -------
    A row a cell: `masked` (tokens hidden), `correct` (of them, how many the model thinks most probable), `loss` and
    `unigram_loss` (mean negative log probability of the hidden tokens, nats; missing for a cell without tokens). The
    perplexity over several cells is exp of the mean loss, weighted by `masked`.
    """
    result = np.full((len(ranks), 4), np.nan)
    result[:, :2] = 0
    with np.errstate(divide="ignore"):  # special tokens never are the truth
        surprise = -np.log(frequencies)
    with torch.inference_mode():
        for cells, ids, attention in _batches(ranks, model.device):
            hidden = np.zeros(ids.shape, dtype=bool)
            for row, cell in enumerate(cells):
                length = ranks.lengths[cell]
                n = max(1, round(share * length))
                hidden[row, np.random.default_rng([seed, cell]).choice(length, n, replace=False)] = True
            chosen = torch.from_numpy(hidden).to(ids.device)
            states = model.bert(ids.masked_fill(chosen, MASK), attention_mask=attention).last_hidden_state
            scores, truth = model.cls(states[chosen]).float(), ids[chosen]
            loss = nn.functional.cross_entropy(scores, truth, reduction="none").cpu().numpy()
            correct = (scores.argmax(dim=-1) == truth).cpu().numpy()
            owner, n = np.nonzero(hidden)[0], hidden.sum(axis=1)
            columns = (correct, loss, surprise[truth.cpu().numpy()])
            sums = [np.bincount(owner, weights=c, minlength=len(cells)) for c in columns]
            result[cells] = np.column_stack([n, sums[0], sums[1] / n, sums[2] / n])
    table = pd.DataFrame(result, columns=["masked", "correct", "loss", "unigram_loss"])
    return table.astype({"masked": "int64", "correct": "int64"})


@dataclass(frozen=True)
class TrainingStatistics:
    """What the training cells alone say about each token."""

    counts: npt.NDArray[np.int64]
    """Cells in which it occurs (n_tokens,)."""
    mean_rank: pd.Series
    """As `mean_rank` gives it."""


def training_statistics(tokens: datasets.Dataset, *, size: int) -> TrainingStatistics:
    """Count tokens, and average their ranks, over encoded training cells, a batch at a time.

    Parameters
    ----------
    tokens
        Rows with `input_ids`.
    size
        Of the vocabulary.
    """
    counts, positive, total = (np.zeros(size) for _ in range(3))
    for batch in tokens.with_format("arrow").iter(batch_size=_CELLS_AT_A_TIME):
        column = batch["input_ids"].combine_chunks()
        lengths = column.value_lengths().to_numpy()
        starts = np.concatenate([[0], np.cumsum(lengths)])
        scores = rank_scores(Ranks(column.flatten().to_numpy(), starts))
        counts += np.bincount(scores["token"], minlength=size)
        total += np.bincount(scores["token"], weights=scores["score"], minlength=size)
        positive += np.bincount(scores["token"], weights=scores["score"] > 0, minlength=size)
    known = np.flatnonzero(positive)
    means = pd.Series(total[known] / positive[known], index=known, name="score")
    return TrainingStatistics(counts.astype(np.int64), means)


def unigram(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Turn how often each token occurs in training into probabilities, adding one to each gene's count.

    Parameters
    ----------
    counts
        Occurrences (n_tokens,), the two special tokens first.

    Returns
    -------
    Probabilities (n_tokens,) that sum to 1; a floor, so that a gene that training never saw is not impossible.
    """
    raised = counts.astype(np.float64) + 1
    raised[[PAD, MASK]] = 0
    return raised / raised.sum()


def _pearson(table: pd.DataFrame, column: str, *, n_cells: int) -> npt.NDArray[np.float64]:
    """Correlate `given` with a column within each cell (n_cells,)."""
    cell = table["cell"].to_numpy()
    n = np.bincount(cell, minlength=n_cells)

    def centred(name: str) -> npt.NDArray[np.float64]:
        values = table[name].to_numpy()
        means = np.bincount(cell, weights=values, minlength=n_cells) / np.maximum(n, 1)
        return values - means[cell]

    def total(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.bincount(cell, weights=values, minlength=n_cells).astype(np.float64)

    x, y = centred("given"), centred(column)
    scale = np.sqrt(total(x * x) * total(y * y))
    # Rounding leaves a trace of variance where there is none.
    flat = scale <= 1e-12
    return np.where(flat, np.nan, total(x * y) / np.where(flat, 1, scale))


def _batches(ranks: Ranks, device: torch.device) -> Iterator[tuple[npt.NDArray[np.int64], torch.Tensor, torch.Tensor]]:
    """Yield cells with tokens, by length, padded: their numbers, `input_ids`, `attention_mask`."""
    lengths = ranks.lengths
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    start = 0
    while start < len(order):
        longest = int(lengths[order[start]])
        cells = order[start : start + max(1, _TOKENS_AT_A_TIME // longest)]
        ids = np.full((len(cells), longest), PAD, dtype=np.int64)
        for row, cell in enumerate(cells):
            ids[row, : lengths[cell]] = ranks[cell]
        attention = np.arange(longest) < lengths[cells][:, None]
        yield cells, torch.from_numpy(ids).to(device), torch.from_numpy(attention.astype(np.int64)).to(device)
        start += len(cells)
