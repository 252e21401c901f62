"""The demo's book, used as readers use it."""

from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pytest

import datamix
from datamix.publishing.drawings import DRAWINGS


def words(texts):
    return {" ".join(text.split()) for text in texts if text.strip()}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_panel_drawn_from_its_table_says_what_the_saved_one_says(demo, name):
    if name not in demo.panels:
        assert not (demo.folder / "panels" / f"fig{name}.svg").exists()
        return
    panel = demo.panel(name)
    figure = panel.figure()
    figure.draw_without_rendering()
    drawn = words(text.get_text().replace("$", "") for text in figure.findobj(plt.Text) if text.get_visible())
    saved = words("".join(node.itertext()) for node in ElementTree.parse(panel.path("svg")).iter("{*}text"))
    # Matplotlib writes a text of several lines as several; mathematics it takes apart.
    whole = " ".join(sorted(drawn))
    unknown = [text for text in saved if text not in whole and not all(part in whole for part in text.split())]
    assert not unknown
    size = [round(25.4 * inches, 1) for inches in figure.get_size_inches()]
    assert size == panel.provenance["size_mm"]


def test_a_pca_of_ones_own_stands_in_figure_2(demo):
    from sklearn.decomposition import PCA

    pca = PCA(10, random_state=0).fit(demo.training_cells("blood").X)
    mine = demo.score(lambda cells: pca.inverse_transform(pca.transform(cells)), name="My PCA")
    assert set(mine["evaluation"]) == set(demo.profile.evaluations)
    panel = demo.panel("2a").with_results(mine)
    own = panel.table().query("group == 'own'").set_index("evaluation")
    assert own["median"].to_dict() == pytest.approx(mine.groupby("evaluation")["r2"].median().to_dict())
    # A baseline's evaluation cells are scored as they are in the book: as many of each set.
    ours = demo.panel("2a").table().query("mixture == 'blood'").set_index("evaluation")
    assert mine.groupby("evaluation").size().to_dict() == ours["cells"].to_dict()
    # PCA and LDVAE agree on which set of the demo is hardest for a model of blood.
    assert own["median"].idxmin() == ours["median"].idxmin()
    assert "Yours" in {text.get_text() for text in panel.figure().findobj(plt.Text)}


def test_the_published_book_says_what_the_results_say(demo, address):
    """All that the site carries, over http, each file held against its checksum."""
    published = datamix.open(address)
    assert published.panels == demo.panels
    for name in published.panels:
        assert published.panel(name).path("svg").read_bytes() == demo.panel(name).path("svg").read_bytes()
        assert published.panel(name).table().equals(demo.panel(name).table())
    assert dict(published.values) == dict(demo.values)
    assert published.claims().equals(demo.claims())
    assert published.ledger().equals(demo.ledger())
    assert published.profile.evaluations == demo.profile.evaluations
    assert set(published.scores()["mixture"]) == set(demo.scores()["mixture"])
    assert published.panel("2a").cite() == demo.panel("2a").cite()


def test_a_model_is_scvi_tools_own(demo):
    model = demo.model("blood+tf_atlas", seed=demo.profile.seeds[0])
    assert type(model).__name__ == "LinearSCVI"
    assert model.get_loadings().shape[0] == len(demo.training_cells("blood").var_names)
