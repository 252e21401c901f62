import os

import pytest
from panel import TABLE, draw

from datamix.project.files import read_json
from datamix.publishing.outputs import declare_outputs, outputs_of, panels_made, stamps
from datamix.publishing.panels import save_panel
from datamix.publishing.values import Values, record


def save(run, name):
    save_panel(draw(), name, data=TABLE, alt="A", caption="C.", results=run)


def of_an_earlier_run(run):
    for path in (run.folder / "panels").glob("*.json"):
        os.utime(path, (1, 1))
    for path in (run.folder / "values").glob("*.json"):
        os.utime(path, (1, 1))


def test_what_a_run_made_is_listed(run):
    before = stamps(run.folder, run.notebook)
    save(run, "2a")
    record("fig2.cells", 3, unit="cells", results=run)
    path = declare_outputs(run.folder, run.notebook, before=before)
    assert path == outputs_of(run.folder, "fig2")
    assert read_json(path) == {"panels": ["2a"], "values": ["fig2.cells"]}
    assert panels_made(run.folder, ["fig2", "never_run"]) == {"2a": "fig2"}
    assert panels_made(run.folder, ["another"]) == {}


def test_what_only_an_earlier_run_made_is_removed(run):
    save(run, "2a")
    save(run, "2b")
    record("fig2.old", 3, unit="cells", results=run)
    run.notebook = "fig3"
    save(run, "3a")
    run.notebook = "fig2"
    of_an_earlier_run(run)
    before = stamps(run.folder, run.notebook)
    save(run, "2b")
    declare_outputs(run.folder, run.notebook, before=before)
    left = {path.stem for path in (run.folder / "panels").iterdir()}
    assert left == {"fig2b", "fig3a"}
    assert "fig2.old" not in Values.read(run.folder)
    assert read_json(outputs_of(run.folder, "fig2")) == {"panels": ["2b"], "values": []}


@pytest.mark.parametrize("content", ["", '{"panel": "2b', "[]", "{}"])
def test_a_description_that_is_damaged_stops_no_notebook(run, content):
    save(run, "2a")
    save(run, "2b")
    (run.folder / "panels" / "fig2b.json").write_text(content)
    before = stamps(run.folder, run.notebook)
    assert set(before) == {"2a"}
    save(run, "2a")
    save(run, "2b")
    declare_outputs(run.folder, run.notebook, before=before)
    assert panels_made(run.folder, ["fig2"]) == {"2a": "fig2", "2b": "fig2"}
