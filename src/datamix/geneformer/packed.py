"""The library's BERT on cells laid end to end, fast on a processor: nothing is computed that the loss ignores.

The library pads the cells of a batch to the longest and computes every layer at every place. Here linear layers see the
real tokens only, each cell attends to itself without a mask, and the last layer is computed at the hidden tokens, the
only ones whose scores the loss asks for. Loss and gradients are the library's, up to rounding.
"""

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import nn
from transformers import BertModel
from transformers.models.bert.modeling_bert import BertLayer


def states_at(bert: BertModel, tokens: torch.Tensor, lengths: Sequence[int], at: torch.Tensor) -> torch.Tensor:
    """Compute the last hidden states of some tokens of packed cells.

    Parameters
    ----------
    bert
        Its weights, and whether it is in training: then its dropout applies.
    tokens
        Of all cells, end to end (n_tokens,).
    lengths
        Tokens of each cell, all above 0 (n_cells,).
    at
        Whether the state of a token is wanted (n_tokens,), boolean.

    Returns
    -------
    (n_wanted, width), in the order of the tokens.
    """
    embeddings = bert.embeddings
    places = torch.cat([embeddings.position_ids[0, :n] for n in lengths])
    around = embeddings.position_embeddings.weight + embeddings.token_type_embeddings.weight[0]
    states = embeddings.LayerNorm(embeddings.word_embeddings(tokens) + nn.functional.embedding(places, around))
    states = drop(states, _share(embeddings.dropout))
    rows = at.nonzero()[:, 0]
    wanted = [int(part.sum()) for part in at.split(list(lengths))]
    *layers, last = cast(Iterable[BertLayer], bert.encoder.layer)
    for layer in layers:
        states = _layer(layer, states, states, asked=lengths, given=lengths)
    return _layer(last, states.index_select(0, rows), states, asked=wanted, given=lengths)


def drop(values: torch.Tensor, share: float) -> torch.Tensor:
    """Set each value to 0 with probability `share`, and scale the others so that the mean stays: dropout.

    The gaps between dropped values are drawn, which are few, in place of a number for each value: ten times as fast at
    the share of the published scripts.
    """
    if not share:
        return values
    kept = values.reshape(-1).index_fill(0, _dropped(values.numel(), share), 0.0)
    return kept.view(values.shape) / (1 - share)


def _dropped(n: int, share: float) -> torch.Tensor:
    """Draw each of `n` places with probability `share`: their numbers, ascending."""
    several = int(n * share + 4 * (n * share) ** 0.5) + 8
    places = torch.empty(several, dtype=torch.float64).geometric_(share).long().cumsum(0) - 1
    while places[-1] < n:  # seldom: the gaps were short
        more = torch.empty(several, dtype=torch.float64).geometric_(share).long().cumsum(0) + places[-1]
        places = torch.cat([places, more])
    return places[places < n]


def _layer(
    layer: BertLayer, states: torch.Tensor, context: torch.Tensor, *, asked: Sequence[int], given: Sequence[int]
) -> torch.Tensor:
    """Apply a layer at `states` (of each cell the first, second, … `asked`), which attend to `context` (`given`)."""
    attention, output = layer.attention.self, layer.attention.output
    heads = (-1, attention.num_attention_heads, attention.attention_head_size)
    query, key, value = (
        project(x).view(heads).transpose(0, 1)
        for project, x in ((attention.query, states), (attention.key, context), (attention.value, context))
    )
    share = _share(attention.dropout)
    found = [
        _attend(q, k, v, share=share)
        for q, k, v in zip(query.split(asked, 1), key.split(given, 1), value.split(given, 1), strict=True)
    ]
    seen = torch.cat(found, dim=1).transpose(0, 1).flatten(start_dim=1)
    states = output.LayerNorm(drop(output.dense(seen), _share(output.dropout)) + states)
    inner = layer.output.dense(layer.intermediate(states))
    return layer.output.LayerNorm(drop(inner, _share(layer.output.dropout)) + states)


def _attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, share: float) -> torch.Tensor:
    """Let the queries of one cell (heads, n_asked, size) attend to its tokens (heads, n_given, size)."""
    if not share:
        return nn.functional.scaled_dot_product_attention(query[None], key[None], value[None])[0]
    weights = torch.bmm(query * query.shape[-1] ** -0.5, key.transpose(1, 2)).softmax(dim=-1)
    return torch.bmm(drop(weights, share), value)


def _share(dropout: nn.Dropout) -> float:
    return dropout.p if dropout.training else 0.0
