"""Damaged: files of a finished book spoilt afterwards; noticed, said, made again, and nothing drawn from them."""

import os
from pathlib import Path

import pytest
import yaml
from damage import empty, replace, truncate
from project_copy import ROOT, SMALL

from datamix.project.errors import DatamixError
from datamix.project.layout import Layout
from datamix.publishing.front_matter import read_front_matter
from datamix.publishing.runs import made

OTHERS = (
    "composition: {cells: 60, coalitions: true, mixtures: 3, seeds: [0]}\n"
    "geneformer: {dictionaries: geneformer_dictionaries, baselines: [blood], seeds: [0]}\n"
)
PAGES = ("one", "two")


def replace_unseen(path: Path, other: Path) -> None:
    """The same with the former time: only the content tells."""
    before = path.stat()
    replace(path, other)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def layout(tmp_path, monkeypatch):
    """A project with two pages; what its jobs make is written by `finish`."""
    for folder in ("config", "book", "notebooks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config" / "tiny.yaml").write_text(SMALL.format(name="tiny") + "seeds: [0]\n" + OTHERS)
    (tmp_path / "data_manifest.yaml").write_bytes((ROOT / "data_manifest.yaml").read_bytes())
    listed = {"root": "index", "files": [{"file": f"notebooks/{name}"} for name in PAGES]}
    (tmp_path / "book" / "_toc.yml").write_text(yaml.safe_dump(listed))
    reads = {"one": "scores, models, corpora, genes, gene_sets", "two": "latents, gene_scores, held_out, yardsticks"}
    for name, words in reads.items():
        header = f"# ---\n# jupyter:\n#   datamix:\n#     reads: [{words}, geneformer, composition]\n# ---\n"
        (tmp_path / "notebooks" / f"{name}.py").write_text(header)
    monkeypatch.setenv("DATAMIX_ROOT", str(tmp_path))
    return Layout.of("tiny", tmp_path)


def finish(layout: Layout) -> list[Path]:
    """Run every job of the profile, each of which writes its files; returns all of them."""
    files = []
    for job, makes in made.jobs_of(layout, PAGES).items():
        with made.noted([*job.split(), "--profile", "tiny"], say=pytest.fail):
            paths = list(makes.of_rule)
            if job.startswith(("train", "composition run")):
                paths += [makes.of_rule[0].with_suffix("") / "blood" / name for name in ("model.pt", "history.csv")]
            elif job.startswith("geneformer run"):
                paths += [makes.beside[0] / "vocabulary.json", makes.beside[1] / "model.safetensors", makes.beside[2]]
            elif job.startswith("notebook"):
                page = job.split()[1]
                paths += [layout.folder / "panels" / f"fig{page}.{kind}" for kind in ("svg", "png", "csv", "json")]
                paths += [layout.folder / "values" / f"{page}.json"]
            elif job == "site":
                paths += [layout.folder / "site" / "one.html", layout.folder / "site" / "panels" / "figone.svg"]
            for path in paths:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{path.relative_to(layout.folder)}: " + "content " * 20)
            if job.startswith("notebook"):
                makes.of_rule[1].write_text(f'{{"panels": ["{job.split()[1]}"], "values": []}}')
        files += paths
    return files


@pytest.mark.parametrize("damage", [truncate, empty, replace])
def test_what_was_damaged_is_noticed_when_a_run_starts_and_its_own_job_runs_again(layout, damage):
    """Each file that a job makes, truncated, emptied or replaced by another's: its own job runs again, and no other."""
    files = finish(layout)
    assert made.damaged(layout, PAGES) == {}
    jobs = made.jobs_of(layout, PAGES)
    assert len(files) > 40
    for path, other in zip(files, [*files[1:], files[0]], strict=True):
        content, before = path.read_bytes(), path.stat()
        damage(path, other)
        (result, names), *others = made.damaged(layout, PAGES).items()
        assert not others
        assert list(names) == [f"results/tiny/{path.relative_to(layout.folder)}"]
        job = next(job for job, makes in jobs.items() if result == makes.of_rule[0])
        assert any(path == p or path.is_relative_to(p) for p in (*jobs[job].of_rule, *jobs[job].beside)), (job, path)
        path.write_bytes(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("damage", [truncate, empty, replace, replace_unseen])
def test_nothing_is_drawn_from_what_was_damaged_during_a_run(layout, damage):
    """Each file that a page reads or shows, spoilt after the run began, even with its size and time: the page stops."""
    finish(layout)
    jobs = made.jobs_of(layout, PAGES)
    scripts = {f"notebook {page}": layout.root / "notebooks" / f"{page}.py" for page in PAGES}
    drawn = {job: read_front_matter(script).files(layout) for job, script in scripts.items()}
    shown = [path for page in PAGES for m in [jobs[f"notebook {page}"]] for path in (*m.of_rule, *m.beside)]
    for job, paths in {**drawn, "site": [path for path in shown if path.is_file()]}.items():
        assert len(paths) > 4
        for path in paths:
            content, before = path.read_bytes(), path.stat()
            damage(path, paths[0] if path != paths[0] else paths[1])
            with pytest.raises(DatamixError, match=r"Nothing is drawn from it\.\n.*make book PROFILE=tiny"):
                made.require_whole(layout, job, made.jobs_of(layout, PAGES))
            path.write_bytes(content)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        made.require_whole(layout, job, jobs)
