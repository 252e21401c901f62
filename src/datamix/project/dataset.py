"""A dataset: what it is, where its files are, and which reader understands them."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, model_validator

from datamix.project.settings import ForReaders, Settings

LONGEST_NAME = 200
"""Bytes of a file's name: file systems take 255, and endings come after it."""
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
    path: Aside[str | None] = None
    """Where a file of one's own lies, from the project's folder on, or a folder of such files: it is read there, and
    neither fetched nor copied."""
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
        if self.name.startswith(".") or len(self.name.encode()) > LONGEST_NAME or not self.name.isprintable():
            msg = (
                f"{self.name[:40]!r} is no file name that is taken here: no dot in front, only what can be printed, "
                f"{LONGEST_NAME} bytes at most"
            )
            raise ValueError(msg)
        for where in (self.path, self.url):
            if where is not None and (not where.isprintable() or not where.strip()):
                msg = f"{where!r} is neither a path nor an address"
                raise ValueError(msg)
        if self.path is None and self.url is None and self.steps is None:
            msg = f"file {self.name!r} has neither path nor url nor steps"
            raise ValueError(msg)
        if self.path is not None and (self.url is not None or self.unpack):
            msg = f"file {self.name!r} lies at a path of its own, where it is neither fetched nor unpacked"
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
    access: Literal["open", "registration", "application", "simulated", "own"]
    """`own`: files of one's own, of which neither licence nor citation is asked."""
    accession: Aside[str | None] = None
    licence: Aside[str] = ""
    citation: Aside[Citation | None] = None
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
        if self.access != "own" and not (self.licence and self.citation):
            msg = "a dataset needs a licence and a citation; of files of one's own (access: own) none is asked"
            raise ValueError(msg)
        names = [file.name for file in self.files]
        if len(set(names)) < len(names):
            msg = "two files have the same name"
            raise ValueError(msg)
        return self
