import gzip
import os

import pytest
from small_project import cells, write_manifest, write_project

from datamix.corpora import inventory
from datamix.corpora.fetch import fetch, pin_read
from datamix.corpora.inventory import file_path, inspect, local_files, pin
from datamix.corpora.planning import Use, require_files_by_hand, uses
from datamix.project.errors import DatamixError
from datamix.project.files import read_json
from datamix.project.manifest import read_manifest
from datamix.project.profile_files import read_profile


@pytest.fixture
def project(tmp_path):
    return write_project(tmp_path, {"a": cells()})


def only(root, **keywords):
    (found,) = inspect("a", read_manifest(root).dataset("a"), root=root, **keywords)
    return found


def path_of(root):
    return file_path("a", read_manifest(root).dataset("a").files[0], root=root)


def test_states(project):
    assert only(project).state == "present"
    path = path_of(project)
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    assert only(project).state == "truncated"
    path.write_bytes(whole[:-1] + b"?")
    assert only(project).state == "wrong sha256"
    path.write_bytes(whole + b"?")
    assert only(project).state == "too long"
    path.unlink()
    found = only(project)
    assert (found.state, found.sha256, found.bytes) == ("missing", None, len(whole))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b[:-10], r"a\.h5ad \(a\) has [\d,]+ bytes, the manifest says [\d,]+: it is not whole"),
        (lambda b: b[:-1] + b"?", r"sha256 of .*a\.h5ad \(a\) is [0-9a-f]{64}, expected [0-9a-f]{64}"),
        (lambda b: b + b"?", r"a\.h5ad \(a\) has [\d,]+ bytes, the manifest says [\d,]+: it is another file"),
        (None, r"a\.h5ad \(a\) is missing"),
    ],
)
def test_readers_are_given_whole_files_only(project, damage, message):
    path = path_of(project)
    whole = path.read_bytes()
    path.unlink()
    if damage:
        path.write_bytes(damage(whole))
    with pytest.raises(DatamixError, match=message) as error:
        local_files("a", read_manifest(project).dataset("a"), root=project)
    assert error.value.fix == "datamix data fetch a"


def test_a_file_that_did_not_change_is_not_hashed_again_unless_asked(project, monkeypatch):
    only(project)
    hashed = []
    monkeypatch.setattr(inventory, "sha256", lambda path: hashed.append(path) or "0" * 64)
    assert only(project).state == "present"
    assert hashed == []
    assert only(project, rehash=True).state == "wrong sha256"
    os.utime(path_of(project))
    only(project)
    assert len(hashed) == 2


def test_file_without_sha256_is_pinned_once(tmp_path):
    root = write_project(tmp_path, {"a": cells()}, files=[{"name": "a.h5ad", "steps": "copy it"}])
    found = only(root)
    assert found.state == "unpinned"
    assert pin(found, root=root).state == "present"
    assert only(root).state == "present"
    path_of(root).write_bytes(b"another")
    changed = only(root)
    assert changed.state == "wrong sha256"
    assert "pins.lock.json" in inventory.describe(changed)


def test_data_that_cannot_be_written_are_read_and_their_hashes_kept_elsewhere(project_of_another, monkeypatch):
    root = project_of_another(
        lambda root: write_project(root, {"a": cells()}, files=[{"name": "a.h5ad", "steps": "x"}])
    )
    dataset = read_manifest(root).dataset("a")
    fetch("a", dataset, root=root, say=lambda _: None)
    pin_read("a", dataset, root=root)
    found = only(root)
    assert found.state == "present"
    assert local_files("a", dataset, root=root)[1] == {"a.h5ad": found.sha256}
    assert sorted(p.name for p in (root / "data").rglob("*")) == ["a", "a.h5ad"]
    kept = root / "results" / ".data"
    assert read_json(kept / "pins.lock.json")["a/a.h5ad"]["sha256"] == found.sha256
    monkeypatch.setattr(inventory, "sha256", lambda path: pytest.fail(f"{path} is hashed again"))
    assert only(root).state == "present"


