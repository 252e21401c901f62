"""How often two sets of trainings of the same mixture are called different: by the rule of Figure 3, and before it.

    python -m benchmarks.calibration

Models of simulated cells, of the demo's size, are trained, each mixture with many seeds and on cells drawn with the
seed. Seeds are then dealt into disjoint sets, two sets a mixture, as if each were a mixture of its own: what is found
between two sets of one mixture is false. A table has all evaluation sets and ten such mixtures, as Figure 3c has.
Tables share trainings, so that a rate is known less well than so many independent ones would give it.
"""

import time
from collections.abc import Callable
from itertools import permutations
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from benchmarks.training import about
from datamix.analysis.uniqueness import PairErrors, compare_pairs, predict_pairs
from datamix.ldvae import training
from datamix.project.files import write_json
from datamix.project.profile import Training
from datamix.project.profile_files import project_root
from datamix.scoring.posterior import encode
from datamix.sources.simulator.reader import simulated

CELLS, EVALUATION_CELLS, EPOCHS = 1000, 480, 60
"""As in the demo."""
SEEDS = 24
SIZES = (2, 3, 5)
"""Seeds of a mixture."""
TABLES = 100
MIXTURES = {
    "blood": ("blood",),
    "blood+blood": ("blood", "control"),
    "blood+tf_atlas": ("blood", "tf_atlas"),
    "blood+bone_marrow": ("blood", "bone_marrow"),
    "tf_atlas": ("tf_atlas",),
}
EVALUATIONS = ("blood", "bone_marrow", "aml", "scc", "neurons")


def latents_of_many_seeds() -> pd.DataFrame:
    """Train every mixture with every seed, and place the evaluation cells: a table as `compare_mixtures` takes it."""
    corpora = {name: _simulate(name, 2 * CELLS + CELLS // 2) for name in ("blood", "tf_atlas", "bone_marrow")}
    evaluations = {name: _simulate(f"eval_{name}", EVALUATION_CELLS) for name in EVALUATIONS}
    settings = Training(max_epochs=EPOCHS)
    tables = []
    for seed in range(SEEDS):
        order = {name: np.random.default_rng(seed).permutation(cells.n_obs) for name, cells in corpora.items()}
        blocks = {name: corpora[name][order[name][:CELLS]] for name in corpora}
        blocks["control"] = corpora["blood"][order["blood"][CELLS : 2 * CELLS]]
        for mixture, parts in MIXTURES.items():
            cells = ad.concat([blocks[part] for part in parts], index_unique="-")
            model = training.train(cells, seed=seed, settings=settings)
            for evaluation, evaluated in evaluations.items():
                about_cells = evaluated.obs[["cell_type", "donor"]].astype(str).rename_axis("cell").reset_index()
                space = pd.DataFrame(encode(model, evaluated)[0]).add_prefix("z_")
                table = pd.concat([about_cells, space], axis=1)
                tables.append(table.assign(mixture=mixture, evaluation=evaluation, seed=seed))
        print(f"seed {seed}: {len(MIXTURES)} models", flush=True)
    return pd.concat(tables, ignore_index=True)


def _simulate(corpus: str, cells: int) -> ad.AnnData:
    (block,) = simulated({}, corpus=corpus, cells=cells)
    return block


def deal(mixtures: list[str], *, size: int, seed: int) -> dict[tuple[str, int], tuple[str, int]]:
    """Deal the seeds of each mixture into two sets: (mixture, seed) → (name of the set, number in it)."""
    generator = np.random.default_rng(seed)
    dealt = {}
    for mixture in mixtures:
        for place, model in enumerate(generator.permutation(SEEDS)[: 2 * size]):
            dealt[mixture, int(model)] = (f"{mixture}, set {place // size}", place % size)
    return dealt


def largest_pair_rule(pairs: list[PairErrors], *, resamples: int = 200, seed: int = 0) -> pd.DataFrame:
    """Decide as this book did before: the mean beyond the largest pair of seeds of either mixture, not corrected."""
    rows = []
    for of_set in pairs:
        at = {model: i for i, model in enumerate(of_set.models)}
        names = list(dict.fromkeys(name for name, _ in of_set.models))
        apart = list(permutations(sorted({s for _, s in of_set.models}), 2))
        generator = np.random.default_rng(seed)
        n = len(of_set.cells)
        counts = generator.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float32)
        which = generator.integers(len(apart), size=(resamples, len(apart)))
        drawn = {}
        for known in names:
            for new in names:
                of_pairs = [(at[known, i], at[new, j]) for i, j in apart]
                found = [(counts @ of_set.error[p]) / (counts @ of_set.total[p]) for p in of_pairs]
                drawn[known, new] = np.column_stack(found)
        for (known, new), values in drawn.items():
            mean = np.take_along_axis(values, which, axis=1).mean(axis=1)
            band = np.hstack([drawn[known, known], drawn[new, new]]).max(axis=1)
            rows.append((of_set.evaluation, known, new, bool(np.percentile(mean - band, 2.5) > 0)))
    return pd.DataFrame(rows, columns=["evaluation", "known", "new", "differs"])


def measure(pairs: list[PairErrors], *, size: int, tables: int) -> list[dict[str, Any]]:
    """Deal the seeds many times; a row a rule: how many tables hold a false difference, and a true one."""
    rules: dict[str, Callable[[list[PairErrors], int], pd.DataFrame]] = {
        "now": lambda table, i: compare_pairs(table, resamples=500, seed=i),
        "before": lambda table, i: largest_pair_rule(table, seed=i),
    }
    false: dict[str, list[int]] = {name: [] for name in rules}
    found: dict[str, list[bool]] = {name: [] for name in rules}
    compared = 0
    for i in range(tables):
        dealt = deal(list(MIXTURES), size=size, seed=i)
        table = [of_set.renamed(dealt) for of_set in pairs]
        for name, rule in rules.items():
            result = rule(table, i)
            known, new = (result[column].str.split(", set ").str[0] for column in ("known", "new"))
            null = (known == new) & (result["known"] != result["new"])
            compared = int(null.sum())
            false[name].append(int(result.loc[null, "differs"].sum()))
            true = (known == "blood") & (new == "blood+tf_atlas") & (result["evaluation"] == "neurons")
            found[name].append(bool(result.loc[true, "differs"].all()))
    return [
        {
            "rule": name, "seeds": size, "tables": tables, "compared": compared,
            "share of tables with a false difference": float(np.mean(np.array(false[name]) > 0)),
            "share of comparisons that are false": float(np.mean(false[name]) / compared),
            "share of tables with the atlas found on neurons": float(np.mean(found[name])),
            "trainings": len(MIXTURES) * SEEDS,
        }
        for name in rules
    ]  # fmt: skip


def main() -> None:
    """Train, measure, print, and write `results/bench/calibration.json`."""
    began = time.perf_counter()
    pairs = list(predict_pairs(latents_of_many_seeds()))
    print(f"trained and compared  [{time.perf_counter() - began:.0f} s]", flush=True)
    rows = [row for size in SIZES for row in measure(pairs, size=size, tables=TABLES)]
    what = (__doc__ or "").split("\n")[0]
    write_json(project_root() / "results" / "bench" / "calibration.json", about() | {"what": what, "rows": rows})
    print(pd.DataFrame(rows).to_string(index=False, float_format="%.3g"), f"  [{time.perf_counter() - began:.0f} s]")


if __name__ == "__main__":
    main()
