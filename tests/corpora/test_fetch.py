import gzip
import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest
from small_project import write_manifest

from datamix.corpora.fetch import fetch, unpack
from datamix.corpora.inventory import local_files
from datamix.project.dataset import Dataset
from datamix.project.errors import DatamixError
from datamix.project.files import files_in, read_json, sha256
from datamix.project.manifest import read_manifest

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; by class attributes it honours ranges, breaks off, or changes the file."""

    ranges, stop_after, etag, requests, content = True, None, '"one"', [], CONTENT

    def do_GET(self):
        wanted = self.headers.get("Range")
        Server.requests.append(wanted)
        start = 0
        if wanted and self.ranges and self.headers.get("If-Range") == self.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(self.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(self.content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        elif self.path == "/nothing":
            self.send_error(404)
            return
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.send_header("ETag", self.etag)
        self.end_headers()
        self.wfile.write(self.content[start : self.stop_after])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("DATAMIX_MIRROR", raising=False)
    for name, value in {
        "ranges": True,
        "stop_after": None,
        "etag": '"one"',
        "requests": [],
        "content": CONTENT,
    }.items():
        monkeypatch.setattr(Server, name, value)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def dataset(root: Path, **file: object) -> Dataset:
    entry = {
        "title": "A",
        "reader": "h5ad",
        "gene_ids": "ensembl",
        "access": "open",
        "licence": "CC0",
        "citation": {"text": "x"},
        "files": [{"name": "a.bin", **file}],
    }
    write_manifest(root, {"a": entry})
    return read_manifest(root).dataset("a")


def get(root: Path, **file: object) -> Path:
    (found,) = fetch("a", dataset(root, **file), root=root, say=lambda _: None)
    assert found.usable
    return found.path


def test_download(tmp_path, server):
    path = get(tmp_path, url=f"{server}/a", bytes=len(CONTENT), sha256=SHA256)
    assert path == tmp_path / "data" / "a" / "a.bin"
    assert path.read_bytes() == CONTENT
    get(tmp_path, url=f"{server}/a", bytes=len(CONTENT), sha256=SHA256)
    assert len(Server.requests) == 1
    assert [p.name for p in path.parent.iterdir() if p.name != ".lock"] == ["a.bin"]


def test_download_goes_on_where_it_broke_off(tmp_path, server, monkeypatch):
    monkeypatch.setattr(Server, "stop_after", 200_000)
    with pytest.raises(DatamixError, match=r"Download of a\.bin .* failed .*196,608 bytes are kept") as error:
        get(tmp_path, url=f"{server}/a", sha256=SHA256)
    assert "datamix data fetch a" in error.value.fix
    assert not (tmp_path / "data" / "a" / "a.bin").exists()
    monkeypatch.setattr(Server, "stop_after", None)
    assert get(tmp_path, url=f"{server}/a", sha256=SHA256).read_bytes() == CONTENT
    assert Server.requests == [None, "bytes=196608-"]


@pytest.mark.parametrize("change", [{"ranges": False}, {"etag": '"two"'}])
def test_download_starts_again_where_the_rest_cannot_be_had(tmp_path, server, monkeypatch, change):
    monkeypatch.setattr(Server, "stop_after", 200_000)
    with pytest.raises(DatamixError, match="failed"):
        get(tmp_path, url=f"{server}/a")
    for name, value in {"stop_after": None, **change}.items():
        monkeypatch.setattr(Server, name, value)
    assert get(tmp_path, url=f"{server}/a").read_bytes() == CONTENT


def leave_part(root: Path, content: bytes) -> None:
    folder = root / "data" / "a"
    folder.mkdir(parents=True)
    (folder / ".a.bin.part").write_bytes(content)
    (folder / ".a.bin.part.version").write_text('"one"')


@pytest.mark.parametrize("known", [{"bytes": len(CONTENT), "sha256": SHA256}, {}])
def test_part_that_is_complete_is_the_file(tmp_path, server, known):
    """Killed between the last byte and the move: the server has nothing beyond it (416)."""
    leave_part(tmp_path, CONTENT)
    path = get(tmp_path, url=f"{server}/a", **known)
    assert path.read_bytes() == CONTENT
    assert Server.requests == [f"bytes={len(CONTENT)}-"]
    assert [p.name for p in path.parent.iterdir() if p.name != ".lock"] == ["a.bin"]


def test_part_that_is_longer_than_the_file_is_started_again(tmp_path, server):
    leave_part(tmp_path, CONTENT + b"more")
    assert get(tmp_path, url=f"{server}/a").read_bytes() == CONTENT
    assert Server.requests == [f"bytes={len(CONTENT) + 4}-", None]


@pytest.mark.parametrize("known", [{"sha256": SHA256}, {"bytes": len(CONTENT)}, {}])
@pytest.mark.parametrize("lies", [CONTENT[:-5], CONTENT + b"more"])
def test_file_of_another_size_is_replaced(tmp_path, server, known, lies):
    """By its hash or its size; or, where the manifest knows neither, as it was pinned."""
    if not known:
        get(tmp_path, url=f"{server}/a")
    path = tmp_path / "data" / "a" / "a.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lies)
    assert get(tmp_path, url=f"{server}/a", **known).read_bytes() == CONTENT


def test_file_that_its_authors_replaced_by_one_of_another_size(tmp_path, server, monkeypatch):
    """The pinned size is known, so that nothing has to come to see it, and what is there stays."""
    path = get(tmp_path, url=f"{server}/a")
    path.unlink()
    monkeypatch.setattr(Server, "content", CONTENT * 2)
    with pytest.raises(DatamixError, match=r"/a offers 512,000 bytes, expected 256,000: it is another file"):
        get(tmp_path, url=f"{server}/a")
    assert not path.exists()


@pytest.mark.parametrize("url", ["s3://bucket/a.bin", "ftp://127.0.0.1/a.bin", "doi:10.5281/zenodo.1/a.bin"])
def test_scheme_that_cannot_be_downloaded_is_named(tmp_path, monkeypatch, url):
    monkeypatch.delenv("DATAMIX_MIRROR", raising=False)
    scheme = url.partition(":")[0]
    with pytest.raises(DatamixError, match=rf"a\.bin of a has the url {url}: {scheme}: cannot be downloaded") as error:
        get(tmp_path, url=url, sha256=SHA256)
    assert str(tmp_path / "data" / "a" / "a.bin") in error.value.fix


@pytest.mark.parametrize("name", ["a.bin", "with blank.bin"])
def test_a_file_of_this_machine_may_stand_for_an_address(tmp_path, monkeypatch, name):
    monkeypatch.delenv("DATAMIX_MIRROR", raising=False)
    own = tmp_path / "own" / name
    own.parent.mkdir()
    own.write_bytes(CONTENT)
    for url in (own.as_uri(), str(own), f"own/{name}"):
        path = get(tmp_path, url=url)
        assert path.read_bytes() == CONTENT
        path.unlink()
    assert own.read_bytes() == CONTENT
    own.unlink()
    with pytest.raises(DatamixError, match=r"given as the url of a file, does not exist(?s:.*)give its `path`"):
        get(tmp_path, url=own.as_uri())


def test_a_file_with_a_path_is_read_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.delenv("DATAMIX_MIRROR", raising=False)
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("b", "a"):
        (folder / name).write_bytes(CONTENT + name.encode())
    for path in (folder, folder / "a"):
        digest = sha256(path)
        size = sum(p.stat().st_size for p in files_in(path))
        assert get(tmp_path, url=None, path=str(path), sha256=digest, bytes=size) == path
    assert not (tmp_path / "data" / "a").exists()
    (folder / "a").write_bytes(CONTENT[:-1] + b"xa")
    with pytest.raises(DatamixError, match=r"content has changed(?s:.*)say so in the profile: bytes: \d+, sha256"):
        get(tmp_path, url=None, path=str(path), sha256=digest, bytes=size)
    (folder / "a").unlink()
    with pytest.raises(DatamixError, match=r"is missing(?s:.*)correct its path under datasets\.a"):
        get(tmp_path, url=None, path=str(path), sha256=digest, bytes=size)


def test_other_content_is_refused_and_not_left(tmp_path, server):
    with pytest.raises(
        DatamixError, match=rf"sha256 of a\.bin .* is {SHA256}, not the expected 0{{64}}\..*was deleted"
    ):
        get(tmp_path, url=f"{server}/a", sha256="0" * 64)
    assert [p.name for p in (tmp_path / "data" / "a").iterdir() if p.name != ".lock"] == []


def test_other_size_is_refused_before_it_is_downloaded(tmp_path, server):
    with pytest.raises(DatamixError, match=r"offers 256,000 bytes, expected 99"):
        get(tmp_path, url=f"{server}/a", bytes=99, sha256=SHA256)


def test_missing_on_the_server(tmp_path, server):
    with pytest.raises(DatamixError, match=r"Download of a\.bin from .*/nothing failed .*404"):
        get(tmp_path, url=f"{server}/nothing", sha256=SHA256)


def test_file_without_sha256_is_pinned_at_first_download(tmp_path, server):
    get(tmp_path, url=f"{server}/a")
    pins = read_json(tmp_path / "data" / "pins.lock.json")
    assert pins == {"a/a.bin": {"bytes": len(CONTENT), "sha256": SHA256}}


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_mirror_is_searched_by_content_before_the_network(tmp_path, monkeypatch, size):
    for name, content in {"deep/er/other.bin": CONTENT, "a.bin": CONTENT[::-1], "deep/a.bin": CONTENT}.items():
        path = tmp_path / "mirror" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "mirror" / "a link to nowhere").symlink_to("nowhere")
    (tmp_path / "mirror" / "deep" / "a loop").symlink_to("a loop")
    monkeypatch.setenv("DATAMIX_MIRROR", str(tmp_path / "mirror"))
    root = tmp_path / "project"
    root.mkdir()
    path = get(root, url="http://127.0.0.1:9/unreachable", sha256=SHA256, bytes=size)
    assert path.read_bytes() == CONTENT


def test_damaged_file_is_replaced(tmp_path, server):
    path = tmp_path / "data" / "a" / "a.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[::-1])
    get(tmp_path, url=f"{server}/a", bytes=len(CONTENT), sha256=SHA256)
    assert path.read_bytes() == CONTENT


def test_mirror_that_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DATAMIX_MIRROR", str(tmp_path / "nowhere"))
    with pytest.raises(DatamixError, match=r"DATAMIX_MIRROR names .*nowhere, which is not a folder"):
        get(tmp_path, url="http://127.0.0.1:9/", sha256=SHA256)


def test_file_got_by_hand(tmp_path, monkeypatch):
    monkeypatch.delenv("DATAMIX_MIRROR", raising=False)
    with pytest.raises(DatamixError, match=r"a\.bin \(a\) is missing\. Sign the form\."):
        get(tmp_path, steps="Sign the form.", sha256=SHA256)
    path = tmp_path / "data" / "a" / "a.bin"
    path.write_bytes(CONTENT)
    get(tmp_path, steps="Sign the form.", sha256=SHA256)


def test_file_that_another_dataset_has_is_linked(tmp_path, monkeypatch):
    monkeypatch.delenv("DATAMIX_MIRROR", raising=False)
    entry = {"title": "t", "reader": "h5ad", "access": "open", "licence": "none", "citation": {"text": "nobody"}}
    file = {"name": "a.bin", "steps": "Sign the form."}
    entries = {name: entry | {"files": [file]} for name in ("a", "b")}
    write_manifest(tmp_path, entries | {"c": entry | {"files": [file | {"steps": "Other."}]}})
    for name, content in {"b": CONTENT, "c": b"another file of that name"}.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "a.bin").write_bytes(content)
    (found,) = fetch("a", read_manifest(tmp_path).dataset("a"), root=tmp_path)
    assert found.path.read_bytes() == CONTENT
    assert found.path.samefile(tmp_path / "data" / "b" / "a.bin")


def zipped(path: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "content")
    return path


def tarred(path: Path, names: list[str], *, link: str | None = None) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 7
            archive.addfile(info, io.BytesIO(b"content"))
        if link is not None:
            info = tarfile.TarInfo("link")
            info.type, info.linkname = tarfile.SYMTYPE, link
            archive.addfile(info)
    return path


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize("bad", ["../outside", "/tmp/datamix_outside", "inside/../../outside"])
def test_archive_that_would_leave_its_folder_is_refused(tmp_path, make, bad):
    archive = make(tmp_path / "archive", ["good", bad])
    with pytest.raises(DatamixError, match=f"member '{bad}' that would be written outside its folder"):
        unpack(archive, tmp_path / "out" / "in")
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "out" / "outside").exists()
    assert not (tmp_path / "out" / "in").exists()


def test_link_that_leads_outside_is_refused(tmp_path):
    archive = tarred(tmp_path / "a.tar.gz", ["good"], link="../../secret")
    with pytest.raises(DatamixError, match=r"has a link 'link' to '\.\./\.\./secret', outside its folder"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("make", "name"), [(zipped, "a.zip"), (tarred, "a.tar.gz")])
def test_archive_is_unpacked_beside(tmp_path, monkeypatch, make, name):
    monkeypatch.delenv("DATAMIX_MIRROR", raising=False)
    path = make(tmp_path / name, ["Data_X/Cells.csv"])
    target = tmp_path / "data" / "a" / name
    target.parent.mkdir(parents=True)
    path.replace(target)
    get(tmp_path, name=name, steps="by hand", unpack=True)
    assert (target.parent / f"{name}.unpacked" / "Data_X" / "Cells.csv").read_text() == "content"


@pytest.mark.parametrize(("make", "name"), [(zipped, "a.zip"), (tarred, "a.tar.gz")])
def test_new_release_of_an_archive_is_unpacked_anew(tmp_path, monkeypatch, make, name):
    """The reader gets the content of the archive whose hash is recorded, and no file of an earlier release."""
    monkeypatch.delenv("DATAMIX_MIRROR", raising=False)
    folder = tmp_path / "data" / "a"
    folder.mkdir(parents=True)
    wanted = {"name": name, "steps": "by hand", "unpack": True}

    def release(*names: str, fetched: bool = True) -> list[str]:
        make(folder / name, list(names))
        declared = dataset(tmp_path, **wanted, sha256=sha256(folder / name))
        if fetched:
            fetch("a", declared, root=tmp_path, say=lambda _: None)
        paths, hashes = local_files("a", declared, root=tmp_path)
        assert hashes == {name: sha256(folder / name)}
        return sorted(p.name for p in paths[name].iterdir())

    assert release("one", "kept") == ["kept", "one"]
    with pytest.raises(DatamixError, match=rf"{name} of a is there, but .*{name}\.unpacked is not what it holds"):
        release("two", "kept", fetched=False)
    assert release("two", "kept") == ["kept", "two"]
    (folder / f"{name}.unpacked" / "kept").unlink()
    assert release("two", "kept") == ["kept", "two"]
    said: list[str] = []
    fetch("a", dataset(tmp_path, **wanted), root=tmp_path, say=said.append)
    assert said == []


def test_tar_that_ends_with_a_zip_is_a_tar(tmp_path):
    study = zipped(tmp_path / "Data_X.zip", ["Data_X/Cells.csv"])
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        archive.add(study, "Data_X.zip")
    assert zipfile.is_zipfile(tmp_path / "all.tar")
    unpack(tmp_path / "all.tar", tmp_path / "out")
    assert (tmp_path / "out" / "Data_X.zip").read_bytes() == study.read_bytes()


def test_single_gz_and_cut_off_gz(tmp_path):
    path = tmp_path / "a.h5ad.gz"
    path.write_bytes(gzip.compress(CONTENT))
    unpack(path, tmp_path / "a.h5ad")
    assert (tmp_path / "a.h5ad").read_bytes() == CONTENT
    path.write_bytes(gzip.compress(CONTENT)[:-20])
    with pytest.raises(DatamixError, match=r"a\.h5ad\.gz cannot be unpacked \(EOFError"):
        unpack(path, tmp_path / "b.h5ad")
    assert not (tmp_path / "b.h5ad").exists()
