import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pytest

import datamix
from datamix.project.errors import DatamixError
from datamix.publishing.archive import write_archive

ROOT = Path(__file__).parents[2]


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
