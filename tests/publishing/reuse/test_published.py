"""A book opened by its address: on a server of this machine, well and badly behaved."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest
from small_record import COMMIT
from small_site import served, write_small_site

import datamix
from datamix.project.errors import DatamixError
from datamix.project.files import read_json, write_json
from datamix.project.profile_files import read_profile
from datamix.publishing.reuse import published
from datamix.publishing.website.carried import for_readers
from datamix.publishing.website.site_index import INDEX

ROOT = Path(__file__).parents[3]


@pytest.fixture
def site(tmp_path):
    return write_small_site(tmp_path)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of this machine that nobody has signed, with its key."""
    if shutil.which("openssl") is None:
        reason = "openssl is not installed: a book is not opened by https here"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run([*command, "-keyout", path, "-out", path.with_suffix(".crt")], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


def answer(content=b"", *, code=200, length=None, **headers):
    def send(server):
        server.send_response(code)
        for name, value in headers.items():
            server.send_header(name, value)
        server.send_header("Content-Length", str(len(content) if length is None else length))
        server.end_headers()
        server.wfile.write(content)

    return send


def test_a_site_is_opened_by_its_address_and_says_what_its_folder_says(site):
    with served(site) as (address, asked):
        book, folder = datamix.open(address), datamix.open(site)
        assert asked == [f"/a%20book/{INDEX}"]
        assert book.panels == folder.panels == ["2a", "S1a"]
        assert asked == [f"/a%20book/{INDEX}"], "nothing is fetched before it is asked for"
        panel = book.panel("2a")
        assert panel.table().equals(folder.panel("2a").table())
        assert panel.provenance["commit"] == book.provenance["commit"] == COMMIT
        assert panel.path("svg").read_text() == "<svg/>"
        assert panel.cite() == folder.panel("2a").cite()
        mine = pd.DataFrame({"evaluation": ["aml"], "median": [0.3]})
        assert "Mine" in set(panel.with_results(mine).table()["mixture"])
        assert panel.with_results(mine).figure() is not None
        assert dict(book.values) == dict(folder.values)
        assert book.value("fig2.aml.blood").value == 0.25
        assert book.claims()["verdict"].tolist() == ["supported"]
        assert len(asked) == len(set(asked)), "each is fetched once"
        assert not [path for path in asked if "S1a" in path]


@pytest.mark.parametrize("ending", ["", "index.html", "index.html?x=1#fig-2a", INDEX])
def test_any_address_within_the_book_will_do(site, ending):
    with served(site) as (address, _):
        assert datamix.open(f"{address.removesuffix('/')}/{ending}").panels == ["2a", "S1a"]
        assert datamix.open(address.removesuffix("/")).panels == ["2a", "S1a"]


def test_what_a_site_has_not_is_said(site):
    with served(site) as (address, asked):
        book = datamix.open(address)
        with pytest.raises(DatamixError, match=r"no model blood of seed 0 in http://.*there are none"):
            book.model("blood")
        with pytest.raises(DatamixError, match=r"(?s)http://.* holds no cells.*make book PROFILE=demo"):
            book.score(lambda cells: cells)
        with pytest.raises(DatamixError, match=r"There is no ledger\.csv in http://"):
            book.ledger()
        with pytest.raises(DatamixError, match=r"no panel 9z in http://.*there are 2a, S1a"):
            book.panel("9z")
        with pytest.raises(DatamixError, match="has no pdf"):
            book.panel("2a").path("pdf")
        assert not [path for path in asked if "pdf" in path or "ledger" in path]


def test_its_copy_goes_with_the_book(site):
    with served(site) as (address, _):
        book = datamix.open(address)
        kept = book.panel("2a").path("csv").parents[1]
        assert kept.is_dir()
        del book
        assert not kept.exists()


def test_a_site_is_opened_by_https_where_its_certificate_is_trusted(site, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with served(site, certificate=certificate) as (address, asked):
        assert address.startswith("https://")
        assert datamix.open(address).panel("2a").table().equals(datamix.open(site).panel("2a").table())
        assert len(asked) > 1


def test_a_site_whose_certificate_nobody_vouches_for_is_not_read(site, certificate, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with served(site, certificate=certificate) as (address, asked):
        with pytest.raises(DatamixError, match="certificate verify failed"):
            datamix.open(address)
        assert asked == []


def test_https_does_not_lead_on_to_http(site, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with (
        served(site) as (open_to_all, _),
        served(site, certificate=certificate, book_json=answer(code=302, Location=f"{open_to_all}{INDEX}")) as (
            safe,
            _,
        ),
        pytest.raises(DatamixError, match="which is not followed"),
    ):
        datamix.open(safe)


@pytest.mark.parametrize("address", ["file:///etc/", "ftp://example.org/book/", "https://", "s3://bucket/book"])
def test_nothing_but_http_is_asked(address):
    with pytest.raises(DatamixError, match="expected http:// or https://"):
        datamix.open(address)


def test_a_server_that_is_not_there_is_named():
    with pytest.raises(DatamixError, match=r"(?s)http://127\.0\.0\.1:9/book\.json was not reached.*refused.*network"):
        datamix.open("http://127.0.0.1:9/")


def leads_on(address):
    return answer(code=302, Location=address)


BAD = {
    "gone": (answer(code=404), r"(?s)cannot be read: the server answers 404.*first page"),
    "busy": (answer(code=503), r"(?s)answers 503.*try again later"),
    "a page": (answer(b"<html>Log in</html>"), "is no list of a book's files"),
    "nothing": (answer(), "is no list of a book's files"),
    "of a later version": (answer(b'{"format": 2, "provenance": {}, "files": {}}'), "format: Input should be 1"),
    "broken off": (answer(b'{"format"', length=4000), "was not reached, or broke off"),
    "to a file": (
        answer(code=302, Location="file:///etc/passwd"),
        r"answers 302 .*Redirection to url .file:///etc/passwd. is not allowed",
    ),
    "to ftp": (
        answer(code=302, Location="ftp://x.org/book.json"),
        r"leads on to ftp://x\.org/book\.json, which is not",
    ),
    "in a circle": (leads_on("/a%20book/book.json"), "answers 302"),
    "endless": (answer(b"[" * (published.LARGEST_INDEX + 100_000)), "sends more than the 5,000,000 bytes"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_index_that_cannot_be_read_is_named(site, case):
    bad, says = BAD[case]
    with served(site, book_json=bad) as (address, _), pytest.raises(DatamixError, match=says):
        datamix.open(address)


@pytest.mark.parametrize(
    "name", ["../../out.csv", "/etc/x.csv", "panels/../../x.csv", "panels\\..\\x.csv", "a//b", ".x"]
)
def test_an_index_that_leads_out_of_the_book_is_refused(site, name):
    index = read_json(site / INDEX)
    index["files"][name] = index["files"]["claims.csv"]
    write_json(site / INDEX, index)
    with served(site) as (address, _), pytest.raises(DatamixError, match="is no name of a file within the site"):
        datamix.open(address)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"other", "is not the file that book.json lists: 5 bytes of another content"),
        (b"x" * 100_000, "sends more than"),
    ],
)
def test_a_file_that_is_not_what_the_index_says_is_refused_and_not_kept(site, content, says):
    with served(site, claims_csv=answer(content)) as (address, _):
        book = datamix.open(address)
        for _ in range(2):
            with pytest.raises(DatamixError, match=says):
                book.claims()
        assert not (book.folder / "claims.csv").exists()


def test_a_file_of_the_right_size_and_another_content_is_refused(site):
    size = (site / "claims.csv").stat().st_size
    with (
        served(site, claims_csv=answer(b"x" * size)) as (address, _),
        pytest.raises(DatamixError, match=r"is not the file that book\.json lists"),
    ):
        datamix.open(address).claims()


def test_a_file_that_is_said_to_be_huge_is_not_asked_for(site):
    index = read_json(site / INDEX)
    index["files"]["claims.csv"]["bytes"] = 10**12
    write_json(site / INDEX, index)
    with served(site) as (address, asked):
        with pytest.raises(DatamixError, match=r"(?s)1,000,000,000,000 bytes.*open its folder"):
            datamix.open(address).claims()
        assert not [path for path in asked if "claims" in path]


def test_a_server_that_falls_silent_or_takes_for_ever_is_left(site, monkeypatch):
    stop = threading.Event()

    def drips(server):
        server.send_response(200)
        server.end_headers()
        while not stop.wait(0.05):
            server.wfile.write(b" ")
            server.wfile.flush()

    def silent(server):
        stop.wait(20)

    try:
        monkeypatch.setattr(published, "PATIENCE", 0.3)
        monkeypatch.setattr(published, "LONGEST", 1.0)
        with served(site, book_json=silent) as (address, _), pytest.raises(DatamixError, match="was not reached, or"):
            datamix.open(address)
        with (
            served(site, book_json=drips) as (address, _),
            pytest.raises(DatamixError, match="longer than 1 sec"),
        ):
            datamix.open(address)
    finally:
        stop.set()


def test_a_book_of_ones_own_cells_tells_no_path(tmp_path):
    """`datasets` of a profile name files where they lie; labels and colours need none of it."""
    text = (ROOT / "config" / "demo.yaml").read_text()
    files = [{"name": "a.h5ad", "path": "/home/me/secret/a.h5ad"}]
    mine = {"mine": {"title": "Mine", "reader": "file", "access": "own", "files": files}}
    (tmp_path / "demo.yaml").write_text(f"{text}\ndatasets: {json.dumps(mine)}\n")
    profile = read_profile(str(tmp_path / "demo.yaml"))
    assert "/home/me/secret" in profile.model_dump_json()
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "demo.yaml").write_text(for_readers(profile))
    assert "secret" not in (tmp_path / "published" / "demo.yaml").read_text()
    again = read_profile(str(tmp_path / "published" / "demo.yaml"))
    assert again == profile.model_copy(update={"own_datasets": {}})


@pytest.mark.parametrize("name", ["demo", "mini", "paper"])
def test_a_profile_that_is_published_is_read_as_it_was(tmp_path, name):
    (tmp_path / f"{name}.yaml").write_text(for_readers(read_profile(name, ROOT)))
    assert read_profile(str(tmp_path / f"{name}.yaml")) == read_profile(name, ROOT)


def test_the_index_lists_what_is_there(site):
    index = read_json(site / INDEX)
    there = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert set(index["files"]) == there - {INDEX, "index.html"}
    for name, listed in index["files"].items():
        content = (site / name).read_bytes()
        assert listed == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_books_at_addresses_are_compared(site, tmp_path):
    with served(site) as (address, _):
        command = [sys.executable, "-m", "datamix", "diff", address, str(site)]
        done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
    assert done.stdout == f"{address} and {site} say the same.\n"
    assert done.returncode == 0, done.stderr
