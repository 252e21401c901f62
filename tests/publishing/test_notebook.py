import os

import nbformat
import pytest
from small_project import cells, write_project

from datamix.project.errors import DatamixError
from datamix.project.files import read_json
from datamix.project.layout import Layout
from datamix.publishing.notebook import run_notebook
from datamix.publishing.values import Values

HEAD = '# %% [markdown]\n# # A question\n\n# %% tags=["parameters"]\nprofile: str = "demo"  # which\n\n# %%\n'


@pytest.fixture
def layout(tmp_path):
    write_project(tmp_path, {"a": cells()})
    (tmp_path / "notebooks").mkdir()
    return Layout.of("tiny", tmp_path)


def write(layout, code):
    (layout.root / "notebooks" / "one.py").write_text(HEAD + code)


def outputs(path):
    notebook = nbformat.read(path, as_version=4)
    return "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))


def test_the_profile_is_passed_and_the_folder_is_the_projects(layout):
    write(layout, "from pathlib import Path\nprint(profile, Path('data_manifest.yaml').exists())\n")
    path = run_notebook(layout, "one")
    assert path == layout.folder / "notebooks" / "one.ipynb"
    assert outputs(path) == "tiny True\n"


def test_a_failure_keeps_the_last_good_run_and_the_failed_one(layout):
    write(layout, "print('good')\n")
    path = run_notebook(layout, "one")
    write(layout, "1 / 0\n")
    with pytest.raises(DatamixError, match=r"one.py failed for profile tiny: ZeroDivisionError.*\n.*one.failed.ipynb"):
        run_notebook(layout, "one")
    assert outputs(path) == "good\n"
    assert (path.parent / "one.failed.ipynb").is_file()
    write(layout, "print('mended')\n")
    run_notebook(layout, "one")
    assert sorted(p.name for p in path.parent.iterdir()) == ["one.ipynb", "one.json"]


def test_what_the_profile_has_no_data_for_is_said_in_its_place(layout):
    write(
        layout,
        "from datamix.project.errors import NotInProfileError\n"
        "raise NotInProfileError('no atlas baseline')\n"
        "# %% [markdown]\n# Never shown\n",
    )
    notebook = nbformat.read(run_notebook(layout, "one"), as_version=4)
    text = "\n".join(c.source for c in notebook.cells)
    assert "# A question" in text
    assert "Not in this profile" in text
    assert "no atlas baseline" in text
    assert "Never shown" not in text


def test_values_of_an_earlier_run_do_not_survive(layout):
    code = "from datamix.publishing.results import Results\nfrom datamix.publishing.values import record\n"
    code += "record('one.{}', 1, unit='', results=Results(profile, notebook='one'))\n"
    for key in ("old", "new"):
        write(layout, code.format(key))
        run_notebook(layout, "one")
        assert list(Values.read(layout.folder)) == [f"one.{key}"]


def test_unknown_notebook(layout):
    write(layout, "")
    with pytest.raises(DatamixError, match=r"two.py; there are: one"):
        run_notebook(layout, "two")


@pytest.mark.parametrize(("deaths", "runs"), [(2, True), (3, False)])
def test_a_kernel_that_dies_at_its_start_is_started_again(layout, monkeypatch, deaths, runs):
    import papermill

    execute, left = papermill.execute_notebook, [deaths]

    def dies_at_first(*arguments, **options):
        if left[0]:
            left[0] -= 1
            raise RuntimeError("Kernel died before replying to kernel_info")
        return execute(*arguments, **options)

    monkeypatch.setattr(papermill, "execute_notebook", dies_at_first)
    write(layout, "print('there')\n")
    if runs:
        assert outputs(run_notebook(layout, "one")) == "there\n"
    else:
        with pytest.raises(RuntimeError, match="Kernel died"):
            run_notebook(layout, "one")


def test_an_unmet_need_is_said_before_anything_runs_and_what_was_made_before_goes(layout):
    save = (
        "import pandas as pd\nfrom datamix.figures import style\nfrom datamix.publishing.panels import save_panel\n"
        "from datamix.publishing.results import Results\nfrom datamix.publishing.values import record\n"
        "results = Results(profile, notebook='one', reads=[])\nrecord('one.a', 1, unit='', results=results)\n"
        "fig, axes = style.figure(width=89, height=40)\n"
        "save_panel(fig, '1a', data=pd.DataFrame({'x': [1]}), alt='A', caption='B', results=results)\n"
    )
    header = "# ---\n# jupyter:\n#   datamix: {needs: {seeds: 3}}\n# ---\n\n"
    write(layout, save)
    os.environ["DATAMIX_ROOT"] = str(layout.root)
    try:
        run_notebook(layout, "one")
    finally:
        del os.environ["DATAMIX_ROOT"]
    outputs = layout.folder / "notebooks" / "one.json"
    assert read_json(outputs) == {"panels": ["1a"], "values": ["one.a"]}
    script = layout.root / "notebooks" / "one.py"
    script.write_text(header + HEAD + "raise RuntimeError('never run')\n")
    notebook = nbformat.read(run_notebook(layout, "one"), as_version=4)
    assert [c.source.splitlines()[0] for c in notebook.cells] == ["# A question", ":::{admonition} Not in this profile"]
    assert "Because it has 2 seeds, not 3 (profile tiny)." in notebook.cells[1].source
    assert read_json(outputs) == {"panels": [], "values": []}
    assert not list((layout.folder / "panels").iterdir())
    assert not list((layout.folder / "values").iterdir())
