"""What several tests share: a notebook's run, and a tiny book on it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from datamix.figures import style
from datamix.project.profile import Profile
from datamix.project.profile_files import read_profile
from datamix.publishing.outputs import declare_outputs
from datamix.publishing.panels import save_panel
from datamix.publishing.values import Values, record

PROJECT = Path(__file__).parents[1]


LONG = ("workflow", "book", "faults")
"""Folders of tests that run books or a browser."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that read the demo's results, and let the longest come first.

    `make test-machines` runs those of the demo on other machines' results. `make test` runs files side by side, so that
    one that takes minutes should not begin last.
    """
    for item in items:
        if "demo" in getattr(item, "fixturenames", ()):
            item.add_marker("demo")
    items.sort(key=lambda item: item.path.parent.name not in LONG)


@dataclass
class Run:
    """A notebook's run, as `datamix.publishing.run.Run` asks for it."""

    folder: Path
    notebook: str
    profile: Profile
    datasets: dict[str, str] = field(
        default_factory=lambda: {"sim_blood": "0123456789abcdef", "sim_eval_aml": "fe" * 32}
    )


def project(folder: Path) -> Run:
    """Lay out a project with the demo profile, and return the run of notebook fig2 in it."""
    (folder / "config").mkdir(exist_ok=True)
    shutil.copy(PROJECT / "config" / "demo.yaml", folder / "config")
    shutil.copy(PROJECT / "data_manifest.yaml", folder)
    profile = read_profile(str(folder / "config" / "demo.yaml"))
    return Run(folder / "results" / "demo", "fig2", profile)


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """Leave no figure open for the next test: matplotlib warns of twenty."""
    yield
    plt.close("all")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return the run of notebook fig2 on the demo profile, in a project of its own."""
    monkeypatch.setenv("DATAMIX_ROOT", str(tmp_path))
    return project(tmp_path)


@pytest.fixture
def tiny_book(run: Run, tmp_path: Path, tiny_book_once: Path) -> Path:
    """Return the folder of a project with a tiny book, which the test may change."""
    return shutil.copytree(tiny_book_once, tmp_path, dirs_exist_ok=True)


@pytest.fixture(scope="session")
def tiny_book_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project's folder: three pages, one of them a notebook with a panel and two values."""
    root = tmp_path_factory.mktemp("tiny_book")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATAMIX_ROOT", str(root))
        _write_book(root / "book")
        _run_notebook(project(root))
    return root


def _write_book(book: Path) -> None:
    shutil.copytree(PROJECT / "book" / "_ext", book / "_ext", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(PROJECT / "book" / "_static", book / "_static")
    for name in ("_config.yml", "references.bib"):
        shutil.copy(PROJECT / "book" / name, book)
    (book / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nparts:\n- caption: Paper\n  chapters:\n"
        "  - file: notebooks/fig2\n  - file: methods\n"
    )
    (book / "index.md").write_text("# A tiny book\n\nRead [Figure 2](notebooks/fig2).\n")
    (book / "methods.md").write_text("# Methods\n\nThe squared correlation is $R^2$.\n")


def _run_notebook(run: Run) -> None:
    """Leave what papermill and a notebook leave behind."""
    Values.start(run.folder, notebook="fig2")
    record("fig2.aml.blood", 0.3912, unit="median R²", published=0.33, results=run)
    record("fig2.cells", 1234, unit="cells", results=run)
    fig, axes = style.figure(width=89, height=40)
    axes.plot([0, 1], [0, 1])
    axes.set_xlabel("Seed 0")
    panel = save_panel(
        fig,
        "2a",
        data=pd.DataFrame({"x": [0.0, 1.0]}),
        alt='A line "up"',
        caption="**A line.** It holds {val}`fig2.cells:,d` cells.",
        results=run,
    )
    data, metadata = panel._repr_mimebundle_()
    warning = new_output("stream", name="stderr", text="/home/someone/a.py:1: UserWarning")
    cells = [
        new_markdown_cell("# Figure 2\n\nAML: {val}`fig2.aml.blood:.2f`."),
        new_code_cell(
            "secret_of_the_code = 1", outputs=[new_output("stream", name="stdout", text="printed words"), warning]
        ),
        new_code_cell("save_panel()", outputs=[new_output("display_data", data=data, metadata=metadata)]),
        new_markdown_cell("```{panel} 2a\n```"),
    ]
    notebook = new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})
    notebook.metadata["papermill"] = {"duration": 12.4, "exception": None, "input_path": "/home/someone/in.ipynb"}
    path = run.folder / "notebooks" / "fig2.ipynb"
    path.parent.mkdir()
    nbformat.write(notebook, path)
    declare_outputs(run.folder, "fig2", before={})
