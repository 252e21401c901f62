"""The book as an object: its tables, figures, numbers and models, for work of one's own.

`datamix.open` gives one. Tables and figures need neither torch nor scanpy; models and cells do.
"""

import difflib
import re
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from datamix.corpora.unpacking import unpack
from datamix.project.errors import DatamixError
from datamix.project.files import read_json
from datamix.project.layout import Layout
from datamix.project.mixture_names import read_name
from datamix.project.profile import Profile
from datamix.project.profile_files import read_profile
from datamix.project.spreadsheets import read_table
from datamix.publishing.reuse.book_panel import BookPanel
from datamix.publishing.reuse.published import Published, is_address
from datamix.publishing.values import Value, Values
from datamix.publishing.website.site_index import INDEX, SCORES, provenance_of_panels

if TYPE_CHECKING:
    from anndata import AnnData
    from scvi.model import LinearSCVI

CRATE = "ro-crate-metadata.json"
_TABLE = re.compile(r"panels/fig\w+\.csv")


class Book:
    """The results of one profile: everything that its book shows, and what is behind it.

    Parameters
    ----------
    folder
        `results/<profile>`, a record `recorded/<profile>`, or the `site` of a book.
    root
        The folder with `config/<profile>.yaml`; found from the folder upwards when not given.
    published
        The site on a server whose files come to the folder, where it is one.
    """

    def __init__(self, folder: Path, *, root: Path | None = None, published: Published | None = None) -> None:
        self.folder = folder.resolve()
        self._published = published
        self.source = str(self.folder) if published is None else published.address
        if published is None and not (self.folder / "panels").is_dir():
            msg = f"{folder} holds no panels."
            raise DatamixError(msg, fix="name results/<profile>, recorded/<profile>, or an archive; or make book")
        above = [parent for parent in self.folder.parents if (parent / "data_manifest.yaml").is_file()]
        carries = [self.folder] if (self.folder / INDEX).is_file() else []
        self.root = root or next(iter([*carries, *above]), None)
        self._unpacked: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def open(cls, source: str | Path) -> "Book":
        """Open a folder of results, a record, a site or its address, or an archive that `make archive` wrote (zip).

        Raises
        ------
        DatamixError
            If there is no such thing, or it holds no panels.
        """
        if is_address(source):
            published = Published(str(source))
            return cls(published.folder, published=published)
        path = Path(source)
        if path.is_file() and zipfile.is_zipfile(path):
            unpacked = tempfile.TemporaryDirectory(prefix="datamix-")
            inside = Path(unpacked.name) / "book"
            unpack(path, inside)
            book = cls.open(inside)
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
        return provenance_of_panels(self.folder) if self._published is None else self._published.index.provenance

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
            msg = f"There is no config/{name}.yaml above {self.source}, which has labels and colours."
            raise DatamixError(msg, fix="open the folder where it was made, or the archive of make archive")
        self._file(f"config/{name}.yaml")
        return read_profile(name, self.root)

    def _software(self) -> Mapping[str, Any] | None:
        from datamix.publishing.website.citation import read_citation

        self._file("CITATION.cff")
        return None if self.root is None else read_citation(self.root)

    def _file(self, name: str) -> Path:
        """Return a file of the book, from the server where it is on one; it may not exist."""
        return self.folder / name if self._published is None else self._published.file(name)

    def has(self, name: str) -> bool:
        """Whether a file is part of the book: `claims.csv` say; nothing is fetched."""
        return name in self._names()

    def _names(self) -> list[str]:
        """Return the names of all files of a site on a server, and of what lies in the folder of others."""
        if self._published is not None:
            return sorted(self._published.index.files)
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.glob("*")) + [
            f"panels/{path.name}" for path in (self.folder / "panels").iterdir()
        ]

    @cached_property
    def panels(self) -> list[str]:
        """Names of the panels that are here, `2a` say."""
        found = {name[len("panels/fig") : -len(".csv")] for name in self._names() if _TABLE.fullmatch(name)}
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
            msg = f"There is no panel {name} in {self.source}; there are {', '.join(self.panels) or 'none'}."
            raise DatamixError(msg, fix="correct the name")
        described = self._file(f"panels/fig{name}.json")
        made = read_json(described) if described.is_file() else self.provenance
        return BookPanel(name, self.folder / "panels", made, self._profile, self._software, self._panel_file)

    def _panel_file(self, name: str) -> Path:
        return self._file(f"panels/{name}")

    @cached_property
    def values(self) -> Values:
        """All numbers that the book quotes, by key."""
        for name in self._names() if self._published is not None else ():
            if name.startswith("values/"):
                self._file(name)
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

    def cite(self, key: str) -> str:
        """Return an entry of BibTeX for a number: the software with its version, commit, key, profile, data's SWHID.

        Raises
        ------
        DatamixError
            If no such key is recorded, or there is no CITATION.cff where the book was opened.
        """
        from datamix.publishing.website import swhid
        from datamix.publishing.website.citation import bibtex

        software, value = self._software(), self.values[key]
        if software is None:
            msg = "There is no CITATION.cff beside the data_manifest.yaml of this book."
            raise DatamixError(msg, fix="open the results in the project's folder, or an archive")
        data = swhid.of_content(self._file(f"values/{value.notebook}.json").read_bytes())
        return bibtex({**self.provenance, "value": key, "swhid": data}, software)

    def scores(self) -> pd.DataFrame:
        """Return the reconstruction scores.

        Returns
        -------
        Of results, a row a (baseline, mixture, seed, evaluation, cell), with `r2` and others; of a record, a site
        or an archive, quartiles of `r2`, a row a (baseline, evaluation, cell type, mixture).

        Raises
        ------
        DatamixError
            If these are results and `datamix[train]` is not installed, or there are no scores.
        """
        whole = self.folder / "scores" / "reconstruction.parquet"
        if whole.is_file():
            try:
                table = pd.read_parquet(whole)
            except ImportError as error:
                msg = f"{whole.name} is a parquet file, which is read with pyarrow; that is not here."
                raise DatamixError(msg, fix="pip install 'datamix[train]', or open a record") from error
            return table.astype(dict.fromkeys(table.select_dtypes("category"), str))
        in_site = f"site/{SCORES}"  # an archive has no single cells, but what its site carries
        return self._table(in_site if (self.folder / in_site).is_file() else SCORES)

    def claims(self) -> pd.DataFrame:
        """Return the verdict on each claim of the paper, with statistic, interval and threshold."""
        return self._table("claims.csv")

    def ledger(self) -> pd.DataFrame:
        """Return the published numbers beside those of this book, with verdicts."""
        return self._table("ledger.csv")

    def _table(self, name: str) -> pd.DataFrame:
        path = self._file(name)
        if not path.is_file():
            near = difflib.get_close_matches(name, [one for one in self._names() if "/" not in one], n=1)
            msg = f"There is no {name} in {self.source}{f'; there is {near[0]}' if near else ''}."
            raise DatamixError(msg, fix=f"open the results, where make book PROFILE={self.profile_name} wrote it")
        return read_table(path)

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
            If these results hold no such model, as records, archives and sites hold none; or if its file would run
            anything.
        """
        of = self._baseline(mixture, baseline)
        folder = self.folder / "models" / of / f"seed{self.profile.model_seed(seed)}" / mixture
        if not folder.is_dir():
            models = sorted(path.name for path in folder.parent.glob("*") if path.is_dir())
            msg = (
                f"There is no model {mixture} of seed {seed} in {self.source}; there are {', '.join(models) or 'none'}."
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
        from datamix.publishing.reuse.own_models import training_cells

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
        from datamix.publishing.reuse.own_models import score

        return score(layout, predict, name=name, seed=seed)

    def _baseline(self, mixture: str, named: str | None) -> str:
        first = read_name(mixture).first
        baselines = self.profile.baselines
        return named or (first if first in baselines else next(iter(baselines)))

    def _layout(self) -> Layout:
        profile = self.profile
        layout = None if self.root is None else Layout(self.root, profile)
        if layout is None or layout.folder.resolve() != self.folder or not layout.genes.is_file():
            msg = f"{self.source} holds no cells."
            raise DatamixError(msg, fix=f"open results/{profile.name} where make book PROFILE={profile.name} made it")
        return layout


def require_site(layout: Layout) -> Path:
    """Return the folder of a profile's site.

    Raises
    ------
    DatamixError
        If its book has not been made.
    """
    site = layout.folder / "site"
    if not (site / "index.html").is_file():
        msg = f"{site} does not exist: the book of profile {layout.profile.name} has not been made so far."
        raise DatamixError(msg, fix=f"make book PROFILE={layout.profile.name}")
    return site
