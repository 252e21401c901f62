"""A module's source as what it defines, what it imports and what runs on import; words are left out."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

ANNOTATIONS = {"annotation", "returns"}
"""The parts of a syntax tree that hold annotations."""

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
    """What its names stand for, where they come from elsewhere; those of functions are in `within`."""
    on_import: list[ast.stmt] = field(default_factory=list)
    """What else runs on import."""

    def within(self, statement: ast.stmt) -> "Source":
        """Return it as a definition sees it: with the imports that stand within that."""
        local = _imports(ast.walk(statement), self.name)
        if not local:
            return self
        names = {name: of for name, of in self.names.items() if name not in local}
        return replace(self, names=names, imports={**self.imports, **local})


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


def shape(node: Any) -> Any:
    """Write a syntax tree as lists, without annotations, places, and what differs between versions of Python."""
    if isinstance(node, list):
        return [shape(one) for one in node]
    if isinstance(node, ast.Constant):
        return ["Constant", repr(node.value)]
    if not isinstance(node, ast.AST):
        return node
    fields = [(name, value) for name, value in ast.iter_fields(node) if name not in {*ANNOTATIONS, "ctx", "simple"}]
    return [type(node).__name__, *([name, shape(v)] for name, v in fields if v is not None and v != [])]
