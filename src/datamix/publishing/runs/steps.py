"""The steps of the workflow, each a command of `datamix`: what makes its result stale."""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from datamix.corpora import prepare
from datamix.project.files import sha256
from datamix.project.fingerprint import fields_used, fingerprint
from datamix.project.manifest import Manifest
from datamix.project.profile import Profile

_COMMAND_LINE = ("datamix.cli:app", "datamix.cli:composition", "datamix.cli:geneformer")
_PROFILE = "datamix.project.profile:Profile"


@cache
def code(command: str, *also: str | Path) -> str:
    """Fingerprint what a command runs.

    Parameters
    ----------
    command
        The name of its function in `datamix.cli`.
    also
        Further entries of `datamix.project.fingerprint.fingerprint`, such as a notebook's script.
    """
    return fingerprint(f"datamix.cli:{command}", *also, without=_COMMAND_LINE)


@cache
def _fields(command: str) -> set[str]:
    return fields_used(f"datamix.cli:{command}", of=_PROFILE, without=_COMMAND_LINE)


def settings(command: str, profile: Profile, *, without: Iterable[str] = ()) -> str:
    """Return, as json, the settings of a profile that a command's code reads.

    Labels, titles and notes are left out, and of what a rule has a file each, the list: of seeds, only the first
    counts, which draws the evaluation cells; of Geneformer, neither seeds nor baselines; of mixtures by shares, no
    seeds.

    Parameters
    ----------
    command
        The name of its function in `datamix.cli`.
    profile
        The profile.
    without
        Fields that it does not read, though their names stand in its code.
    """
    used = _fields(command) - set(without)
    content = {name: value for name, value in profile.content().items() if name in used}
    if "seeds" in content:
        content["seeds"] = content["seeds"][:1]
    if content.get("geneformer") is not None:
        content["geneformer"] = {k: v for k, v in content["geneformer"].items() if k not in {"seeds", "baselines"}}
    if content.get("composition") is not None:
        content["composition"] = {k: v for k, v in content["composition"].items() if k != "seeds"}
    return json.dumps(content)


def corpus(dataset_id: str, manifest: Manifest) -> str:
    """Return, as json, what decides a corpus beside the settings: code, readers included, and the manifest's entry."""
    return json.dumps([prepare.code_of(dataset_id, manifest), manifest.content_of(dataset_id)])


def dataset(dataset_id: str | None, manifest: Manifest) -> str:
    """Return, as json, what decides the content of a dataset that is no corpus; empty where there is none."""
    return "" if dataset_id is None else json.dumps(manifest.content_of(dataset_id))


def sources(profile: Profile, manifest: Manifest) -> str:
    """Return, as json, within which source the names of cells and donors hold: the leakage guard compares them."""
    return json.dumps({dataset_id: manifest.source_of(dataset_id) for dataset_id in profile.datasets})


def content(paths: Iterable[str | Path]) -> str:
    """Return one sha256 of files with their names: what people write is stale by it, as copies may have any time."""
    lines = [f"{path} {sha256(Path(path))}\n" for path in sorted(map(str, paths))]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
