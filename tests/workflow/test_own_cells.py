"""The book's page “Your own cells”, line by line: files as it names them, its commands, and the book at the end."""

import re

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml
from foreign_cells import made_up, project_of, write_tenx_h5
from project_copy import ROOT, copy_project
from scipy import io, sparse

from datamix.corpora.prepare import prepare
from datamix.project.manifest import read_manifest
from datamix.project.profile_files import read_profile
from datamix.sources.formats.cell_labels import labels
from datamix.sources.simulator.reader import simulated

PAGE = (ROOT / "book" / "your_cells.md").read_text(encoding="utf-8")


def commands():
    """Return the lines of the page that are to be typed."""
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def made(corpus: str, cells: int, *, seed: int) -> ad.AnnData:
    """Return simulated cells as a file of one's own has them."""
    (block,) = simulated({}, corpus=corpus, cells=cells, seed=seed)
    obs = pd.DataFrame(
        {"celltype": block.obs["cell_type"].astype(str), "donor": block.obs["donor"].astype(str)}, index=block.obs_names
    )
    return ad.AnnData(block.X.astype(np.float32), obs=obs, var=block.var[["symbol"]])


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("project"), profile="mine")
    made("blood", 240, seed=1).write_h5ad(project.folder / "blood.h5ad")
    made("tf_atlas", 90, seed=2).write_h5ad(project.folder / "tf.h5ad")
    made("bone_marrow", 60, seed=3).write_h5ad(project.folder / "target.h5ad")
    gut = made("k562", 80, seed=4)
    folder = project.folder / "gut_folder"
    folder.mkdir()
    io.mmwrite(folder / "matrix.mtx", sparse.coo_matrix(gut.X.T).astype(int))
    lines = [f"{i}\t{s}\tGene Expression" for i, s in gut.var["symbol"].items()]
    (folder / "features.tsv").write_text("\n".join(lines) + "\n")
    (folder / "barcodes.tsv").write_text("\n".join(gut.obs_names) + "\n")
    return project


def test_from_files_to_the_book(project):
    before = {path: path.read_bytes() for path in project.folder.glob("*.h5ad")}
    for line in commands():
        program, *words = line.split()
        if program == "datamix":
            said = project.datamix(*words)
            assert "human" in said
            continue
        assert (program, words) == ("make", ["book", "PROFILE=mine"])
        config = project.folder / "config" / "mine.yaml"
        # Fewer epochs, so that this takes minutes; the choices are tested elsewhere.
        config.write_text(re.sub(r"max_epochs: \d+", "max_epochs: 2", config.read_text()).replace("[0, 1, 2]", "[0]"))
        profile = read_profile("mine", project.folder)
        project.snakemake("results/mine/site/index.html")
    assert list(profile.own_datasets) == ["blood", "gut", "tf", "target"]
    assert not (project.folder / "data" / "blood").exists()
    assert before == {path: path.read_bytes() for path in project.folder.glob("*.h5ad")}
    scores = pd.read_parquet(project.results / "scores" / "reconstruction.parquet")
    assert set(scores["evaluation"]) == {"target"}
    assert scores["r2"].notna().all()
    site = project.results / "site"
    pages = {page.stem: re.sub("<[^>]+>", "", page.read_text()) for page in (site / "notebooks").glob("*.html")}
    absent = {name for name, words in pages.items() if "Not in this profile" in words}
    assert absent >= {"figS2", "figS4", "figS6", "fig3", "geneformer"}
    for name in absent:
        # One sentence, and nothing else.
        assert re.search(r"Not in this profile\s+Because [^.]+ \(profile mine\)\.\n\n", pages[name]), name
    assert not absent & {"fig2", "datasets", "training", "framework", "claims"}
    # The baseline is called as the paper's is, and is another.
    assert "The paper has no numbers of this baseline" in pages["fig2"]
    first = re.sub("<[^>]+>", "", (site / "index.html").read_text())
    assert "trained on Blood better on Target where Gut and Tf are added" in first
    # The files are named by name; where they lie is nobody's business.
    assert [str(page) for page in site.rglob("*.html") if str(project.folder) in page.read_text()] == []


