"""Small tables of a profile's results, kept in the repository, so that the book shows them where it is not run.

They lie in `recorded/<profile>/`: scores aggregated by cell type, the claims, the values, the source data of the
panels, and `provenance.json`, which says what code and data they came from.
"""

import hashlib
import shutil
from pathlib import Path

import pandas as pd

from datamix.errors import DatamixError
from datamix.files import read_json, replacing, sha256, write_json
from datamix.results import Results
from datamix.summary import by_cell_type

MADE_BY = (
    "claims", "corpus", "embedding", "evaluation_cells", "fast_kernels", "fast_training", "grid", "key_genes", "latent",
    "ldvae", "mixture", "posterior", "preparation", "programs", "readout", "reconstruction", "summary",
)  # fmt: skip
"""The modules that decide the numbers."""

LARGEST = 2_000_000
"""Bytes that a profile's record may take."""


def code_hash() -> str:
    """Hash the modules that decide the numbers of a record."""
    folder = Path(__file__).parent
    return hashlib.sha256("".join(sha256(folder / f"{name}.py") for name in MADE_BY).encode()).hexdigest()


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
        If there are no results, or the tables take more than 2 MB.
    """
    results = Results(profile, notebook="record", reads=[], root=root)
    (results.folder / "values" / "record.json").unlink()
    claims = results.folder / "claims.csv"
    if not claims.is_file():
        msg = f"{claims} does not exist: the claims of profile {profile} were not tested so far."
        raise DatamixError(msg, fix=f"make book PROFILE={profile}")
    target = record_folder(results.root, profile)
    with replacing(target) as beside:
        for kind, pattern in (("panels", "*.csv"), ("values", "*.json")):
            (beside / kind).mkdir(parents=True)
            for path in sorted((results.folder / kind).glob(pattern)):
                shutil.copy(path, beside / kind)
        # Where single cells are drawn, the table is long, and not what a record is for.
        for path in (beside / "panels").iterdir():
            if path.stat().st_size > LARGEST / 20:
                path.unlink()
        shutil.copy(claims, beside)
        types = [by_cell_type(results.scores(b)).assign(baseline=b) for b in results.profile.baselines]
        pd.concat(types).to_csv(beside / "scores_by_type.csv", index=False, float_format="%.5g", lineterminator="\n")
        corpora = {d: sha256(results.layout.corpus(d)) for d in results.profile.datasets}
        write_json(beside / "provenance.json", {"profile": profile, "code": code_hash(), "corpora": corpora})
        size = sum(path.stat().st_size for path in beside.rglob("*") if path.is_file())
        if size > LARGEST:
            msg = f"The record of {profile} would take {size:,} bytes, expected at most {LARGEST:,}."
            raise DatamixError(msg, fix="leave more panels out, in datamix.recorded.write_record")
    return target


def is_current(folder: Path) -> bool:
    """Say whether a record was made by the code as it is now."""
    return bool(read_json(folder / "provenance.json")["code"] == code_hash())


def read_recorded(root: Path, profile: str, name: str) -> pd.DataFrame | None:
    """Read a table of a profile's record.

    Parameters
    ----------
    root
        The project's folder.
    profile
        The profile that was recorded.
    name
        The table, such as `claims`.

    Returns
    -------
    The table, or None where that profile has not been recorded.
    """
    path = record_folder(root, profile) / f"{name}.csv"
    return pd.read_csv(path, keep_default_na=True) if path.is_file() else None
