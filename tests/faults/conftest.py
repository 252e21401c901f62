"""What the campaign tried and what held: `--record-faults` keeps it in recorded/faults.json."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from bad_project import make_project
from killing import Killed
from project_copy import Project
from small_book import SITE, small_book

from datamix.project.files import read_json, write_json

RECORD = Path(__file__).parents[2] / "recorded" / "faults.json"
_OUTCOMES: dict[str, str] = {}
_KINDS: dict[str, tuple[str, str]] = {}
_TIMES: dict[str, int] = {}
"""How often a test tried its kind, where it says so (`record_property("times", …)`); else once."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known where tests/faults is named on the command line."""
    parser.addoption("--record-faults", action="store_true", help="write recorded/faults.json from this run")


def first_line(text: str | None) -> str:
    """Return the first line of a docstring."""
    return (text or "").strip().partition("\n")[0]


def kind_of(item: pytest.Item) -> tuple[str, str]:
    """Say of a test to which section of the campaign it belongs, and what it tries: the first lines of docstrings."""
    return first_line(item.module.__doc__), first_line(item.function.__doc__)  # type: ignore[attr-defined]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note what every test of the campaign tries."""
    here = Path(__file__).parent
    _KINDS.update({item.nodeid: kind_of(item) for item in items if item.path.parent == here})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note what came of a test: it holds where nothing of it failed."""
    report = yield
    _TIMES.update((item.nodeid, cast(int, times)) for name, times in item.user_properties if name == "times")
    if report.failed or report.skipped:  # type: ignore[attr-defined]
        _OUTCOMES[item.nodeid] = report.outcome  # type: ignore[attr-defined]
    elif report.when == "call":  # type: ignore[attr-defined]
        _OUTCOMES.setdefault(item.nodeid, "passed")
    return report


def summary() -> list[dict[str, object]]:
    """Count, section by section, what was tried and what held."""
    sections: dict[str, dict[str, list[str]]] = {}
    for nodeid, (section, kind) in _KINDS.items():
        if nodeid not in _OUTCOMES:
            continue  # of a campaign that was broken off
        sections.setdefault(section, {}).setdefault(kind, []).append(nodeid)
    return [
        {
            "section": section.partition(":")[0],
            "about": section.partition(":")[2].strip(),
            "tried": [
                {
                    "what": kind,
                    "times": sum(_TIMES.get(node, 1) for node in nodes),
                    "held": sum(_TIMES.get(node, 1) for node in nodes if _OUTCOMES.get(node) == "passed"),
                }
                for kind, nodes in kinds.items()
            ],
        }
        for section, kinds in sections.items()
    ]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep what came of it, where that was asked for."""
    if session.config.getoption("--record-faults", default=False):
        new = {section["section"]: section for section in summary()}
        kept = read_json(RECORD)["sections"] if RECORD.is_file() and not _is_whole(session) else []
        names = dict.fromkeys([*(section["section"] for section in kept), *new])
        former = {section["section"]: section for section in kept}
        write_json(RECORD, {"sections": [new.get(name) or former[name] for name in names]})


def _is_whole(session: pytest.Session) -> bool:
    """Whether every file of the campaign was run; sections of those that were not stay as they were recorded."""
    ran = {nodeid.partition("::")[0].rpartition("/")[2] for nodeid in _KINDS}
    return ran == {path.name for path in Path(__file__).parent.glob("test_*.py")}


@pytest.fixture(scope="session")
def whole_book(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, float]:
    """Return a small book that nothing disturbed, which stays as it is, and the seconds that it took."""
    folder, started = tmp_path_factory.mktemp("whole"), time.monotonic()
    project = small_book(folder / "project")
    Killed(project, folder, target=SITE).finish()
    return project, time.monotonic() - started


@pytest.fixture
def book(tmp_path: Path, whole_book: tuple[Project, float]) -> Project:
    """Return a copy of the whole book, with the times of its files."""
    shutil.copytree(whole_book[0].folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project", "tiny")


@pytest.fixture
def bad_project(tmp_path: Path) -> Path:
    """Return a project to be spoilt."""
    return make_project(tmp_path)