def test_the_page_shows_the_options_as_they_are(tmp_path):
    import inspect

    from datamix.project.dataset import Dataset
    from datamix.sources.formats.cell_labels import _RULES
    from datamix.sources.readers.file import read_file
    from datamix.sources.registry import reader

    keywords = {p.name for p in inspect.signature(read_file).parameters.values() if p.kind is p.KEYWORD_ONLY}
    rows = re.findall(r"^\| (`[a-z_`, ]+) \| ", PAGE.partition("| Option |")[2], flags=re.MULTILINE)
    assert {word for row in rows for word in re.findall(r"`(\w+)`", row)} == keywords - {"skip", "block_cells"}
    section, rules = (yaml.safe_load(b) for b in re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.M | re.S))
    for name, entry in section["datasets"].items():
        dataset = Dataset.model_validate(entry)
        found = reader(dataset.reader, options=dataset.options, dataset_id=name)
        assert inspect.unwrap(found) is read_file
    assert {rule["rule"] for rule in rules} == set(_RULES)
    for rule in rules:
        accepted = set(inspect.signature(_RULES[rule.pop("rule")]).parameters)
        assert set(rule) <= accepted


def test_the_example_of_the_page_is_a_corpus(tmp_path):
    """Two samples in a folder `runs`, and labels in a table, under the names that the page gives them."""
    section, _ = (yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.M | re.S))
    project_of(tmp_path, [])
    manifest = yaml.safe_load((tmp_path / "data_manifest.yaml").read_text())["datasets"]
    (tmp_path / "data_manifest.yaml").write_text(yaml.safe_dump({"datasets": {"genes_ensembl": manifest["genes"]}}))
    (tmp_path / "data" / "genes").rename(tmp_path / "data" / "genes_ensembl")
    (tmp_path / "runs").mkdir()
    tables = []
    for number, name in enumerate(("s1", "s2")):
        cells = made_up(seed=number)
        cells.obs_names = cells.obs_names.str.replace("AAAC", ("AAACC", "AAACG")[number])
        write_tenx_h5(tmp_path / "runs" / f"{name}.h5", cells)
        tables.append(cells.obs[["celltype"]].rename(columns={"celltype": "cluster_name"}))
    pd.concat(tables).to_csv(tmp_path / "labels.csv")
    profile = yaml.safe_load((tmp_path / "config" / "tiny.yaml").read_text())
    profile |= section | {"baselines": {"blood": {"label": "Blood", "dataset": "blood"}}}
    (tmp_path / "config" / "tiny.yaml").write_text(yaml.safe_dump(profile))
    read = read_profile("tiny", tmp_path)
    made = prepare("blood", profile=read, manifest=read_manifest(tmp_path, read), root=tmp_path, say=str)
    corpus = ad.read_h5ad(made)
    assert corpus.n_obs == 80
    assert set(corpus.obs["cell_type"]) == {"T cell", "B cell"}
    assert set(corpus.obs["donor"]) == {"D1"}


def test_the_rules_of_the_page_label_cells(tmp_path):
    _, rules = (yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.M | re.S))
    cells = pd.Index(["d1_AAAC-1", "d2_AAAG-1"])
    tables = {
        "labels.csv": pd.DataFrame({"barcode": cells, "cluster_name": ["T", "B"]}),
        "segments.csv": pd.DataFrame({"cell": [*cells, cells[0]], "p": [0.9, 0.1, 0.3]}),
        "adt.csv": pd.DataFrame({"cell": cells, "CD3": [90, 2], "CD19": [1, 70]}),
    }
    for name, table in tables.items():
        table.to_csv(tmp_path / name, index=False)
    files = {name: tmp_path / name for name in tables}
    found = [labels(cells, files, what="cell_type", missing="", **rule).tolist() for rule in rules]
    assert found == [["T", "B"], ["d1", "d2"], ["D1", "D1"], ["tumour-like", "normal"], ["T cell", "B cell"]]
