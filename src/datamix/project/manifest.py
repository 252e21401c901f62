"""The manifest: all datasets by id, those of a profile of one's own among them."""

import difflib
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from datamix.project.dataset import Dataset
from datamix.project.errors import DatamixError
from datamix.project.profile import Profile
from datamix.project.profile_files import project_root
from datamix.project.settings import Settings, require_plain_name
from datamix.project.yaml import describe, read_yaml

MANIFEST = "data_manifest.yaml"
"""Its file in the project's folder."""


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
            if name in self._tables_behind(dataset):
                table = dataset.gene_table
                msg = f"{name!r} names the gene table {table!r}, which comes back to it and is no table of genes"
                raise ValueError(msg)
        return self

    def _tables_behind(self, dataset: Dataset) -> list[str]:
        """Follow gene tables that name gene tables, to the last one or round once."""
        found: list[str] = []
        while (name := dataset.gene_table) in self.datasets and name not in found:
            found.append(name)
            dataset = self.datasets[name]
        return found

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


def read_manifest(root: Path | None = None, profile: Profile | None = None) -> Manifest:
    """Read `data_manifest.yaml`, and the datasets that a profile brings itself.

    Parameters
    ----------
    root
        The project's folder; nothing means the one found from here upwards.
    profile
        The profile whose `datasets` are to be known, too.

    Returns
    -------
    The validated, frozen manifest.

    Raises
    ------
    DatamixError
        If the file is missing or not a valid manifest, or the profile's datasets do not fit it.
    """
    manifest = read_yaml((root or project_root()) / MANIFEST, Manifest)
    if profile is None or not profile.own_datasets:
        return manifest
    config = f"config/{profile.name}.yaml"
    twice = sorted(set(manifest.datasets) & set(profile.own_datasets))
    if twice:
        msg = f"{config} names a dataset {', '.join(twice)}, as data_manifest.yaml does; which is meant is not clear."
        raise DatamixError(msg, fix=f"give it another name, under `datasets` in {config} and where it is used there")
    try:
        return Manifest(datasets=manifest.datasets | profile.own_datasets)
    except ValidationError as error:
        msg = f"{config}: {describe(error)}."
        raise DatamixError(msg, fix=f"edit `datasets` in {config}") from error
