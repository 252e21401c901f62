import pytest
from small_grid import small_layout

from datamix.corpora.evaluation_sets import evaluation_rows, read_evaluation
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    layout = small_layout(tmp_path_factory.mktemp("evaluation"))
    of = layout.profile.evaluations["all"]
    changes = {
        "types": {"cell_types": ("T",), "cells": 20},
        "none": {"cell_types": ("Malignant",)},
        "many": {"cells": 5000},
    }
    evaluations = {"all": of} | {name: of.model_copy(update=change) for name, change in changes.items()}
    return Layout(layout.root, layout.profile.model_copy(update={"evaluations": evaluations}))


def test_an_evaluation_set_is_of_the_wanted_types_and_drawn(layout):
    some = read_evaluation(layout, "types", seed=0)
    assert set(some.obs["cell_type"]) == {"T"}
    assert some.n_obs == 20
    assert some.obs_names.equals(read_evaluation(layout, "types", seed=0).obs_names)
    assert not some.obs_names.equals(read_evaluation(layout, "types", seed=1).obs_names)
    rows = evaluation_rows(layout, "types", seed=0).rows
    assert some.obs_names.equals(read_evaluation(layout, "all", seed=0).obs_names[rows])


def test_a_missing_cell_type_is_named_with_those_that_are_there(layout):
    with pytest.raises(DatamixError, match=r"asks for cell type 'Malignant'; e has: B, N, T.*\n.*evaluations.none"):
        evaluation_rows(layout, "none", seed=0)


def test_too_few_evaluation_cells(layout):
    with pytest.raises(DatamixError, match=r"'many' draws 5,000 cells; \d+ are there after QC"):
        evaluation_rows(layout, "many", seed=0)
