"""Killed: a run and all that it started, ended at once at any moment; the next run makes what an undisturbed one does.

After every kill nothing of the run is left running, and what lies in the place of a result is that result.
"""

import random
import shutil

import pytest
from killing import Killed, results_of
from project_copy import Project
from small_book import SITE, small_book

from datamix.project.layout import Layout
from datamix.publishing.runs import made

pytestmark = pytest.mark.faults
MOMENTS = 20
LONGEST = 1 / 3
"""Of the time of an undisturbed run: so that a run that is killed again and again comes to its end."""
WRITES = {
    "corpora/sim_blood.h5ad": "corpora/sim_blood.h5ad",
    "corpora/gene_sets.csv": "corpora/gene_sets.csv",
    ".made/genes.json": "corpora/genes.csv",
    "models/blood/seed0/blood+bone_marrow": "models/blood/seed0.json",
    "models/blood/seed0.json": "models/blood/seed0.json",
    ".made/train.blood.seed.0.json": "models/blood/seed0.json",
    "scores/parts/blood-seed0.parquet": "scores/parts/blood-seed0.parquet",
    "scores/genes/blood-seed0.parquet": "latents/blood-seed0.parquet",
    "scores/held_out/blood-seed0.parquet": "scores/held_out/blood-seed0.parquet",
    ".made/collect-scores.json": "scores/reconstruction.parquet",
    "scores/yardsticks/blood-seed0.parquet": "scores/yardsticks/blood-seed0.parquet",
    "panels/figS2a.png": "notebooks/one.json",
    "notebooks/one.ipynb": "notebooks/one.json",
    ".made/notebook.one.json": "notebooks/one.json",
    "site": "site/index.html",
    ".made/site.json": "site/index.html",
}
"""What a job is about to move into its place when it is killed → the file of its rule."""


class Campaign:
    """A book that is killed over and over, and the undisturbed one."""

    def __init__(self, folder, whole: dict[str, str], seconds: float) -> None:
        project = small_book(folder / "project")
        self.whole, self.seconds, self.run = whole, seconds, Killed(project, folder, target=SITE)

    @property
    def project(self) -> Project:
        return self.run.project

    def must_hold_nothing_half_made(self) -> None:
        """Assert that every file of a rule that is in its place is the undisturbed run's."""
        layout = Layout.of("tiny", self.project.folder)
        rules = [path for makes in made.jobs_of(layout, ["one", "two"]).values() for path in makes.of_rule]
        names = {path.relative_to(layout.folder).as_posix() for path in rules}
        found = {name: digest for name, digest in results_of(self.project).items() if name in names}
        assert found.items() <= self.whole.items()

    def must_be_whole(self) -> None:
        """Assert that all results are the undisturbed run's."""
        assert results_of(self.project) == self.whole


@pytest.fixture(scope="module")
def campaign(tmp_path_factory, whole_book):
    """A project that is killed; only what is asked of it lies there."""
    project, seconds = whole_book
    return Campaign(tmp_path_factory.mktemp("killed"), results_of(project), seconds)


@pytest.mark.parametrize("write", WRITES)
def test_killed_at_a_write(campaign, write):
    """Killed when a job is about to move what it has made into its place: the results, and the notes of all rules."""
    run, of_rule = campaign.run, campaign.project.results / WRITES[write]
    of_rule.unlink(missing_ok=True)  # it may have been made while a job beside it was killed
    run.target = f"results/tiny/{WRITES[write]}"
    assert f"results/tiny/{write}" in run.kill_at_writes((f"results/tiny/{write}",))
    campaign.must_hold_nothing_half_made()


def test_run_after_the_kills_at_writes(campaign):
    """The run after the kills at writes: scores, tables, figures, values and pages, byte for byte, but for times."""
    campaign.run.target = SITE
    campaign.run.finish()
    campaign.must_be_whole()


@pytest.mark.parametrize("number", range(MOMENTS))
def test_killed_at_a_moment(campaign, number):
    """Killed at a random moment, and again in the runs that go on, up to the end of a book and of the next."""
    if number == 0 or (campaign.project.results / "site" / "index.html").is_file():
        shutil.rmtree(campaign.project.results, ignore_errors=True)
    run = campaign.run
    run.target = SITE
    if not run.kill_after(random.Random(number).uniform(0, LONGEST * campaign.seconds)):
        campaign.must_be_whole()
        shutil.rmtree(campaign.project.results, ignore_errors=True)
        assert run.kill_after(random.Random(number).uniform(0, LONGEST * campaign.seconds))
    campaign.must_hold_nothing_half_made()


def test_run_after_the_kills_at_moments(campaign):
    """The run after the kills at random moments: everything, byte for byte, but for times."""
    campaign.run.finish()
    campaign.must_be_whole()
