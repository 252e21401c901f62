"""The manifest: what each dataset is, where its files are, and which reader understands them."""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, model_validator

from datamix.project.errors import DatamixError
from datamix.project.profile import project_root
from datamix.project.settings import ForReaders, Settings, require_plain_name
from datamix.project.yaml import read_yaml

T = TypeVar("T")
Aside = Annotated[T, ForReaders()]
"""What the workflow, people and the book are told of a dataset; its corpus is the same whatever stands there."""


class Citation(Settings):
    """The publication to cite."""

    text: str
    doi: Annotated[str, Field(pattern=r"^10\.\d{4,}/\S+$")] | None = None


class File(Settings):
    """One file of a dataset, as it is published; nothing (null) stands for what is not known."""

    name: Annotated[str, Field(pattern=r"^[^/\\]+$")]
    """Its name under `data/<dataset>/`, by which the reader asks for it."""
    url: Aside[str | None] = None
    bytes: Annotated[int, Field(ge=0)] | None = None
    about_gb: Aside[Annotated[float, Field(ge=0)] | None] = None
    """An estimate of its size, for planning, where `bytes` is not known."""
    unpacked_gb: Aside[Annotated[float, Field(ge=0)] | None] = None
    """An estimate of what its content takes, where it is unpacked."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """A file without one is pinned when it first arrives."""
    steps: Aside[str | None] = None
    """How a person gets it, where a plain download is not possible."""
    unpack: bool = False
    """An archive (zip, tar) or a .gz file whose content, not itself, is what the reader is given."""

    @model_validator(mode="after")
    def _can_be_had(self) -> "File":
        if self.name in {".", ".."}:
            msg = f"{self.name!r} is not a file name"
            raise ValueError(msg)
        if self.url is None and self.steps is None:
            msg = f"file {self.name!r} has neither url nor steps"
            raise ValueError(msg)
        return self


class Dataset(Settings):
    """An entry of the manifest."""

    title: Aside[str]
    reader: str
    """A name in `datamix.sources.registry.READERS`."""
    gene_ids: Literal["ensembl", "symbol"] | None = None
    """What the genes are named by; nothing where the dataset holds no cells."""
    gene_table: str | None = None
    """The dataset (a gene table) that maps its symbols to Ensembl ids."""
    source: str | None = None
    """Datasets of one source name cells and donors alike: the same name, the same cell or donor. Nothing: its own."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the reader."""
    access: Literal["open", "registration", "application", "simulated"]
    accession: Aside[str | None] = None
    licence: Aside[str]
    citation: Aside[Citation]
    organism: Aside[str | None] = None
    assay: Aside[str | None] = None
    notes: Aside[str] = ""
    work_gb: Aside[Annotated[float, Field(ge=0)] | None] = None
    """An estimate of the disk that its corpus, and what is kept beside while that is made, take."""
    files: Annotated[tuple[File, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _is_whole(self) -> "Dataset":
        if self.gene_ids == "symbol" and self.gene_table is None:
            msg = "genes named by symbol need a gene_table"
            raise ValueError(msg)
        if not self.files and self.access != "simulated":
            msg = "a dataset that is not simulated needs files"
            raise ValueError(msg)
        names = [file.name for file in self.files]
        if len(set(names)) < len(names):
            msg = "two files have the same name"
            raise ValueError(msg)
        return self


class Manifest(Settings):
    """All datasets by id."""

    datasets: dict[str, Dataset]

    @model_validator(mode="after")
    def _names_are_known(self) -> "Manifest":
        for name, dataset in self.datasets.items():
            require_plain_name(name, what="dataset id")
            if dataset.gene_table is not None and dataset.gene_table not in self.datasets:
                msg = f"dataset {name!r} names the gene table {dataset.gene_table!r}, which is not a dataset"
                raise ValueError(msg)
        return self

    def dataset(self, dataset_id: str) -> Dataset:
        """Return the dataset with this id.

        Raises
        ------
        DatamixError
            If there is none; the message lists ids like it.
        """
        if dataset_id not in self.datasets:
            near = difflib.get_close_matches(dataset_id, self.datasets, n=3) or sorted(self.datasets)
            msg = f"The manifest has no dataset '{dataset_id}'."
            raise DatamixError(msg, fix=f"choose one like {', '.join(near)}, or add it to data_manifest.yaml")
        return self.datasets[dataset_id]

    def source_of(self, dataset_id: str) -> str:
        """Return the source within which a dataset's cell and donor names hold: its `source`, else its own id."""
        return self.dataset(dataset_id).source or dataset_id

    def content_of(self, dataset_id: str) -> dict[str, Any]:
        """Return what decides a dataset's content, as plain values: its entry and that of its gene table.

        Not the words for readers, nor where files are to be had: their sha256 counts. `source` does not either; it says
        how names compare between datasets, which is the leakage guard's.
        """
        dataset = self.dataset(dataset_id)
        content = {key: value for key, value in dataset.content().items() if key != "source"}
        return content | {"gene_table": self.content_of(dataset.gene_table) if dataset.gene_table else None}


def read_manifest(root: Path | None = None) -> Manifest:
    """Read `data_manifest.yaml`.

    Parameters
    ----------
    root
        The project's folder; nothing means the one found from here upwards.

    Returns
    -------
    The validated, frozen manifest.

    Raises
    ------
    DatamixError
        If the file is missing or not a valid manifest.
    """
    return read_yaml((root or project_root()) / "data_manifest.yaml", Manifest)
