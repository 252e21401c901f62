"""The book as an object: its tables, figures, numbers and models, for work of one's own.

`datamix.open` gives one. Tables and figures need neither torch nor scanpy; models and cells do.
"""

import difflib
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from datamix.project.errors import DatamixError
from datamix.project.files import read_json
from datamix.project.layout import Layout
from datamix.project.mixture_names import read_name
from datamix.project.profile import Profile, read_profile
from datamix.publishing.book_panel import BookPanel
from datamix.publishing.values import Value, Values

if TYPE_CHECKING:
    from anndata import AnnData
    from scvi.model import LinearSCVI

CRATE = "ro-crate-metadata.json"


class Book:
    """The results of one profile: everything that its book shows, and what is behind it.

    Parameters
    ----------
    folder
        `results/<profile>`, a record `recorded/<profile>`, or the `site` of a book.
    root
        The folder with `config/<profile>.yaml`; found from the folder upwards when not given.
    """

    def __init__(self, folder: Path, *, root: Path | None = None) -> None:
        self.folder = folder.resolve()
        if not (self.folder / "panels").is_dir():
            msg = f"{folder} holds no panels."
            raise DatamixError(msg, fix="name results/<profile>, recorded/<profile>, or an archive; or make book")
        above = [parent for parent in self.folder.parents if (parent / "data_manifest.yaml").is_file()]
        self.root = root or (above[0] if above else None)
        self._unpacked: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def open(cls, source: str | Path) -> "Book":
        """Open a folder of results, a record, a site, or an archive that `make archive` wrote (zip).

        Raises
        ------
        DatamixError
            If there is no such thing, or it holds no panels.
        """
        path = Path(source)
        if path.is_file() and zipfile.is_zipfile(path):
            unpacked = tempfile.TemporaryDirectory(prefix="datamix-")
            with zipfile.ZipFile(path) as archive:
                archive.extractall(unpacked.name)
            book = cls.open(unpacked.name)
            book._unpacked = unpacked  # kept as long as the book is
            return book
        if not path.exists():
            msg = f"There is no {path}."
            raise DatamixError(msg, fix="name results/<profile>, recorded/<profile>, or an archive; or make book")
        if (path / CRATE).is_file():
            return cls(next(iter(sorted(path.glob("results/*/panels"))), path).parent, root=path.resolve())
        return cls(path)

    def __repr__(self) -> str:
        return f"<datamix book of profile {self.profile_name}: {len(self.panels)} panels, {len(self.values)} values>"

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """What made it: of a record, its provenance; of results, what most panels say of the run.

        Entries: `profile`, `protocol`, `simulated`, `commit`, `datasets` (ids and hashes), `seeds`, `versions`.
        """
        recorded = self.folder / "provenance.json"
        if recorded.is_file():
            return dict(read_json(recorded))
        of_panels = [read_json(path) for path in sorted((self.folder / "panels").glob("*.json"))]
        if not of_panels:
            msg = f"{self.folder} does not say what made it: there is neither a provenance.json nor a panel's json."
            raise DatamixError(msg, fix="make book, or make record")
        keys = ("profile", "protocol", "simulated", "commit", "datasets", "seeds", "versions")
        said = [{key: made[key] for key in keys} for made in of_panels]
        most, _ = Counter(repr(one) for one in said).most_common(1)[0]
        return next(one for one in said if repr(one) == most)

    @property
    def profile_name(self) -> str:
        """The profile's name."""
        return str(self.provenance["profile"])

    @property
    def profile(self) -> Profile:
        """The profile: its sets, labels and settings."""
        return self._profile(self.profile_name)

    def _profile(self, name: str) -> Profile:
        if self.root is None:
            msg = f"There is no config/{name}.yaml above {self.folder}, which has labels and colours."
            raise DatamixError(msg, fix="open the folder where it was made, or the archive of make archive")
        return read_profile(name, self.root)

    def _software(self) -> Mapping[str, Any] | None:
        from datamix.publishing.citation import read_citation

        return None if self.root is None else read_citation(self.root)

    @cached_property
    def panels(self) -> list[str]:
        """Names of the panels that are here, `2a` say."""
        found = {path.stem.removeprefix("fig") for path in (self.folder / "panels").glob("fig*.csv")}
        return sorted(found, key=lambda name: (name.startswith("S"), int("".join(filter(str.isdigit, name))), name))

    def panel(self, name: str) -> BookPanel:
        """Return a panel.

        Parameters
        ----------
        name
            As in the paper: `2a`, `S4b`.

        Raises
        ------
        DatamixError
            If there is none of that name here.
        """
        if name not in self.panels:
            msg = f"There is no panel {name} in {self.folder}; there are {', '.join(self.panels) or 'none'}."
            raise DatamixError(msg, fix="correct the name")
        folder = self.folder / "panels"
        described = folder / f"fig{name}.json"
        made = read_json(described) if described.is_file() else self.provenance
        return BookPanel(name, folder, made, self._profile, self._software)

    @cached_property
    def values(self) -> Values:
        """All numbers that the book quotes, by key."""
        return Values.read(self.folder)

    def value(self, key: str) -> Value:
        """Return a number that the book quotes: `value`, `unit`, and what the paper published, where it did.

        Parameters
        ----------
        key
            As the notebook recorded it, `fig2.aml.blood+blood_cancer` say.

        Raises
        ------
        DatamixError
            If no such key is recorded; the error names near ones.
        """
        return self.values[key]

    def scores(self) -> pd.DataFrame:
        """Return the reconstruction scores.

        Returns
        -------
        Of results, a row a (baseline, mixture, seed, evaluation, cell), with `r2` and others; of a record, quartiles of
        `r2`, a row a (baseline, evaluation, cell type, mixture).
        """
        whole, recorded = self.folder / "scores" / "reconstruction.parquet", self.folder / "scores_by_type.csv"
        if whole.is_file():
            table = pd.read_parquet(whole)
            return table.astype(dict.fromkeys(table.select_dtypes("category"), str))
        return self._table(recorded)

    def claims(self) -> pd.DataFrame:
        """Return the verdict on each claim of the paper, with statistic, interval and threshold."""
        return self._table(self.folder / "claims.csv")

    def ledger(self) -> pd.DataFrame:
        """Return the published numbers beside those of this book, with verdicts."""
        return self._table(self.folder / "ledger.csv")

    def _table(self, path: Path) -> pd.DataFrame:
        if not path.is_file():
            here = ", ".join(sorted(one.name for one in self.folder.iterdir() if not one.name.startswith(".")))
            near = difflib.get_close_matches(path.name, here.split(", "), n=1)
            msg = f"There is no {path.name} in {self.folder}{f'; there is {near[0]}' if near else ''}."
            raise DatamixError(msg, fix=f"open the results, where make book PROFILE={self.profile_name} wrote it")
        return pd.read_csv(path)

    def model(self, mixture: str, *, seed: int = 0, baseline: str | None = None) -> "LinearSCVI":
        """Load a trained model, which is scvi-tools' own; needs `datamix[train]`.

        Parameters
        ----------
        mixture
            `blood`, `tf_atlas`, `blood+tf_atlas`.
        seed
            Of the profile's seeds.
        baseline
            Whose models are meant, for a set alone; the mixture's own, or the profile's first.

        Raises
        ------
        DatamixError
            If these results hold no such model; records and archives hold none.
        """
        of = self._baseline(mixture, baseline)
        folder = self.folder / "models" / of / f"seed{self.profile.model_seed(seed)}" / mixture
        if not folder.is_dir():
            models = sorted(path.name for path in folder.parent.glob("*") if path.is_dir())
            msg = (
                f"There is no model {mixture} of seed {seed} in {self.folder}; there are {', '.join(models) or 'none'}."
            )
            raise DatamixError(msg, fix=f"correct the name, or make book PROFILE={self.profile_name}")
        from datamix.ldvae.model import load

        return load(folder)

    def training_cells(self, mixture: str, *, seed: int = 0, baseline: str | None = None) -> "AnnData":
        """Read the cells that a model was trained on; needs `datamix[train]`.

        Parameters
        ----------
        mixture, seed, baseline
            As for `model`.

        Returns
        -------
        Cells × genes of the models: `X` is log1p of counts scaled to 10,000 a cell, `layers["counts"]` raw counts; both
        CSR.
        """
        layout = self._layout()
        from datamix.publishing.own_models import training_cells

        return training_cells(layout, mixture, baseline=self._baseline(mixture, baseline), seed=seed)

    def score(self, predict: Callable[[np.ndarray], np.ndarray], *, name: str = "Mine", seed: int = 0) -> pd.DataFrame:
        """Score a model of one's own on the evaluation cells, as the book scores its own; needs `datamix[train]`.

        Parameters
        ----------
        predict
            From cells × genes of the models, log1p of counts scaled to 10,000 a cell (single precision), to the
            prediction of the same cells and genes on the same scale. It is called for some hundred cells at a time.
        name
            Of the model.
        seed
            Of the profile's seeds; it decides which cells are drawn, where a set is a draw.

        Returns
        -------
        A row a (evaluation, cell): `model`, `seed`, `evaluation`, `cell`, `cell_type`, `donor`, `r`, `r2`, the squared
        correlation over the set's most variable genes.

        Raises
        ------
        DatamixError
            If a prediction has another shape than the cells.
        """
        layout = self._layout()
        from datamix.publishing.own_models import score

        return score(layout, predict, name=name, seed=seed)

    def _baseline(self, mixture: str, named: str | None) -> str:
        first = read_name(mixture).first
        baselines = self.profile.baselines
        return named or (first if first in baselines else next(iter(baselines)))

    def _layout(self) -> Layout:
        profile = self.profile
        layout = None if self.root is None else Layout(self.root, profile)
        if layout is None or layout.folder.resolve() != self.folder or not layout.genes.is_file():
            msg = f"{self.folder} holds no cells."
            raise DatamixError(msg, fix=f"open results/{profile.name} where make book PROFILE={profile.name} made it")
        return layout
