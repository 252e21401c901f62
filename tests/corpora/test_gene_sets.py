import pandas as pd
import pytest
import yaml
from small_project import cells, write_project

from datamix.corpora.gene_sets import write_gene_sets
from datamix.project.errors import NotInProfileError
from datamix.project.layout import Layout
from datamix.publishing.results import Results
from datamix.sources.simulator.reader import programmes


def layout_of(root, **changes):
    path = root / "config" / "tiny.yaml"
    if not path.is_file():
        write_project(root, {"a": cells(30)})
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))
    return Layout.of("tiny", root)


def test_simulated_cells_come_with_their_truth(tmp_path):
    write_gene_sets(layout_of(tmp_path, simulated=True))
    table = Results("tiny", notebook="n", root=tmp_path).gene_sets()
    assert table.groupby("source")["target"].agg(set).to_dict() == {k: set(v) for k, v in programmes().items()}


def test_sets_of_a_file_that_is_pinned(tmp_path):
    layout = layout_of(tmp_path, simulated=False, gene_sets="sets")
    manifest = yaml.safe_load((tmp_path / "data_manifest.yaml").read_text())
    gmt = tmp_path / "data" / "sets" / "sets.gmt"
    gmt.parent.mkdir(parents=True)
    gmt.write_text("ONE\tabout\tGENE1\tGENE2\nTWO\tabout\tGENE2\n")
    from datamix.project.files import sha256

    entry = {**manifest["datasets"]["a"], "reader": "gmt", "options": {}}
    entry["files"] = [
        {"name": "sets.gmt", "url": "https://example.org/sets.gmt", "bytes": gmt.stat().st_size, "sha256": sha256(gmt)}
    ]
    manifest["datasets"]["sets"] = entry
    (tmp_path / "data_manifest.yaml").write_text(yaml.safe_dump(manifest))
    table = write_gene_sets(layout)
    assert table.to_numpy().tolist() == [["ONE", "GENE1"], ["ONE", "GENE2"], ["TWO", "GENE2"]]
    pd.testing.assert_frame_equal(pd.read_csv(layout.gene_sets), table)


def test_a_profile_without_sets_says_so(tmp_path):
    layout = layout_of(tmp_path, simulated=False)
    write_gene_sets(layout)
    with pytest.raises(NotInProfileError, match="names no gene sets"):
        Results("tiny", notebook="n", root=tmp_path).gene_sets()
