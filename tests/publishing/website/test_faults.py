import ast
from pathlib import Path

import pytest

from datamix.project.errors import DatamixError
from datamix.project.files import read_json, write_json
from datamix.publishing.website.faults import FAULTS, faults_shown
from datamix.publishing.website.text import plain

PROJECT = Path(__file__).parents[3]
SECTIONS = [
    {"section": "Killed", "about": "A run.", "tried": [{"what": "at | once", "times": 2000, "held": 2000}]},
    {"section": "Starved", "about": "Of disk.", "tried": [{"what": "a disk", "times": 3, "held": 2}]},
]


@pytest.fixture
def record(tmp_path):
    def write(sections):
        write_json(tmp_path / FAULTS, {"sections": sections})
        return tmp_path / FAULTS

    return write


def test_the_record_is_told_in_a_sentence(record):
    assert faults_shown(record(SECTIONS), as_="summary") == [
        "2,003 faults of 2 kinds were tried: 2,002 held, and 1 did not."
    ]
    assert faults_shown(record(SECTIONS[:1]), as_="summary")[0].endswith("were tried: all of them held.")


def test_the_record_is_a_table_a_section(record):
    lines = faults_shown(record(SECTIONS), as_="table")
    assert lines[0] == "**Killed**: a run."
    assert r"| at \| once | 2,000 | 2,000 |" in lines
    assert sum(line.startswith("| Tried") for line in lines) == 2


def test_the_ages_of_what_is_pinned_are_told_in_a_sentence(record):
    path = record([])
    path.with_name("pins.csv").write_text("package,version,released\nb,1,2024-05-01\na,2,2020-01-31\nc,3,2025-12-24\n")
    assert faults_shown(path, as_="pins") == [
        "3 packages are pinned, with hashes: the oldest release is of 2020-01-31 (a), the newest of 2025-12-24, "
        "and half are of 2024-05-01 or later."
    ]


def test_what_is_code_stands_as_code(record):
    tried = [{"what": "`a|b` and <b>", "times": 1, "held": 1}]
    lines = faults_shown(record([{"section": "Hostile", "about": "Names.", "tried": tried}]), as_="table")
    assert [line for line in lines if "`" in line] == [rf"| `a\|b` and {plain('<b>')} | 1 | 1 |"]


def test_without_a_record_the_command_is_named(tmp_path, record):
    with pytest.raises(DatamixError, match="make test-faults"):
        faults_shown(tmp_path / "none.json", as_="table")
    with pytest.raises(DatamixError, match="write summary, table or pins"):
        faults_shown(record([]), as_="picture")


def test_what_is_kept_with_the_project_is_whole():
    """Of this code, and without a fault that did not hold; a test of the campaign that is new asks for a new record."""
    path = PROJECT / FAULTS
    assert faults_shown(path, as_="summary")[0].endswith("all of them held.")
    recorded = {
        (section["section"], section["about"], tried["what"])
        for section in read_json(path)["sections"]
        for tried in section["tried"]
    }
    assert recorded == {kind for file in (PROJECT / "tests" / "faults").glob("test_*.py") for kind in kinds_in(file)}


def kinds_in(file):
    """Say what a file of the campaign tries: the first lines of its docstrings."""
    module = ast.parse(file.read_text(encoding="utf-8"))
    section, _, about = ast.get_docstring(module).partition("\n")[0].partition(": ")
    tests = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return [(section, about, ast.get_docstring(test).partition("\n")[0]) for test in tests]
