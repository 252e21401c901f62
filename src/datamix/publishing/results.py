"""What a notebook reads: the tables of one profile, with an error that names the command where one is missing."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from anndata import AnnData

from datamix.corpora.corpus import read_corpus, read_obs
from datamix.corpora.genes import read_genes
from datamix.corpora.mixtures import Mixture, mixtures_of
from datamix.corpora.shares import read_second_round
from datamix.project.errors import DatamixError, NotInProfileError
from datamix.project.files import read_json, sha256
from datamix.project.layout import Layout
from datamix.project.profile import Profile
from datamix.project.spreadsheets import as_written
from datamix.publishing.front_matter import read_front_matter


@cache
def _hash(path: Path, _changed: int) -> str:
    """Hash a corpus once a session: every panel asks for it."""
    return sha256(path)


class Results:
    """The results of one profile, as one notebook uses them, or anyone in a console: making one writes nothing.

    Parameters
    ----------
    profile
        `demo`, `mini`, `paper`, or the name of another file in `config/`.
    notebook
        The notebook's name: its panels and values are filed under it.
    reads
        The datasets that the notebook reads, directly or through models; those of the profile when not given.
    root
        The project's folder; found from the current folder upwards when not given.

    Raises
    ------
    NotInProfileError
        If the profile lacks what the notebook's header says it needs.
    """

    def __init__(
        self, profile: str, *, notebook: str, reads: Sequence[str] | None = None, root: Path | None = None
    ) -> None:
        self.layout = Layout.of(profile, root)
        self.notebook = notebook
        self._reads = self.profile.datasets if reads is None else tuple(reads)
        script = self.root / "notebooks" / f"{notebook}.py"
        if script.is_file():
            read_front_matter(script).require(self.profile)

    @property
    def profile(self) -> Profile:
        """The profile."""
        return self.layout.profile

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.layout.root

    @property
    def folder(self) -> Path:
        """`results/<profile>`."""
        return self.layout.folder

    @property
    def datasets(self) -> dict[str, str]:
        """Ids of the datasets behind the results, with the sha256 of their corpora."""
        corpora = {d: self._existing(self.layout.corpus(d)) for d in self._reads}
        return {dataset: _hash(path, path.stat().st_mtime_ns) for dataset, path in corpora.items()}

    def mixtures(self, baseline: str) -> list[Mixture]:
        """List the mixtures on a baseline in the column order of Figure 2A, then the controls of other sizes."""
        for dataset in self.profile.training_datasets:
            self._existing(self.layout.corpus(dataset))
        return mixtures_of(self.layout, baseline)

    @property
    def baselines(self) -> list[str]:
        """The baselines in the profile's order; the paper's first is blood, its second the atlas."""
        return list(self.profile.baselines)

    def scores(self, baseline: str) -> pd.DataFrame:
        """Read the reconstruction scores of a baseline, a row a (mixture, seed, evaluation, cell)."""
        path = self._existing(self.layout.scores)
        scores = pd.read_parquet(path, filters=[("baseline", "==", baseline)])
        return scores.astype(dict.fromkeys(("baseline", "mixture", "evaluation", "cell_type", "donor"), str))

    def latents(self, baseline: str) -> pd.DataFrame:
        """Read where the evaluation cells lie in each latent space: a row a (seed, mixture, evaluation, cell)."""
        return self._of_all_seeds({seed: self.layout.latents_of(baseline, seed) for seed in self.profile.seeds})

    def gene_scores(self, baseline: str) -> pd.DataFrame:
        """Read the residuals of each gene: a row a (seed, mixture, evaluation, gene)."""
        return self._of_all_seeds({seed: self.layout.gene_scores_of(baseline, seed) for seed in self.profile.seeds})

    def held_out(self, baseline: str) -> pd.DataFrame:
        """Read the scores of cell types left out of training: a row a (seed, held_out, evaluation, cell)."""
        return self._of_all_seeds({seed: self.layout.held_out_of(baseline, seed) for seed in self.profile.seeds})

    def yardsticks(self, baseline: str) -> pd.DataFrame:
        """Read every model's scores beside simple ones: a row a (seed, mixture, model, evaluation, cell)."""
        return self._of_all_seeds({seed: self.layout.yardsticks_of(baseline, seed) for seed in self.profile.seeds})

    def composition(self) -> pd.DataFrame:
        """Read the scores of mixtures by shares: a row a (model, mixture, seed, evaluation, cell)."""
        scores = pd.read_parquet(self._existing(self.layout.composition_scores))
        return scores.astype(dict.fromkeys(("model", "mixture", "evaluation", "cell_type", "donor"), str))

    def second_round(self) -> dict[str, Any]:
        """Read which mixtures by shares were trained second, and why (`datamix.analysis.second_round.choose`)."""
        self._existing(self.layout.second_round)
        return read_second_round(self.layout)

    def loadings(self, baseline: str) -> dict[tuple[str, int], pd.DataFrame]:
        """Read the loadings of all models of a baseline: (mixture, seed) → genes × factors.

        Of the models that are evaluated for a seed: see `Profile.model_seed`.
        """
        return {
            (mixture.name, seed): pd.read_parquet(
                self._existing(
                    self.layout.model(baseline, self.profile.model_seed(seed), mixture.name) / "loadings.parquet"
                )
            )
            for seed in self.profile.seeds
            for mixture in self.mixtures(baseline)
        }

    def gene_sets(self) -> pd.DataFrame:
        """Read the gene sets of the profile: columns `source` (the set) and `target` (a gene symbol).

        Raises
        ------
        NotInProfileError
            If the profile names none.
        """
        table = as_written(pd.read_csv(self._existing(self.layout.gene_sets), dtype=str, keep_default_na=False))
        if table.empty:
            msg = f"Profile {self.profile.name} names no gene sets."
            raise NotInProfileError(msg)
        return table

    def history(self) -> pd.DataFrame:
        """Read the training curves of all models, a row a (baseline, mixture, seed, epoch)."""
        tables = [
            pd.read_csv(self._existing(folder / "history.csv")).assign(baseline=baseline, mixture=mixture, seed=seed)
            for baseline, seed, mixture, folder in self._models()
        ]
        history = pd.concat(tables, ignore_index=True)
        # A training of fewer epochs than there are between two validations has none.
        return history if "elbo_validation" in history else history.assign(elbo_validation=float("nan"))

    def training(self) -> pd.DataFrame:
        """Read what each model was made from: cells, wall time in seconds, trainer; a row a model.

        One that is the same for several baselines, of an added set alone, is listed once, with the first of them.
        """
        rows = []
        for baseline, seed, mixture, folder in self._models():
            made = read_json(self._existing(folder / "provenance.json"))
            rows.append(
                {
                    "baseline": baseline,
                    "mixture": mixture,
                    "seed": seed,
                    "cells": sum(made["cells"].values()),
                    "seconds": made["seconds"],
                    "trainer": made["trainer"],
                    "key": made["key"],
                }
            )
        return pd.DataFrame(rows).drop_duplicates("key", ignore_index=True).drop(columns="key")

    def corpus(self, dataset: str) -> AnnData:
        """Read a corpus: raw counts of the cells that passed QC."""
        return read_corpus(self._existing(self.layout.corpus(dataset)))

    def corpus_obs(self, dataset: str) -> pd.DataFrame:
        """Read the annotation of a corpus's cells, without their counts."""
        return read_obs(self._existing(self.layout.corpus(dataset)))

    def corpus_record(self, dataset: str) -> dict[str, Any]:
        """Read what a corpus was made from: input hashes, cells read and kept, genes dropped."""
        return json.loads(read_corpus(self._existing(self.layout.corpus(dataset)), backed=True).uns["datamix"])

    def genes(self) -> pd.DataFrame:
        """Read the genes that the models use: columns `gene`, `symbol`."""
        return read_genes(self.layout)

    def _of_all_seeds(self, paths: dict[int, Path]) -> pd.DataFrame:
        tables = [pd.read_parquet(self._existing(path)).assign(seed=seed) for seed, path in paths.items()]
        text = [c for c in tables[0] if isinstance(tables[0][c].dtype, pd.CategoricalDtype)]
        return pd.concat([table.astype(dict.fromkeys(text, str)) for table in tables], ignore_index=True)

    def _models(self) -> list[tuple[str, int, str, Path]]:
        return [
            (baseline, seed, mixture.name, self.layout.model(baseline, seed, mixture.name))
            for baseline in self.profile.baselines
            for seed in self.profile.seeds
            for mixture in self.mixtures(baseline)
        ]

    def _existing(self, path: Path) -> Path:
        if not path.exists():
            msg = f"{path} does not exist: profile {self.profile.name} has not been run so far."
            raise DatamixError(msg, fix=f"make book PROFILE={self.profile.name}")
        return path
