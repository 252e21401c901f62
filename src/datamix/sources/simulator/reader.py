"""Simulated cells: negative-binomial counts over gene programmes of haematopoiesis, as a reader like any other.

They are a positive control with known truth (`programmes`, `programmes_in`), not evidence about real cells.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from datamix.project.errors import DatamixError
from datamix.sources.simulator.corpora import Corpus, find_corpus, programmes_in
from datamix.sources.simulator.kinds import PROGRESS, Kind
from datamix.sources.simulator.programmes import Truth, programmes, truth, without_programmes, write_gmt

__all__ = ["programmes", "programmes_in", "simulated", "write_gmt"]

# Rises beyond this level off: a gene in several active programmes is not multiplied without end.
_SATURATION = 6.0
_VARY_EVERYWHERE = ("stress", "interferon", "cell_cycle_s", "cell_cycle_g2m")
_DAMAGED = 0.05
"""Share of damaged cells, with few counts and many of them mitochondrial."""


def simulated(
    files: Mapping[str, Path],
    *,
    skip: int = 0,
    block_cells: int = 20_000,
    corpus: str,
    cells: int,
    seed: int = 0,
    without: Sequence[str] = (),
    without_targets: Sequence[str] = (),
) -> Iterator[AnnData]:
    """Simulate a corpus.

    A cell's expected counts are its library size times its profile, which is the sum, in logarithms, of the genes'
    baseline, the programmes active in it, its donor and its study; counts are gamma-Poisson around that. Each cell
    has a random stream of its own, derived from seed, corpus and the cell's number: neither `cells` nor the blocks
    change it.

    Parameters
    ----------
    files
        Not used: nothing is read.
    skip
        Blocks to leave out at the start.
    block_cells
        Cells in a block.
    corpus
        Name of the corpus: `blood`, `tf_atlas`, `eval_neurons` and so on.
    cells
        Number of cells.
    seed
        Donors, studies and cells derive from it; genes and programmes do not.
    without
        Gene programmes that are switched off.
    without_targets
        Knock-downs to leave out, `non-targeting` among them.

    Yields
    ------
    AnnData of at most `block_cells` cells: X the raw counts (CSR, float32), var_names Ensembl ids (artificial genes:
    SIMG...), `var.symbol`; `obs.cell_type`, `donor`, `dataset` (study), and by corpus `tissue`, `target` (knock-downs),
    `TF` (TF atlas) or `state` (tumours).

    Raises
    ------
    DatamixError
        If the corpus or a programme is unknown, or `cells` is not positive.
    """
    recipe, stays = find_corpus(corpus), without_programmes(without)
    if cells < 1:
        msg = f"The simulated corpus {corpus!r} is to have {cells} cells; expected at least 1."
        raise DatamixError(msg, fix="correct 'cells' among the dataset's options in data_manifest.yaml")
    simulator = _Simulator(corpus, recipe, seed=seed, stays=stays)
    for start in range(skip * block_cells, cells, block_cells):
        block = simulator.block(range(start, min(start + block_cells, cells)))
        yield block[~block.obs["target"].isin(without_targets)].copy() if without_targets else block


class _Simulator:
    """A corpus with its donors and studies drawn, ready to draw cells."""

    def __init__(self, corpus: str, recipe: Corpus, *, seed: int, stays: np.ndarray) -> None:
        self.corpus, self.recipe, self.stays = corpus, recipe, stays
        self.truth: Truth = truth()
        # Not hash(): that differs from process to process.
        self.entropy = (seed, zlib.crc32(corpus.encode()))
        shares = np.array([kind.share for kind in recipe.kinds])
        self.cumulative = np.cumsum(shares) / shares.sum()
        rng = np.random.default_rng((*self.entropy, 0))
        self.donors = {
            study: self._draw_donors(rng) for study in dict.fromkeys(kind.study or corpus for kind in recipe.kinds)
        }
        index = {symbol: i for i, symbol in enumerate(self.truth.genes["symbol"])}
        self.start, self.end, self.changes = [], [], []
        always = {"ribosomal": 1.0}
        for kind in recipe.kinds:
            self.end.append(self.truth.activities({**always, **kind.active}))
            self.start.append(self.end[-1] if kind.start is None else self.truth.activities({**always, **kind.start}))
            self.changes.append([(index[symbol], change) for symbol, change in kind.gene_changes.items()])
        self.column = {name: self.truth.names.index(name) for name in _VARY_EVERYWHERE}

    def _draw_donors(self, rng: np.random.Generator) -> list[tuple[np.ndarray, float]]:
        """Draw a study: for each donor its log effect (n_genes,), the study's included, and its interferon level."""
        n_genes = len(self.truth.genes)
        study = rng.normal(0, self.recipe.study_effect, n_genes)
        return [
            (study + rng.normal(0, self.recipe.donor_effect, n_genes), 0.15 * rng.lognormal(0, 0.7))
            for _ in range(self.recipe.donors)
        ]

    def block(self, numbers: range) -> AnnData:
        """Draw the cells of these numbers."""
        rows, labels = zip(*(self._cell(number) for number in numbers), strict=True)
        obs = pd.DataFrame(labels, index=[f"{self.corpus}_{number:07d}" for number in numbers])
        var = pd.DataFrame({"symbol": self.truth.genes["symbol"].to_numpy()}, index=self.truth.genes["gene"].to_numpy())
        return AnnData(sparse.vstack(rows, format="csr"), obs=obs, var=var)

    def _cell(self, number: int) -> tuple[sparse.csr_matrix, dict[str, str]]:
        """Draw one cell: its counts (1, n_genes) and its columns of `obs`."""
        rng = np.random.default_rng((*self.entropy, 1, number))
        which = int(np.searchsorted(self.cumulative, rng.random(), side="right"))
        kind = self.recipe.kinds[which]
        study = kind.study or self.corpus
        donor = int(rng.integers(self.recipe.donors))
        effect, interferon = self.donors[study][donor]
        active = self._activities(rng, which, kind=kind, interferon=interferon)
        rise = active @ self.truth.effects
        for gene, _ in self.changes[which]:
            rise[gene] = (self.start[which] * self.stays) @ self.truth.effects[:, gene]
        log_rate = self.truth.baseline + _SATURATION * np.tanh(rise / _SATURATION) + effect
        for gene, change in self.changes[which]:
            log_rate[gene] += change
        counts = self._counts(rng, np.exp(log_rate))
        labels = {"cell_type": kind.cell_type, "donor": f"{study}_donor{donor + 1}", "dataset": study, **kind.labels}
        return counts, labels

    def _activities(self, rng: np.random.Generator, which: int, *, kind: Kind, interferon: float) -> np.ndarray:
        """Draw how active each programme is in a cell (n_programmes,)."""
        progress = rng.beta(*PROGRESS)
        active = self.start[which] + progress * (self.end[which] - self.start[which])
        active = active * rng.gamma(10, 1 / 10, len(active))
        column = self.column
        active[column["stress"]] += rng.exponential(0.15)
        active[column["interferon"]] += interferon * rng.gamma(4, 1 / 4)
        phase = rng.random()
        if phase < kind.cycling:
            s_phase = phase < 0.5 * kind.cycling
            active[column["cell_cycle_s" if s_phase else "cell_cycle_g2m"]] += rng.uniform(0.5, 1)
        return active * self.stays

    def _counts(self, rng: np.random.Generator, rates: np.ndarray) -> sparse.csr_matrix:
        """Draw counts around relative rates (n_genes,)."""
        damaged = rng.random() < _DAMAGED
        mean = 0.13 if damaged else self.recipe.mito
        mito = rng.beta(70 * mean, 70 * (1 - mean))
        library = self.recipe.counts * rng.lognormal(0, 0.5) * (0.35 if damaged else 1)
        is_mito = self.truth.mitochondrial
        share = np.where(is_mito, mito * rates / rates[is_mito].sum(), (1 - mito) * rates / rates[~is_mito].sum())
        dispersion = self.truth.dispersion
        counts = rng.poisson(library * share * rng.gamma(dispersion, 1 / dispersion))
        return sparse.csr_matrix(counts.astype(np.float32))
