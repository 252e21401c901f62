"""Any well-formed profile runs to a book: tiny ones that lack what the paper has, each page built strictly.

Their batches are small, for the running moments of BatchNorm want some hundred steps: after ten, the posteriors of some
cells are so wide that a sample's prediction is infinite, in one training of three.
"""

import re

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml
from project_copy import copy_project

from datamix.sources.simulator.reader import simulated

ALONE = """
name: alone
title: "Alone profile: simulated cells, for tests"
simulated: true
about: Simulated; nothing is added to the baseline, and the types of its cells and their donors are not known.
cells: 100
seeds: [0]
baselines:
  tissue: {label: Tissue, dataset: unlabelled}
added: {}
evaluations:
  fresh: {label: Fresh tissue, dataset: sim_eval_blood, group: non-disease, cells: 36}
training: {max_epochs: 4, batch_size: 16}
"""
SITE = "results/{}/site/index.html"
LEAN = """
name: lean
title: "Lean profile: simulated cells, for tests"
simulated: true
about: Simulated; one seed, one added set, one cell type, nothing malignant and nothing out of distribution.
cells: 100
seeds: [3]
baselines:
  tissue: {label: Tissue, dataset: sim_blood}
added:
  engineered: {label: Engineered cells, datasets: [sim_tf_atlas]}
evaluations:
  fresh: {label: Fresh tissue, dataset: sim_eval_blood, group: non-disease, cells: 36, cell_types: [monocyte]}
training: {max_epochs: 4, batch_size: 16}
"""
ODD = """
name: odd
title: "Odd profile: simulated cells, for tests"
simulated: true
about: Simulated; a baseline of one cell type, two evaluation sets that share cells, one of very few, none far away.
cells: all
baselines:
  pure: {label: Pure, dataset: one_type}
added:
  marrow: {label: Marrow, datasets: [sim_bone_marrow]}
evaluations:
  mixed: {label: Mixed, dataset: sim_eval_blood, group: non-disease, cells: 60}
  myeloid: {label: Myeloid, dataset: sim_eval_blood, group: non-disease, cells: 36, cell_types: [monocyte]}
  nerve: {label: Nerve, dataset: sim_eval_neurons, group: cancer, cells: 8}
training: {max_epochs: 4, batch_size: 16}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with both profiles, and a dataset whose cells are all of one type."""
    project = copy_project(tmp_path_factory.mktemp("project"), profile="lean")
    (block,) = simulated({}, corpus="blood", cells=1500, seed=5)
    cells = block[block.obs["cell_type"] == "monocyte"][:200]
    obs = pd.DataFrame({"type": "monocyte", "who": cells.obs["donor"].astype(str)}, index=cells.obs_names)
    path = project.folder / "data" / "one_type" / "one_type.h5ad"
    path.parent.mkdir(parents=True)
    ad.AnnData(cells.X.astype(np.float32), obs=obs, var=cells.var).write_h5ad(path)
    entry = {
        "title": "Simulated: monocytes",
        "reader": "h5ad",
        "gene_ids": "ensembl",
        "options": {"cell_type": "type", "donor": "who", "symbol": "symbol"},
        "access": "open",
        "licence": "MIT, as the project",
        "citation": {"text": "Simulated by a test."},
        "files": [{"name": path.name, "steps": "write it"}],
    }
    manifest = project.folder / "data_manifest.yaml"
    entries = yaml.safe_load(manifest.read_text())
    unlabelled = entry | {"options": {"symbol": "symbol"}, "title": "Simulated: cells without labels"}
    entries["datasets"] |= {"one_type": entry, "unlabelled": unlabelled | {"files": [{"name": "x.h5ad", "steps": "-"}]}}
    other = project.folder / "data" / "unlabelled" / "x.h5ad"
    other.parent.mkdir()
    ad.AnnData(block[:240].X.astype(np.float32), obs=block[:240].obs[[]], var=cells.var).write_h5ad(other)
    manifest.write_text(yaml.safe_dump(entries))
    for name, text in (("lean", LEAN), ("odd", ODD), ("alone", ALONE)):
        (project.folder / "config" / f"{name}.yaml").write_text(text)
    return project


@pytest.mark.parametrize("profile", ["lean", "odd", "alone"])
def test_a_profile_without_what_the_paper_has_gives_a_book(project, profile):
    project.profile, project.results = profile, project.folder / "results" / profile
    project.snakemake(SITE.format(profile))
    scores = pd.read_parquet(project.results / "scores" / "reconstruction.parquet")
    evaluations = yaml.safe_load((project.folder / "config" / f"{profile}.yaml").read_text())["evaluations"]
    assert set(scores["evaluation"]) == set(evaluations)
    assert scores["r2"].notna().all()
    pages = {page.stem: page.read_text() for page in (project.results / "site" / "notebooks").glob("*.html")}
    figure = pages["fig2"]
    assert "Not in this profile" not in figure
    # Other cells are drawn for each seed; that is no missing value.
    assert "without a value" not in figure
    words = {name: re.sub("<[^>]+>", " ", page) for name, page in pages.items()}
    assert [name for name, text in words.items() if re.search(r"\bnan\b", text)] == []
    abstract = (project.results / "site" / "abstract.html").read_text()
    assert {"odd": "Pure Baseline"}.get(profile, "Tissue Baseline") in re.sub("<[^>]+>", "", abstract)
    absent = {name for name, page in pages.items() if "Not in this profile" in page}
    in_all, one_seed = {"figS4", "figS6", "geneformer", "fig7", "fig8"}, {"fig3", "fig4", "figS2"}
    assert absent == in_all | (one_seed if profile != "odd" else set())
    if profile == "odd":  # no set is called out of distribution: Figure 4 asks every one
        assert "which lifts an evaluation set furthest above" in " ".join(words["fig4"].split())
    if profile == "alone":
        assert "adds no set" in words["fig3"]
        assert "no evaluation set has a source in common with training sets" in words["protocols"]
        assert "This profile adds no set" in words["fig2"]
