import json
import os

import pytest
import yaml
from project_copy import ROOT, SMALL

from datamix.project import checksums
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout
from datamix.project.locks import one_at_a_time
from datamix.publishing.runs import made


@pytest.fixture
def layout(tmp_path, monkeypatch):
    """A project of one page, `one`, which reads scores and models; nothing of it has been made."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "tiny.yaml").write_text(SMALL.format(name="tiny") + "seeds: [0]\n")
    (tmp_path / "data_manifest.yaml").write_bytes((ROOT / "data_manifest.yaml").read_bytes())
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "_toc.yml").write_text(yaml.safe_dump({"root": "index", "files": [{"file": "notebooks/one"}]}))
    (tmp_path / "notebooks").mkdir()
    header = "# ---\n# jupyter:\n#   datamix:\n#     reads: [scores, models]\n# ---\n"
    (tmp_path / "notebooks" / "one.py").write_text(header)
    monkeypatch.setenv("DATAMIX_ROOT", str(tmp_path))
    return Layout.of("tiny", tmp_path)


def write(layout, *names):
    """Write files of a few bytes, each of other content."""
    for name in names:
        path = layout.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")


def job(layout, words, *names):
    """Run a job that writes files; returns what it said."""
    said = []
    with made.noted([*words.split(), "--profile", "tiny"], say=said.append):
        write(layout, *names)
    return said


def swap(layout, name):
    """Give a file another content, as long and as old as the former."""
    path = layout.folder / name
    before = path.stat()
    path.write_text("x" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


MODELS = ("models/blood/seed0.json", "models/blood/seed0/blood/model.pt", "models/blood/seed0/bone_marrow/model.pt")


def test_a_command_line_names_its_job():
    assert made.job_of(["train", "blood", "--seed", "0", "--profile", "mini"]) == ("train blood --seed 0", "mini")
    assert made.job_of(["train", "--profile=mini", "--seed=0", "blood"]) == ("train blood --seed 0", "mini")
    assert made.job_of(["composition", "run", "first", "--seed", "1"]) == ("composition run first --seed 1", "demo")


def test_every_rule_of_the_snakefile_has_its_job(layout):
    commands = {line.partition("-m datamix ")[2] for line in (ROOT / "Snakefile").read_text().splitlines()} - {""}
    words = {" ".join(w for w in line.split() if w.isalpha() or "-" in w.strip("-")) for line in commands}
    demo = Layout.of("demo", ROOT)
    jobs = made.jobs_of(demo, ["one"])
    known = {word for job in jobs for word in (" ".join(job.split()[:1]), " ".join(job.split()[:2]))}
    assert len(words) >= 15
    for command in words:
        assert command.split()[0] in known, command
        if command.split()[0] in {"composition", "geneformer"}:
            assert " ".join(command.split()[:2]) in known, command


def test_what_was_damaged_is_to_be_made_by_the_rule_that_made_it(layout):
    job(layout, "genes", "corpora/genes.csv")
    job(layout, "train blood --seed 0", *MODELS)
    job(layout, "collect-scores", "scores/reconstruction.parquet")
    assert made.damaged(layout, ["one"]) == {}
    (layout.folder / "corpora" / "genes.csv").write_text("")
    (layout.folder / MODELS[1]).write_text("half")
    (layout.folder / "scores" / "reconstruction.parquet").unlink()  # Snakemake makes what is not there
    assert made.damaged(layout, ["one"]) == {
        layout.genes: {"results/tiny/corpora/genes.csv": "it has 0 bytes, not 18"},
        layout.model_list("blood", 0): {f"results/tiny/{MODELS[1]}": "it has 4 bytes, not 34"},
    }


@pytest.mark.parametrize("asked", ["-n", "-np", "--dry-run", "--dryrun", "--touch", "--list-rules", "-S"])
def test_nothing_is_removed_where_snakemake_only_looks(layout, asked):
    job(layout, "genes", "corpora/genes.csv")
    layout.genes.write_text("")
    said = []
    made.remove_damaged(layout, ["one"], asked=["snakemake", "--cores", "1", asked, "--", "x"], say=said.append)
    words = "results/tiny/corpora/genes.csv has been damaged: it has 0 bytes, not 18."
    assert said == [f"{words} The next run makes it again."]
    assert layout.genes.exists()


def test_before_a_run_one_file_of_the_rule_is_removed(layout):
    job(layout, "train blood --seed 0", *MODELS)
    (layout.folder / MODELS[1]).write_text("")
    said = []
    words = ["--cores", "all", "--nolock", "--rerun-incomplete", "--quiet", "all", "--config", "profile=tiny", "--"]
    made.remove_damaged(layout, ["one"], asked=["snakemake", *words, "x"], say=said.append)
    assert said == [f"results/tiny/{MODELS[1]} has been damaged: it has 0 bytes, not 34. It is made again."]
    assert not (layout.folder / MODELS[0]).exists()
    assert (layout.folder / MODELS[2]).exists()


def test_nothing_is_removed_while_another_run_has_the_profile(layout):
    job(layout, "genes", "corpora/genes.csv")
    layout.genes.write_text("")
    with one_at_a_time(layout.lock("run")):
        made.remove_damaged(layout, ["one"], asked=["snakemake"], say=pytest.fail)
    assert layout.genes.exists()


def test_a_damaged_model_is_not_kept_and_the_others_are(layout):
    job(layout, "train blood --seed 0", *MODELS)
    (layout.folder / MODELS[1]).write_text("")
    said = job(layout, "train blood --seed 0", MODELS[0])
    assert said == [f"results/tiny/{MODELS[1]} has been damaged: it has 0 bytes, not 34. It is made again."]
    assert not (layout.folder / MODELS[1]).parent.exists()
    assert (layout.folder / MODELS[2]).is_file()
    assert made.damaged(layout, ["one"]) == {}


@pytest.mark.parametrize("damage", [lambda layout, name: (layout.folder / name).write_text(""), swap])
@pytest.mark.parametrize("name", ["scores/reconstruction.parquet", MODELS[0]])
def test_a_notebook_does_not_draw_from_what_was_damaged(layout, damage, name):
    job(layout, "train blood --seed 0", *MODELS)
    job(layout, "collect-scores", "scores/reconstruction.parquet")
    job(layout, "notebook one", "notebooks/one.ipynb")
    damage(layout, name)
    with pytest.raises(DatamixError, match=r"is not what `datamix .*` made: .*Nothing is drawn.*\n.*PROFILE=tiny"):
        job(layout, "notebook one", "notebooks/one.ipynb")


def test_what_a_notebook_refused_the_next_run_makes_again(layout):
    """Though the file is as long and as old as it was, so that a run would take it for whole."""
    job(layout, "collect-scores", "scores/reconstruction.parquet")
    swap(layout, "scores/reconstruction.parquet")
    assert made.damaged(layout, ["one"]) == {}
    with pytest.raises(DatamixError, match="Nothing is drawn"):
        job(layout, "notebook one", "notebooks/one.ipynb")
    assert made.damaged(layout, ["one"]).keys() == {layout.scores}


def test_a_file_that_was_only_touched_is_looked_into_once(layout, monkeypatch):
    job(layout, "collect-scores", "scores/reconstruction.parquet")
    os.utime(layout.scores, (1, 1))  # as Snakemake does with all that a job made, when it ends
    assert made.damaged(layout, ["one"]) == {}
    monkeypatch.setattr(checksums, "sha256", pytest.fail)
    assert made.damaged(layout, ["one"]) == {}


def test_what_is_gone_is_known_until_it_is_there_again(layout):
    """Whoever removed it, and though the job that was to make it again was killed."""
    job(layout, "collect-scores", "scores/reconstruction.parquet")
    assert made.lost(layout, ["one"]) == []
    layout.scores.write_text("")
    made.remove_damaged(layout, ["one"], asked=["snakemake"], say=lambda line: None)
    assert made.lost(layout, ["one"]) == [layout.scores]
    with pytest.raises(KeyboardInterrupt), made.noted(["collect-scores", "--profile", "tiny"], say=pytest.fail):
        raise KeyboardInterrupt
    assert made.lost(layout, ["one"]) == [layout.scores]
    job(layout, "collect-scores", "scores/reconstruction.parquet")
    assert made.lost(layout, ["one"]) == []


def test_what_was_lost_once_stays_asked_for(layout):
    """Or the book would be made a second time, of another set of files."""
    job(layout, "collect-scores", "scores/reconstruction.parquet")
    run, look = ["snakemake"], ["snakemake", "-n"]
    assert made.once_lost(layout, ["one"], asked=run) == []
    layout.scores.unlink()
    assert made.once_lost(layout, ["one"], asked=look) == [layout.scores]
    assert not (layout.folder / ".made" / ".lost.json").exists()
    assert made.once_lost(layout, ["one"], asked=run) == [layout.scores]
    job(layout, "collect-scores", "scores/reconstruction.parquet")
    assert made.lost(layout, ["one"]) == []
    for words in (look, run):
        assert made.once_lost(layout, ["one"], asked=words) == [layout.scores]
    (layout.folder / ".made" / ".lost.json").write_text("{")
    assert made.once_lost(layout, ["one"], asked=run) == []


def draw(layout):
    """Run the notebook, which makes a panel and a value."""
    files = ("panels/fig2a.svg", "panels/fig2a.csv", "values/one.json", "notebooks/one.ipynb")
    with made.noted(["notebook", "one", "--profile", "tiny"], say=print):
        write(layout, *files)
        listed = json.dumps({"panels": ["2a"], "values": []})
        (layout.folder / "notebooks" / "one.json").write_text(listed)
    return files


@pytest.mark.parametrize("damage", [lambda path: path.write_text(""), lambda path: path.unlink()])
def test_a_page_does_not_show_what_was_damaged_and_its_notebook_runs_again(layout, damage):
    for name in draw(layout)[:3]:
        damage(layout.folder / name)
        assert made.damaged(layout, ["one"]).keys() == {layout.folder / "notebooks" / "one.ipynb"}
        with pytest.raises(DatamixError, match="is not what `datamix notebook one` made"):
            job(layout, "site", "site/index.html")
        draw(layout)
        assert made.damaged(layout, ["one"]) == {}
    job(layout, "site", "site/index.html", "site/one.html")
    damage(layout.folder / "site" / "one.html")
    assert made.damaged(layout, ["one"]).keys() == {layout.folder / "site" / "index.html"}


def test_a_job_that_fails_or_is_under_way_has_no_note(layout):
    job(layout, "genes", "corpora/genes.csv")
    started = made.noted(["genes", "--profile", "tiny"], say=print)
    started.__enter__()
    (layout.folder / "corpora" / "genes.csv").write_text("")
    assert made.damaged(layout, ["one"]) == {}
    assert started.__exit__(RuntimeError, RuntimeError(), None) is False
    assert made.damaged(layout, ["one"]) == {}


@pytest.mark.parametrize("note", ["", "{", "[]", '{"corpora/genes.csv": 1}', '{"corpora/genes.csv": {"bytes": 1}}'])
def test_a_note_that_cannot_be_read_says_nothing(layout, note):
    job(layout, "genes", "corpora/genes.csv")
    (layout.folder / ".made" / "genes.json").write_text(note)
    assert made.damaged(layout, ["one"]) == {}
    job(layout, "genes", "corpora/genes.csv")
    (layout.folder / "corpora" / "genes.csv").write_text("")
    assert len(made.damaged(layout, ["one"])) == 1


def test_a_command_that_is_no_job_leaves_no_note(layout):
    job(layout, "train nobody --seed 0")
    assert not layout.folder.exists()
