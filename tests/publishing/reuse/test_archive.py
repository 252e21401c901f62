import hashlib
import json
import shutil
import subprocess
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

import datamix
from datamix.project.errors import DatamixError
from datamix.publishing.reuse.archive import write_archive

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tiny_book):
    """A tiny book whose site is a page."""
    (tiny_book / "results" / "demo" / "site").mkdir()
    (tiny_book / "results" / "demo" / "site" / "index.html").write_text("<h1>A book</h1>")
    for name in ("CITATION.cff", "requirements.lock", "LICENSE"):
        shutil.copy(ROOT / name, tiny_book)
    (tiny_book / "results" / "demo" / "models").mkdir()
    (tiny_book / "results" / "demo" / "models" / "model.pt").write_bytes(b"weights")
    return tiny_book


def crate_of(path):
    with zipfile.ZipFile(path) as archive:
        return archive.namelist(), json.loads(archive.read("ro-crate-metadata.json"))


def test_the_archive_is_an_ro_crate(project):
    names, crate = crate_of(write_archive("demo", date="2026-01-31", root=project))
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    assert len(entities) == len(crate["@graph"]), "an @id stands once"
    # What RO-Crate 1.1 requires: context, descriptor, root data entity with its four properties.
    assert crate["@context"] == "https://w3id.org/ro/crate/1.1/context"
    descriptor = entities["ro-crate-metadata.json"]
    assert descriptor["@type"] == "CreativeWork"
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    root = entities["./"]
    assert root["@type"] == "Dataset"
    assert all(root[key] for key in ("name", "description", "datePublished", "license"))
    # Every file is described and part of the root, and nothing else is.
    files = {one for one, entity in entities.items() if entity["@type"] == "File"}
    assert files == set(names) - {"ro-crate-metadata.json"} == {part["@id"] for part in root["hasPart"]}
    # The graph is flat, and what it refers to is in it; the specification itself needs no entity.
    for entity in crate["@graph"]:
        assert {"@id", "@type"} <= entity.keys()
        for value in entity.values():
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, dict):
                    assert list(one) == ["@id"]
                    assert one["@id"] in entities or one["@id"] == descriptor["conformsTo"]["@id"]


def test_it_is_a_process_run_crate(project):
    """What Process Run Crate 0.5 requires of the root and the action, and what it recommends of them and the code."""
    names, crate = crate_of(write_archive("demo", date="2026-01-31", root=project))
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    root, run = entities["./"], entities["#run"]
    profile = entities[root["conformsTo"]["@id"]]
    assert profile["@id"].startswith("https://w3id.org/ro/wfrun/process/")
    assert profile["@type"] == "CreativeWork"
    assert profile["version"] == "0.5"
    assert run["@type"] == "CreateAction"
    assert root["mentions"] == {"@id": run["@id"]}
    code = entities[run["instrument"]["@id"]]
    assert code["@type"] == "SoftwareSourceCode"
    assert all(code[key] for key in ("name", "version", "url"))
    assert run["name"]
    assert run["description"]
    assert datetime.fromisoformat(run["endTime"]).tzinfo is not None
    assert run["actionStatus"] == "http://schema.org/CompletedActionStatus"
    assert entities[run["agent"]["@id"]]["@type"] in {"Person", "Organization"}
    assert {one["@id"] for one in run["result"]} >= {"results/demo/panels/fig2a.csv", "results/demo/values/fig2.json"}
    assert {one["@id"] for one in run["object"]} == {"config/demo.yaml", "data_manifest.yaml"}
    assert {one["@id"] for one in [*run["result"], *run["object"]]} <= set(names)


def test_the_crate_names_its_content_as_software_heritage_would(project, tmp_path_factory):
    path = write_archive("demo", date="2026-01-31", root=project)
    _, crate = crate_of(path)
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    unpacked = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(unpacked)
    (unpacked / "ro-crate-metadata.json").unlink()
    for words in (("init", "-q"), ("add", "--force", ".")):
        subprocess.run(["git", *words], cwd=unpacked, check=True)
    tree = subprocess.run(["git", "write-tree"], cwd=unpacked, capture_output=True, text=True, check=True).stdout
    assert entities[entities["./"]["identifier"]["@id"]]["value"] == f"swh:1:dir:{tree.strip()}"


def test_files_are_what_the_crate_says_they_are(project):
    path = write_archive("demo", date="2026-01-31", root=project)
    names, crate = crate_of(path)
    assert {"results/demo/site/index.html", "results/demo/panels/fig2a.csv", "results/demo/values/fig2.json"} <= set(
        names
    )
    assert {"config/demo.yaml", "requirements.lock", "data_manifest.yaml"} <= set(names)
    assert not [name for name in names if "models" in name or name.startswith(("/", ".."))]
    with zipfile.ZipFile(path) as archive:
        for entity in (one for one in crate["@graph"] if one["@type"] == "File"):
            content = archive.read(entity["@id"])
            assert entity["sha256"] == hashlib.sha256(content).hexdigest()
            assert entity["contentSize"] == str(len(content))
            assert str(project).encode() not in content


def test_the_same_book_gives_the_same_bytes(project):
    first = write_archive("demo", date="2026-01-31", root=project).read_bytes()
    assert write_archive("demo", date="2026-01-31", root=project).read_bytes() == first


def test_the_archive_opens_without_the_project(project, tmp_path_factory, monkeypatch):
    path = shutil.copy(write_archive("demo", date="2026-01-31", root=project), tmp_path_factory.mktemp("elsewhere"))
    monkeypatch.delenv("DATAMIX_ROOT")
    shutil.rmtree(project / "results")
    book = datamix.open(path)
    assert book.panels == ["2a"]
    assert book.value("fig2.cells").value == 1234
    assert book.profile.baselines["blood"].label == "Blood"
    assert book.panel("2a").cite().startswith("@software{datamix_fig2a_")
    assert book.panel("2a").path("svg").is_file()


def test_without_a_book_there_is_no_archive(run, tmp_path):
    with pytest.raises(DatamixError, match=r"(?s)has not been made so far.*make book PROFILE=demo"):
        write_archive("demo", date="2026-01-31", root=tmp_path)


def test_it_does_not_tell_where_files_of_ones_own_lie(project):
    """Neither of this profile nor of others that lie beside it; names, checksums and comments stay."""
    mine = project / "config" / "mine.yaml"
    mine.write_text(
        "datasets:  # ours\n  a:\n    files:\n    - name: a.h5ad\n      path: '/home/me/my cells/a.h5ad'\n"
        '    - {name: b.h5ad, path: "~/b.h5ad", sha256: abc}\n    - {path: runs/s1.h5, name: s1.h5}\n'
        "    - path: C:\\Users\\me\\c.h5ad\n"
    )
    path = write_archive("demo", date="2026-01-31", root=project)
    with zipfile.ZipFile(path) as archive:
        text = archive.read("config/mine.yaml").decode()
        assert archive.read("config/demo.yaml") == (project / "config" / "demo.yaml").read_bytes()
    assert text == (
        "datasets:  # ours\n  a:\n    files:\n    - name: a.h5ad\n      path: 'a.h5ad'\n"
        '    - {name: b.h5ad, path: "b.h5ad", sha256: abc}\n    - {path: runs/s1.h5, name: s1.h5}\n'
        "    - path: c.h5ad\n"
    )
    _, crate = crate_of(path)
    described = next(one for one in crate["@graph"] if one["@id"] == "config/mine.yaml")
    assert described["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert "/home/me" in mine.read_text(), "the project's own file stays as it is"
