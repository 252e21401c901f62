import json
import re
import tomllib
from pathlib import Path

import pytest

from datamix.publishing.citation import bibtex, cite, read_citation
from datamix.publishing.pages import figure_html

ROOT = Path(__file__).parents[2]
SOFTWARE = {"title": "datamix: a paper", "version": "1.2.3", "authors": [{"name": "A"}, {"family-names": "B"}]}
PANEL = {"panel": "2a", "profile": "demo", "simulated": True, "protocol": "corrected", "commit": "ab" * 20}


def test_a_panel_is_cited_with_software_and_what_made_it():
    assert cite(PANEL, SOFTWARE) == (
        "A and B. datamix: a paper, version 1.2.3. "
        f"Figure 2a, profile demo of simulated cells, corrected protocol, commit {'ab' * 20}."
    )
    assert "simulated" not in cite(PANEL | {"simulated": False}, SOFTWARE)


def test_bibtex_has_balanced_braces_and_a_key():
    entry = bibtex(PANEL | {"commit": f"{'ab' * 20} with uncommitted changes"}, SOFTWARE)
    assert entry.startswith("@software{datamix_fig2a_abababab,\n  author = {{A and B}},\n")
    assert entry.count("{") == entry.count("}")
    assert "with uncommitted changes" in entry


@pytest.mark.parametrize("software", [None, SOFTWARE])
def test_a_figure_says_how_it_is_cited(software):
    files = {suffix: f"fig2a.{suffix}" for suffix in ("svg", "pdf", "png", "csv", "json")}
    more = {
        "caption": "", "alt": "a", "notebook": "fig2", "seeds": [0], "datasets": [], "command": "make",
        "size_mm": [89, 40], "wall_time": None, "files": files,
    }  # fmt: skip
    _, after = figure_html(PANEL | more | {"software": software}, anchor="fig-2a", to_root="", page="methods")
    assert ("Cite this figure" in after) is (software is not None)
    assert ("@software{datamix_fig2a" in after) is (software is not None)


def test_the_files_that_name_a_version_agree():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    citation = read_citation(ROOT)
    assert citation is not None
    assert str(citation["version"]) == version
    described = json.loads((ROOT / "codemeta.json").read_text())
    assert described["version"] == version
    assert described["name"] == "datamix"
    assert described["license"].endswith(citation["license"])
    assert described["referencePublication"].endswith(citation["references"][0]["doi"])
    # What is released has a heading of its own; until then, everything is unreleased.
    released = re.findall(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert not released or released[0] == version
