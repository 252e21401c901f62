import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from small_record import COMMIT, write_small_record

import datamix
from datamix.project.errors import DatamixError
from datamix.publishing.drawings import DRAWINGS, HEAT_MAPS
from datamix.publishing.website import swhid

ROOT = Path(__file__).parents[3]


@pytest.fixture
def record(tmp_path):
    """A record in a project's folder, with the demo's profile."""
    for name in ("config/demo.yaml", "data_manifest.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    return write_small_record(tmp_path / "recorded" / "demo", aml_blood=0.25, aml_blood_tf_atlas=0.5)


def texts(figure):
    figure.draw_without_rendering()
    return {" ".join(text.get_text().split()) for text in figure.findobj(plt.Text) if text.get_text()}


def test_a_record_is_a_book(record):
    book = datamix.open(record)
    assert book.panels == ["2a", "S1a"]
    assert book.value("fig2.aml.blood").value == 0.25
    assert book.provenance["commit"] == COMMIT
    assert book.profile.baselines["blood"].label == "Blood"
    assert book.claims()["verdict"].tolist() == ["supported"]
    assert book.scores()["median"].tolist() == [0.4]
    assert book.panel("2a").table()["median"].tolist() == [0.4, 0.4, 0.25, 0.5]
    assert book.panel("2a").provenance["profile"] == "demo"
    assert repr(book) == "<datamix book of profile demo: 2 panels, 8 values>"


def test_a_panel_is_drawn_from_its_table(record):
    shown = texts(datamix.open(record).panel("2a").figure())
    assert {"Blood", "Cancer (AML)", "+ TF atlas", "0.25", "0.50", "0.40"} <= shown
    assert "Yours" not in shown


def test_a_model_of_ones_own_stands_beside_ours(record):
    panel = datamix.open(record).panel("2a")
    cells = pd.DataFrame({"evaluation": ["aml"] * 3 + ["blood"] * 3, "r2": [0.9, 0.125, 0.0, 0.8, np.nan, 0.6]})
    both = panel.with_results(cells, name="My PCA")
    own = both.table().query("group == 'own'").set_index("evaluation")
    # Over the baseline's 0.25 and 0.4: log2(0.125 / 0.25) and log2(0.7 / 0.4).
    assert own["median"].to_dict() == pytest.approx({"aml": 0.125, "blood": 0.7})
    assert own["log2_fold_change"].to_dict() == pytest.approx({"aml": -1.0, "blood": np.log2(0.7 / 0.4)})
    assert {"Yours", "My PCA", "0.12", "0.70"} <= texts(both.figure())
    assert len(panel.table()) == 4, "the book's panel stays as it is"
    again = both.with_results(pd.DataFrame({"evaluation": ["aml"], "median": [0.3]}), name="Other")
    assert again.table()["mixture"].tolist()[4:] == ["My PCA", "My PCA", "Other"]


def test_trainings_of_a_model_are_averaged_as_the_books_are(record):
    cells = pd.DataFrame({"evaluation": "aml", "seed": [0, 0, 0, 1], "r2": [0.1, 0.2, 0.3, 0.6], "model": "net"})
    own = datamix.open(record).panel("2a").with_results(cells).table().query("group == 'own'")
    assert own["mixture"].tolist() == ["net"]
    assert own["median"].tolist() == pytest.approx([0.4])


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"evaluation": ["aml"], "score": [1.0]}, "expected evaluation, and r2 or median"),
        ({"evaluation": ["liver"], "r2": [0.5]}, "no evaluation set liver here; there are blood, aml"),
        ({"evaluation": ["aml"], "r2": [35.0]}, "other than R²"),
        ({"evaluation": ["aml"], "r2": ["high"]}, "other than R²"),
    ],
)
def test_results_that_fit_nothing_are_refused(record, table, says):
    with pytest.raises(DatamixError, match=says):
        datamix.open(record).panel("2a").with_results(pd.DataFrame(table))


