import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from small_grid import small_grid

from datamix.analysis.unseen_types import by_type, with_and_without
from datamix.project.errors import DatamixError
from datamix.publishing.results import Results
from datamix.scoring import hold_out


def test_what_is_left_out_is_replaced_by_other_types():
    types = np.array(list("TTTBBNNTBNTBNN"))
    rows, spare = np.arange(7), np.arange(7, 14)
    chosen = hold_out.without_type(rows, spare, types, "T")
    assert len(chosen) == len(rows)
    assert chosen.tolist() == [3, 4, 5, 6, 8, 9, 11]
    with pytest.raises(DatamixError, match="Without 'T', 3 cells are to be replaced; 1 are spare"):
        hold_out.without_type(rows, spare[:3][types[spare[:3]] != "N"], types, "T")


def test_types_that_are_frequent_on_both_sides_are_left_out():
    training = np.repeat(["T", "B", "N", "rare"], [50, 40, 30, 3])
    evaluation = [pd.Series(np.repeat(["B", "rare", "new"], [30, 40, 50])), pd.Series(np.repeat(["T", "N"], [60, 5]))]
    assert hold_out.types_to_hold_out(training, training, evaluation) == ["T", "B"]
    # Too few cells of other types to take the place of T.
    assert hold_out.types_to_hold_out(training, np.repeat(["T", "B", "N"], [50, 40, 9]), evaluation) == ["B"]
    assert hold_out.types_to_hold_out(np.repeat(["T"], 50), np.repeat(["T"], 50), evaluation) == []
    assert hold_out.types_to_hold_out(training, training, []) == []
    # Cells without a label are no type.
    assert hold_out.types_to_hold_out(np.where(training == "T", "not labelled", training), training, evaluation) == [
        "B"
    ]


def test_the_space_knows_training_cells_only_and_the_nearest_type_is_the_nearest():
    rng = np.random.default_rng(0)
    rates = np.ones((3, 30))
    rates[0, :10], rates[1, 10:20], rates[2, 8:14] = 20, 20, 20  # the third lies between the others
    counts = sp.csr_matrix(rng.poisson(np.repeat(rates, 40, axis=0)).astype(np.float32))
    space = hold_out.training_space(counts[:80], seed=0)
    mean = [space(counts[i * 40 : (i + 1) * 40]).mean(axis=0) for i in range(3)]
    assert mean[0].shape == (20,)
    assert hold_out.nearest(mean[0], {"a": mean[0], "b": mean[1]}) == ("a", 0.0)
    _, far = hold_out.nearest(mean[0], {"b": mean[1]})
    assert hold_out.nearest(mean[2], {"a": mean[0], "b": mean[1]})[1] < far


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    layout = small_grid(tmp_path_factory.mktemp("unseen"))
    hold_out.hold_out(layout, "blood", seed=0, say=str)
    return Results("tiny", notebook="n", root=layout.root)


def test_a_model_without_a_type_is_asked_about_that_type_only(results):
    table = results.held_out("blood")
    assert set(table["held_out"]) == {"", "B", "N", "T"}
    left = table[table["held_out"] != ""]
    assert (left["held_out"] == left["cell_type"]).all()
    assert set(left["evaluation"]) == {"all"}  # the other set is of cancer
    assert (left["nearest"] != left["cell_type"]).all()
    whole = table[(table["held_out"] == "") & (table["evaluation"] == "all")]
    assert (left.groupby("held_out")["distance"].first() >= whole.groupby("cell_type")["distance"].first()).all()


def test_pairs_of_the_same_cells(results):
    both = with_and_without(results.held_out("blood"))
    wide = both.pivot(index="cell", columns="mixture", values="r2")
    assert wide.notna().all().all()
    assert (wide["with"] != wide["without"]).mean() > 0.9


def test_types_as_trained_and_left_out(results):
    types = by_type(results.held_out("blood"))
    assert set(types["seen"]) == {"as trained", "left out"}
