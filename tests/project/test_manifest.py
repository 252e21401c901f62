from pathlib import Path

import pytest
import yaml

from datamix.project.errors import DatamixError
from datamix.project.manifest import read_manifest
from datamix.project.profile_files import read_profile
from datamix.sources.registry import READERS, reader, reader_code

PROJECT = Path(__file__).parents[2]
ENTRY = {
    "title": "A set",
    "reader": "h5ad",
    "gene_ids": "ensembl",
    "access": "open",
    "licence": "CC0",
    "citation": {"text": "Somebody 2020"},
    "files": [{"name": "a.h5ad", "url": "https://example.org/a.h5ad"}],
}


def written(folder: Path, **changes: object) -> Path:
    entry = {key: value for key, value in {**ENTRY, **changes}.items() if value is not ...}
    (folder / "data_manifest.yaml").write_text(yaml.safe_dump({"datasets": {"a": entry}}))
    return folder


@pytest.mark.parametrize("profile", ["demo", "mini", "paper"])
def test_profiles_use_datasets_of_the_manifest_with_readers_that_exist(profile):
    manifest = read_manifest(PROJECT)
    settings = read_profile(str(PROJECT / "config" / f"{profile}.yaml"))
    for dataset_id in settings.datasets:
        dataset = manifest.dataset(dataset_id)
        assert dataset.reader in READERS
        assert (dataset.access == "simulated") == settings.simulated
    if settings.gene_sets:
        assert manifest.dataset(settings.gene_sets).reader == "gmt"


def test_real_datasets_of_mini_are_pinned_by_size_and_sha256():
    manifest = read_manifest(PROJECT)
    for dataset_id in read_profile(str(PROJECT / "config" / "mini.yaml")).datasets:
        for file in manifest.dataset(dataset_id).files:
            assert file.bytes
            assert file.sha256
            assert file.url.startswith("https://raw.githubusercontent.com/")


def test_unknown_dataset_names_near_ones():
    with pytest.raises(DatamixError, match=r"no dataset 'pbmc_donor_b'.*\n.*pbmc_donor_a"):
        read_manifest(PROJECT).dataset("pbmc_donor_b")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, r"data_manifest\.yaml: unknown key 'datasets\.a\.colour'"),
        ({"licence": ...}, "a dataset needs a licence and a citation"),
        ({"title": 3}, r"'datasets\.a\.title': .*string, found 3"),
        ({"access": "secret"}, r"'datasets\.a\.access': .*'open'.*found 'secret'"),
        ({"files": [{"name": "a", "url": "u", "bytes": "many"}]}, r"files\.0\.bytes': .*integer, found 'many'"),
        ({"files": [{"name": "a", "url": "u", "sha256": "12ab"}]}, r"files\.0\.sha256': .*found '12ab'"),
        ({"files": [{"name": "../a", "url": "u"}]}, r"files\.0\.name': .*found '\.\./a'"),
        ({"files": [{"name": "..", "url": "u"}]}, r"'\.\.' is no file name"),
        ({"files": [{"name": "a"}]}, r"file 'a' has neither path nor url nor steps"),
        ({"files": [{"name": "a", "url": "u"}, {"name": "a", "url": "v"}]}, "two files have the same name"),
        ({"files": []}, "a dataset that is not simulated needs files"),
        ({"gene_ids": "symbol"}, "genes named by symbol need a gene_table"),
        ({"gene_table": "b"}, r"'a' names the gene table 'b', which is not a dataset"),
        ({"citation": {"text": "x", "doi": "see the web"}}, r"citation\.doi': .*found 'see the web'"),
    ],
)
def test_bad_entry_is_refused_with_its_key(tmp_path, changes, message):
    with pytest.raises(DatamixError, match=message):
        read_manifest(written(tmp_path, **changes))


@pytest.mark.parametrize("name", ["größe", "bone-marrow", "2nd"])
def test_a_dataset_id_is_plain(tmp_path, name):
    (tmp_path / "data_manifest.yaml").write_text(yaml.safe_dump({"datasets": {name: ENTRY}}))
    with pytest.raises(DatamixError, match=f"dataset id '{name}' must be letters"):
        read_manifest(tmp_path)


def test_dataset_that_stands_twice_is_refused(tmp_path):
    path = written(tmp_path) / "data_manifest.yaml"
    path.write_text(path.read_text() + path.read_text().removeprefix("datasets:\n"))
    with pytest.raises(DatamixError, match="key 'a' stands twice"):
        read_manifest(tmp_path)


def test_missing_manifest(tmp_path):
    with pytest.raises(DatamixError, match=r"data_manifest\.yaml does not exist"):
        read_manifest(tmp_path)


def test_manifest_is_frozen(tmp_path):
    dataset = read_manifest(written(tmp_path)).dataset("a")
    with pytest.raises(ValueError, match="frozen"):
        dataset.title = "Another"


def test_a_dataset_names_its_own_readers_and_no_others():
    assert reader_code("pbmc_donor_a", read_manifest(PROJECT)) == [
        "datamix.sources.readers.gene_table:read_gene_table",
        "datamix.sources.readers.r_data:read_r_data",
    ]


@pytest.mark.parametrize("words", [{"title": "Another"}, {"licence": "Another"}, {"citation": {"text": "A"}}])
def test_words_for_readers_are_no_content(tmp_path, words):
    entries = [ENTRY | {"notes": "One"}, ENTRY | words | {"notes": "Two", "source": "lab"}]
    one, two = (read_manifest(written(tmp_path, **entry)).content_of("a") for entry in entries)
    assert one == two
    files = [{**ENTRY["files"][0], "sha256": "f" * 64}]
    assert read_manifest(written(tmp_path, files=files)).content_of("a") != one


def test_source_and_gene_table(tmp_path):
    table = ENTRY | {"gene_ids": None, "options": {"gene": "feature_id"}}
    entries = {"t": table, "a": ENTRY | {"gene_ids": "symbol", "gene_table": "t", "source": "lab"}}
    (tmp_path / "data_manifest.yaml").write_text(yaml.safe_dump({"datasets": entries}))
    manifest = read_manifest(tmp_path)
    assert (manifest.source_of("a"), manifest.source_of("t")) == ("lab", "t")
    assert manifest.content_of("a")["gene_table"]["options"] == {"gene": "feature_id"}
    assert manifest.content_of("t")["gene_table"] is None


def test_every_reader_takes_the_options_of_its_datasets():
    for dataset_id, dataset in read_manifest(PROJECT).datasets.items():
        reader(dataset.reader, options=dataset.options, dataset_id=dataset_id)