def test_a_panel_says_how_it_is_cited(record, tmp_path):
    panel = datamix.open(record).panel("2a")
    with pytest.raises(DatamixError, match=r"no CITATION.cff"):
        panel.cite()
    with pytest.raises(DatamixError, match=r"no CITATION.cff"):
        datamix.open(record).cite("fig2.aml.blood")
    (tmp_path / "CITATION.cff").write_bytes((ROOT / "CITATION.cff").read_bytes())
    assert panel.cite().startswith("@software{datamix_fig2a_11111111,")
    number = datamix.open(record).cite("fig2.aml.blood")
    assert number.startswith("@software{datamix_value_fig2_aml_blood_11111111,")
    assert swhid.of_content((record / "values" / "fig2.json").read_bytes()) in number


def test_what_is_not_there_is_said(record, tmp_path):
    book = datamix.open(record)
    with pytest.raises(DatamixError, match=r"no panel 9z .*2a, S1a"):
        book.panel("9z")
    with pytest.raises(DatamixError, match=r"near keys: fig2\.aml\.blood"):
        book.value("fig2.aml.blod")
    with pytest.raises(DatamixError, match=r"(?s)no svg in .*make record"):
        book.panel("2a").path("svg")
    with pytest.raises(DatamixError, match="does not take results"):
        book.panel("S1a").with_results(pd.DataFrame({"evaluation": ["aml"], "r2": [0.5]}))
    with pytest.raises(DatamixError, match=r"(?s)no ledger.csv in .*make book PROFILE=demo"):
        book.ledger()
    with pytest.raises(DatamixError, match="There is no"):
        datamix.open(tmp_path / "nothing")
    with pytest.raises(DatamixError, match="holds no panels"):
        datamix.open(tmp_path)
    with pytest.raises(DatamixError, match=r"no model blood of seed 0 .*; there are none"):
        book.model("blood")
    with pytest.raises(DatamixError, match="holds no cells"):
        book.score(lambda cells: cells)


def test_a_zip_is_opened_as_a_folder_is(record, tmp_path):
    path = tmp_path / "book.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(record.rglob("*.*")):
            inside = file.relative_to(record)
            archive.write(file, Path("results/demo") / ("site" if "scores" in file.name else "") / inside)
        for name in ("config/demo.yaml", "data_manifest.yaml"):
            archive.write(tmp_path / name, name)
        archive.writestr("ro-crate-metadata.json", "{}")
    book = datamix.open(path)
    assert book.panels == ["2a", "S1a"]
    assert book.scores()["median"].tolist() == [0.4], "what the site in it carries"
    assert "Cancer (AML)" in texts(book.panel("2a").figure())


def test_tables_and_figures_load_no_machinery_of_training(record):
    code = f"""
import sys, datamix, pandas as pd
book = datamix.open({str(record)!r})
panel = book.panel("2a").with_results(pd.DataFrame({{"evaluation": ["aml"], "r2": [0.5]}}))
panel.table(); panel.figure(); book.value("fig2.aml.blood"); book.scores(); book.claims(); book.provenance
print(sorted(name for name in sys.modules if "." not in name))
"""
    environment = os.environ | {"MPLBACKEND": "agg"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    loaded = set(re.findall(r"'(\w+)'", done.stdout))
    assert "pandas" in loaded
    heavy = {
        "torch",
        "scvi",
        "scanpy",
        "anndata",
        "sklearn",
        "numba",
        "transformers",
        "datasets",
        "snakemake",
        "sphinx",
    }
    assert not loaded & heavy


def test_every_panel_of_the_notebooks_can_be_drawn_again():
    saved = [
        name
        for path in sorted((ROOT / "notebooks").glob("*.py"))
        for name in re.findall(r"^ +\"(S?\d+[a-z]?)\",\n +data=", path.read_text(), flags=re.MULTILINE)
    ]
    assert len(saved) > 30
    assert set(saved) == set(DRAWINGS)
    assert set(HEAT_MAPS) < set(DRAWINGS)
