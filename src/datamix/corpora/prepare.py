"""Making a corpus: a dataset through its reader, checks, QC and gene names into one h5ad file, block by block."""

import inspect
import json
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from datamix.corpora.corpus import OBS
from datamix.corpora.gene_names import GeneMap, map_genes
from datamix.corpora.genes import common_genes, needs_training_genes
from datamix.corpora.inventory import local_files
from datamix.corpora.plausibility import LEAST_KNOWN_COUNTS, implausible, measure
from datamix.project.dataset import Dataset
from datamix.project.errors import DatamixError, naming
from datamix.project.files import read_json, replacing, write_json
from datamix.project.fingerprint import fingerprint
from datamix.project.layout import Layout
from datamix.project.locks import one_at_a_time
from datamix.project.manifest import MANIFEST, Manifest
from datamix.project.profile import QC, Profile
from datamix.project.progress import progress
from datamix.sources.formats.cell_labels import NOT_LABELLED
from datamix.sources.formats.missing import as_labels
from datamix.sources.formats.raw_counts import require_counts
from datamix.sources.registry import reader, reader_code

_FIXED_MB = 300
"""What Python, the libraries and the slab of a file that is being read take (MB), measured."""
_CELL_BYTES = 256_000
"""What a cell of a block takes: 8,000 counts that are not 0, 8 bytes each, up to four times while it is converted."""
NOT_RECORDED = "not recorded"
"""The donor, where the source names none."""
_CHUNK = 1 << 16
_STORAGE: dict[str, Any] = {
    "chunks": (_CHUNK,),
    "maxshape": (None,),
    "compression": "gzip",
    "compression_opts": 1,
    "shuffle": True,
}
_INT32 = np.iinfo(np.int32).max


