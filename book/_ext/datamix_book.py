"""Sphinx extension of the book: {val}, {panel}, {claims}, {faults}, what a profile says, {docstrings}, mathematics.

It finds the profile's results in the folder above the staged source, which `datamix.publishing.website.site` lays out.
"""

import re
from pathlib import Path
from typing import Any

import pandas as pd
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

from datamix.project.errors import DatamixError
from datamix.project.manifest import read_manifest
from datamix.project.profile_files import read_profile
from datamix.publishing.contents import list_notebooks
from datamix.publishing.outputs import panels_made
from datamix.publishing.values import Values
from datamix.publishing.website.cited_numbers import numbers_to_cite
from datamix.publishing.website.docstrings import describe
from datamix.publishing.website.faults import FAULTS, faults_shown
from datamix.publishing.website.pages import (
    asked,
    claims_html,
    control,
    datasets_table,
    figure_html,
    front_maps,
    mathml,
    missing_list,
    read_panel,
)

logger = logging.getLogger(__name__)


def results_folder(env: BuildEnvironment) -> Path:
    return Path(env.srcdir).parent


class Val(SphinxRole):
    """Print a recorded value: `key:.2f`, or `key|published:.2f` for what the paper reports in its place."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Look the value up."""
        folder = results_folder(self.env)
        for path in (folder / "values").glob("*.json"):
            self.env.note_dependency(str(path))
        try:
            text = Values.read(folder, notebooks=list_notebooks(folder.parent.parent)).quote(self.text)
        except DatamixError as error:
            logger.warning("{val}: %s", error, location=self.get_location(), type="datamix", subtype="val")
            text = f"⚠ {self.text}"
        key = re.split(r"[:|]", self.text)[0].strip()
        return [nodes.inline(self.rawtext, text, classes=["value"], key=key)], []


