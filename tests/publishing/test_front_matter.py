import pytest
from small_project import cells, write_project

from datamix.project.errors import DatamixError, NotInProfileError
from datamix.project.layout import Layout
from datamix.project.profile import Added, Composition
from datamix.project.profile_files import project_root, read_profile
from datamix.publishing.contents import list_notebooks
from datamix.publishing.front_matter import FrontMatter, Needs, read_front_matter


@pytest.fixture
def layout(tmp_path):
    write_project(tmp_path, {"a": cells()})
    return Layout.of("tiny", tmp_path)


def write(folder, header):
    path = folder / "page.py"
    kernel = "kernelspec: {name: python3, display_name: Python 3, language: python}"
    path.write_text(f"# ---\n# jupyter:\n#   datamix: {header}\n#   {kernel}\n# ---\n\n# %%\n1\n")
    return path


def test_words_stand_for_files_and_patterns_for_what_is_there(layout):
    front = read_front_matter(write(layout.root, "{reads: [scores, models, latents, config/*.yaml, config/no.yaml]}"))
    assert [path.relative_to(layout.root).as_posix() for path in front.files(layout)] == [
        "results/tiny/scores/reconstruction.parquet",
        "results/tiny/models/blood/seed0.json",
        "results/tiny/models/blood/seed1.json",
        "results/tiny/latents/blood-seed0.parquet",
        "results/tiny/latents/blood-seed1.parquet",
        "config/tiny.yaml",
    ]


def test_a_notebook_without_a_header_may_read_the_common_files(layout, tmp_path):
    path = tmp_path / "plain.py"
    path.write_text("# %%\n1\n")
    assert layout.scores in read_front_matter(path).files(layout)


@pytest.mark.parametrize(
    ("needs", "why"),
    [
        (Needs(baselines=2), "it has one baseline, not 2"),
        (Needs(seeds=3), "it has 2 seeds, not 3"),
        (Needs(geneformer=True), "it does not train Geneformer"),
        (Needs(composition=True, doses=True), "it has no mixtures by shares"),
        (Needs(baselines=2, seeds=3), "it has one baseline, not 2 and it has 2 seeds, not 3"),
    ],
)
def test_a_need_that_is_not_met_is_said_and_nothing_is_made_for_it(layout, needs, why):
    front = FrontMatter(needs=needs)
    assert front.files(layout) == []
    with pytest.raises(NotInProfileError, match=rf"Not in this profile, because {why} \(profile tiny\)\."):
        front.require(layout.profile)
    FrontMatter().require(layout.profile)


def test_mixtures_by_shares_may_lack_coalitions_or_doses(layout):
    composed = Composition(cells=20, coalitions=False)
    profile = layout.profile.model_copy(update={"composition": composed})
    needs = FrontMatter(needs=Needs(composition=True, doses=True))
    assert needs.unmet(profile) == "its mixtures by shares have no coalitions and it gives no set in doses"
    few = profile.model_copy(update={"composition": Composition(cells=20, mixtures=2, doses=(5,))})
    assert needs.unmet(few) == "fewer than 3 of its mixtures by shares are random"
    whole = profile.model_copy(update={"composition": Composition(cells=20, doses=(5,))})
    assert needs.unmet(whole) is None
    files = FrontMatter(reads=("composition", "yardsticks"), needs=Needs(doses=True)).files(Layout(layout.root, whole))
    assert [path.name for path in files] == [
        "scores.parquet",
        "second_round.json",
        "blood-seed0.parquet",
        "blood-seed1.parquet",
    ]


def test_what_a_notebook_can_do_without_has_no_files(layout):
    front = FrontMatter(reads=("composition", "geneformer", "scores"))
    assert front.unmet(layout.profile) is None
    assert front.files(layout) == [layout.scores]


def test_real_cells_have_gene_sets_only_where_the_profile_names_some(layout):
    front = FrontMatter(needs=Needs(gene_sets=True))
    front.require(layout.profile)  # simulated: the simulator's programmes
    real = layout.profile.model_copy(update={"simulated": False})
    assert front.unmet(real) == "it names no gene sets"
    assert front.unmet(real.model_copy(update={"gene_sets": "some"})) is None


def test_the_reason_that_the_profile_gives_is_added():
    front = FrontMatter(needs=Needs(baselines=2))
    with pytest.raises(NotInProfileError, match="No small file holds an atlas of many tissues"):
        front.require(read_profile("mini", project_root()))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("{reads: [scoers]}", "nothing is known of scoers"),
        ("{needs: {seed: 2}}", "header cannot be read(.|\n)*needs.seed"),
        ("{reads: [scores}", "header cannot be read"),
    ],
)
def test_a_malformed_header_is_named(tmp_path, header, message):
    with pytest.raises(DatamixError, match=message):
        read_front_matter(write(tmp_path, header))


def test_every_notebook_of_the_book_says_what_it_reads():
    root = project_root()
    for name in list_notebooks(root):
        script = root / "notebooks" / f"{name}.py"
        assert "reads" in read_front_matter(script).model_fields_set, name


def test_jupytext_keeps_the_header(tmp_path):
    import jupytext

    script = write(tmp_path, "{reads: [scores], needs: {seeds: 2}}")
    jupytext.write(jupytext.read(script), tmp_path / "page.ipynb")
    jupytext.write(jupytext.read(tmp_path / "page.ipynb"), tmp_path / "again.py", fmt="py:percent")
    assert read_front_matter(tmp_path / "again.py") == read_front_matter(script)


def test_a_page_about_additions_is_left_out_where_nothing_is_added(layout):
    front = FrontMatter(needs=Needs(added=True))
    assert front.unmet(layout.profile) == "it adds no set"
    added = {"gut": Added(label="Gut", datasets=("gut",))}
    assert front.unmet(layout.profile.model_copy(update={"added": added})) is None


@pytest.mark.parametrize("path", sorted((project_root() / "notebooks").glob("*.py")), ids=lambda path: path.stem)
def test_what_a_page_says_first_quotes_no_value_that_a_profile_may_lack(path):
    """A page of a profile that lacks what it needs shows its first cell, and no notebook has run behind it."""
    first = path.read_text(encoding="utf-8").split('# %% tags=["parameters"]')[0]
    assert "needs:" not in first or "{val}" not in first