def test_what_is_lacking_in_data_that_cannot_be_written_is_named(project_of_another):
    def prepare(root):
        write_project(root, {"a": cells()}, files=[{"name": "b.gz", "steps": "x", "unpack": True}])
        (root / "data" / "a" / "b.gz").write_bytes(gzip.compress(b"content"))

    root = project_of_another(prepare)
    with pytest.raises(DatamixError, match=r"b\.gz is to be brought to .*data/a and unpacked, but that cannot be wri"):
        fetch("a", read_manifest(root).dataset("a"), root=root, say=lambda _: None)


def test_uses_and_figures(project):
    manifest = read_manifest(project)
    profile = read_profile(str(project / "config" / "tiny.yaml"))
    assert uses(profile, manifest) == {"a": [Use("2, S2", "training, Blood baseline")]}


def test_files_by_hand(tmp_path):
    by_hand = [{"name": "a.h5ad", "steps": "Sign the form."}, {"name": "b.h5ad", "url": "http://127.0.0.1/b"}]
    root = write_project(tmp_path, {"a": cells(), "b": cells()}, files=by_hand)
    manifest = read_manifest(root)
    require_files_by_hand(["a", "b"], manifest, root=root, profile="tiny")
    # b has the same file as a, so that one copy serves both.
    (root / "data" / "b" / "b.h5ad").unlink()
    require_files_by_hand(["a", "b"], manifest, root=root, profile="tiny")
    (root / "data" / "a" / "a.h5ad").unlink()
    with pytest.raises(DatamixError, match=r"tiny needs 1 files .*:\n  - data/a/a\.h5ad: Sign the form\.") as error:
        require_files_by_hand(["a", "b"], manifest, root=root, profile="tiny")
    assert "datamix data check --profile tiny" in error.value.fix


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a/a.h5ad": 3}', b"\xff\xfe"])
def test_damaged_hashes_are_found_again_and_damaged_pins_are_said(tmp_path, content):
    root = write_project(tmp_path, {"a": cells()}, files=[{"name": "a.h5ad", "steps": "copy it"}])
    pin(only(root), root=root)
    digest = only(root).sha256
    (root / "data" / ".hashes.json").write_bytes(content)
    assert only(root).sha256 == digest
    (root / "data" / "pins.lock.json").write_bytes(content)
    if content.startswith(b"{") and len(content) > 1:
        assert only(root).state == "unpinned"  # an entry that says nothing
    else:
        with pytest.raises(DatamixError, match=r"pins\.lock\.json, which says .* is damaged(?s:.*)put it back"):
            only(root)


def test_files_that_changed_places_in_a_folder_are_hashed_again(tmp_path):
    folder = tmp_path / "cells"
    folder.mkdir()
    for later, name in enumerate(("one", "two")):
        (folder / name).write_text(name)
        os.utime(folder / name, ns=(10**18, 10**18 + later))
    entry = {"title": "A", "reader": "h5ad", "access": "own", "files": [{"name": "cells", "path": str(folder)}]}
    write_manifest(tmp_path, {"a": entry})
    before = only(tmp_path).sha256
    (folder / "one").rename(folder / "three")
    (folder / "two").rename(folder / "one")
    (folder / "three").rename(folder / "two")
    assert only(tmp_path).sha256 != before


@pytest.mark.parametrize("change", ["emptied", "as long", "gone"])
def test_a_file_of_an_archive_that_was_changed_is_noticed(tmp_path, change):
    root = write_project(tmp_path, {"a": cells()}, files=[{"name": "b.gz", "steps": "x", "unpack": True}])
    (root / "data" / "a" / "b.gz").write_bytes(gzip.compress(b"content"))
    dataset = read_manifest(root).dataset("a")
    fetch("a", dataset, root=root, say=str)
    unpacked = root / "data" / "a" / "b"
    os.utime(unpacked)  # a fresh time alone is no change
    assert inventory.is_unpacked(inventory.inspect("a", dataset, root=root)[0])
    {
        "emptied": lambda: unpacked.write_bytes(b""),
        "as long": lambda: unpacked.write_bytes(b"CONTENT"),
        "gone": unpacked.unlink,
    }[change]()
    with pytest.raises(DatamixError, match=r"b is not what it holds(?s:.*)datamix data fetch a"):
        local_files("a", dataset, root=root)
    fetch("a", dataset, root=root, say=str)
    assert unpacked.read_bytes() == b"content"
