import gzip
import tarfile
import zipfile

import pytest
from layouts import truncate

from datamix.project.errors import DatamixError
from datamix.sources.formats.archives import Member, list_members, open_member


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "study"
    (folder / "part").mkdir(parents=True)
    (folder / "a.txt").write_text("plain")
    (folder / "part" / "b.txt.gz").write_bytes(gzip.compress(b"packed"))
    (folder / ".hidden").write_text("no")
    return folder


def zipped(folder):
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return folder.with_suffix(".zip")


def tarred(folder, suffix=".tar.gz", name="."):
    path = folder.with_name(folder.name + suffix)
    with tarfile.open(path, "w:gz" if suffix.endswith("gz") else "w") as archive:
        archive.add(folder, name)
    return path


@pytest.mark.parametrize("pack", [lambda folder: folder, zipped, tarred, lambda f: tarred(f, ".tar")])
def test_folders_and_archives_are_alike(folder, pack):
    members = list_members(pack(folder))
    assert [member.name for member in members] == ["a.txt", "part/b.txt.gz"]
    assert [member.base for member in members] == ["a.txt", "b.txt.gz"]
    contents = []
    for member in members:
        with open_member(member) as stream:
            contents.append(stream.read())
    assert contents == [b"plain", b"packed"]
    assert str(members[1]).endswith("part/b.txt.gz")


def test_tar_that_ends_with_a_zip(folder):
    """Its last bytes look like those of a zip."""
    inner = zipped(folder)
    outer = inner.with_name("outer.tar")
    with tarfile.open(outer, "w") as archive:
        archive.add(inner, inner.name)
    assert zipfile.is_zipfile(outer)
    assert [member.name for member in list_members(outer)] == ["study.zip"]


def test_single_files(folder):
    (member,) = list_members(folder / "part" / "b.txt.gz")
    assert str(member) == str(folder / "part" / "b.txt.gz")
    with open_member(member) as stream:
        assert stream.read() == b"packed"


def test_damage_is_named(folder, tmp_path):
    for path in (truncate(zipped(folder)), truncate(tarred(folder), share=0.3)):
        with pytest.raises(DatamixError, match=rf"{path.name} is truncated or damaged"):
            list_members(path)
    path = truncate(folder / "part" / "b.txt.gz")
    with (
        pytest.raises(DatamixError, match=r"b\.txt\.gz is truncated or damaged"),
        open_member(Member(path, path.name)) as s,
    ):
        s.read()
    with pytest.raises(DatamixError, match="absent does not exist"):
        list_members(tmp_path / "absent")
