"""What code a result depends on: one hash of all that a function reaches in this package, and nothing else.

From a function on, every definition that its source names is followed through the package, imports within functions
included. What is found is hashed as a syntax tree: comments, docstrings, line breaks and annotations leave no trace. Of
an object only the members that are used count: a path added to `Layout` makes nothing stale. A file of data beside the
modules counts where a definition names it in a string.

Settings and input files are not code: whoever compares hashes compares those by their content, as well.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path

from datamix.project.syntax import Facts, Source, Target, bound_by, facts_of, names_in, read_source

PACKAGE = Path(__file__).parents[1]

DECIDES_NOTHING = (
    "datamix.project.errors",
    "datamix.project.progress",
    "datamix.project.locks",
    "datamix.project.provenance",
    "datamix.project.fingerprint",
    "datamix.project.syntax",
    # Settings and files count by what is in them, not by how they come in.
    "datamix.project.yaml",
    "datamix.project.settings",
    "datamix.project.manifest",
    "datamix.project.dataset",
    "datamix.project.profile_files",
    "datamix.corpora.inventory",
    "datamix.corpora.fetch",
    # A corpus names its own reader among its entries: see `datamix.corpora.prepare.code_of`.
    "datamix.sources.registry",
)
"""What is not followed, since no result differs by it."""

_CALLED_BY_NAME = {"property", "cached_property", "classmethod", "staticmethod"}


def fingerprint(*entries: str | Path, without: Iterable[str] = (), package: Path = PACKAGE) -> str:
    """Hash the code that entries reach.

    Parameters
    ----------
    entries
        `datamix.ldvae.grid:train_baseline`, a definition; `datamix.publishing.website.site`, a whole module; or the
        path of a script, such as a notebook.
    without
        Modules, packages and definitions that are not followed, beside `DECIDES_NOTHING`.
    package
        The folder of the package `datamix`.

    Returns
    -------
    64 hexadecimal digits, the same for every version of Python that the package runs on.

    Raises
    ------
    ValueError
        If there is no such module or definition.
    """
    found = reached(*entries, without=without, package=package)
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def reached(*entries: str | Path, without: Iterable[str] = (), package: Path = PACKAGE) -> dict[str, str]:
    """Return what `fingerprint` hashes: `module:definition`, or the path of a file of data → a hash of its content."""
    found = _walk(entries, without=without, package=package).found
    return {name: hashlib.sha256("\n".join(parts).encode()).hexdigest() for name, parts in found.items()}


def fields_used(*entries: str | Path, of: str, without: Iterable[str] = (), package: Path = PACKAGE) -> set[str]:
    """Name the fields of a class, `datamix.project.profile:Profile` say, that the code reads of such an object."""
    fields = _walk(entries, without=without, package=package).fields
    return {key.rpartition(".")[2] for key in fields if key.startswith(f"{of}.")}


def imported_by(script: Path, wing: str) -> list[str]:
    """List what a script imports from a part of the package, `datamix.analysis` say, as entries of `fingerprint`."""
    imports = [target for targets in read_source(script, script.stem).imports.values() for target in targets]
    inside = [(module, name) for module, name in imports if f"{module}.{name}".startswith(f"{wing}.")]
    return sorted({module if name is None else f"{module}:{name}" for module, name in inside})


def _walk(entries: Iterable[str | Path], *, without: Iterable[str], package: Path) -> "_Walk":
    walk = _Walk(package, (*DECIDES_NOTHING, *without))
    for entry in entries:
        if isinstance(entry, Path):
            walk.follow_whole(read_source(entry, entry.stem))
        else:
            walk.enter(entry)
    walk.follow_members()
    return walk


class _Walk:
    """What has been found so far: a name → the shapes of its statements."""

    def __init__(self, package: Path, without: tuple[str, ...]) -> None:
        self.package, self.without = package, without
        self.source = cache(self._source)
        self.found: dict[str, list[str]] = {}
        self.attributes: set[str] = set()
        self.classes: dict[str, tuple[Source, ast.ClassDef]] = {}
        self.remembered: set[str] = set()
        self.fields: set[str] = set()
        data = (p for p in package.rglob("*") if p.is_file() and p.suffix != ".py" and "__pycache__" not in p.parts)
        self.data = {path.name: path for path in data}

    def enter(self, entry: str) -> None:
        """Follow an entry given by name."""
        name, _, definition = entry.partition(":")
        source = self.source(name)
        if source is None or (definition and definition not in {*source.names, *source.imports}):
            msg = f"there is no {entry} in {self.package}"
            raise ValueError(msg)
        if definition:
            self.follow(source, definition)
        else:
            self.follow_whole(source)

    def is_left_out(self, key: str) -> bool:
        """Say whether a definition, or the module that it stands in, is not followed."""
        return any(key == out or key.startswith((f"{out}:", f"{out}.")) for out in self.without)

    def _source(self, name: str) -> Source | None:
        """Read a module of the package; None where there is no such one."""
        path = self.package.parent.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        inside = name.partition(".")[0] == self.package.name and path.is_file()
        return read_source(path, name) if inside else None

    def follow(self, source: Source, name: str) -> None:
        """Take in a name of a module, and what it names in turn."""
        key = f"{source.name}:{name}"
        if name not in source.names:
            for target in source.imports.get(name, []):
                self.follow_import(key, target)
        elif key not in self.found and not self.is_left_out(key):
            self.found[key] = []
            self.touch(source)
            for statement in source.names[name]:
                plain = isinstance(statement, ast.ClassDef) and self.is_plain(source, statement)
                self.take(source, key, self.without_methods(source, key, statement) if plain else statement)

    def follow_import(self, key: str, target: Target) -> None:
        """Take in what an import gives; a module that is passed on as such is taken in whole."""
        name, definition = target
        source = self.source(name)
        if source is None:
            self.found[f"{key} {name}"] = [definition or ""]  # of another package
            return
        submodule = self.source(f"{name}.{definition}") if definition else None
        if submodule is not None:
            self.follow_whole(submodule)
        elif definition is not None and definition in {*source.names, *source.imports}:
            self.follow(source, definition)
        else:
            self.follow_whole(source)

    def follow_whole(self, source: Source) -> None:
        """Take in all that a module defines."""
        for name in source.names:
            self.follow(source, name)
        self.touch(source)

    def touch(self, source: Source) -> None:
        """Take in what runs when a module is imported, its packages' part included."""
        key = f"{source.name}:"
        if key in self.found or self.is_left_out(key):
            return
        self.found[key] = []
        for statement in source.on_import:
            self.take(source, key, statement)
        above = self.source(source.name.rpartition(".")[0]) if "." in source.name else None
        if above is not None:
            self.touch(above)

    def take(self, source: Source, key: str, node: ast.stmt) -> None:
        """Take in a statement under a key, and what it names."""
        facts = facts_of(node)
        self.found[key].append(facts.shape)
        self.attributes |= {attribute for _, attribute in facts.attributes}
        for name in facts.names:
            self.resolve(source, facts, name)
        for name, attribute in facts.attributes:
            modules = self.modules_called(facts.imports.get(name) or source.imports.get(name, []))
            for module in modules:
                self.follow_import(key, (module, attribute))
            if name and not modules:
                self.resolve(source, facts, name)
        for name in facts.strings & self.data.keys():
            path = self.data[name]
            where = path.relative_to(self.package.parent).as_posix()
            self.found[where] = [hashlib.sha256(path.read_bytes()).hexdigest()]
        for name in facts.annotated:
            self.remember(source, name, local=facts.imports)

    def resolve(self, source: Source, facts: Facts, name: str) -> None:
        """Follow a name that stands in a statement: an import within it, or the module's."""
        for target in facts.imports.get(name, []):
            self.follow_import(f"{source.name}:{name}", target)
        if name not in facts.imports:
            self.follow(source, name)

    def modules_called(self, targets: Iterable[Target]) -> list[str]:
        """List the modules of the package that a name stands for, as in `training.train_together`."""
        names = [name if definition is None else f"{name}.{definition}" for name, definition in targets]
        return [name for name in names if self.source(name) is not None]

    def remember(self, source: Source, name: str, *, local: Mapping[str, list[Target]] | None = None) -> None:
        """Remember a class that an annotation names, wherever it is from: its members count where they are used."""
        key = f"{source.name}:{name}"
        if key in self.remembered and name not in (local or {}):
            return
        self.remembered.add(key)
        for origin, definition in (local or {}).get(name) or source.imports.get(name, []):
            module = self.source(origin)
            if module is not None and definition is not None:
                self.remember(module, definition)
        for statement in source.names.get(name, []):
            if isinstance(statement, ast.ClassDef):
                self.classes[key] = (source, statement)
                for base in statement.bases:
                    self.remember_all(source, base)
            elif isinstance(statement, ast.Assign) and not isinstance(statement.value, ast.Name):  # list[Class], say
                self.remember_all(source, statement.value)

    def remember_all(self, source: Source, annotation: ast.AST) -> None:
        """Remember the classes that an annotation names."""
        for name in names_in(annotation):
            self.remember(source, name)

    def is_plain(self, source: Source, cls: ast.ClassDef) -> bool:
        """Say whether no other package can call a class's methods: it derives from no class of theirs."""
        for base in cls.bases:
            above = [s for s in source.names.get(getattr(base, "id", ""), []) if isinstance(s, ast.ClassDef)]
            if not above or not all(self.is_plain(source, one) for one in above):
                return False
        return True

    def without_methods(self, source: Source, key: str, cls: ast.stmt) -> ast.stmt:
        """Return a class without the methods that are called by name only: each counts where it is used."""
        assert isinstance(cls, ast.ClassDef)
        self.classes.setdefault(key, (source, cls))
        return _without_methods(cls)

    def follow_members(self) -> None:
        """Take in the used members of all objects, until nothing new turns up."""
        before = None
        while before != (before := (len(self.found), len(self.attributes), len(self.classes))):
            for key, (source, cls) in list(self.classes.items()):
                if not self.is_left_out(key):
                    for member in cls.body:
                        for name in self.attributes & set(bound_by(member)):
                            self.use(source, key, name, member)

    def use(self, source: Source, key: str, name: str, member: ast.stmt) -> None:
        """Take in a member of an object; of a field, only its type, since its value is handed in."""
        whole = f"{key}.{name}"
        if isinstance(member, ast.AnnAssign):
            self.fields.add(whole)
            self.remember_all(source, member.annotation)
        elif whole not in self.found:
            self.found[whole] = []
            self.take(source, whole, member)


@lru_cache(maxsize=10_000)
def _without_methods(cls: ast.ClassDef) -> ast.ClassDef:
    kept = [member for member in cls.body if not _is_called_by_name(member)]
    return ast.ClassDef(cls.name, cls.bases, cls.keywords, kept, cls.decorator_list)


def _is_called_by_name(member: ast.stmt) -> bool:
    if not isinstance(member, ast.FunctionDef) or member.name.startswith("__"):
        return False
    return all(getattr(decorator, "id", None) in _CALLED_BY_NAME for decorator in member.decorator_list)
