"""What to train after the first round: the mixtures that the law recommends, and the most promising blocks in doses."""

from pathlib import Path
from typing import Any

import pandas as pd

from datamix.analysis import mixture_law
from datamix.analysis.shapley import shapley_weights
from datamix.corpora import shares as by_shares
from datamix.corpora.thinning import baseline_depth
from datamix.project.files import write_json
from datamix.project.layout import Layout
from datamix.project.mixture_names import name_shares
from datamix.project.profile import Profile
from datamix.scoring.kinds import LDVAE

EVERY_SET = "every set"
"""Stands for all evaluation sets, weighted alike; no set can be called so, since names have no spaces."""


def medians_of(scores: pd.DataFrame, *, model: str = LDVAE) -> pd.DataFrame:
    """Give the median R² of every trained model of mixtures by shares.

    Parameters
    ----------
    scores
        A row a (model, mixture, seed, evaluation, cell), as `datamix.scoring.composition` writes it.
    model
        `ldvae`, or a simple model.

    Returns
    -------
    (evaluation, mixture) × seeds.
    """
    chosen = scores[scores["model"] == model].astype({"evaluation": str, "mixture": str})
    return chosen.groupby(["evaluation", "mixture", "seed"], sort=False)["r2"].median().unstack("seed")


def shares_table(names: list[str], profile: Profile) -> pd.DataFrame:
    """Give the shares of mixtures: mixtures × blocks, rows adding up to 1."""
    return pd.DataFrame(by_shares.shares_of(names, profile), index=names, columns=list(profile.blocks))


def fit_laws(medians: pd.DataFrame, profile: Profile, *, names: list[str]) -> dict[str, mixture_law.Law]:
    """Fit a law to the mixtures named, averaged over seeds, for each evaluation set: set → law."""
    shares, average = shares_table(names, profile), medians.mean(axis=1)
    return {str(e): mixture_law.fit(shares, average[e]) for e in profile.evaluations}


def choose(medians: pd.DataFrame, profile: Profile, *, depth: int | None = None) -> dict[str, Any]:
    """Choose the mixtures of the second round.

    Parameters
    ----------
    medians
        Of the first round, from `medians_of`.
    profile
        Its `composition` says which blocks are given in doses, or that they are to be chosen: then they are the added
        blocks with the largest Shapley values, averaged over the evaluation sets of the groups `cancer` and
        `out of distribution`, one for each group; where there is none of these, over all evaluation sets.
    depth
        Counts to which the cells of a block are thinned, where the profile wants mixtures of matched depth.

    Returns
    -------
    `recommended` (evaluation set, or `every set` → mixture), `dosed` (block → dose → mixture), `thinned` (block → the
    mixture of its largest dose, thinned; none without a `depth`), and `mixtures`: those of them that the first round
    has not trained. A law needs three mixtures; with fewer, none is recommended.
    """
    settings, first = by_shares.composition_of(profile), by_shares.first_round(profile)
    recommended = {}
    if len(first) >= mixture_law.FEWEST:
        laws = fit_laws(medians, profile, names=first)
        wanted = {name: {name: 1.0} for name in laws} | {EVERY_SET: dict.fromkeys(laws, 1.0)}
        for name, weights in wanted.items():
            best = mixture_law.recommend(laws, weights)
            recommended[name] = name_shares(
                by_shares.whole_cells(dict(zip(profile.blocks, best, strict=True)), settings.cells)
            )
    blocks = _most_valuable(medians, profile) if settings.dosed is None and settings.doses else settings.dosed or ()
    dosed = {block: by_shares.dose_mixtures(profile, block) for block in blocks}
    thinned = (
        {} if depth is None else {block: by_shares.thinned_mixture(profile, block, depth=depth) for block in dosed}
    )
    every = [*recommended.values(), *(name for of in dosed.values() for name in of.values()), *thinned.values()]
    return {
        "recommended": recommended,
        "dosed": {block: {str(dose): name for dose, name in of.items()} for block, of in dosed.items()},
        "thinned": thinned,
        "mixtures": [name for name in dict.fromkeys(every) if name not in first],
    }


def plan_second_round(layout: Layout) -> Path:
    """Choose the mixtures of the second round from the scores of the first: `composition/second_round.json`."""
    settings = by_shares.composition_of(layout.profile)
    seeds = settings.seeds
    scores = [pd.read_parquet(layout.composition_scores_of("first", seed)) for seed in seeds]
    tables = [s.astype(dict.fromkeys(("model", "mixture", "evaluation"), str)) for s in scores]
    medians = medians_of(pd.concat(tables, ignore_index=True))
    depth = baseline_depth(layout) if settings.depth_matched else None
    write_json(layout.second_round, choose(medians, layout.profile, depth=depth))
    return layout.second_round


def _most_valuable(medians: pd.DataFrame, profile: Profile) -> tuple[str, ...]:
    blocks, coalitions = list(profile.blocks), list(by_shares.coalitions(profile))
    worth = medians.mean(axis=1).unstack("mixture")[coalitions]
    values = pd.DataFrame(worth.to_numpy() @ shapley_weights(blocks).to_numpy().T, index=worth.index, columns=blocks)
    added = [block for block in blocks if block != profile.composed_baseline]
    found: dict[str, None] = {}
    for group in ("out of distribution", "cancer"):
        sets = [name for name, evaluation in profile.evaluations.items() if evaluation.group == group]
        if sets:
            found[str(values.loc[sets, added].mean().idxmax())] = None
    return tuple(found) or (str(values[added].mean().idxmax()),)
