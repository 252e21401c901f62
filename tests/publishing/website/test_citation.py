import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from datamix.publishing.website.citation import bibtex, cite, read_citation
from datamix.publishing.website.pages import figure_html

ROOT = Path(__file__).parents[3]
SOFTWARE = {"title": "datamix: a paper", "version": "1.2.3", "authors": [{"name": "A"}, {"family-names": "B"}]}
PANEL = {"panel": "2a", "profile": "demo", "simulated": True, "protocol": "corrected", "commit": "ab" * 20}


def test_a_panel_is_cited_with_software_and_what_made_it():
    assert cite(PANEL, SOFTWARE) == (
        "A and B. datamix: a paper, version 1.2.3. "
        f"Figure 2a, profile demo of simulated cells, corrected protocol, commit {'ab' * 20}."
    )
    assert "simulated" not in cite(PANEL | {"simulated": False}, SOFTWARE)


def test_a_claim_is_cited_with_the_panel_that_shows_it():
    claim = PANEL | {"claim": "unseen", "panel": "5a"}
    assert "Claim “unseen”, Figure 5a, profile demo" in cite(claim, SOFTWARE)
    assert bibtex(claim, SOFTWARE).startswith("@software{datamix_claim_unseen_abababab,")


def test_a_number_is_cited_by_its_key():
    number = {key: of for key, of in PANEL.items() if key != "panel"} | {"value": "fig2.aml.blood+tf_atlas"}
    assert "Number “fig2.aml.blood+tf_atlas”, profile demo of simulated cells" in cite(number, SOFTWARE)
    assert bibtex(number, SOFTWARE).startswith("@software{datamix_value_fig2_aml_blood_tf_atlas_abababab,")


def test_bibtex_has_balanced_braces_and_a_key():
    entry = bibtex(PANEL | {"commit": f"{'ab' * 20} with uncommitted changes"}, SOFTWARE)
    assert entry.startswith("@software{datamix_fig2a_abababab,\n  author = {{A and B}},\n")
    assert entry.count("{") == entry.count("}")
    assert "with uncommitted changes" in entry


def test_identifiers_of_code_and_data_are_cited():
    data = f"swh:1:cnt:{'cd' * 20}"
    entry = bibtex(PANEL | {"swhid": data}, SOFTWARE)
    assert f"  swhid = {{swh:1:rev:{'ab' * 20}}}," in entry
    assert f"source data {data}" in entry
    assert data in cite(PANEL | {"swhid": data}, SOFTWARE)
    assert "swh:" not in bibtex(PANEL | {"commit": "unknown"}, SOFTWARE)


@pytest.mark.parametrize("software", [None, SOFTWARE])
def test_a_figure_says_how_it_is_cited(software):
    files = {suffix: f"fig2a.{suffix}" for suffix in ("svg", "pdf", "png", "csv", "json")}
    more = {
        "caption": "", "alt": "a", "notebook": "fig2", "seeds": [0], "datasets": [], "command": "make",
        "size_mm": [89, 40], "wall_time": None, "files": files, "in_numbers": "", "numbers": "", "pointed_at": False,
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
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    released = [heading for heading in headings if heading != "Unreleased"]
    assert not released or released[0] == version
    # A tag is of a version that has a heading.
    if (ROOT / ".git").exists():
        asked = subprocess.run(["git", "tag", "--list", "v*"], cwd=ROOT, capture_output=True, text=True, check=True)
        tags = {tag.removeprefix("v") for tag in asked.stdout.split()}
        assert tags <= set(released)
