import gzip
import io
import os
import shutil
import tarfile
import zipfile
from types import SimpleNamespace

import pytest

from datamix.corpora import unpacking
from datamix.corpora.unpacking import unpack
from datamix.project.errors import DatamixError

ZEROS = bytes(3_000_000)


def tarred(path, *members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return path


def member(name, content=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def zip_of(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def gz_of(path, content):
    path.write_bytes(gzip.compress(content))
    return path


BOMBS = {
    "zip": lambda path: zip_of(path, a=ZEROS),
    "many in a zip": lambda path: zip_of(path, **{f"a{i}": ZEROS[:300_000] for i in range(10)}),
    "tar": lambda path: tarred(path, member("a", ZEROS)),
    "tar.bz2": lambda path: tarred(path, member("a", ZEROS), mode="w:bz2"),
    "gzip": lambda path: gz_of(path, ZEROS),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(unpacking, "ALWAYS", 1_000_000)
    archive = BOMBS[kind](tmp_path / "a")
    with pytest.raises(DatamixError, match=r"would become [\d,]+ or more; at most 1,000,000(?s:.*)unpacked_gb"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    unpack(archive, tmp_path / "out", about_bytes=2_000_000)  # as the manifest says that it is
    assert sum(p.stat().st_size for p in [tmp_path / "out", *(tmp_path / "out").rglob("*")] if p.is_file()) == len(
        ZEROS
    )


def test_a_size_that_only_the_header_says_is_refused(tmp_path):
    path = tmp_path / "a.tar"
    info, _ = member("a")
    info.size = 1 << 50
    path.write_bytes(info.tobuf() + bytes(1024))
    with pytest.raises(DatamixError, match="would become"):
        unpack(path, tmp_path / "out")


def test_what_does_not_fit_on_the_disk_is_not_begun(tmp_path, monkeypatch):
    archive = zip_of(tmp_path / "a", a=ZEROS)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DatamixError, match="of which 1,000 fit on this disk"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("kind", ["symlink", "hard link"])
@pytest.mark.parametrize("to", ["/etc/passwd", "../../etc/passwd", "a/../../x"])
def test_links_that_lead_outside_are_refused(tmp_path, kind, to):
    of = tarfile.SYMTYPE if kind == "symlink" else tarfile.LNKTYPE
    archive = tarred(tmp_path / "a", member("link", type=of, linkname=to), member("link/x", b"x"))
    with pytest.raises(DatamixError, match="has a link 'link' to"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_chain_of_links_does_not_lead_outside(tmp_path):
    members = [member("d", type=tarfile.DIRTYPE, mode=0o755), member("d/up", type=tarfile.SYMTYPE, linkname="..")]
    members += [member("d/up/up/out.txt", b"x")]
    with pytest.raises(DatamixError):
        unpack(tarred(tmp_path / "a", *members), tmp_path / "in" / "out")
    assert not (tmp_path / "out.txt").exists()
    assert not (tmp_path / "in" / "out.txt").exists()


def test_a_link_inside_is_kept(tmp_path):
    archive = tarred(tmp_path / "a", member("x", b"content"), member("y", type=tarfile.SYMTYPE, linkname="x"))
    unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "y").read_bytes() == b"content"


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_refused(tmp_path, kind):
    archive = tarred(tmp_path / "a", member("device", type=kind, devmajor=1, devminor=5))
    with pytest.raises(DatamixError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_no_right_is_given_that_data_have_no_use_for(tmp_path):
    unpack(tarred(tmp_path / "a", member("tool", b"x", mode=0o6777)), tmp_path / "out")
    assert not (tmp_path / "out" / "tool").stat().st_mode & 0o6022


def test_a_zip_cannot_hold_a_link(tmp_path):
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    unpack(tmp_path / "a", tmp_path / "out")
    assert not (tmp_path / "out" / "link").is_symlink()


@pytest.mark.parametrize("make", ["gzip", "zip", "tar"])
def test_damage_in_the_middle_is_said(tmp_path, make):
    content = os.urandom(50_000)
    makers = {
        "gzip": lambda p: gz_of(p, content),
        "zip": lambda p: zip_of(p, a=content),
        "tar": lambda p: tarred(p, member("a", content)),
    }
    path = makers[make](tmp_path / "a")
    whole = path.read_bytes()
    for at in range(60, len(whole), len(whole) // 7):
        path.write_bytes(whole[:at] + bytes(b ^ 0xFF for b in whole[at : at + 40]) + whole[at + 40 :])
        with pytest.raises(DatamixError, match=r"cannot be unpacked|would become"):
            unpack(path, tmp_path / "out")
        assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_an_archive_with_a_password_is_said(tmp_path):
    path = zip_of(tmp_path / "a", a=b"content")
    data = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + flags] |= 1
    path.write_bytes(data)
    with pytest.raises(DatamixError, match=r"cannot be unpacked \(RuntimeError.*password"):
        unpack(path, tmp_path / "out")
