"""Docstrings as a page: what a class or function offers, in Markdown, as it is written beside the code."""

import inspect
import re
from importlib import import_module
from typing import Any

from datamix.project.errors import DatamixError

_SECTION = re.compile(r"^(Parameters|Returns|Raises|Yields)\n-+\n", flags=re.MULTILINE)


def describe(name: str) -> list[str]:
    """Return what is said of a function, or of a class and its public members, as lines of Markdown.

    Parameters
    ----------
    name
        `datamix:open`, `datamix.publishing.reuse.book:Book`.

    Raises
    ------
    DatamixError
        If there is no such thing.
    """
    module, _, path = name.partition(":")
    try:
        found = getattr(import_module(module), path)
    except (ImportError, AttributeError) as error:
        msg = f"There is no {name} to describe."
        raise DatamixError(msg, fix="name it module:definition") from error
    if not inspect.isclass(found):
        return _entry(f"{module}.{path}", found)
    lines = [f"**{path}**", "", *_body(found), ""]
    for member, content in vars(found).items():
        if not member.startswith("_") and (callable(content) or isinstance(content, property | classmethod)):
            lines += _entry(f".{member}", content)
        elif not member.startswith("_") and hasattr(content, "func"):  # cached_property
            lines += _entry(f".{member}", property(content.func))
    return lines


def _entry(shown: str, content: Any) -> list[str]:
    function = content.__func__ if isinstance(content, classmethod) else content
    call = "" if isinstance(function, property) else _call(function)
    return [f"`{shown}{call}`", *(f": {line}" if i == 0 else f"  {line}" for i, line in enumerate(_body(function))), ""]


def _call(function: Any) -> str:
    """Write how it is called: names and defaults; what they are stands below."""
    parameters = [p for name, p in inspect.signature(function).parameters.items() if name not in {"self", "cls"}]
    shown, starred = [], False
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            shown.append("*")
            starred = True
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        shown.append(f"{parameter.name}{default}")
    return f"({', '.join(shown)})"


def _body(content: Any) -> list[str]:
    parts = _SECTION.split(inspect.getdoc(content) or "")
    lines = parts[0].strip().splitlines()
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        lines += ["", f"*{title}*", ""]
        if title in {"Parameters", "Raises"}:
            # A name, and what stands indented below it.
            for names, said in re.findall(r"^(\S.*)\n((?:[ \t]+.*\n?|\n)+)", text.strip() + "\n", flags=re.MULTILINE):
                named = ", ".join(f"`{one.strip()}`" for one in names.split(","))
                lines.append(f"* {named}: {' '.join(said.split())}")
        else:
            lines += text.strip().splitlines()
    return lines
