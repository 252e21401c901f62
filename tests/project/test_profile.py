import pytest

from datamix.project.errors import DatamixError
from datamix.project.files import replacing
from datamix.project.profile_files import project_root, read_profile


@pytest.fixture
def write(tmp_path):
    """Write a changed copy of the demo profile, and read it."""
    text = (project_root() / "config" / "demo.yaml").read_text()

    def change(old, new):
        assert old in text
        path = tmp_path / "demo.yaml"
        path.write_text(text.replace(old, new))
        return read_profile(str(path))

    return change


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\nseeds: [0, 1, 2]", "\nseeds: [0, 1]\nsedes: 3", "unknown key 'sedes'"),
        ("\nseeds: [0, 1, 2]", "\nseeds: [0, 1]\nseeds: [2]", "key 'seeds' stands twice"),
        ("\nseeds: [0, 1, 2]", "\nseeds: []", "'seeds'"),
        ("cells: 1000", "cells: some", "'cells"),
        ("protocol: corrected", "protocol: both", "'protocol'"),
        ("name: demo", "name: other", "expected 'demo'"),
        ("simulated: true", "simulated: maybe", "'simulated'"),
        ("\nseeds: [0, 1, 2]", "\nseeds: [1, 1]", "a seed stands twice in seeds"),
        ("  seeds: [0]", "  seeds: [0, 0]", "a seed stands twice in geneformer.seeds"),
        ("\nseeds: [0, 1, 2]", "\nseeds: [-1]", "'seeds"),
        ("  bone_marrow:", "  tumör:", "name 'tumör' must be letters"),
        ("  bone_marrow:", "  bone-marrow:", "name 'bone-marrow' must be letters"),
        ("  bone_marrow:", "  2nd_marrow:", "name '2nd_marrow' must be letters"),
        ("\nbaselines:", "\nbaselines: {}\nothers:", "'baselines'"),
    ],
)
def test_bad_profiles_name_the_key_and_the_file(write, old, new, message):
    with pytest.raises(DatamixError, match=r"demo\.yaml") as caught:
        write(old, new)
    assert message in str(caught.value)
    assert "To mend it:" in str(caught.value)


def test_unknown_profile_lists_those_that_exist():
    with pytest.raises(DatamixError, match=r"choose one of demo.yaml, mini.yaml"):
        read_profile("nosuch")


def test_a_profile_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        read_profile("demo").cells = 5


def test_an_interrupted_write_leaves_the_former_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("former")
    with pytest.raises(KeyboardInterrupt), replacing(path) as beside:  # noqa: PT012
        beside.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "former"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_profile_that_evaluates_nothing_gives_no_book():
    read_profile("demo").require_whole()
    read_profile("demo").model_copy(update={"added": {}}).require_whole()  # the baseline against its control
    with pytest.raises(DatamixError, match="nothing under `evaluations`"):
        read_profile("demo").model_copy(update={"evaluations": {}}).require_whole()


def test_mitochondrial_bound_is_a_fraction(write):
    with pytest.raises(DatamixError, match=r"qc\.max_mito': .*fraction from 0 to 1, not per cent: write 0\.1 for 10 %"):
        write("max_mito: 0.1", "max_mito: 10")
