from pathlib import Path

import pandas as pd
import pytest
import yaml

from datamix.project.layout import Layout
from datamix.project.slurm import Cluster, Partition
from datamix.publishing.runs import cluster
from datamix.publishing.runs.cost import Cost
from datamix.publishing.runs.work import Sizes

ROOT = Path(__file__).parents[3]
RULES = pd.DataFrame(
    {"jobs": [12, 4, 2], "seconds": [900.0, 9000.0, 20.0]}, index=["corpus", "train", "composition"]
)  # fmt: skip


@pytest.fixture
def paper(tmp_path, monkeypatch):
    for name in ("config", "data_manifest.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    partitions = (
        Partition("cpu", is_default=True, has_gpus=False, minutes=600, memory_mb=64_000),
        Partition("gpu", is_default=False, has_gpus=True, minutes=60, memory_mb=64_000),
    )
    monkeypatch.setattr(cluster, "ask_cluster", lambda: Cluster("23.11", accounting=True, partitions=partitions))
    monkeypatch.setattr(cluster, "cost_of", lambda _: Cost(RULES, Sizes(1, {}, 1, 1, ()), ""))
    return Layout.of("paper", tmp_path)


def test_the_profile_for_snakemake_is_written_and_told(paper):
    said = list(cluster.write_slurm_profile(paper))
    written = yaml.safe_load((paper.folder / "slurm" / "config.yaml").read_text())
    assert said[0] == "Slurm 23.11, with accounting; jobs go to cpu and gpu."
    assert written["set-resources"]["corpus"]["slurm_partition"] == "cpu"
    assert written["set-resources"]["train"]["slurm_partition"] == "gpu"
    assert written["set-resources"]["train"]["runtime"] == 60
    assert written["slurm-logdir"] == "results/paper/slurm/logs"
    assert "group-components" not in written  # long jobs, and those of which some wait for others
    assert [line for line in said if line.startswith("A job of ")] == [
        "A job of train lasts about 2.5 h, and has 60 min: it will reach its limit. The same command then goes on with "
        "what is left; a partition with a longer limit is better."
    ]
    assert said[-1] == "Logs of the jobs: results/paper/slurm/logs/. Settings: config/slurm.yaml."
