"""What each notebook made when it ran last: its panels and values. Nothing else is published or quoted."""

from collections.abc import Collection, Mapping
from pathlib import Path

from datamix.project.files import read_json, write_json


def outputs_of(folder: Path, notebook: str) -> Path:
    """Return the file that lists what a notebook made (json: `panels`, their names; `values`, their keys)."""
    return folder / "notebooks" / f"{notebook}.json"


def stamps(folder: Path, notebook: str) -> dict[str, int]:
    """Return when each panel of a notebook was drawn, by name, and, under "", when its values were recorded (ns)."""
    drawn = {path: _what_drew(path) for path in (folder / "panels").glob("*.json")}
    found = {panel: path.stat().st_mtime_ns for path, (panel, by) in drawn.items() if by == notebook}
    values = folder / "values" / f"{notebook}.json"
    return found | ({"": values.stat().st_mtime_ns} if values.is_file() else {})


def _what_drew(described: Path) -> tuple[str, str]:
    """Return panel and notebook; two empty names where the description has been damaged: whoever drew it will again."""
    try:
        made = read_json(described)
    except ValueError:
        made = None
    found = made if isinstance(made, dict) else {}
    return str(found.get("panel", "")), str(found.get("notebook", ""))


def declare_outputs(folder: Path, notebook: str, *, before: Mapping[str, int]) -> Path:
    """List what a notebook made in the run that has just ended, and remove what only earlier runs made.

    Parameters
    ----------
    folder
        `results/<profile>`.
    notebook
        Its name.
    before
        What `stamps` returned before the run.

    Returns
    -------
    The list, `notebooks/<notebook>.json`.
    """
    after = stamps(folder, notebook)
    for name in {name for name, stamp in after.items() if before.get(name) == stamp}:
        left = (folder / "panels").glob(f"fig{name}.*") if name else [folder / "values" / f"{notebook}.json"]
        for path in left:
            path.unlink()
        del after[name]
    values = read_json(folder / "values" / f"{notebook}.json") if "" in after else {}
    path = outputs_of(folder, notebook)
    write_json(path, {"panels": sorted(name for name in after if name), "values": sorted(values)})
    return path


def panels_made(folder: Path, notebooks: Collection[str]) -> dict[str, str]:
    """Return the panels that notebooks made when they ran last: name → notebook."""
    lists = {notebook: outputs_of(folder, notebook) for notebook in notebooks}
    return {panel: of for of, path in lists.items() if path.is_file() for panel in read_json(path)["panels"]}
