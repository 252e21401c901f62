"""The deposit, rehearsed with a server that answers as Zenodo's documentation says."""

import hashlib
import http.server
import json
import threading
import zipfile

import pytest
from typer.testing import CliRunner

from datamix.cli import app
from datamix.project.errors import DatamixError
from datamix.publishing.reuse.deposit import TRIES, deposit, describe

CITATION = """
license: MIT
version: 1.2.3
authors: [{name: "The authors"}, {family-names: Curie, given-names: Marie}]
references: [{type: article, doi: 10.1/abc}]
"""


class StandIn(http.server.BaseHTTPRequestHandler):
    """Drafts, buckets, metadata and publication; `server.script` has answers that come first, by method."""

    def log_message(self, *_):
        pass

    def handle_any(self):
        server = self.server
        size = int(self.headers.get("Content-Length", 0))
        scripted = server.script.get(self.command, [])
        step = scripted.pop(0) if scripted else None
        server.asked.append((self.command, self.path))
        if step == "break off":
            self.rfile.read(min(size, 1000))
            self.close_connection = True
            self.connection.close()
            return
        body = self.rfile.read(size)
        if self.headers.get("Authorization") != "Bearer right":
            self.answer(401, {"message": "not allowed"})
        elif isinstance(step, int):
            self.answer(step, {"message": f"scripted {step}"})
        elif self.path == "/api/deposit/depositions":
            server.drafts[7] = {"files": {}, "metadata": None, "submitted": False}
            self.answer(201, self.draft(7))
        elif self.path.startswith("/api/files/"):
            name = self.path.rpartition("/")[2]
            server.drafts[7]["files"][name] = body
            digest = "0" * 32 if step == "garble" else hashlib.md5(body).hexdigest()
            self.answer(201, {"key": name, "checksum": f"md5:{digest}"})
        elif self.path.endswith("/actions/publish"):
            server.drafts[7]["submitted"] = True
            self.answer(202, self.draft(7))
        elif self.command == "PUT":
            server.drafts[7]["metadata"] = json.loads(body)["metadata"]
            self.answer(200, self.draft(7))
        else:
            self.answer(*((200, self.draft(7)) if 7 in server.drafts else (404, {"message": "no draft"})))

    do_GET = do_POST = do_PUT = handle_any

    def draft(self, number):
        links = {"bucket": f"{self.server.bucket or self.server.address}/api/files/b", "html": f"https://z/{number}"}
        doi = {"prereserve_doi": {"doi": "10.5281/zenodo.7"}}
        return {"id": number, "links": links, "metadata": doi, "submitted": self.server.drafts[number]["submitted"]}

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    server.asked, server.script, server.drafts, server.bucket = [], {}, {}, None
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "results" / "demo" / "datamix-demo.zip"
    path.parent.mkdir(parents=True)
    root = {
        "@id": "./", "name": "datamix: profile demo", "description": "Figures.", "datePublished": "2026-01-31",
        "identifier": {"@id": "#content"},
    }  # fmt: skip
    content = {"@id": "#content", "name": "SWHID", "value": "swh:1:dir:00"}
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("ro-crate-metadata.json", json.dumps({"@graph": [root, content]}))
        made.writestr("CITATION.cff", CITATION)
        made.writestr("bytes", bytes(200_000))
    return path


def send(archive, server, **options):
    return deposit(archive, token=options.pop("token", "right"), to=server.address, pause=0.001, **options)


def test_a_draft_holds_the_archive_and_what_it_is(archive, server):
    done = send(archive, server)
    assert (done.number, done.published, done.doi) == (7, False, "10.5281/zenodo.7")
    draft = server.drafts[7]
    assert draft["files"] == {"datamix-demo.zip": archive.read_bytes()}
    assert draft["metadata"] == describe(archive)
    assert draft["metadata"] | {"notes": ""} == {
        "upload_type": "software",
        "title": "datamix: profile demo",
        "description": "Figures.",
        "creators": [{"name": "The authors"}, {"name": "Curie, Marie"}],
        "access_right": "open",
        "license": "mit",
        "version": "1.2.3",
        "publication_date": "2026-01-31",
        "related_identifiers": [{"identifier": "10.1/abc", "relation": "isDerivedFrom", "scheme": "doi"}],
        "notes": "",
    }
    assert "swh:1:dir:00" in draft["metadata"]["notes"]
    assert not [path for _, path in server.asked if path.endswith("publish")]


def test_it_is_public_only_where_that_is_asked(archive, server):
    assert send(archive, server, publish=True).published
    assert server.asked[-1] == ("POST", "/api/deposit/depositions/7/actions/publish")


@pytest.mark.parametrize("passing", [[503], ["break off"], [500, "break off", 429, 504]])
def test_an_upload_that_fails_for_a_while_is_sent_again_whole(archive, server, passing):
    server.script["PUT"] = list(passing)
    assert send(archive, server).number == 7
    assert server.drafts[7]["files"]["datamix-demo.zip"] == archive.read_bytes()
    assert [method for method, _ in server.asked].count("PUT") == len(passing) + 2


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([413], r"(?s)no file of this size.*The draft 7 stays.*--draft 7"),
        ([502] * TRIES, r"(?s)answered 502: .*scripted 502.*draft 7 stays.*try again later; then go on with"),
        (["break off"] * TRIES, r"(?s)was not reached, or broke off, 5 times.*--draft 7"),
        (["garble"], r"(?s)arrived as md5:0000.*expected md5:.*--draft 7"),
        ([None, 400], r"(?s)answered 400: .*correct what it names"),
    ],
)
def test_a_deposit_that_failed_says_why_and_how_it_goes_on(archive, server, answers, says):
    server.script["PUT"] = list(answers)
    with pytest.raises(DatamixError, match=says):
        send(archive, server)
    assert not server.drafts[7]["submitted"]
    server.script = {}
    assert send(archive, server, draft=7).number == 7
    assert [method for method, _ in server.asked].count("POST") == 1, "no second draft"


def test_a_wrong_token_makes_nothing(archive, server):
    with pytest.raises(DatamixError, match=r"(?s)does not take the token \(401\).*deposit:write.*ZENODO_TOKEN"):
        send(archive, server, token="wrong")
    assert server.drafts == {}


def test_a_draft_is_not_asked_for_twice(archive, server):
    server.script["POST"] = [503]
    with pytest.raises(DatamixError, match="answered 503"):
        send(archive, server)
    assert server.asked == [("POST", "/api/deposit/depositions")]


def test_the_token_goes_to_no_other_server(archive, server):
    server.bucket = "http://127.0.0.1:9"
    with pytest.raises(DatamixError, match="another server for the file"):
        send(archive, server)
    with pytest.raises(DatamixError, match="not reached by https"):
        deposit(archive, token="right", to="http://zenodo.example")


def test_the_command_asks_for_a_token_and_an_archive(archive, server, run, tmp_path, monkeypatch):
    ask = ["deposit", "--profile", "demo", "--to", server.address]
    monkeypatch.delenv("ZENODO_TOKEN", raising=False)
    said = CliRunner().invoke(app, ask)
    assert said.exit_code == 1
    assert "no token in the environment variable ZENODO_TOKEN" in said.output
    assert server.asked == []
    monkeypatch.setenv("ZENODO_TOKEN", "right")
    said = CliRunner().invoke(app, ask)
    assert said.exit_code == 0, said.output
    assert "https://z/7: a draft; look at it" in said.output
    archive.unlink()
    said = CliRunner().invoke(app, ask)
    assert "make archive" in said.output