def anchor_values(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Make the first place of a page that quotes a value one that can be linked, `#value-fig2.cells`; list them."""
    anchored: dict[str, str] = {}
    for node in doctree.findall(nodes.inline):
        key = node.get("key")
        if key is None or key in anchored or not node.astext().strip():  # a sentence that has nothing to say
            continue
        ancestor: Any = node
        while ancestor is not None and not isinstance(ancestor, nodes.title):
            ancestor = ancestor.parent
        if ancestor is None:  # a title stands in every sidebar, too
            node["ids"].append(f"value-{key}")
            anchored[key] = node.astext()
    folder = results_folder(app.env)
    values = Values.read(folder, notebooks=list_notebooks(folder.parent.parent)) if anchored else {}
    known = {key: words for key, words in anchored.items() if key in values}
    listed = numbers_to_cite(known, values, folder=folder) if known else ""
    if listed:
        last = next(reversed([one for one in doctree.children if isinstance(one, nodes.section)]), doctree)
        last += nodes.raw("", listed, format="html")


class panel(nodes.Element, nodes.General):
    """A figure panel; its children are the caption."""


class Panel(SphinxDirective):
    """Show a saved panel, named by its number, with caption, source line and downloads."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Read the panel and set its caption."""
        name = self.arguments[0]
        folder = results_folder(self.env)
        try:
            described = read_panel(folder, name, made=panels_made(folder, list_notebooks(folder.parent.parent)))
        except DatamixError as error:
            logger.warning("{panel}: %s", error, location=self.get_location(), type="datamix", subtype="panel")
            return []
        for path in (
            *(folder / "panels" / f"fig{name}.{of}" for of in ("json", "csv")),
            folder / "notebooks" / f"{described['notebook']}.ipynb",
        ):
            self.env.note_dependency(str(path))
        node = panel(ids=[f"fig-{name.lower()}"], described=described)
        caption, messages = self.state.inline_text(described["caption"], self.lineno)
        node += nodes.inline("", "", *caption)
        self._label(node["ids"][0], f"Figure {name}", own_page=f"notebooks/{described['notebook']}")
        return [node, *messages]

    def _label(self, label: str, words: str, *, own_page: str) -> None:
        """Let `{ref}` find the figure: on its notebook's page, where it is shown there too."""
        domain: Any = self.env.get_domain("std")
        if self.env.docname == own_page or domain.anonlabels.get(label, ("",))[0] != own_page:
            domain.anonlabels[label] = (self.env.docname, label)
            domain.labels[label] = (self.env.docname, label, words)


class Claims(SphinxDirective):
    """List the claims that were tested, with their verdicts, anchors and citations; its argument is their panel."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Read `claims.csv`."""
        folder = results_folder(self.env)
        path = folder / "claims.csv"
        self.env.note_dependency(str(path))
        try:
            made = panels_made(folder, list_notebooks(folder.parent.parent))
            described = read_panel(folder, self.arguments[0], made=made)
        except DatamixError as error:
            logger.warning("{claims}: %s", error, location=self.get_location(), type="datamix", subtype="claims")
            return []
        return [nodes.raw("", claims_html(described, pd.read_csv(path).fillna({"verdict": ""})), format="html")]


def visit_panel(self: HTML5Translator, node: panel) -> None:
    docname = self.builder.current_docname
    before, after = figure_html(
        node["described"], anchor=node["ids"][0], to_root="../" * docname.count("/"), page=docname
    )
    self.body.append(before)
    self.context.append(after)


def depart_panel(self: HTML5Translator, node: panel) -> None:
    self.body.append(self.context.pop())


_FROM_PROFILE = {
    "datasets": datasets_table,
    "missing": lambda profile, _: missing_list(profile),
    "asked": lambda profile, _: asked(profile),
    "control": lambda profile, _: control(profile),
    "front_maps": lambda profile, _: front_maps(profile),
}


class FromProfile(SphinxDirective):
    """Show what profile and manifest say: `datasets`, `missing`, `asked` of one's cells, `control`, `front_maps`."""

    def run(self) -> list[nodes.Node]:
        """Parse the Markdown made from them."""
        folder = results_folder(self.env)
        root = folder.parent.parent
        settings = root / "config" / f"{folder.name}.yaml"
        for path in (settings, root / "data_manifest.yaml"):
            self.env.note_dependency(str(path))
        try:
            profile = read_profile(str(settings))
            lines = _FROM_PROFILE[self.name](profile, read_manifest(root, profile))
        except DatamixError as error:
            logger.warning(
                "{%s}: %s", self.name, error, location=self.get_location(), type="datamix", subtype=self.name
            )
            return []
        container = nodes.container(classes=[self.name])
        self.state.nested_parse(StringList(lines, source=self.get_source_info()[0]), self.content_offset, container)
        return [container]


class Docstrings(SphinxDirective):
    """Show what a function, or a class with its members, says of itself."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the Markdown made from the docstrings."""
        try:
            lines = describe(self.arguments[0])
        except DatamixError as error:
            logger.warning("{docstrings}: %s", error, location=self.get_location(), type="datamix")
            return []
        container = nodes.container(classes=["docstrings"])
        self.state.nested_parse(StringList(lines, source=self.get_source_info()[0]), self.content_offset, container)
        return [container]


class Faults(SphinxDirective):
    """Show what the campaign of faults tried and what held: `summary`, a sentence, or `table`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the Markdown made from the record."""
        path = results_folder(self.env).parent.parent / FAULTS
        self.env.note_dependency(str(path))
        try:
            lines = faults_shown(path, as_=self.arguments[0])
        except DatamixError as error:
            logger.warning("{faults}: %s", error, location=self.get_location(), type="datamix")
            return []
        container = nodes.container(classes=["faults"])
        self.state.nested_parse(StringList(lines, source=self.get_source_info()[0]), self.content_offset, container)
        return [container]


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(f'<span class="math">{_converted(node, display="inline")}</span>')
    raise nodes.SkipNode


def visit_math_block(self: HTML5Translator, node: nodes.math_block) -> None:
    number = ""
    if node.get("number"):
        number = f'<span class="eqno">({get_node_equation_number(self, node)})</span>'
    identifier = f' id="{node["ids"][0]}"' if node.get("ids") else ""
    self.body.append(f'<div class="math"{identifier}>{_converted(node, display="block")}{number}</div>\n')
    raise nodes.SkipNode


def _converted(node: nodes.Element, *, display: str) -> str:
    try:
        return mathml(node.astext(), display=display)
    except DatamixError as error:
        logger.warning("mathematics: %s", error, location=node, type="datamix", subtype="math")
        return ""


def rewrite_all_when_navigation_changes(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Sphinx rewrites changed pages only; when a title changes, the sidebar of every page does."""
    navigation = repr([(name, title.astext()) for name, title in sorted(env.titles.items())])
    changed = getattr(env, "datamix_navigation", None) != navigation
    env.datamix_navigation = navigation  # type: ignore[attr-defined]
    return sorted(env.all_docs) if changed else []


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_role("val", Val())
    app.add_directive("panel", Panel)
    app.add_directive("claims", Claims)
    app.add_directive("docstrings", Docstrings)
    app.add_directive("faults", Faults)
    for name in _FROM_PROFILE:
        app.add_directive(name, FromProfile)
    app.add_node(panel, html=(visit_panel, depart_panel))
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("doctree-resolved", anchor_values)
    app.connect("env-updated", rewrite_all_when_navigation_changes)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
