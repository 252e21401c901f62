"""Readers: one function a published format, found by the name that the manifest gives.

A reader of cells is a plain function `read(files, *, skip=0, block_cells=20_000, **options)` that yields AnnData blocks
in a fixed order: X = CSR raw counts over all genes of the source, `obs_names` = the source's own cell names, and in
`obs` what it knows of `cell_type`, `donor` and `dataset`. The first `skip` blocks are passed over without being read.
`uns["cells_in_all"]`, where a block has it, is the number of cells that all blocks have together.
`files` maps the manifest's file names to paths, `options` are those of the manifest entry. A reader that knows the two
protocols has a keyword `protocol`, which the profile sets.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from datamix.errors import DatamixError

READERS: dict[str, str] = {
    "r_data": "datamix.sources.r_data:read_r_data",
    "h5ad": "datamix.sources.h5ad:read_h5ad",
    "simulated": "datamix.sources.simulated:simulated",
    "gene_table": "datamix.sources.gene_table:read_gene_table",
    "gmt": "datamix.sources.gmt:read_gmt",
    "sctab": "datamix.sources.sctab:read_sctab",
    "census": "datamix.sources.census:read_census",
    "cancer_atlas": "datamix.sources.cancer_atlas:read_cancer_atlas",
    "cancer_atlas_aggregate": "datamix.sources.cancer_atlas:read_cancer_atlas_aggregate",
    "perturb_seq": "datamix.sources.perturb_seq:read_perturb_seq",
    "tf_atlas": "datamix.sources.tf_atlas:read_tf_atlas",
    "brain_atlas": "datamix.sources.brain_atlas:read_brain_atlas",
    "prepared": "datamix.sources.zenodo_prepared:read_prepared",
    "gtex": "datamix.sources.gtex:read_gtex",
    "geneformer_dictionaries": "datamix.sources.geneformer_dictionaries:read_geneformer_dictionaries",
}
"""Name in the manifest: `module:function`, imported when it is asked for."""


def reader(name: str, *, options: Mapping[str, Any], dataset_id: str) -> Callable[..., Any]:
    """Return a reader, after checking that it knows the options.

    Parameters
    ----------
    name
        A key of `READERS`.
    options
        The options of the manifest entry.
    dataset_id
        Its id, for the message.

    Raises
    ------
    DatamixError
        If there is no such reader, or it has no such option.
    """
    if name not in READERS:
        msg = f"Dataset '{dataset_id}' asks for the reader '{name}', which does not exist."
        raise DatamixError(msg, fix=f"choose one of {', '.join(sorted(READERS))} in data_manifest.yaml")
    module, function = READERS[name].split(":")
    read = getattr(importlib.import_module(module), function)
    parameters = [p for p in inspect.signature(read).parameters.values() if p.kind is p.KEYWORD_ONLY]
    accepted = [p.name for p in parameters if p.name not in {"skip", "block_cells", "protocol"}]
    unknown = sorted(set(options) - set(accepted))
    missing = [p.name for p in parameters if p.name in accepted and p.default is p.empty and p.name not in options]
    if unknown or missing:
        problems = [f"has no option '{o}'" for o in unknown] + [f"needs the option '{o}'" for o in missing]
        msg = f"Dataset '{dataset_id}': the reader '{name}' {' and '.join(problems)}."
        raise DatamixError(msg, fix=f"edit its options in data_manifest.yaml; it knows {', '.join(accepted) or 'none'}")
    return read


def source_files(name: str) -> list[str]:
    """Return the files of a reader's module and of the modules of this package that it imports, directly or not.

    They are relative to the working folder where they lie below it. An unknown reader has none.
    """
    folder = Path(__file__).parent
    pending = [READERS[name].split(":")[0].rsplit(".", 1)[1]] if name in READERS else []
    found: set[Path] = set()
    while pending:
        path = folder / f"{pending.pop()}.py"
        if path.is_file() and path not in found:
            found.add(path)
            pending += re.findall(
                r"^\s*from datamix\.sources\.(\w+) import", path.read_text("utf-8"), flags=re.MULTILINE
            )
    here = Path.cwd()
    return sorted(str(path.relative_to(here) if path.is_relative_to(here) else path) for path in found)
