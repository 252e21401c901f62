import io
import json
import re
import struct

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from panel import TABLE, draw

from datamix.project.errors import DatamixError
from datamix.publishing.panels import save_panel


def save(run, fig=None, name="2a", **changed):
    wanted = {"data": TABLE, "alt": "Three points.", "caption": "**Points.**"} | changed
    return save_panel(fig or draw(), name, **wanted, results=run)


def png_chunks(content):
    kinds, at = [], 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        kinds.append(content[at + 4 : at + 8].decode())
        at += 12 + length
    return set(kinds)


def test_five_files_are_written(run):
    panel = save(run)
    names = sorted(path.name for path in (run.folder / "panels").iterdir())
    assert names == [f"fig2a.{suffix}" for suffix in ("csv", "json", "pdf", "png", "svg")]
    assert panel.path("csv") == run.folder / "panels" / "fig2a.csv"


def test_the_same_inputs_give_the_same_bytes(run):
    def contents():
        panel = save(run)
        return {suffix: panel.path(suffix).read_bytes() for suffix in ("svg", "pdf", "png", "csv", "json")}

    first = contents()
    assert contents() == first


def test_files_hold_no_date_and_no_program(run):
    panel = save(run)
    assert png_chunks(panel.path("png").read_bytes()) == {"IHDR", "pHYs", "IDAT", "IEND"}
    pdf = panel.path("pdf").read_bytes()
    assert not re.search(rb"/(CreationDate|ModDate|Creator|Producer)", pdf)
    svg = panel.path("svg").read_text()
    assert "dc:date" not in svg
    assert "Matplotlib" not in svg


def test_text_stays_text(run):
    panel = save(run)
    assert re.search(r"<text[^>]*>Median R²</text>", panel.path("svg").read_text())
    assert b"/Type3" not in panel.path("pdf").read_bytes()
    assert b"/FontFile2" in panel.path("pdf").read_bytes()


def test_the_png_has_the_size_of_print(run):
    (width,) = struct.unpack(">I", save(run).path("png").read_bytes()[16:20])
    assert width == pytest.approx(89 / 25.4 * 300, abs=1)


def test_the_source_data_are_plain_csv(run):
    content = save(run).path("csv").read_bytes()
    assert content == b"set,r2\na,0.333333\nb,2\n"
    named = TABLE.set_index("set")
    assert save(run, data=named).path("csv").read_bytes() == content
    again = pd.read_csv(io.BytesIO(content))
    pd.testing.assert_frame_equal(again, TABLE, rtol=1e-6)


def test_the_json_says_what_made_it(run):
    described = json.loads(save(run).path("json").read_text())
    assert described["panel"] == "2a"
    assert described["alt"] == "Three points."
    assert described["caption"] == "**Points.**"
    assert described["notebook"] == "fig2"
    assert described["simulated"] is True
    assert described["commit"] == "unknown"  # the test's folder is no checkout
    assert described["datasets"] == [
        {"id": "sim_blood", "hash": "01234567"},
        {"id": "sim_eval_aml", "hash": "fefefefe"},
    ]
    assert described["command"] == "make figure FIG=fig2 PROFILE=demo"
    assert described["size_mm"] == [89, 40]
    assert not any("time" in key for key in described)


def test_jupyter_shows_the_panel_once(run):
    fig = draw()
    panel = save(run, fig)
    assert not plt.fignum_exists(fig.number)
    data, metadata = panel._repr_mimebundle_()
    assert data["text/plain"] == "Figure 2a. **Points.**"
    assert metadata["datamix"] == {"panel": "2a"}
    assert metadata["image/png"]["alt"] == "Three points."


def test_inputs_are_not_changed(run):
    table = TABLE.copy()
    before = dict(plt.rcParams)
    save(run, data=table)
    pd.testing.assert_frame_equal(table, TABLE)
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize("name", ["fig2a", "2A", "", "S", "a2", "02", "2ab", "../2a"])
def test_a_name_is_a_number_of_the_paper(run, name):
    with pytest.raises(DatamixError, match="expected a number as in the paper"):
        save(run, name=name)


@pytest.mark.parametrize("missing", ["alt", "caption"])
def test_words_are_required(run, missing):
    with pytest.raises(DatamixError, match=f"panel 2a: {missing} is empty"):
        save(run, **{missing: "  "})


@pytest.mark.parametrize(
    ("data", "message"),
    [([1, 2], "data is list, expected a pandas DataFrame"), (TABLE.iloc[:0], r"data has shape \(0, 2\)")],
)
def test_data_are_required(run, data, message):
    with pytest.raises(DatamixError, match=message):
        save(run, data=data)


def test_another_width_is_refused(run):
    with pytest.raises(DatamixError, match="panel 2a is 120 mm wide, expected 89 or 183 mm"):
        save(run, draw(width=120))


@pytest.mark.parametrize("size", [4, 9])
def test_text_of_another_size_is_refused(run, size):
    fig = draw()
    fig.axes[0].set_title("Too big, too small", fontsize=size)
    with pytest.raises(DatamixError, match=f"'Too big, too small' is set in {size}.0 points, expected 5 to 7"):
        save(run, fig)


def test_hidden_text_and_panel_letters_may_have_another_size(run):
    fig = draw()
    fig.axes[0].set_title("Hidden", fontsize=20).set_visible(False)
    fig.text(0, 1, "a", fontsize=8, fontweight="bold")
    assert save(run, fig).path("png").is_file()


def test_an_interrupted_call_leaves_no_json(run):
    save(run)
    with pytest.raises(UnicodeEncodeError):
        save(run, data=pd.DataFrame({"not text": ["\ud800"]}))
    assert not (run.folder / "panels" / "fig2a.json").exists()
    assert not list((run.folder / "panels").glob(".*"))
