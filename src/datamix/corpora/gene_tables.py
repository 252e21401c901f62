"""The table that maps symbols of genes to Ensembl ids, for files that nobody has described yet."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd

from datamix.corpora.fetch import fetch
from datamix.corpora.inventory import local_files
from datamix.project.errors import DatamixError
from datamix.project.manifest import read_manifest
from datamix.project.profile_files import project_root
from datamix.sources.registry import reader

GENE_TABLE = "genes_ensembl"
"""The dataset of the manifest with Ensembl's genes."""


@cache
def gene_table(root: Path, *, say: Callable[[str], None] = print) -> pd.DataFrame:
    """Read the project's table of Ensembl's genes, after fetching it where it is not there.

    Parameters
    ----------
    root
        The project's folder.
    say
        Called with a line a file that arrives.

    Returns
    -------
    Columns `gene` and `symbol`, a row a symbol.

    Raises
    ------
    DatamixError
        If it can be had neither from a mirror nor from the internet.
    """
    entry = read_manifest(root).dataset(GENE_TABLE)
    fetch(GENE_TABLE, entry, root=root, say=say)
    files, _ = local_files(GENE_TABLE, entry, root=root)
    table: pd.DataFrame = reader(entry.reader, options=entry.options, dataset_id=GENE_TABLE)(files, **entry.options)
    return table


def gene_table_if_any() -> pd.DataFrame | None:
    """Read the table of the project that this is run in; None where there is none, or it cannot be had."""
    try:
        return gene_table(project_root(), say=_silent)
    except DatamixError:
        return None


def _silent(_: str) -> None:
    pass
