import pandas as pd
import pytest
from small_project import cells, write_project

from datamix.corpora.prepare import prepare
from datamix.project.errors import DatamixError, NotInProfileError
from datamix.project.manifest import read_manifest
from datamix.publishing.results import Results
from datamix.publishing.values import Values, record


@pytest.fixture
def results(tmp_path):
    write_project(tmp_path, {"a": cells(200)})
    return Results("tiny", notebook="one", root=tmp_path)


@pytest.mark.parametrize("read", [lambda r: r.scores("blood"), lambda r: r.history(), lambda r: r.corpus("a")])
def test_what_is_missing_names_the_command_that_makes_it(results, read):
    with pytest.raises(DatamixError, match=r"does not exist(.|\n)*make book PROFILE=tiny"):
        read(results)


def test_results_in_a_console_write_nothing(results):
    """Whatever notebook's name they are given."""
    assert not (results.folder / "values").exists()
    record("one.kept", 1, unit="", results=results)
    Results("tiny", notebook="one", root=results.root)
    assert list(Values.read(results.folder)) == ["one.kept"]


def test_datasets_are_those_the_notebook_reads(results):
    assert Results("tiny", notebook="two", reads=[], root=results.root).datasets == {}
    prepare("a", profile=results.profile, manifest=read_manifest(results.root), root=results.root)
    assert list(results.datasets) == ["a"]
    assert len(results.datasets["a"]) == 64
    assert results.corpus_record("a")["cells_kept"] == len(results.corpus_obs("a"))


def test_a_notebook_that_needs_more_than_the_profile_has_says_so_by_hand_too(results):
    script = results.root / "notebooks" / "two.py"
    script.parent.mkdir()
    script.write_text("# ---\n# jupyter:\n#   datamix: {needs: {baselines: 2}}\n# ---\n")
    assert results.baselines == ["blood"]
    with pytest.raises(NotInProfileError, match=r"Not in this profile, because it has one baseline, not 2"):
        Results("tiny", notebook="two", root=results.root)


def test_scores_are_of_one_baseline(results):
    table = pd.DataFrame(
        {"baseline": ["blood", "atlas"], "mixture": "m", "evaluation": "e", "cell_type": "t", "donor": "d"}
    )
    results.layout.scores.parent.mkdir(parents=True)
    table.astype("category").to_parquet(results.layout.scores)
    assert results.scores("blood")["baseline"].tolist() == ["blood"]
