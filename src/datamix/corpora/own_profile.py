"""A profile of one's own cells: from files and what they are for to `config/<name>.yaml`, with nothing asked."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from datamix.corpora.cell_folders import files_of
from datamix.corpora.evaluation_sets import LEAST_CELLS
from datamix.corpora.fetch import fetch
from datamix.corpora.gene_tables import gene_table
from datamix.corpora.inspection import Inspection, inspect_cells
from datamix.corpora.inspection_words import describe
from datamix.corpora.labels_beside import tables_beside
from datamix.corpora.own_choices import (
    Part,
    Role,
    choose_cells,
    choose_qc,
    count_shared_genes,
    hold_out_donors,
)
from datamix.corpora.own_profile_text import Choices, profile_text
from datamix.corpora.own_shares import choose_shares
from datamix.project.errors import DatamixError
from datamix.project.files import replacing, sha256
from datamix.project.manifest import Manifest, read_manifest
from datamix.project.profile import QC, Profile
from datamix.project.profile_files import require_profile_name
from datamix.project.settings import NAME
from datamix.project.yaml import read_yaml

GENE_SETS = "hallmark"
"""The dataset of the manifest whose gene sets Figure 4 looks for."""
_LONGEST_OF_SET = 40  # mixtures have the names of all their sets, and so have files
_ENDINGS = r"(?i)(?:\.(?:h5ad|h5mu|h5|hdf5|zarr|loom|rds|rda|rdata|csv|tsv|txt|gct|mtx|gz|zip|tar|tgz))+$"


def new_profile(
    name: str,
    *,
    baseline: str,
    added: Sequence[str],
    evaluations: Sequence[str],
    root: Path,
    say: Callable[[str], None] = print,
) -> Path:
    """Look into files of cells and write a profile that trains on them and is scored on others.

    Nothing is copied or moved: the profile names each file by its path and its sha256.

    Parameters
    ----------
    name
        Of the profile.
    baseline
        The file, or folder, of the corpus to which the others are added: `FILE` or `name=FILE`.
    added
        The files that are added to it, in the same form; without any, the baseline is held against its control only.
    evaluations
        The files on whose cells the models are scored.
    root
        The project's folder.
    say
        Called with each line of what was found and chosen.

    Returns
    -------
    The file, `config/<name>.yaml`.

    Raises
    ------
    DatamixError
        If there is such a profile, a file cannot be used, or models would be scored on cells that they were trained on.
    """
    path = root / "config" / f"{name}.yaml"
    if re.fullmatch(r"[A-Za-z0-9_-]+", name) is None:
        msg = f"A profile cannot be called {name!r}: letters (a to z, A to Z), digits, - and _ only."
        raise DatamixError(msg, fix="choose another name")
    require_profile_name(name)
    if path.exists():
        msg = f"{path} exists: a profile of this name is there already."
        raise DatamixError(msg, fix="choose another name, or edit that profile")
    if not evaluations:
        msg = "There is no --on: no model would be scored."
        raise DatamixError(msg, fix="give at least one file to score models on (--on FILE)")
    roles: list[tuple[Role, str]] = [("baseline", baseline)]
    roles += [("added", text) for text in added] + [("evaluation", text) for text in evaluations]
    manifest = read_manifest(root)
    parts = hold_out_donors(_look_into(_named(roles), manifest=manifest, root=root, say=say))
    qc = choose_qc(parts)
    cells, whole = choose_cells(parts, qc=qc)
    for part in parts:
        if part.role == "evaluation" and (n := int(part.cells(qc).sum())) < LEAST_CELLS:
            msg = (
                f"{part.path}: {n or 'no'} cell passes the filters; to be scored on, '{part.name}' needs {LEAST_CELLS}."
            )
            raise DatamixError(msg, fix="give another file with --on")
    genes, fewest, tested_genes = count_shared_genes(parts)
    sizes = {p.name: int(p.cells(qc).sum()) for role in ("baseline", "added") for p in parts if p.role == role}
    shares, gene_sets = choose_shares(sizes), _gene_sets(manifest, root=root, say=say)
    choices = Choices(name, parts, qc, cells, whole, shares, genes, fewest, tested_genes, gene_sets)
    with replacing(path) as beside:
        beside.write_text(profile_text(choices, root=root), encoding="utf-8")
        read_manifest(root, read_yaml(beside, Profile))
    for line in choices.told():
        say(line)
    return path


def _named(roles: Sequence[tuple[Role, str]]) -> list[tuple[Role, str, Path]]:
    """Take `name=FILE` apart; a file that is given alone is called after itself."""
    found: list[tuple[Role, str, Path]] = []
    for role, text in roles:
        before, sign, after = text.partition("=")
        given = bool(sign) and not Path(text).exists()
        if given and (re.fullmatch(NAME, before) is None or len(before) > _LONGEST_OF_SET):
            msg = f"'{before}' cannot be the name of a set, as in {text}."
            what = f"letters (a to z, A to Z), digits and _, a letter first, at most {_LONGEST_OF_SET} of them"
            raise DatamixError(msg, fix=f"use {what}: name=FILE")
        # Not resolved: a link may lead to a store in which files have names of their own.
        path = Path(os.path.abspath(Path(after if given else text).expanduser()))  # noqa: PTH100
        name = before if given else _plain(path.name)
        trained = role != "evaluation"
        if any(name == other and (kind != "evaluation") == trained for kind, other, _ in found):
            if given or trained:
                msg = f"Two sets are called '{name}'; the second is {path}."
                raise DatamixError(msg, fix=f"give each a name of its own: name={path}")
            name = next(n for i in range(2, 1000) if (n := f"{name}_{i}") not in {o for _, o, _ in found})
        found.append((role, name, path))
    return found


def _plain(file_name: str) -> str:
    """Make a name of a file's: letters, digits and underscores, and no more than a figure has room for."""
    stem = re.sub(r"[^A-Za-z0-9]+", "_", re.sub(_ENDINGS, "", file_name)).strip("_").lower()
    stem = stem if re.fullmatch(NAME, stem) else f"set_{stem}"
    return stem[:_LONGEST_OF_SET].rstrip("_")


