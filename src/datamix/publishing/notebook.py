"""Run a notebook headless: the percent script through jupytext, its cells through papermill."""

from pathlib import Path

from nbformat import NotebookNode

from datamix.project.errors import DatamixError, NotInProfileError
from datamix.project.files import replacing
from datamix.project.layout import Layout
from datamix.publishing.front_matter import read_front_matter
from datamix.publishing.outputs import declare_outputs, stamps
from datamix.publishing.values import Values
from datamix.publishing.website.text import plain

KERNEL_STARTS = 3
"""How often a kernel is started before its death counts."""


def run_notebook(layout: Layout, name: str) -> Path:
    """Execute `notebooks/<name>.py` for a profile.

    Parameters
    ----------
    layout
        The profile and its folders.
    name
        The script's name without ending.

    Returns
    -------
    The executed notebook, `results/<profile>/notebooks/<name>.ipynb`. An earlier one is replaced only on success.
    Where the profile lacks what the notebook needs, only its title, its question and the reason; nothing is run. Beside
    it, `<name>.json` lists the panels and values that it made; those of earlier runs are gone.

    Raises
    ------
    DatamixError
        If there is no such notebook, or one of its cells fails; the failed run is then kept beside, as
        `<name>.failed.ipynb`.
    """
    import jupytext
    from nbclient.exceptions import CellExecutionError
    from papermill import PapermillExecutionError

    script = layout.root / "notebooks" / f"{name}.py"
    if not script.is_file():
        msg = f"There is no {script}; there are: {', '.join(sorted(p.stem for p in script.parent.glob('*.py')))}."
        raise DatamixError(msg, fix="name one of them")
    path = layout.folder / "notebooks" / f"{name}.ipynb"
    failed = path.with_name(f"{name}.failed.ipynb")
    front, before = read_front_matter(script), stamps(layout.folder, name)
    with replacing(path) as beside:
        draft = beside.with_suffix(".draft.ipynb")
        try:
            notebook = jupytext.read(script)
            front.require(layout.profile)
            jupytext.write(notebook, draft)
            Values.start(layout.folder, notebook=name)
            _execute(draft, beside, layout)
        except NotInProfileError as error:
            jupytext.write(_without_results(notebook, str(error)), beside)
        except (PapermillExecutionError, CellExecutionError) as error:
            if getattr(error, "ename", None) != NotInProfileError.__name__:
                beside.replace(failed)
                msg = f"notebooks/{name}.py failed for profile {layout.profile.name}: {_last_line(error)}"
                raise DatamixError(msg, fix=f"look into {failed}") from error
            jupytext.write(_without_results(notebook, str(getattr(error, "evalue", error))), beside)
        finally:
            draft.unlink(missing_ok=True)
        failed.unlink(missing_ok=True)
        declare_outputs(layout.folder, name, before=before)
    return path


def _execute(draft: Path, result: Path, layout: Layout) -> None:
    import papermill

    for attempt in range(1, KERNEL_STARTS + 1):
        try:
            papermill.execute_notebook(
                draft,
                result,
                parameters={"profile": layout.profile.name},
                kernel_name="python3",
                language="python",
                cwd=layout.root,
                progress_bar=False,
                shutdown_kernel="immediate",  # its cells have run; to end as a session does takes a second or three
                extra_arguments=["--log-level=CRITICAL"],  # it warns that it listens on this machine
            )
            return
        except RuntimeError as error:
            # Two kernels that start at the same moment can choose the same port; the later one dies before it runs.
            if "Kernel died before replying" not in str(error) or attempt == KERNEL_STARTS:
                raise


def _without_results(notebook: NotebookNode, reason: str) -> NotebookNode:
    """Keep the title and the question, and say why there is nothing more."""
    from nbformat.v4 import new_markdown_cell, new_notebook

    question = next(cell for cell in notebook.cells if cell.cell_type == "markdown")
    because = "Not in this profile, because "  # the first words stand above it
    reason = f"Because {reason.removeprefix(because)}" if reason.startswith(because) else reason
    note = f":::{{admonition}} Not in this profile\n:class: warning\n{plain(reason)}\n:::"
    return new_notebook(cells=[question, new_markdown_cell(note)], metadata=notebook.metadata)


def _last_line(error: Exception) -> str:
    name, value = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", str(error))
    return value if name == "DatamixError" else f"{name}: {value}"
