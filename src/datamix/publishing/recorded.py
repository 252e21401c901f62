"""Small tables of a profile's results, kept in the repository, so that the book shows them where it is not run.

They lie in `recorded/<profile>/`: scores aggregated by cell type, the claims, the values, the source data of the
panels, and `provenance.json`, which says what code and data they came from.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from datamix.corpora.prepare import code_of
from datamix.project.errors import DatamixError, NotInProfileError
from datamix.project.files import read_json, replacing, write_json
from datamix.project.fingerprint import fingerprint, imported_by
from datamix.project.manifest import read_manifest
from datamix.project.profile_files import project_root, read_profile
from datamix.project.provenance import UNCOMMITTED, commit, is_clean
from datamix.project.spreadsheets import read_table
from datamix.publishing.contents import list_notebooks
from datamix.publishing.outputs import panels_made
from datamix.publishing.results import Results
from datamix.publishing.run import describe
from datamix.publishing.runs import steps
from datamix.publishing.values import Values
from datamix.publishing.website.carried import write_scores_by_type

COMMANDS = (
    "genes", "gene_sets", "train", "score", "read_out", "hold_out", "collect_scores", "yardsticks",
    "run_composition", "plan_composition",
)  # fmt: skip
"""The commands whose results the notebooks read."""

NOT_OF_THE_PROFILE = ("real_cells", "speed", "paper_size")
"""Notebooks that show the same in every profile."""

NOT_RECORDED = "not recorded so far"
"""What a page says in place of what a record lacks: it was made before, or by a profile that has no such part."""

LARGEST = 2_000_000
"""Bytes that a profile's record may take."""


@dataclass(frozen=True)
class Record:
    """A profile's record, as it is read."""

    folder: Path
    provenance: dict[str, Any]
    """As `datamix.publishing.run.describe` returns it, and the hashes of `code` and `settings`."""

    @property
    def described(self) -> dict[str, Any]:
        """What made it, as `datamix.publishing.run.describe` says it of a run."""
        of_the_record = ("notebook", "code", "settings")
        return {key: value for key, value in self.provenance.items() if key not in of_the_record}

    @property
    def values(self) -> Values:
        """The values that the profile's notebooks recorded."""
        return Values.read(self.folder)

    def table(self, name: str) -> pd.DataFrame:
        """Read a table: `claims`, `scores_by_type`, or the source data of a panel, `panels/fig2a`."""
        return read_table(self.folder / f"{name}.csv")

    def table_if_kept(self, name: str) -> pd.DataFrame | None:
        """Read a table, as `table` does; nothing where the record is older than the table, or it was too long."""
        return self.table(name) if (self.folder / f"{name}.csv").is_file() else None


def code_hash(profile: str, *, root: Path | None = None) -> str:
    """Hash the code that decides the numbers of a profile's record: from the corpora to what the notebooks analyse.

    How they are drawn and worded does not count.
    """
    root = root or project_root()
    settings = read_profile(profile, root)
    datasets, manifest = settings.datasets, read_manifest(root, settings)
    scripts = [root / "notebooks" / f"{name}.py" for name in list_notebooks(root) if name not in NOT_OF_THE_PROFILE]
    analysed = {entry for script in scripts for entry in imported_by(script, "datamix.analysis")}
    made = [code_of(dataset, manifest) for dataset in datasets] + [steps.code(command) for command in COMMANDS]
    return hashlib.sha256("".join([*made, fingerprint(*sorted(analysed))]).encode()).hexdigest()


def settings_hash(profile: str, *, root: Path | None = None) -> str:
    """Hash the settings of a profile that decide results: no labels, titles or notes."""
    return hashlib.sha256(json.dumps(read_profile(profile, root).content()).encode()).hexdigest()


def record_folder(root: Path, profile: str) -> Path:
    """Return where a profile's record lies."""
    return root / "recorded" / profile


def write_record(profile: str, *, root: Path | None = None) -> Path:
    """Keep the small tables of a profile's results; an earlier record is replaced as a whole.

    Parameters
    ----------
    profile
        Its name; its book must have been made.
    root
        The project's folder; found from the current folder upwards when not given.

    Returns
    -------
    The folder, `recorded/<profile>`.

    Raises
    ------
    DatamixError
        If there are no results, or the tables take more than 2 MB; or if the checkout, or that from which a panel was
        drawn, differs from its commit.
    """
    results = Results(profile, notebook="record", root=root)
    claims = results.folder / "claims.csv"
    if not claims.is_file():
        msg = f"{claims} does not exist: the claims of profile {profile} were not tested so far."
        raise DatamixError(msg, fix=f"make book PROFILE={profile}")
    made_at = _require_clean(results)
    target = record_folder(results.root, profile)
    notebooks = [name for name in list_notebooks(results.root) if name not in NOT_OF_THE_PROFILE]
    kept = {*notebooks, *(f"fig{panel}" for panel in panels_made(results.folder, notebooks))}
    with replacing(target) as beside:
        for kind, pattern in (("panels", "*.csv"), ("values", "*.json")):
            (beside / kind).mkdir(parents=True)
            for path in sorted((results.folder / kind).glob(pattern)):
                if path.stem in kept:
                    shutil.copy(path, beside / kind)
        # Where single cells are drawn, the table is long, and not what a record is for.
        for path in (beside / "panels").iterdir():
            if path.stat().st_size > LARGEST / 20:
                path.unlink()
        shutil.copy(claims, beside)
        write_scores_by_type(results, beside)
        made = describe(results, made={"command": f"make record PROFILE={profile}", "commit": made_at}) | {
            "code": code_hash(profile, root=results.root),
            "settings": settings_hash(profile, root=root),
        }
        write_json(beside / "provenance.json", made)
        size = sum(path.stat().st_size for path in beside.rglob("*") if path.is_file())
        if size > LARGEST:
            msg = f"The record of {profile} would take {size:,} bytes, expected at most {LARGEST:,}."
            raise DatamixError(msg, fix="leave more panels out, in datamix.publishing.recorded.write_record")
    return target


