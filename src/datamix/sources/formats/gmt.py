"""Gene sets in GMT files: a set a line, its name, a description and its genes, separated by tabs."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from datamix.project.errors import DatamixError


def read_gmt(files: Mapping[str, Path]) -> pd.DataFrame:
    """Read gene sets.

    Parameters
    ----------
    files
        One or more GMT files.

    Returns
    -------
    A row a set and gene, columns `source` (the set) and `target` (the gene symbol): what decoupler calls a network.

    Raises
    ------
    DatamixError
        If a line has no gene, or a set stands twice.
    """
    rows: list[tuple[str, str]] = []
    seen: set[str] = set()
    for path in files.values():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if not line.strip():
                continue
            name, *rest = line.split("\t")
            genes = dict.fromkeys(gene.strip() for gene in rest[1:] if gene.strip())
            if not genes or name in seen:
                found = "stands twice" if name in seen else "has no genes"
                msg = f"{path}, line {number}: gene set '{name[:60]}' {found}; expected name, description, genes."
                raise DatamixError(msg, fix=f"replace {path.name} by a GMT file separated by tabs")
            seen.add(name)
            rows += [(name, gene) for gene in genes]
    return pd.DataFrame(rows, columns=["source", "target"])