def _look_into(
    named: Sequence[tuple[Role, str, Path]], *, manifest: Manifest, root: Path, say: Callable[[str], None]
) -> list[Part]:
    counts = {path for _, _, path in named}
    looked: dict[Path, tuple[Inspection, dict[str, str]]] = {}
    parts: list[Part] = []
    for role, name, path in named:
        if path not in looked:
            say(f"{path}")
            files = files_of(path)
            beside = [table for table in tables_beside(path) if table.resolve() not in counts]
            found = inspect_cells(files, gene_table=lambda: gene_table(root, say=say), beside=beside, say=say)
            for line in describe(found, qc=QC()):
                say(line)
            if found.problem is not None:
                raise found.problem
            if found.name_with == "":
                msg = f"{path}: names of cells repeat, and no column tells these cells apart."
                raise DatamixError(msg, fix="give each cell a name of its own, its sample in front, say")
            looked[path] = found, {file: sha256(place) for file, place in found.all_files.items()}
        taken = {*manifest.datasets, *(part.dataset for part in parts)}
        ids = (name, f"{name}_{'evaluated' if role == 'evaluation' else 'own'}", *(f"{name}_{i}" for i in range(2, 99)))
        dataset = next(i for i in ids if i not in taken)
        parts.append(Part(role, name, dataset, path, looked[path][1], looked[path][0]))
    return parts


def _gene_sets(manifest: Manifest, *, root: Path, say: Callable[[str], None]) -> str | None:
    """Fetch the gene sets for Figure 4; None where they cannot be had, which stops nothing."""
    try:
        fetch(GENE_SETS, manifest.dataset(GENE_SETS), root=root, say=say)
    except DatamixError as error:
        say(f"Figure 4 is left without gene sets: {error.problem}")
        return None
    return GENE_SETS
