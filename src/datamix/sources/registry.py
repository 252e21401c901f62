"""Readers: one function a published format, found by the name that the manifest gives.

A reader of cells is a plain function `read(files, *, skip=0, block_cells=20_000, **options)` that yields AnnData blocks
in a fixed order: X = CSR raw counts over all genes of the source, `obs_names` = the source's own cell names, and in
`obs` what it knows of `cell_type`, `donor` and `dataset`. The first `skip` blocks are passed over without being read.
`uns["cells_in_all"]`, where a block has it, is the number of cells that all blocks have together.
`files` maps the manifest's file names to paths, `options` are those of the manifest entry. A reader that knows the two
protocols has a keyword `protocol`, which the profile sets; one that needs disk has a keyword `scratch`, a folder of its
own, which stays until its last block has been taken and is then removed by the caller; one that may need the genes that
all training corpora share has `training_genes`, which are given where
`datamix.corpora.genes.needs_training_genes` says so.
"""

import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from datamix.project.errors import DatamixError
from datamix.project.manifest import Manifest
from datamix.sources.formats.blocks import nearest
from datamix.sources.formats.damage import guarded

READERS: dict[str, str] = {
    "r_data": "datamix.sources.readers.r_data:read_r_data",
    "file": "datamix.sources.readers.file:read_file",
    "h5ad": "datamix.sources.readers.h5ad:read_h5ad",
    "simulated": "datamix.sources.simulator.reader:simulated",
    "gene_table": "datamix.sources.readers.gene_table:read_gene_table",
    "gmt": "datamix.sources.formats.gmt:read_gmt",
    "sctab": "datamix.sources.readers.sctab:read_sctab",
    "cancer_atlas": "datamix.sources.readers.cancer_atlas:read_cancer_atlas",
    "cancer_atlas_aggregate": "datamix.sources.readers.cancer_atlas:read_cancer_atlas_aggregate",
    "perturb_seq": "datamix.sources.readers.perturb_seq:read_perturb_seq",
    "tf_atlas": "datamix.sources.readers.tf_atlas:read_tf_atlas",
    "brain_atlas": "datamix.sources.readers.brain_atlas:read_brain_atlas",
    "prepared": "datamix.sources.readers.zenodo_prepared:read_prepared",
    "gtex": "datamix.sources.readers.gtex:read_gtex",
    "geneformer_dictionaries": "datamix.sources.readers.geneformer_dictionaries:read_geneformer_dictionaries",
}
"""Name in the manifest: `module:function`, imported when it is asked for."""


def reader(name: str, *, options: Mapping[str, Any], dataset_id: str) -> Callable[..., Any]:
    """Return a reader, after checking that it knows the options; what its files may be damaged by, it says.

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
        fix = "choose 'file', which reads counts of cells of any known format, or one of "
        raise DatamixError(msg, fix=f"{fix}{', '.join(sorted(READERS))}, in data_manifest.yaml")
    module, function = READERS[name].split(":")
    read = getattr(importlib.import_module(module), function)
    parameters = [p for p in inspect.signature(read).parameters.values() if p.kind is p.KEYWORD_ONLY]
    given = {"skip", "block_cells", "protocol", "scratch", "training_genes"}
    accepted = [p.name for p in parameters if p.name not in given]
    unknown = sorted(set(options) - set(accepted))
    missing = [p.name for p in parameters if p.name in accepted and p.default is p.empty and p.name not in options]
    if unknown or missing:
        problems = [f"has no option '{o}'" for o in unknown] + [f"needs the option '{o}'" for o in missing]
        msg = f"Dataset '{dataset_id}': the reader '{name}' {' and '.join(problems)}."
        near = nearest(unknown[0], accepted) if unknown else None
        fix = f"edit its options in data_manifest.yaml; it knows {', '.join(accepted) or 'none'}"
        raise DatamixError(msg, fix=f"{fix}; did you mean '{near}'?" if near else fix)
    _require_types(read, options, where=f"Dataset '{dataset_id}': the reader '{name}'")
    return guarded(read)


def _require_types(read: Callable[..., Any], options: Mapping[str, Any], *, where: str) -> None:
    """Hold options against the types that the reader says it takes."""
    hints = get_type_hints(read)
    for option, value in options.items():
        if option not in hints:
            continue
        try:
            # As json: YAML has lists where Python has tuples, and both have texts, numbers and truth values apart.
            TypeAdapter(hints[option]).validate_json(json.dumps(value, default=str), strict=True)
        except ValidationError as error:
            reasons = "; or ".join(dict.fromkeys(e["msg"].lower() for e in error.errors()))
            msg = f"{where} does not take {option}: {value!r} ({reasons})."
            raise DatamixError(msg, fix=f"correct `{option}` in the dataset's options in data_manifest.yaml") from error


def reader_code(dataset_id: str, manifest: Manifest) -> list[str]:
    """Name the functions that read a dataset and its gene table, as entries of `datamix.project.fingerprint`.

    An unknown reader has none: `reader` says so, when it is asked for.
    """
    dataset = manifest.dataset(dataset_id)
    readers = [dataset.reader, *([manifest.dataset(dataset.gene_table).reader] if dataset.gene_table else [])]
    return sorted({READERS[name] for name in readers if name in READERS})
