"""The whole workflow in a minute or two: a tiny profile, run to the end once."""

import pytest
from project_copy import copy_project

TINY = """
name: tiny
title: "Tiny profile: simulated cells, for tests"
simulated: true
about: Simulated; it shows that the workflow runs.
cells: 120
baselines:
  blood: {label: Blood, dataset: sim_blood}
  atlas: {label: Atlas, dataset: sim_atlas}
added:
  bone_marrow: {label: Bone marrow, datasets: [sim_bone_marrow]}
  blood_cancer: {label: Blood cancer, datasets: [sim_blood_cancer]}
  perturb_seq: {label: Perturb-seq, datasets: [sim_k562, sim_jurkat]}
  tf_atlas: {label: TF atlas, datasets: [sim_tf_atlas], reseed: true}
evaluations:
  blood: {label: Blood, dataset: sim_eval_blood, group: non-disease, cells: 40}
  bone_marrow: {label: Bone marrow, dataset: sim_eval_bone_marrow, group: non-disease, cells: 40}
  aml: {label: AML, dataset: sim_eval_aml, group: cancer, cells: 40}
  scc: {label: SCC, dataset: sim_eval_scc, group: cancer, cells: 40}
  neurons: {label: Neurons, dataset: sim_eval_neurons, group: out of distribution, cells: 40}
training: {max_epochs: 12}
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The tiny profile, run to the end once."""
    project = copy_project(tmp_path_factory.mktemp("project"), profile="tiny")
    (project.folder / "config" / "tiny.yaml").write_text(TINY)
    project.snakemake("results/tiny/site/index.html")
    return project
