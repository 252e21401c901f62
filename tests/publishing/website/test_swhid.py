import subprocess

from datamix.publishing.website import swhid


def test_a_folder_and_a_file_have_the_hashes_that_git_gives_them(tmp_path):
    # Git sorts a.b before a/ and ab after it.
    names = ("a/x.txt", "a.b", "ab", "a/deep/er/y.csv", "Zoë.txt", "empty")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("" if name == "empty" else f"{name}\n", encoding="utf-8")

    def git(*words):
        done = subprocess.run(["git", *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    git("add", *names)
    assert swhid.of_files({name: tmp_path / name for name in names}) == f"swh:1:dir:{git('write-tree')}"
    assert swhid.of_content((tmp_path / "ab").read_bytes()) == f"swh:1:cnt:{git('hash-object', 'ab')}"


def test_only_a_known_and_clean_commit_has_an_identifier():
    assert swhid.of_commit("ab" * 20) == f"swh:1:rev:{'ab' * 20}"
    assert swhid.of_commit(f"{'ab' * 20} with uncommitted changes") is None
    assert swhid.of_commit("unknown") is None
