import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pandas as pd
import pytest
from panel import TABLE, draw

from datamix.project.dataset import Citation, Dataset, File
from datamix.project.errors import DatamixError
from datamix.project.manifest import Manifest, read_manifest
from datamix.project.profile import Composition
from datamix.publishing.panels import save_panel
from datamix.publishing.website.pages import (
    asked,
    claims_html,
    control,
    datasets_table,
    figure_html,
    front_maps,
    mathml,
    missing_list,
    read_panel,
)

MATHML = "{http://www.w3.org/1998/Math/MathML}"


class Elements(HTMLParser):
    """Every element of some HTML: (tag, attributes), and all its text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def panel(run):
    save_panel(draw(), "2a", data=TABLE, alt='R² of "blood" & <others>', caption="Caption.", results=run)
    return read_panel(run.folder, "2a", made={"2a"})


def parsed(panel, page, to_root):
    before, after = figure_html(panel, anchor="fig-2a", to_root=to_root, page=page)
    return Elements(f"{before}Caption.{after}")


def test_a_figure_has_its_picture_alt_text_and_downloads(panel):
    figure = parsed(panel, "notebooks/fig2", "../")
    (image,) = figure.all("img")
    assert image["src"] == "../panels/fig2a.png"
    assert image["alt"] == 'R² of "blood" & <others>'
    downloads = [a["href"] for a in figure.all("a") if "download" in a]
    assert downloads == [f"../panels/fig2a.{s}" for s in ("svg", "pdf", "png", "csv", "json")] + [
        "../notebooks/fig2.ipynb"
    ]
    assert figure.all("a")[0]["href"] == "../panels/fig2a.svg"


def test_what_is_seen_is_told_in_numbers_and_can_be_looked_at_closer(panel):
    told = {**panel, "in_numbers": "From 1 to 2.", "pointed_at": True, "numbers": "<table></table>"}
    figure = parsed(told, "notebooks/fig2", "../")
    assert figure.all("img")[0]["alt"].endswith("<others> From 1 to 2.")
    assert figure.all("figure")[0]["data-places"] == "../_static/places/fig2a.js"
    assert figure.all("table")
    assert "Point at the picture" in figure.text
    plain = parsed(panel, "notebooks/fig2", "../")
    assert "data-places" not in plain.all("figure")[0]
    assert "Point at" not in plain.text


def test_a_claim_can_be_linked_and_cited(panel):
    software = {"title": "T", "version": "1", "authors": [{"name": "A"}]}
    claims = pd.DataFrame(
        [("unseen", "A <b>.", "supported", 0.1, 0, 0.2), ("law", "B.", "not computable", *[float("nan")] * 3)],
        columns=["claim", "finding", "verdict", "value", "low", "high"],
    )
    listed = Elements(claims_html({**panel, "software": software}, claims))
    assert [item["id"] for item in listed.all("li")] == ["claim-unseen", "claim-law"]
    assert [a["href"] for a in listed.all("a")] == ["#claim-unseen", "#claim-law"]
    assert "A <b>. supported, 0.100 (0.000 to 0.200)" in listed.text
    none = claims.assign(value=float("nan"), low=float("nan"), high=float("nan"), verdict="not computable")
    assert "not computable," not in Elements(claims_html({**panel, "software": software}, none)).text
    assert listed.text.count("Cite this claim") == 2
    assert "datamix_claim_law" in listed.text


def test_the_first_page_says_whether_its_run_is_a_control(run):
    assert control(run.profile)[0] == "What the simulated control says"
    assert "whether it is found" in control(run.profile)[1]
    assert "its control adds" in control(run.profile)[1]
    assert "its control adds" not in control(run.profile.model_copy(update={"added": {}}))[1]
    real = run.profile.model_copy(update={"simulated": False})
    assert control(real)[0] == "What this run says"
    assert "{val}`fig2.answer`" in control(real)[1]


def test_the_source_line_says_what_made_it(panel):
    text = parsed({**panel, "wall_time": 12.4}, "index", "").text
    for words in (
        "Figure 2a.",
        "fig2 notebook",
        "commit unknown",
        "profile demo (simulated cells)",
        "corrected protocol",
        "seeds 0, 1",
        "12 s for the notebook",
        "2 datasets",
        "sim_blood 01234567",
        "make figure FIG=fig2 PROFILE=demo",
    ):
        assert words in text


def test_uncommitted_changes_show(panel):
    text = parsed({**panel, "commit": f"{'ab' * 20} with uncommitted changes"}, "index", "").text
    assert "commit abababab with uncommitted changes" in text


def test_the_notebooks_page_is_linked_from_elsewhere_only(panel):
    assert "notebooks/fig2.html" in [a["href"] for a in parsed(panel, "index", "").all("a")]
    assert "../notebooks/fig2.html" not in [a["href"] for a in parsed(panel, "notebooks/fig2", "../").all("a")]


@pytest.mark.parametrize(("name", "made"), [("2b", {"2a", "2b"}), ("2a", {"2b", "3a"})])
def test_a_panel_that_no_notebook_of_the_book_made_is_named_with_those_made(run, panel, name, made):
    with pytest.raises(DatamixError, match=f"made panel {name}; they made: {', '.join(sorted(made))}"):
        read_panel(run.folder, name, made=made)


def test_a_panel_without_a_file_is_refused(run, panel):
    (run.folder / "panels" / "fig2a.csv").unlink()
    with pytest.raises(DatamixError, match=r"(?s)panel 2a lacks fig2a.csv .*make figure FIG=fig2 PROFILE=demo"):
        read_panel(run.folder, "2a", made={"2a"})


def test_mathematics_is_mathml():
    root = ET.fromstring(mathml(r"\frac{a}{b_1}", display="block"))
    assert root.tag == f"{MATHML}math"
    assert root.get("display") == "block"
    fraction = root.find(f".//{MATHML}mfrac")
    assert fraction is not None
    assert "".join(fraction.itertext()) == "ab1"


def test_a_distribution_has_an_operator_between():
    root = ET.fromstring(mathml(r"z \sim N", display="inline"))
    assert [e.text for e in root.iter(f"{MATHML}mo")] == ["∼"]


@pytest.mark.parametrize(
    ("latex", "message"),
    [
        (r"\nosuchcommand x", "nosuchcommand"),
        (r"\left( x", "cannot be converted"),
    ],
)
def test_bad_formulas_are_refused(latex, message):
    with pytest.raises(DatamixError, match=message):
        mathml(latex, display="inline")


def test_the_table_lists_every_dataset_once(run):
    lines = datasets_table(run.profile, read_manifest())
    for dataset in run.profile.datasets:
        assert sum(f"`{dataset}`" in line for line in lines) == 1
    assert {line.count(" | ") for line in lines[2:]} == {3}


def test_a_row_says_whose_the_data_are_and_escapes_the_manifest(run):
    described = Dataset(
        title="Cells | of <someone>",
        reader="h5ad",
        access="open",
        licence="not stated",
        citation=Citation(text="Doe 2020", doi="10.1000/doe"),
        files=(
            File(name="a_b.h5ad", url="https://example.org/a_b.h5ad", bytes=12345, sha256="ab" * 32),
            File(name="c", steps="ask"),
        ),
    )
    profile = run.profile.model_copy(
        update={
            "baselines": {"blood": run.profile.baselines["blood"]},
            "added": {},
            "evaluations": {},
            "gene_sets": None,
        }
    )
    (row,) = datasets_table(profile, Manifest(datasets={"sim_blood": described}))[2:]
    assert row == (
        r"| **Cells \| of \<someone\>**<br>`sim_blood` | training "
        "| [Doe 2020](https://doi.org/10.1000/doe)<br>not stated; access: open "
        r"| [a\_b.h5ad](https://example.org/a_b.h5ad), 12,345 bytes, sha256 `abababab`<br>"
        "c, size not known, not pinned |"
    )


def test_missing_parts_are_listed(run):
    assert missing_list(run.profile) == ["Nothing: every part of the paper has a counterpart in this profile."]
    lacking = run.profile.model_copy(update={"missing": {"tf_atlas": "No atlas is small enough."}})
    assert missing_list(lacking) == ["* **tf atlas**: No atlas is small enough."]


def test_on_the_first_page_real_cells_come_before_simulated_ones(run):
    simulated = front_maps(run.profile.model_copy(update={"simulated": True}))
    assert [line for line in simulated if "panel" in line] == ["```{panel} 6a", "```{panel} 2a"]
    real = front_maps(run.profile.model_copy(update={"simulated": False}))
    assert [line for line in real if "panel" in line] == ["```{panel} 2a"]
    assert not any("simulated" in line for line in real)


def test_the_first_page_says_what_was_asked_of_ones_own_cells(run):
    assert asked(run.profile) == []
    own = Dataset(title="Mine", reader="file", access="own", files=(File(name="a", path="a.h5ad"),))
    profile = run.profile.model_copy(update={"own_datasets": {"mine": own}})
    question = asked(profile)[0]
    assert "trained on Blood and Atlas better on Blood, Bone marrow, AML, SCC and Neurons" in question
    assert "where Bone marrow, Blood cancer, Perturb-seq and TF atlas are added" in question
    assert any("**What came out.** {val}`fig2.answer`" in line for line in asked(profile))
    assert "fig2.answer" not in " ".join(control(profile))  # said once
    alone = asked(profile.model_copy(update={"added": {}, "composition": None}))
    assert "better on Blood, Bone marrow, AML, SCC and Neurons with twice the cells of Blood and Atlas?" in alone[0]
    assert any("{val}`fig2.answer`" in line for line in alone)
    assert not any("fig7" in line or "fig3" in line for line in alone)
    assert any("notebooks/fig3" in line for line in asked(profile))
    for mixtures in (2, 3):  # Figure 7 needs three
        shares = profile.model_copy(update={"composition": Composition(cells=100, mixtures=mixtures)})
        assert any("{val}`fig7.best`" in line for line in asked(shares)) == (mixtures == 3)
    baseline = profile.baselines["blood"].model_copy(update={"dataset": "mine"})
    changes = {"baselines": {"blood": baseline}, "added": {}, "evaluations": {}, "gene_sets": None}
    (row,) = datasets_table(profile.model_copy(update=changes), Manifest(datasets={"mine": own}))[2:]
    assert row == "| **Mine**<br>`mine` | training | one's own | a, size not known, not pinned |"