def _require_clean(results: Results) -> str:
    """Return the commit; a record says which code made it, so that there must be one, and no changes to it.

    The records themselves may differ: several profiles are recorded one after another.
    """
    profile = results.profile.name
    now = commit(results.root, apart_from="recorded")
    if not is_clean(now):
        msg = f"The checkout's commit is {now}: a record would not say which code made it."
        raise DatamixError(msg, fix=f"commit the changes, then make book PROFILE={profile} and record again")
    drawn = {path.stem: read_json(path)["commit"] for path in sorted((results.folder / "panels").glob("*.json"))}
    other = [name for name, made in drawn.items() if not is_clean(made)]
    if other:
        msg = f"{len(other)} panels of profile {profile} were drawn {UNCOMMITTED}, or outside git: {', '.join(other)}."
        notebooks = f"{results.folder.relative_to(results.root)}/notebooks"
        raise DatamixError(msg, fix=f"rm -r {notebooks}, then make book PROFILE={profile} and record again")
    return now


def is_current(folder: Path, *, root: Path | None = None) -> bool:
    """Say whether a record was made by the code, and with the settings of its profile, as they are now."""
    made = read_json(folder / "provenance.json")
    name = made["profile"]
    return bool(made["code"] == code_hash(name, root=root) and made["settings"] == settings_hash(name, root=root))


def read_record(root: Path, profile: str) -> Record:
    """Read a profile's record.

    Parameters
    ----------
    root
        The project's folder.
    profile
        The profile that was recorded.

    Raises
    ------
    NotInProfileError
        If that profile has not been recorded.
    """
    folder = record_folder(root, profile)
    if not (folder / "provenance.json").is_file():
        msg = f"There is no record of profile {profile} in recorded/."
        raise NotInProfileError(msg, fix=f"make record PROFILE={profile}")
    return Record(folder, read_json(folder / "provenance.json"))


def quote_record(root: Path, profile: str, key: str, *, otherwise: str = NOT_RECORDED) -> str:
    """Quote a value that is text from a profile's record, or say that it has none."""
    value = Values.read(record_folder(root, profile)).get(key)
    return otherwise if value is None else str(value.value)


ABOUT = ("hardware", "versions", "date", "commit")
"""What a file of the benchmark says beside its `rows`: the machine, package versions, day (UTC) and commit."""


def read_benchmark(root: Path, part: str) -> pd.DataFrame:
    """Read one table of the benchmark: as measured on this machine, else as recorded with the project.

    Parameters
    ----------
    root
        The project's folder.
    part
        `training`, `together`, …: `results/bench/<part>.json`, else `recorded/bench/<part>.json`. Files that lack what
        `ABOUT` lists are of an earlier version of the benchmark, and count as not there.

    Returns
    -------
    Its rows; `attrs` has what `ABOUT` lists, and `measured_here` (bool).

    Raises
    ------
    NotInProfileError
        If there is neither.
    """
    for folder in ("results", "recorded"):
        found = _read_complete(root / folder / "bench" / f"{part}.json")
        if found is not None:
            table = pd.DataFrame(found["rows"])
            table.attrs.update({key: found[key] for key in ABOUT}, measured_here=folder == "results")
            return table
    msg = f"The benchmark's part '{part}' is neither in results/bench/ nor in recorded/bench/."
    raise NotInProfileError(msg, fix="make bench")


def record_benchmarks(root: Path) -> list[str]:
    """Keep what this machine measured last with the project: copy `results/bench/*.json` to `recorded/bench/`.

    Returns
    -------
    The parts that were copied. Files of an earlier version of the benchmark are left out.

    Raises
    ------
    DatamixError
        If there is nothing to copy.
    """
    paths = [path for path in sorted((root / "results" / "bench").glob("*.json")) if _read_complete(path) is not None]
    if not paths:
        msg = "There is no measurement in results/bench/ that says machine, versions, day and commit."
        raise DatamixError(msg, fix="make bench")
    for path in paths:
        with replacing(root / "recorded" / "bench" / path.name) as beside:
            shutil.copyfile(path, beside)
    return [path.stem for path in paths]


def _read_complete(path: Path) -> dict[str, Any] | None:
    found = read_json(path) if path.is_file() else {}
    return found if {"rows", *ABOUT} <= found.keys() else None
