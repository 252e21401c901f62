import subprocess
import sys

import pandas as pd
import pytest
from small_project import cells, read_entries, write_manifest, write_project
from typer.testing import CliRunner

from datamix.cli import app


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("DATAMIX_ROOT", str(tmp_path))
    monkeypatch.delenv("DATAMIX_MIRROR", raising=False)
    return write_project(tmp_path, {"a": cells()})


def run(*words):
    return CliRunner().invoke(app, list(words))


def test_check_prints_a_plain_table_and_fails_only_if_something_lacks(project):
    found = run("data", "check", "--profile", "tiny")
    assert found.exit_code == 0
    assert found.stdout.splitlines()[0] == "figures\tdataset\tuse\tfile\tbytes\tstate"
    size = (project / "data" / "a" / "a.h5ad").stat().st_size
    assert found.stdout.splitlines()[1] == f"2, S2\ta\ttraining, Blood baseline\ta.h5ad\t{size:,}\tpresent"

    (project / "data" / "a" / "a.h5ad").unlink()
    found = run("data", "check", "--profile", "tiny")
    assert found.exit_code == 1
    assert found.stdout.splitlines()[1].endswith("\tmissing")
    assert f"Disk: {size / 1e3:.1f} kB to fetch, 0 bytes to unpack" in found.stderr
    assert "Memory: 700.0 MB to prepare a dataset" in found.stderr
    assert "Error: 1 of 1 files are missing or not whole, 1 of which no program can download." in found.stderr
    assert "datamix data fetch --profile tiny" in found.stderr


def test_check_names_files_without_sha256(project):
    entries = read_entries(project)
    entries["a"]["files"][0]["sha256"] = None
    write_manifest(project, entries)
    found = run("data", "check", "--profile", "tiny")
    assert found.exit_code == 0
    assert "Not pinned" in found.stderr
    assert "a/a.h5ad" in found.stderr
    assert run("data", "fetch", "a").exit_code == 0
    assert "Not pinned" in run("data", "check", "--profile", "tiny").stderr  # put there by hand, and not read so far
    assert run("prepare", "a", "--profile", "tiny").exit_code == 0
    assert "Not pinned" not in run("data", "check", "--profile", "tiny").stderr


def test_fetch_says_how_a_file_is_had_by_hand_and_fetches_the_others(project, monkeypatch):
    write_project(project, {"a": cells(), "b": cells(seed=1)})
    mirror = project.parent / "mirror"
    mirror.mkdir(exist_ok=True)
    (project / "data" / "b" / "b.h5ad").rename(mirror / "anything")
    (project / "data" / "a" / "a.h5ad").unlink()
    monkeypatch.setenv("DATAMIX_MIRROR", str(mirror))
    found = run("data", "fetch", "a", "b")
    assert found.exit_code == 1
    assert "is missing. copy it" in found.stderr
    assert (project / "data" / "b" / "b.h5ad").is_file()


def test_verify_reads_every_file_again(project):
    assert run("data", "verify").exit_code == 0
    path = project / "data" / "a" / "a.h5ad"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    found = run("data", "verify")
    assert found.exit_code == 1
    assert "wrong sha256" in found.stdout
    assert "datamix data fetch a" in found.stderr


def test_prepare_and_genes(project):
    found = run("prepare", "a", "--profile", "tiny")
    said = ["a: 9 of 40 cells and 60 of 60 genes (Ensembl id: 60)", "results/tiny/corpora/a.h5ad"]
    assert (found.exit_code, found.stdout.splitlines()) == (0, said)
    found = run("genes", "--profile", "tiny")
    assert (found.exit_code, found.stdout) == (0, "results/tiny/corpora/genes.csv: 60 genes\n")
    assert list(pd.read_csv(project / "results" / "tiny" / "corpora" / "genes.csv")) == ["gene", "symbol"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prepare", "b", "--profile", "tiny"], "The manifest has no dataset 'b'"),
        (["genes", "--profile", "tiny"], "a.h5ad does not exist"),
        (["data", "check", "--profile", "huge"], "huge.yaml does not exist"),
    ],
)
def test_problems_are_one_message_and_exit_1(project, words, message):
    found = subprocess.run(
        [sys.executable, "-m", "datamix", *words], capture_output=True, text=True, check=False, cwd=project
    )
    assert found.returncode == 1
    assert found.stderr.startswith("Error: ")
    assert message in found.stderr
    assert "To mend it: " in found.stderr
    assert "Traceback" not in found.stderr


def test_help_imports_nothing_heavy():
    code = "import sys, datamix.cli; print({'numpy', 'pandas', 'torch', 'anndata', 'pydantic'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


def test_inspect_and_new_in_a_terminal(project):
    write_project(project, {"a": cells(), "b": cells(seed=1), "e": cells(seed=2)})
    files = {name: str(project / "data" / name / f"{name}.h5ad") for name in "abe"}
    found = run("inspect", files["a"], str(project / "none"))
    assert found.exit_code == 1
    assert "  format      h5ad (anndata)" in found.stdout.splitlines()
    assert "none does not exist" in found.stderr
    words = ["new", "mine", "--baseline", f"mine_a={files['a']}", "--add", f"mine_b={files['b']}", "--on", files["e"]]
    found = run(*words)
    assert (found.exit_code, found.stderr) == (0, "")
    assert found.stdout.splitlines()[-1] == "config/mine.yaml is written. Next: make book PROFILE=mine"
    checked = run("data", "check", "--profile", "mine")
    assert checked.exit_code == 0
    assert run("data", "verify", "--profile", "mine").exit_code == 0
    found = run(*words)
    assert found.exit_code == 1
    assert "a profile of this name is there already" in found.stderr


def test_an_error_that_nobody_foresaw_is_a_message_with_file_and_block(project, monkeypatch):
    def broken(*_, **__):
        raise AssertionError("x")  # nothing that a damaged file could be the reason of

    monkeypatch.setattr("datamix.sources.readers.file.open_cells", broken)
    found = run("prepare", "a", "--profile", "tiny")
    assert found.exit_code == 1
    said = " ".join(found.stderr.split())
    assert "Something went wrong that datamix does not know: AssertionError: x." in said
    assert "It happened with a (a.h5ad), block 1 of its cells." in said
    assert "report it with these lines, and with what this prints: DATAMIX_TRACEBACK=1 datamix" in said
    assert "Traceback" not in found.stderr
    monkeypatch.setenv("DATAMIX_TRACEBACK", "1")
    assert isinstance(run("prepare", "a", "--profile", "tiny").exception, AssertionError)


def test_words_that_it_does_not_take_are_no_fault_of_the_program():
    found = run("data", "check", "--profil", "tiny")
    assert found.exit_code == 2
    assert "went wrong" not in found.stderr


def test_results_that_are_not_of_this_code_are_not_recorded(project, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "datamix.publishing.runs.work.count_jobs",
        lambda root, profile, *, finished: asked.append((root, profile, finished)) or {"train": 2, "notebook": 1},
    )
    found = run("record", "--profile", "tiny")
    assert found.exit_code != 0
    assert asked == [(project, "tiny", False)]
    said = f"{found.stderr}{found.exception}"
    assert "still to run 2 of train, 1 of notebook" in said
    assert "make record PROFILE=tiny" in said
    assert not (project / "recorded" / "tiny").exists()
