import shutil
import subprocess

import pandas as pd
import pytest
from small_grid import small_grid

from datamix.project.errors import DatamixError, NotInProfileError
from datamix.project.files import read_json, write_json
from datamix.project.profile_files import project_root
from datamix.project.provenance import commit, is_clean
from datamix.publishing import recorded
from datamix.scoring import score
from datamix.scoring.score import collect_scores


@pytest.fixture
def root(tmp_path):
    layout = small_grid(tmp_path)
    score.score_baseline(layout, "blood", seed=0, say=str)
    collect_scores(layout)
    write_json(layout.folder / "values" / "fig2.json", {"fig2.cells": {"unit": "cells", "value": 150}})
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "_toc.yml").write_text("root: index\nchapters: [{file: notebooks/fig2}]\n")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "fig2.py").write_text("from datamix.analysis.summary import summarise\n")
    write_json(layout.folder / "notebooks" / "fig2.json", {"panels": ["2a", "3a"], "values": ["fig2.cells"]})
    write_json(layout.folder / "values" / "gone.json", {"gone.cells": {"unit": "cells", "value": 1}})
    (layout.folder / "panels").mkdir()
    (layout.folder / "panels" / "fig9a.csv").write_text("x\n1\n")  # of a notebook that is gone
    (layout.folder / "panels" / "fig2a.csv").write_text("x\n1\n")
    (layout.folder / "panels" / "fig3a.csv").write_text("x\n" + "1\n" * 100_000)  # a row a cell
    (tmp_path / ".gitignore").write_text("data/\nresults/\n")
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -qm one"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    return tmp_path


def draw(root, *, at):
    write_json(root / "results" / "tiny" / "panels" / "fig2a.json", {"notebook": "fig2", "commit": at})


def claims(root):
    table = pd.DataFrame({"claim": ["tf_atlas"], "value": [0.1], "verdict": ["supported"]})
    table.to_csv(root / "results" / "tiny" / "claims.csv", index=False)
    return table


def test_small_tables_are_kept_and_read_again(root):
    with pytest.raises(NotInProfileError, match="no record of profile tiny"):
        recorded.read_record(root, "tiny")
    table = claims(root)
    folder = recorded.write_record("tiny", root=root)
    assert folder == root / "recorded" / "tiny"
    kept = recorded.read_record(root, "tiny")
    pd.testing.assert_frame_equal(kept.table("claims"), table)
    pd.testing.assert_frame_equal(kept.table("panels/fig2a"), pd.DataFrame({"x": [1]}))
    assert kept.values["fig2.cells"].value == 150
    assert [p.name for p in (folder / "panels").iterdir()] == ["fig2a.csv"]
    assert [p.name for p in (folder / "values").iterdir()] == ["fig2.json"]
    types = kept.table("scores_by_type")
    assert set(types["mixture"]) == {"blood", "other", "blood+blood", "blood+other"}
    assert types.groupby(["evaluation", "mixture"])["cells"].sum().loc["some"].eq(20).all()
    assert [d["id"] for d in kept.described["datasets"]] == ["a", "b", "e"]
    assert kept.described["profile"] == "tiny"
    assert kept.described["command"] == "make record PROFILE=tiny"
    assert kept.described["commit"] == commit(root, apart_from="recorded")
    (folder / "left over").touch()
    recorded.write_record("tiny", root=root)
    assert not (folder / "left over").exists()


def test_what_a_record_lacks_is_said(root):
    assert recorded.quote_record(root, "tiny", "fig2.cells") == "not recorded so far"
    claims(root)
    recorded.write_record("tiny", root=root)
    assert recorded.quote_record(root, "tiny", "fig2.cells") == "150"
    assert recorded.quote_record(root, "tiny", "fig7.best") == "not recorded so far"
    assert recorded.quote_record(root, "tiny", "fig7.best", otherwise="No.") == "No."
    kept = recorded.read_record(root, "tiny")
    assert kept.table_if_kept("panels/fig7a") is None
    assert len(kept.table_if_kept("panels/fig2a")) == 1


def test_a_record_is_of_a_commit(root):
    claims(root)
    draw(root, at=f"{'0' * 40} with uncommitted changes")
    with pytest.raises(DatamixError, match=r"1 panels .* with uncommitted changes, .*: fig2a(.|\n)*then make book"):
        recorded.write_record("tiny", root=root)
    draw(root, at="0" * 40)
    (root / "config" / "other.yaml").touch()
    with pytest.raises(DatamixError, match=r"commit is [0-9a-f]{40} with uncommitted changes(.|\n)*commit the changes"):
        recorded.write_record("tiny", root=root)
    assert not (root / "recorded").exists()
    (root / "config" / "other.yaml").unlink()
    recorded.write_record("tiny", root=root)
    shutil.rmtree(root / ".git")
    with pytest.raises(DatamixError, match="commit is unknown"):
        recorded.write_record("tiny", root=root)


@pytest.mark.parametrize("what", ["code", "settings"])
def test_a_record_is_out_of_date_when_code_or_settings_change(root, what):
    claims(root)
    folder = recorded.write_record("tiny", root=root)
    assert recorded.is_current(folder, root=root)
    made = read_json(folder / "provenance.json")
    write_json(folder / "provenance.json", made | {what: "0" * 64})
    assert not recorded.is_current(folder, root=root)


def test_without_claims_nothing_is_kept(root):
    with pytest.raises(DatamixError, match=r"claims.csv does not exist(.|\n)*make book PROFILE=tiny"):
        recorded.write_record("tiny", root=root)
    assert not (root / "recorded").exists()


def test_a_record_is_small(root, monkeypatch):
    claims(root)
    monkeypatch.setattr(recorded, "LARGEST", 100)
    with pytest.raises(DatamixError, match="expected at most 100"):
        recorded.write_record("tiny", root=root)
    shutil.rmtree(root / "recorded", ignore_errors=True)


def test_what_is_recorded_here_was_made_by_this_code():
    folders = [path.parent for path in (project_root() / "recorded").glob("*/provenance.json")]
    assert "mini" in [folder.name for folder in folders]
    old = [folder.name for folder in folders if not recorded.is_current(folder)]
    made_at = {folder.name: read_json(folder / "provenance.json")["commit"] for folder in folders}
    assert [name for name, made in made_at.items() if not is_clean(made)] == [], "of no commit: make record again"
    assert not old, f"older than the code: make record PROFILE={' '.join(old)}"
