"""A notebook's run: what panels and values say of what made them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from datamix.project.files import read_json
from datamix.project.profile import Profile
from datamix.project.provenance import commit, versions


class Run(Protocol):
    """A notebook's run, as far as panels and values need it; `datamix.publishing.results.Results` is one."""

    @property
    def folder(self) -> Path:
        """`results/<profile>`."""

    @property
    def notebook(self) -> str:
        """The notebook's name, without suffix."""

    @property
    def profile(self) -> Profile:
        """The profile it runs on."""

    @property
    def datasets(self) -> Mapping[str, str]:
        """Ids of the datasets behind it, each with the hash of its files."""


def redraw_command(run: Run) -> str:
    """Return the shell command that runs the notebook again, with what it needs."""
    return f"make figure FIG={run.notebook} PROFILE={run.profile.name}"


def describe(run: Run, *, made: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Describe what made a result, for a JSON file beside it.

    Wall time is not part of it, so that the same inputs give the same bytes: `wall_time` reads it from the notebook.

    Parameters
    ----------
    run
        The notebook's run.
    made
        Entries that differ from what the run says of itself: `seeds` where only some models are shown, or all that
        describes the run of which recorded tables are shown.

    Returns
    -------
    `notebook`, `profile`, `protocol`, `simulated`, `commit`, `datasets` (id and 8 digits of the hash each), `seeds`,
    `versions` and `command`.

    Raises
    ------
    ValueError
        If `made` has an entry that no description has.
    """
    profile = run.profile
    described = {
        "notebook": run.notebook,
        "profile": profile.name,
        "protocol": profile.protocol,
        "simulated": profile.simulated,
        "commit": commit(),
        "datasets": [{"id": name, "hash": digest[:8]} for name, digest in run.datasets.items()],
        "seeds": list(profile.seeds),
        "versions": versions(),
        "command": redraw_command(run),
    }
    if unknown := set(made or ()) - set(described):
        msg = f"A description of what made a result has no {', '.join(sorted(unknown))}; it has {', '.join(described)}."
        raise ValueError(msg)
    return described | dict(made or {})


def wall_time(notebook: Path) -> float | None:
    """Return how long an executed notebook took, in seconds.

    Parameters
    ----------
    notebook
        An `.ipynb` that papermill executed.

    Returns
    -------
    Seconds, or None where the file is missing or papermill has not executed it.
    """
    if not notebook.is_file():
        return None
    return read_json(notebook).get("metadata", {}).get("papermill", {}).get("duration")
