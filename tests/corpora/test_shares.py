import h5py
import numpy as np
import pytest
import yaml
from small_grid import small_layout

from datamix.corpora import shares
from datamix.corpora.corpus import n_cells
from datamix.corpora.genes import read_genes
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout
from datamix.project.mixture_names import name_shares, read_shares
from datamix.project.profile import Added, Composition


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    """Blocks: blood (dataset a), other (b), both (a and b)."""
    layout = small_layout(tmp_path_factory.mktemp("shares"))
    added = dict(layout.profile.added) | {"both": Added(label="Both", datasets=("a", "b"))}
    composition = Composition(cells=40, mixtures=9, doses=(5, 20))
    return Layout(layout.root, layout.profile.model_copy(update={"added": added, "composition": composition}))


def with_composition(layout, **settings):
    return layout.profile.model_copy(update={"composition": Composition(**({"cells": 40} | settings))})


@pytest.mark.parametrize("cells", [20, 401, 1000])
def test_rounded_shares_add_up_and_are_within_a_cell(cells):
    rng = np.random.default_rng(cells)
    for _ in range(50):
        wanted = dict(zip("abcde", rng.dirichlet(np.ones(5)).tolist(), strict=True))
        found = shares.whole_cells(wanted, cells)
        assert sum(found.values()) == cells
        assert all(abs(found[name] - cells * share) < 1 for name, share in wanted.items())
    assert shares.whole_cells({"a": 1.0, "b": 1.0, "c": 1.0}, 20) == {"a": 7, "b": 7, "c": 6}
    assert shares.whole_cells({"a": 0.3, "b": 0.7}, 10) == {"a": 3, "b": 7}


def test_coalitions_are_all_subsets_in_equal_shares(layout):
    found = shares.coalitions(layout.profile)
    assert list(found) == [
        "blood=40", "other=40", "both=40", "blood=20+other=20", "blood=20+both=20", "other=20+both=20",
        "blood=14+other=13+both=13",
    ]  # fmt: skip
    assert found["other=20+both=20"] == {"other", "both"}
    assert shares.coalitions(with_composition(layout, coalitions=False)) == {}
    np.testing.assert_allclose(shares.shares_of(found, layout.profile).sum(axis=1), 1)
    np.testing.assert_allclose(shares.shares_of(["other=30+both=10"], layout.profile), [[0, 0.75, 0.25]])


def test_random_mixtures_are_new_and_always_the_same(layout):
    found = shares.random_mixtures(layout.profile)
    assert len(set(found)) == 9
    assert not set(found) & set(shares.coalitions(layout.profile))
    assert found == shares.random_mixtures(layout.profile)
    assert all(sum(read_shares(name).values()) == 40 for name in found)
    # More of them go on where fewer end.
    assert shares.random_mixtures(with_composition(layout, mixtures=12))[:9] == found
    assert shares.first_round(layout.profile) == [*shares.coalitions(layout.profile), *found]
    with pytest.raises(DatamixError, match="do not make 5000 different mixtures"):
        shares.random_mixtures(with_composition(layout, mixtures=5000))


def test_doses_start_with_none_and_end_with_a_coalition(layout):
    found = shares.dose_mixtures(layout.profile, "other")
    assert found == {0: "blood=40", 5: "blood=35+other=5", 20: "blood=20+other=20"}
    assert {found[0], found[20]} <= set(shares.coalitions(layout.profile))


def rows(parts):
    return {(part.dataset, row) for part in parts for row in part.rows.tolist()}


def test_draws_have_the_cells_asked_for_once_each_and_are_nested(layout):
    names = [*shares.first_round(layout.profile), "blood=35+other=5"]
    drawn = shares.draw_shares(layout, names, seed=3)
    for name in names:
        assert sum(len(part.rows) for part in drawn[name]) == 40
        assert len(rows(drawn[name])) == 40  # none twice, though two blocks share their datasets
    of_other = rows(drawn["blood=35+other=5"]) & rows(drawn["other=40"])
    assert len(of_other) == 5
    assert rows(drawn["blood=20+other=20"]) < rows(drawn["blood=40"]) | rows(drawn["other=40"])
    both = drawn["both=40"]
    assert {part.dataset: len(part.rows) for part in both} == {"a": 20, "b": 20}
    # Draws depend on the seed, not on what else is drawn.
    alone = shares.draw_shares(layout, ["both=40"], seed=3)["both=40"]
    assert rows(alone) == rows(both)
    assert rows(shares.draw_shares(layout, ["both=40"], seed=4)["both=40"]) != rows(both)


def test_a_block_too_small_is_named(layout):
    n = n_cells(layout.corpus("b"))
    with pytest.raises(DatamixError, match=rf"takes {n} cells of b, which has {n // 2} for block 'other'"):
        shares.draw_shares(layout, [name_shares({"other": n})], seed=0)


def test_settings_that_cannot_be_met_are_refused(layout):
    with pytest.raises(DatamixError, match="no mixtures by shares"):
        shares.composition_of(layout.profile.model_copy(update={"composition": None}))
    path = layout.root / "config" / "tiny.yaml"
    plain = yaml.safe_load(path.read_text())
    for settings, message in (
        ({"doses": [30]}, "more than half of 40 cells"),
        ({"baseline": "bone"}, "which is no baseline"),
        ({"blocks": ["blood", "bone"]}, "neither its baseline nor an added set"),
        ({"blocks": ["blood", "blood"]}, "each once"),
        ({"doses": [3], "coalitions": False}, "name them under `dosed`"),
        ({"depth_matched": True}, "give `doses`"),
    ):
        path.write_text(yaml.safe_dump(plain | {"composition": {"cells": 40} | settings}))
        with pytest.raises(DatamixError, match=message):
            Layout.of("tiny", layout.root)
    path.write_text(yaml.safe_dump(plain))


def test_cells_without_a_count_of_the_shared_genes_are_in_no_mixture(tmp_path):
    layout = small_layout(tmp_path)
    layout = Layout(layout.root, layout.profile.model_copy(update={"composition": Composition(cells=40)}))
    n = n_cells(layout.corpus("b"))
    names, said = ["other=40", "blood=20+other=20", f"other={n}"], []
    whole = shares.draw_shares(layout, names, seed=3, say=said.append)
    assert not said
    first = whole["other=40"][0].rows[:3]
    # Models are to see few genes, and three of the cells drawn are made to have none of them.
    genes = read_genes(layout).iloc[5:30]
    genes.to_csv(layout.genes, index=False)
    with h5py.File(layout.corpus("b"), "r+") as file:
        names_of = file["var/" + file["var"].attrs["_index"]].asstr()[:]
        bounds, indices = file["X/indptr"][:], file["X/indices"][:]
        other = np.flatnonzero(~np.isin(names_of, genes["gene"]))
        for row in first:
            indices[bounds[row] : bounds[row + 1]] = np.resize(other, bounds[row + 1] - bounds[row])
        file["X/indices"][:] = indices
    left = shares.draw_shares(layout, names[:2], seed=3, say=said.append)
    assert said == [f"b: 3 of {n:,} cells have none of the 25 shared genes and are left out"]
    for name in names[:2]:
        assert sum(len(part.rows) for part in left[name]) == sum(read_shares(name).values())
        assert not {("b", row) for row in first.tolist()} & rows(left[name])
    # The others are drawn in the order in which they were.
    np.testing.assert_array_equal(left["other=40"][0].rows[:37], whole["other=40"][0].rows[3:])
    with pytest.raises(DatamixError, match=f"takes {n} cells of b, which has {n - 3} for block 'other'"):
        shares.draw_shares(layout, names[2:], seed=3, say=str)
