import pytest

from datamix.project.errors import DatamixError
from datamix.project.mixture_names import LONGEST, MixtureName, name_shares, read_depth, read_name, read_shares


def test_names_of_shares_say_what_is_in_them_and_nothing_else_is_called_so():
    name = name_shares({"blood": 300, "marrow": 0, "tf_atlas": 100})
    assert name == "blood=300+tf_atlas=100"
    assert read_shares(name) == {"blood": 300, "tf_atlas": 100}
    assert read_shares("blood=20") == {"blood": 20}
    thinned = name_shares({"blood": 300, "tf_atlas": 100}, depth=3400)
    assert thinned == "blood=300+tf_atlas=100@3400"
    assert read_shares(thinned) == read_shares(name)
    assert (read_depth(thinned), read_depth(name)) == (3400, None)
    for other in (
        "blood", "blood+tf_atlas", "blood+blood_690", "blood=+tf=1", "blood=-3", "=4", "blood=3@", "blood=3@few",
    ):  # fmt: skip
        with pytest.raises(DatamixError, match="not the name of a mixture by shares"):
            read_shares(other)
    assert read_name("blood+blood_690") == MixtureName("blood", "blood", 690)


def test_names_of_shares_fit_into_a_folder():
    assert not set('/\\:*?"<>| ') & set(name_shares({"a": 1, "b": 2}, depth=3))
    with pytest.raises(DatamixError, match=f"expected 1 to {LONGEST}"):
        name_shares({f"{'long' * 10}{i}": 1 for i in range(6)})
    with pytest.raises(DatamixError, match="0 characters"):
        name_shares({"a": 0})
