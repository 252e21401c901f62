"""YAML read safely: duplicate keys refused, errors that name the file and the key."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from datamix.project.errors import DatamixError

Model = TypeVar("Model", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """The safe loader, refusing a key that stands twice (YAML itself would silently keep the last)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                msg = f"key {key!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, msg, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path, model: type[Model]) -> Model:
    """Read a YAML file into a validated pydantic model.

    Parameters
    ----------
    path
        The file.
    model
        The pydantic model; it should forbid extra keys.

    Returns
    -------
    An instance of `model`.

    Raises
    ------
    DatamixError
        If the file is missing, is not YAML, repeats a key, has an unknown key, lacks one, or has one of the wrong type.
    """
    if not path.is_file():
        msg = f"{path} does not exist."
        raise DatamixError(msg, fix=f"write {path.name}, or choose one of {_siblings(path)}")
    try:
        # _Loader is a SafeLoader.
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.YAMLError as error:
        msg = f"{path} is not valid YAML: {error}"
        raise DatamixError(msg, fix=f"edit {path}") from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_describe(e) for e in error.errors())
        msg = f"{path}: {problems}"
        raise DatamixError(msg, fix=f"edit {path}") from error


def _describe(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "the file"
    if error["type"] == "extra_forbidden":
        return f"unknown key '{where}'"
    if error["type"] == "missing":
        return f"key '{where}' is missing"
    found = "" if isinstance(error["input"], dict | list) else f", found {error['input']!r}"
    return f"'{where}': {error['msg']}{found}"


def _siblings(path: Path) -> str:
    return ", ".join(sorted(p.name for p in path.parent.glob(f"*{path.suffix}"))) or f"none in {path.parent}"
