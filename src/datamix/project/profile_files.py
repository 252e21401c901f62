"""Where the project lies, and the files of its profiles."""

import os
from pathlib import Path

from datamix.project.errors import DatamixError
from datamix.project.profile import Profile
from datamix.project.settings import LONGEST
from datamix.project.yaml import read_yaml

TAKEN = ("bench",)
"""Folders of `results/` and `recorded/` that hold no profile's results."""


def require_profile_name(name: str) -> None:
    """Refuse a name that no profile may have.

    Raises
    ------
    DatamixError
        If results of something else have it, or it is too long for what is called after it.
    """
    if name in TAKEN or len(name) > LONGEST:
        why = f"results/{name} is for something else" if name in TAKEN else f"expected at most {LONGEST} characters"
        msg = f"A profile cannot be called {name}: {why}."
        raise DatamixError(msg, fix="choose another name, for its file, too")


def project_root() -> Path:
    """Return the folder that holds `data_manifest.yaml`.

    It is `DATAMIX_ROOT` where that is set, otherwise the first folder with a manifest from here upwards.

    Raises
    ------
    DatamixError
        If there is none.
    """
    named = os.environ.get("DATAMIX_ROOT")
    folders = [Path(named)] if named else [Path.cwd(), *Path.cwd().parents]
    for folder in folders:
        if (folder / "data_manifest.yaml").is_file():
            return folder.resolve()
    msg = f"No data_manifest.yaml in {folders[0]}" + ("." if named else " or above it.")
    raise DatamixError(msg, fix="run from the project's folder, or set DATAMIX_ROOT to it")


def read_profile(name: str, root: Path | None = None) -> Profile:
    """Read a profile.

    Parameters
    ----------
    name
        `demo`, `mini`, `paper`, or any other file `config/<name>.yaml`; or the path of a YAML file.
    root
        The project's folder; found from the current folder upwards when not given.

    Returns
    -------
    The validated, frozen profile.

    Raises
    ------
    DatamixError
        If there is no such file, or it is not a valid profile.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else (root or project_root()) / "config" / f"{name}.yaml"
    profile = read_yaml(path, Profile)
    require_profile_name(profile.name)
    if profile.name != path.stem:
        msg = f"{path}: 'name' is {profile.name!r}, expected {path.stem!r}, the file's own name."
        raise DatamixError(msg, fix=f"edit {path}")
    return profile
