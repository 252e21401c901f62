"""YAML read safely: duplicate keys and bombs of aliases refused, errors that name the file and the key."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from datamix.project.errors import DatamixError

Model = TypeVar("Model", bound=BaseModel)


LARGEST = 5_000_000
"""Bytes of a file of settings; the project's own manifest has some ten thousands."""
MOST_ENTRIES = 100_000
"""Entries of a file, those counted again that an alias repeats: a short file can stand for billions."""
SAID = 5
"""Problems of a file that are said at a time."""


class _Loader(yaml.SafeLoader):
    """The safe loader, refusing a key that stands twice (YAML itself would silently keep the last), and bombs."""

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            _count(node, {})
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                msg = "a list or mapping cannot be a key"
                raise yaml.constructor.ConstructorError(None, None, msg, key_node.start_mark)
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
    try:
        there = path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        there = False
    if not there:
        what = "is a folder, expected a file" if len(path.name) < 256 and path.is_dir() else "does not exist"
        msg = f"{_shown(str(path), 300)} {what}."
        raise DatamixError(msg, fix=f"write {_shown(path.name)}, or choose one of {_siblings(path)}")
    content = _parse(path)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        msg = f"{path}: {describe(error)}"
        raise DatamixError(msg, fix=f"edit {path}") from error


def describe(error: ValidationError) -> str:
    """Say what is wrong with settings, in the words of this project; of many problems, the first."""
    problems = error.errors()
    more = f"; and {len(problems) - SAID} more" if len(problems) > SAID else ""
    return "; ".join(_describe(problem) for problem in problems[:SAID]) + more


def _parse(path: Path) -> Any:
    if path.stat().st_size > LARGEST:
        msg = f"{path} has {path.stat().st_size:,} bytes, expected at most {LARGEST:,}: it is no file of settings."
        raise DatamixError(msg, fix="name the right file")
    try:
        # _Loader is a SafeLoader.
        return yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Loader)
    except UnicodeDecodeError as error:
        msg = f"{path} is not text in UTF-8 ({error.reason} at byte {error.start})."
        raise DatamixError(msg, fix="save it as UTF-8") from error
    except yaml.YAMLError as error:
        lines = "\n".join(_shown(line.expandtabs(2), 200) for line in str(error).splitlines())
        msg = f"{path} is not valid YAML: {lines}"
        raise DatamixError(msg, fix=f"edit {path}") from error
    except RecursionError as error:
        msg = f"{path} is not valid here: it is nested too deep."
        raise DatamixError(msg, fix=f"edit {path}") from error
    except (ValueError, OverflowError) as error:  # a date that does not exist, a number that has no end
        msg = f"{path} has a value that cannot be read: {error}"
        raise DatamixError(msg, fix=f"edit {path}; text that looks like a date or a number stands in quotes") from error


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the entries that a node stands for, those of its aliases again each time."""
    if id(node) in known:
        if not known[id(node)]:  # it is being counted
            msg = "an alias stands within what it repeats"
            raise yaml.composer.ComposerError(None, None, msg, node.start_mark)
        return known[id(node)]
    known[id(node)] = 0
    inside = node.value if isinstance(node, yaml.SequenceNode | yaml.MappingNode) else []
    children = [child for pair in inside for child in (pair if isinstance(pair, tuple) else (pair,))]
    known[id(node)] = found = 1 + sum(_count(child, known) for child in children)
    if found > MOST_ENTRIES:
        msg = f"it stands for more than {MOST_ENTRIES:,} entries, by aliases that repeat one another"
        raise yaml.composer.ComposerError(None, None, msg, node.start_mark)
    return found


def _describe(error: Any) -> str:
    where = _shown(".".join(str(part) for part in error["loc"])) or "the file"
    if error["type"] == "extra_forbidden":
        return f"unknown key '{where}'"
    if error["type"] == "missing":
        return f"key '{where}' is missing"
    found = "" if isinstance(error["input"], dict | list) else f", found {_shown(repr(error['input']))}"
    return f"'{where}': {_shown(error['msg'], 400)}{found}"


def _shown(text: str, longest: int = 100) -> str:
    """Make text fit for a message: one line that a terminal does nothing with, and not a long one."""
    plain = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return plain if len(plain) <= longest else f"{plain[:longest]}…"


def _siblings(path: Path) -> str:
    return ", ".join(sorted(p.name for p in path.parent.glob(f"*{path.suffix}"))) or f"none in {path.parent}"
