"""What each training set is worth: exact Shapley values, interactions and more from all coalitions of sets (ours).

A coalition is a subset of the blocks, mixed in equal shares at one size and one number of steps. Its worth on an
evaluation set is the median R² of the models trained on it; nothing at all is worth 0, since a prediction that is the
same for all genes has no correlation; what any cells at all bring is therefore shared out as well, and it is by their
differences that blocks are told apart. All coalitions are trained, so that nothing is sampled. Everything here is a sum
of worths with fixed weights, so that the draws of the bootstrap go through the same sums, and intervals are paired.

References
----------
Shapley 1953, doi:10.1515/9781400881970-018; Grabisch & Roubens 1999, doi:10.1007/s001820050125.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from datamix.analysis.bootstrap import Medians, interval, simultaneous
from datamix.project.errors import DatamixError

Array = npt.NDArray[np.floating]
Coalition = frozenset[str]

SHAPLEY, ALONE, LEFT_OUT, INTERACTION, ALL = "shapley", "alone", "left_out", "interaction", "all"
"""The quantities of `attribute`."""


def all_coalitions(blocks: Sequence[str]) -> list[Coalition]:
    """List the 2^k − 1 non-empty subsets of k blocks, the small ones first, in the order of the blocks."""
    return [frozenset(chosen) for size in range(1, len(blocks) + 1) for chosen in combinations(blocks, size)]


def shapley_weights(blocks: Sequence[str]) -> pd.DataFrame:
    """Give the weight of each coalition's worth in the Shapley value of each block.

    The value of a block is what it adds to a coalition that lacks it, averaged over the sizes of these coalitions, and
    within a size over the coalitions.

    Returns
    -------
    Blocks × `all_coalitions(blocks)`. Over blocks, the weights of all blocks together add up to 1, and those of every
    other coalition to 0: the values add up to the worth of everything.
    """
    k = len(blocks)
    rows = {
        block: [
            factorial(len(c) - 1) * factorial(k - len(c)) / factorial(k)
            if block in c
            else -factorial(len(c)) * factorial(k - len(c) - 1) / factorial(k)
            for c in all_coalitions(blocks)
        ]
        for block in blocks
    }
    return _table(rows, blocks)


def interaction_weights(blocks: Sequence[str]) -> pd.DataFrame:
    """Give the weight of each coalition's worth in the Shapley interaction index of each pair of blocks.

    The index is v(S ∪ ij) − v(S ∪ i) − v(S ∪ j) + v(S), averaged over coalitions S without i and j as the Shapley value
    averages: negative where the two bring the same, positive where each makes more of the other.

    Returns
    -------
    Pairs (a MultiIndex, in the order of `blocks`) × `all_coalitions(blocks)`; no rows for a single block.
    """
    k = len(blocks)
    rows = {}
    for pair in combinations(blocks, 2):
        row = []
        for c in all_coalitions(blocks):
            inside = len(c.intersection(pair))
            others = len(c) - inside
            weight = factorial(others) * factorial(k - others - 2) / factorial(k - 1)
            row.append(-weight if inside == 1 else weight)
        rows[pair] = row
    return _table(rows, blocks)


def left_out_weights(blocks: Sequence[str]) -> pd.DataFrame:
    """Give the weights of what is lost without a block: the worth of all, less the worth of all others.

    Returns
    -------
    Blocks × `all_coalitions(blocks)`.
    """
    everything = frozenset(blocks)
    rows = {
        block: [float(c == everything) - float(c == everything - {block}) for c in all_coalitions(blocks)]
        for block in blocks
    }
    return _table(rows, blocks)


def attribute(medians: Medians, coalitions: Mapping[str, Coalition], *, blocks: Sequence[str]) -> pd.DataFrame:
    """Attribute the score on each evaluation set to the blocks that models were trained on.

    Parameters
    ----------
    medians
        Of all coalitions on all evaluation sets (the parts), drawn anew by `datamix.analysis.bootstrap.draw_medians`:
        all coalitions share a draw of cells. A coalition's worth is its median, averaged over seeds.
    coalitions
        Mixture → its blocks, for all 2^k − 1 coalitions.
    blocks
        In the order of the result.

    Returns
    -------
    A row a (evaluation, quantity, block, other): `value`, its 95 % interval `low` to `high`, and `low_all` to
    `high_all`, which holds all values of this quantity together, over blocks and evaluation sets. `quantity` is
    `shapley`, `alone` (the worth of a block alone: the transfer matrix), `left_out` (what is lost without it),
    `interaction` (`other` is the second block) or `all` (the worth of all blocks; `block` is empty).

    Raises
    ------
    DatamixError
        If a coalition is missing, or was not scored on some evaluation set.
    """
    wanted = all_coalitions(blocks)
    mixture_of = {coalition: name for name, coalition in coalitions.items()}
    sets = list(dict.fromkeys(medians.keys.get_level_values("part")))
    keys = pd.MultiIndex.from_product([sets, [mixture_of.get(c, "") for c in wanted]])
    at = medians.keys.get_indexer(keys)
    if (at < 0).any():
        absent = wanted[int(np.flatnonzero(at < 0)[0]) % len(wanted)]
        of = " + ".join(block for block in blocks if block in absent)
        msg = f"Shapley values need all {len(wanted)} coalitions of {len(blocks)} blocks; there is none of {of}."
        raise DatamixError(msg, fix="train and score all coalitions: `composition.coalitions: true` in the profile")
    measured = medians.measured[at].reshape(len(sets), len(wanted))
    drawn = medians.drawn[:, at].reshape(-1, len(sets), len(wanted))
    weights = {
        SHAPLEY: shapley_weights(blocks),
        ALONE: _table({b: [float(c == {b}) for c in wanted] for b in blocks}, blocks),
        LEFT_OUT: left_out_weights(blocks),
        INTERACTION: interaction_weights(blocks),
        ALL: _table({"": [float(c == frozenset(blocks)) for c in wanted]}, blocks),
    }
    tables = [_weighted(measured, drawn, w, sets).assign(quantity=q) for q, w in weights.items() if len(w)]
    columns = ["evaluation", "quantity", "block", "other", "value", "low", "high", "low_all", "high_all"]
    return pd.concat(tables, ignore_index=True)[columns]


def matrix(attributed: pd.DataFrame, quantity: str, *, column: str = "value") -> pd.DataFrame:
    """Put one quantity of `attribute` into a table of blocks × evaluation sets, both in their order."""
    chosen = attributed[attributed["quantity"] == quantity]
    table = chosen.pivot(index="block", columns="evaluation", values=column)
    return table.reindex(index=chosen["block"].unique(), columns=chosen["evaluation"].unique())


def _weighted(measured: Array, drawn: Array, weights: pd.DataFrame, sets: Sequence[str]) -> pd.DataFrame:
    """Sum worths (sets, coalitions), and draws of them, with the weights of each row of a table."""
    of_draws = (drawn @ weights.to_numpy().T).reshape(len(drawn), -1)
    low, high = interval(of_draws)
    low_all, high_all = simultaneous(of_draws)
    names = [row if isinstance(row, tuple) else (row, "") for row in weights.index]
    return pd.DataFrame(
        {
            "evaluation": np.repeat(list(sets), len(names)),
            "block": [block for block, _ in names] * len(sets),
            "other": [other for _, other in names] * len(sets),
            "value": (measured @ weights.to_numpy().T).ravel(),
            "low": low,
            "high": high,
            "low_all": low_all,
            "high_all": high_all,
        }
    )


def _table(rows: Mapping[Any, list[float]], blocks: Sequence[str]) -> pd.DataFrame:
    """Put weights into a table of rows (names, or pairs of them) × coalitions."""
    columns = pd.Index(all_coalitions(blocks), dtype=object)
    return pd.DataFrame(list(rows.values()), columns=columns, index=pd.Index(list(rows)), dtype=np.float64)
