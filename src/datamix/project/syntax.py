"""A module's source as what it defines, what it imports and what runs on import; words are left out."""

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

Target = tuple[str, str | None]
"""Where an import leads: a module, and the name in it (nothing: the module itself)."""


@dataclass(frozen=True)
class Source:
    """A source file."""

    name: str
    """As it is imported, `datamix.ldvae.grid`; of a script, its stem."""
    names: dict[str, list[ast.stmt]] = field(default_factory=lambda: defaultdict(list))
    """What it defines, by name."""
    imports: dict[str, list[Target]] = field(default_factory=lambda: defaultdict(list))
    """What its names stand for, where they come from elsewhere; those of functions are in `facts_of`."""
    on_import: list[ast.stmt] = field(default_factory=list)
    """What else runs on import."""


def read_source(path: Path, name: str) -> Source:
    """Read a source file without comments and docstrings; again only where it has changed."""
    status = path.stat()
    return _read(path, name, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1024)
def _read(path: Path, name: str, _changed: int, _size: int) -> Source:
    source = Source(name)
    tree = _WithoutWords().visit(ast.parse(path.read_text(encoding="utf-8")))
    source.imports.update(_imports(tree.body, name))
    for statement in tree.body:
        bound = list(bound_by(statement))
        for one in bound:
            source.names[one].append(statement)
        if isinstance(statement, ast.If) and getattr(statement.test, "id", "") == "TYPE_CHECKING":
            source.imports.update(_imports(statement.body, name))
        elif not bound and not isinstance(statement, ast.Import | ast.ImportFrom):
            source.on_import.append(statement)
            source.imports.update(_imports(ast.walk(statement), name))
    return source


def _imports(nodes: Iterable[ast.AST], name: str) -> dict[str, list[Target]]:
    found: dict[str, list[Target]] = defaultdict(list)
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]].append((alias.name, None))
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                msg = f"{name} has a relative import, whose target is not looked for: write the whole name"
                raise ValueError(msg)
            for alias in node.names:
                found[alias.asname or alias.name].append((node.module or "", alias.name))
    return found


def bound_by(statement: ast.stmt) -> Iterator[str]:
    """Name what a definition or an assignment binds."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


class _WithoutWords(ast.NodeTransformer):
    """Takes out docstrings."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Drop a statement that is only a string."""
        words = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if words else self.generic_visit(node)


@dataclass
class Facts:
    """What a statement says."""

    shape: str = ""
    """Its syntax tree without annotations, places, and what differs between versions of Python."""
    names: set[str] = field(default_factory=set)
    attributes: set[tuple[str, str]] = field(default_factory=set)
    """`("training", "train_together")` for `training.train_together`; what follows an expression has no name before."""
    annotated: set[str] = field(default_factory=set)
    """Names that stand in annotations."""
    strings: set[str] = field(default_factory=set)
    imports: dict[str, list[Target]] = field(default_factory=dict)
    """Imports within it."""


@lru_cache(maxsize=50_000)
def facts_of(statement: ast.stmt) -> Facts:
    """Read what a statement says; once for each."""
    facts = Facts(imports=_imports(ast.walk(statement), "a function"))
    facts.shape = json.dumps(_shape(statement, facts))
    return facts


def names_in(annotation: ast.AST) -> set[str]:
    """Name what stands in an annotation, in its strings too."""
    nodes = list(ast.walk(annotation))
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    words = {word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text)}
    return words | {node.id for node in nodes if isinstance(node, ast.Name)}


def _shape(node: Any, facts: Facts) -> Any:
    """Write a syntax tree as lists, and note what it names."""
    if isinstance(node, list):
        return [_shape(one, facts) for one in node]
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            facts.strings.add(node.value)
        return ["Constant", repr(node.value)]
    if not isinstance(node, ast.AST):
        return node
    if isinstance(node, ast.Attribute):
        before = node.value.id if isinstance(node.value, ast.Name) else ""
        facts.attributes.add((before, node.attr))
        if before:
            return ["Attribute", before, node.attr]
    if isinstance(node, ast.Name):
        facts.names.add(node.id)
    written: list[Any] = [type(node).__name__]
    for name, value in ast.iter_fields(node):
        if value is None or value == [] or name in {"ctx", "simple"}:
            continue
        if name in {"annotation", "returns"}:
            facts.annotated |= names_in(value)
        else:
            written.append([name, _shape(value, facts)])
    return written