def prepare(
    dataset_id: str,
    *,
    profile: Profile,
    manifest: Manifest,
    root: Path,
    block_cells: int | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Make the corpus of a dataset: read, check, measure, filter, name the genes, write.

    Cells are read in blocks; a finished block is kept beside, so that an interrupted preparation goes on where it
    stopped and ends with the same bytes, whatever the size of the blocks. Memory holds one block, and the obs table of
    all cells. A second process that prepares the same corpus of the same profile waits for the first.

    Parameters
    ----------
    dataset_id
        A dataset of cells in the manifest; its files must be there.
    profile
        Its `qc` filters the cells: `total_counts` above `min_counts`, `mito_fraction` below `max_mito`, both strictly
        and both on all genes of the source. Where the reader itself gives these columns, as published, they are kept.
        Its `memory_mb` sets the size of a block.
    manifest
        The manifest.
    root
        The project's folder.
    block_cells
        Cells in a block; nothing means `cells_in_memory(profile.memory_mb)`.
    say
        Called with a line now and then where there is no terminal for a progress bar.

    Returns
    -------
    The h5ad file: X CSR float32 raw counts (n_cells, n_genes), `var` Ensembl ids with `symbol`, `obs` with `cell_type`,
    `donor`, `dataset`, `total_counts` (counts), `mito_fraction` (0 to 1) and what the reader adds; `uns["datamix"]`,
    json, says what it was made from, how its genes were named, what was dropped, and under `notes` what is unlike raw
    counts of cells.

    Raises
    ------
    DatamixError
        If a file is missing or damaged, counts are not raw, cell names repeat, or QC leaves no cell.
    """
    with one_at_a_time(Layout(root, profile).lock(f"corpus-{dataset_id}"), say=say):
        try:
            return _prepare(dataset_id, profile=profile, manifest=manifest, root=root, block_cells=block_cells, say=say)
        except DatamixError as error:
            if dataset_id not in profile.own_datasets:
                raise
            raise error.about_file(MANIFEST, really=f"config/{profile.name}.yaml") from error


def _prepare(
    dataset_id: str,
    *,
    profile: Profile,
    manifest: Manifest,
    root: Path,
    block_cells: int | None,
    say: Callable[[str], None],
) -> Path:
    block_cells = block_cells or cells_in_memory(profile.memory_mb)
    dataset = manifest.dataset(dataset_id)
    if dataset.gene_ids is None:
        msg = f"'{dataset_id}' ({dataset.title}) holds no cells: its manifest entry has no gene_ids."
        raise DatamixError(msg, fix="name a dataset of cells")
    files, inputs = local_files(dataset_id, dataset, root=root)
    read = reader(dataset.reader, options=dataset.options, dataset_id=dataset_id)
    table, table_inputs = _gene_table(dataset, manifest=manifest, root=root)
    # A source may be read as the published scripts read it, or corrected: the profile's switch, not the manifest's.
    options = dict(dataset.options)
    if "protocol" in inspect.signature(read).parameters:
        options["protocol"] = profile.protocol
    if needs_training_genes(dataset, profile):
        # All of them, also where a profile trains on the most variable only.
        corpora = [Layout(root, profile).corpus(training) for training in profile.training_datasets]
        options["training_genes"] = common_genes(corpora)
    made_from = {
        "entry": manifest.content_of(dataset_id),
        "protocol": profile.protocol,
        "qc": profile.qc.model_dump(),
        "inputs": inputs,
        "gene_table": table_inputs,
        "training_genes": options.get("training_genes"),
        "block_cells": block_cells,
        "code": code_of(dataset_id, manifest),
    }
    path = Layout(root, profile).corpus(dataset_id)
    parts = path.with_name(f".{dataset_id}.parts")
    done = _finished(parts, made_from)
    if "scratch" in inspect.signature(read).parameters:
        options["scratch"] = parts / "scratch"
    genes: GeneMap | None = None
    blocks = read(files, skip=done, block_cells=block_cells, **options)
    cells_done = sum(_read_facts(part)["cells_read"] for part in _list_parts(parts))
    with warnings.catch_warnings(), progress(dataset_id, unit="cells", done=cells_done, say=say) as advance:
        # Genes of a source may have the same name; map_genes deals with them.
        warnings.filterwarnings("ignore", message="Variable names are not unique")
        for number, block in enumerate(_naming_blocks(blocks, done, where=f"{dataset_id} ({', '.join(files)})"), done):
            genes = genes or map_genes(block.var, gene_ids=dataset.gene_ids, table=table, where=dataset_id)
            # fault 3: a reader marks such blocks, and only where the published protocol takes them.
            raw = not (profile.protocol == "published" and block.uns.get("log_normalised", False))
            kept = _filter(block, genes, dataset_id=dataset_id, files=files, qc=profile.qc, raw=raw)
            with replacing(parts / f"{number:06d}.h5ad") as beside:
                kept.write_h5ad(beside)
            advance(block.n_obs, block.uns.get("cells_in_all"))
    facts = {
        "id": dataset_id,
        "simulated": dataset.access == "simulated",
        "protocol": profile.protocol,
        "qc": profile.qc.model_dump(),
        "inputs": inputs,
        "gene_table": table_inputs,
    }
    record = _join(_list_parts(parts), path, dataset_id=dataset_id, facts=facts, qc=profile.qc)
    shutil.rmtree(parts)
    for line in _summary(record):
        say(f"{dataset_id}: {line}")
    return path


def _naming_blocks(blocks: Iterator[ad.AnnData], done: int, *, where: str) -> Iterator[ad.AnnData]:
    """Give the blocks of a reader; an error that it did not foresee gets a note of the block."""
    for number in count(done):
        with naming(f"{where}, block {number + 1} of its cells"):
            block = next(blocks, None)
        if block is None:
            return
        yield block


def cells_in_memory(memory_mb: int) -> int:
    """Say how many cells a block may have where a preparation may take so much memory (MB)."""
    return max(100, (memory_mb - _FIXED_MB) * 1_000_000 // _CELL_BYTES)


def _gene_table(dataset: Dataset, *, manifest: Manifest, root: Path) -> tuple[pd.DataFrame | None, dict[str, str]]:
    if dataset.gene_table is None:
        return None, {}
    entry = manifest.dataset(dataset.gene_table)
    files, inputs = local_files(dataset.gene_table, entry, root=root)
    read = reader(entry.reader, options=entry.options, dataset_id=dataset.gene_table)
    found = None if entry.gene_ids is not None else read(files, **entry.options)
    if not (isinstance(found, pd.DataFrame) and {"gene", "symbol"} <= set(found.columns)):
        kind = "holds cells" if entry.gene_ids is not None else f"is read by '{entry.reader}'"
        msg = f"gene_table names '{dataset.gene_table}' ({entry.title}), which {kind} and is no table of genes."
        raise DatamixError(msg, fix="name a dataset with the reader 'gene_table' in data_manifest.yaml")
    return found, inputs


def _summary(record: Mapping[str, Any]) -> Iterator[str]:
    """Say in a line what a corpus holds, and in one each what is unusual."""
    named = ", ".join(f"{how}: {n:,}" for how, n in record["genes_named_by"].items())
    left_out = ", ".join(f"{why}: {n:,}" for why, n in record["genes_dropped"].items() if n)
    yield (
        f"{record['cells_kept']:,} of {record['cells_read']:,} cells and {record['genes_kept']:,} of "
        f"{record['genes_read']:,} genes ({named}{'; left out, ' if left_out else ''}{left_out})"
    )
    yield from (f"note: {note}" for note in record["notes"])


def code_of(dataset_id: str, manifest: Manifest) -> str:
    """Fingerprint the code that makes a corpus: what is done here, and the readers of the dataset and its gene table.

    Blocks of another version are not gone on with, and the workflow makes the corpus again.
    """
    return fingerprint("datamix.corpora.prepare:prepare", *reader_code(dataset_id, manifest))


def _finished(parts: Path, made_from: Mapping[str, Any]) -> int:
    """Count the blocks of an interrupted run, after throwing away those made from something else."""
    key = parts / "made_from.json"
    if parts.exists() and not (key.is_file() and read_json(key) == made_from):
        shutil.rmtree(parts)
    if not parts.exists():
        write_json(key, made_from)
    for left_over in parts.glob(".*"):
        left_over.unlink()
    return len(_list_parts(parts))


def forget_blocks(dataset_id: str, *, profile: Profile, root: Path) -> None:
    """Remove the blocks that a preparation left which cannot be gone on with."""
    parts = Layout(root, profile).corpus(dataset_id).with_name(f".{dataset_id}.parts")
    shutil.rmtree(parts, ignore_errors=True)


def _list_parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.h5ad"))


def _filter(
    block: ad.AnnData, genes: GeneMap, *, dataset_id: str, files: Mapping[str, Path], qc: QC, raw: bool
) -> ad.AnnData:
    """Measure and filter the cells of a block, and keep the genes that have an Ensembl id."""
    counts = sparse.csr_matrix(block.X, dtype=np.float32)
    if not counts.has_canonical_format:
        counts = counts.copy()  # a row may name a gene twice: its counts are one
        counts.sum_duplicates()
    _require_same_genes(block.var_names.equals(genes.source), dataset_id=dataset_id)
    if raw:
        where = f"{dataset_id} ({', '.join(files) or 'no files'})"
        require_counts(counts, cells=block.obs_names, genes=block.var_names, where=where)
    _require_unique(block.obs_names, dataset_id=dataset_id)
    total = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    mito = np.asarray(counts[:, np.flatnonzero(genes.mito)].sum(axis=1, dtype=np.float64)).ravel()
    obs = block.obs.copy()
    if "total_counts" not in obs:
        obs["total_counts"] = total
    if "mito_fraction" not in obs:
        obs["mito_fraction"] = np.divide(mito, total, out=np.zeros_like(mito), where=total > 0)
    for column, missing in (("cell_type", NOT_LABELLED), ("donor", NOT_RECORDED), ("dataset", dataset_id)):
        obs[column] = as_labels(obs[column], missing=missing) if column in obs else missing
    obs = obs[[*OBS, *(c for c in obs.columns if c not in OBS)]]
    obs.index = pd.Index([f"{dataset_id}:{name}" for name in block.obs_names], dtype=object)
    kept = np.flatnonzero((obs["total_counts"] > qc.min_counts) & (obs["mito_fraction"] < qc.max_mito))
    chosen = counts[kept][:, genes.columns]
    chosen.sort_indices()
    facts = {
        "cells_read": len(obs),
        "genes_read": block.n_vars,
        "genes_dropped": genes.dropped,
        "genes_named_by": genes.named_by,
        "mito_genes": int(genes.mito.sum()),
        "known_counts": float(counts[:, np.flatnonzero(genes.known)].sum(dtype=np.float64)),
        "notes": [str(note) for note in block.uns.get("notes", ())],
        "highest_total": float(obs["total_counts"].max()),
        "lowest_mito": float(obs["mito_fraction"].min()),
        "raw": raw,
        **measure(counts.data, total, mito),
    }
    var = pd.DataFrame({"symbol": genes.symbols}, index=pd.Index(genes.genes, dtype=object))
    return ad.AnnData(chosen, obs=obs.iloc[kept].copy(), var=var, uns={"facts": json.dumps(facts)})


def _require_same_genes(same: bool, *, dataset_id: str) -> None:  # noqa: FBT001
    if not same:
        msg = f"{dataset_id}: its reader gave blocks with different genes."
        raise DatamixError(msg, fix="correct the reader: every block has all genes of the source, in one order")


def _require_unique(names: pd.Index, *, dataset_id: str) -> None:
    repeated = names[names.duplicated()]
    if len(repeated):
        msg = f"{dataset_id}: cell name '{repeated[0]}' stands more than once ({len(repeated):,} repeats in all)."
        fix = "a corpus needs unique cell names: name the column of their samples (name_with: donor, say) "
        raise DatamixError(msg, fix=fix + "in the dataset's options in data_manifest.yaml")


def _join(parts: Sequence[Path], path: Path, *, dataset_id: str, facts: Mapping[str, Any], qc: QC) -> dict[str, Any]:
    """Put the blocks of a corpus into one file, with one block's counts in memory at a time."""
    if not parts:
        msg = f"{dataset_id}: its reader found no cells."
        raise DatamixError(msg, fix="check the files and the options of the dataset in data_manifest.yaml")
    found = [_read_facts(part) for part in parts]
    frames = [_read_part(part, "obs") for part in parts]
    # A block of which QC kept nothing has columns without a type.
    obs = pd.concat([frame for frame in frames if len(frame)] or frames[:1])
    if obs.empty:
        total, lowest = max(f["highest_total"] for f in found), min(f["lowest_mito"] for f in found)
        msg = (
            f"{dataset_id}: QC keeps none of {sum(f['cells_read'] for f in found):,} cells. It wants total_counts "
            f"above {qc.min_counts:g} (the highest is {total:g}) and mito_fraction below {qc.max_mito:g} (the lowest "
            f"is {lowest:.3f})."
        )
        raise DatamixError(msg, fix="change qc in the profile, or leave the dataset out")
    _require_unique(obs.index, dataset_id=dataset_id)
    for column in obs.select_dtypes(["object", "category"]).columns:
        text = obs[column].astype(object).where(obs[column].notna(), "").astype(str)
        obs[column] = pd.Categorical(text, categories=sorted(text.unique()))
    var = _read_part(parts[0], "var")
    _require_same_genes(all(var.equals(_read_part(part, "var")) for part in parts), dataset_id=dataset_id)
    counts, known = sum(f["counts"] for f in found), sum(f["known_counts"] for f in found)
    if known < LEAST_KNOWN_COUNTS * counts:
        msg = f"{dataset_id}: {known / counts:.1%} of its counts lie in genes with a known name; expected at least "
        msg += f"{LEAST_KNOWN_COUNTS:.0%}."
        raise DatamixError(msg, fix="check what names the genes, and the dataset's gene_ids and gene_table")
    raw = all(f["raw"] for f in found)
    unlike = implausible(found, totals=obs["total_counts"].to_numpy(), max_mito=qc.max_mito) if raw else []
    record = {
        **facts,
        "cells_read": sum(f["cells_read"] for f in found),
        "cells_kept": len(obs),
        "genes_read": found[0]["genes_read"],
        "genes_kept": len(var),
        "genes_dropped": found[0]["genes_dropped"],
        "genes_named_by": found[0]["genes_named_by"],
        "mito_genes": found[0]["mito_genes"],
        "notes": [*dict.fromkeys(note for f in found for note in f["notes"]), *unlike],
    }
    if not raw:
        record["log_normalised"] = True
    with replacing(path) as beside, h5py.File(beside, "w") as file:
        uns = {"datamix": json.dumps(record, sort_keys=True, ensure_ascii=False)}
        ad.io.write_elem(file, "/", ad.AnnData(obs=obs, var=var, uns=uns))
        file.pop("X", None)
        _write_counts(file.create_group("X"), parts, shape=(len(obs), len(var)))
        file.close()  # before it is moved
    return record


def _write_counts(group: h5py.Group, parts: Sequence[Path], *, shape: tuple[int, int]) -> None:
    """Write the CSR matrix of all blocks, each chunk once, so that the size of the blocks leaves no trace."""
    lengths = np.concatenate([np.diff(_read_part(part, "X/indptr")) for part in parts])
    entries = int(lengths.sum())
    index_type = np.int32 if entries < _INT32 else np.int64
    group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": shape})
    for name, kind in (("data", np.float32), ("indices", index_type)):
        target = group.create_dataset(name, shape=(entries,), dtype=kind, **_STORAGE)
        start = 0
        for slab in _slabs(_read_part(part, f"X/{name}") for part in parts):
            target[start : start + len(slab)] = slab
            start += len(slab)
    group.create_dataset("indptr", data=np.concatenate([[0], np.cumsum(lengths)]).astype(index_type), **_STORAGE)


def _slabs(pieces: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """Cut a series of arrays anew, into pieces of 16 chunks; the last may be shorter."""
    size, waiting = 16 * _CHUNK, np.empty(0)
    for piece in pieces:
        waiting = np.concatenate([waiting, piece]) if len(waiting) else piece
        whole = len(waiting) // size * size
        yield from np.split(waiting[:whole], max(1, whole // size)) if whole else ()
        waiting = waiting[whole:].copy()
    if len(waiting):
        yield waiting


def _read_part(part: Path, name: str) -> Any:
    """Read one element of a block: `obs`, `var`, `uns/facts`, or an array of X."""
    with h5py.File(part, "r") as file:
        return ad.io.read_elem(file[name])


def _read_facts(part: Path) -> dict[str, Any]:
    return json.loads(_read_part(part, "uns/facts"))
