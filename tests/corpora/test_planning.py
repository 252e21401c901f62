from datamix.corpora.inventory import inspect, note_unpacked
from datamix.corpora.planning import disk_needed, rule_resources
from datamix.project.dataset import Dataset
from datamix.project.files import sha256
from datamix.project.profile_files import read_profile

CITED = {"licence": "none", "citation": {"text": "nobody"}, "access": "open", "title": "t", "reader": "h5ad"}


def test_the_paper_asks_for_a_gpu_and_the_demo_does_not():
    paper, demo = (read_profile(name) for name in ("paper", "demo"))
    assert rule_resources(paper, "train")["gpu"] == rule_resources(paper, "geneformer")["gpu"] == 1
    assert all("gpu" not in rule_resources(demo, rule) for rule in ("corpus", "train", "geneformer", "score", "genes"))
    # Two blocks of 101,879 cells, 2,000 genes each, 8 bytes an entry, twice.
    assert rule_resources(paper, "train")["mem_mb"] == 2_000 + 2 * 2 * 101_879 * 16_000 // 1_000_000
    assert rule_resources(paper, "corpus")["mem_mb"] > paper.memory_mb
    longer = paper.model_copy(update={"training": paper.training.model_copy(update={"max_epochs": 500})})
    assert rule_resources(longer, "train")["runtime"] > 1.8 * rule_resources(paper, "train")["runtime"]


def test_disk_counts_a_file_once_and_what_is_there_not_at_all(tmp_path):
    common = {"name": "a.tar", "steps": "x", "about_gb": 2.0, "unpacked_gb": 5.0, "unpack": True}
    other = {"name": "b", "url": "http://127.0.0.1/b", "bytes": 1000}
    unknown = {"name": "c", "steps": "x"}
    datasets = [
        (f"d{i}", Dataset.model_validate(CITED | {"files": files, "work_gb": 1.0}))
        for i, files in enumerate([[common, other], [common, unknown]])
    ]

    def needed():
        return disk_needed((d, inspect(name, d, root=tmp_path)) for name, d in datasets)

    disk = needed()
    assert (disk.to_fetch, disk.to_unpack, disk.to_make, disk.unknown) == (2e9 + 1000, 2 * 5e9, 2e9, 1)
    folder = tmp_path / "data" / "d0"
    folder.mkdir(parents=True)
    (folder / "a.tar").write_bytes(b"here")
    (folder / "a.tar.unpacked").mkdir()
    note_unpacked(folder / "a.tar", archive=sha256(folder / "a.tar"))
    (folder / "b").write_bytes(bytes(10))  # cut off: it has to come again
    assert needed().to_fetch == 2e9 + 1000  # the other dataset's copy of a.tar is still to be linked or fetched
    assert needed().to_unpack == 5e9
