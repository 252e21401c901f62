import subprocess
from pathlib import Path

import pytest

from datamix.project import slurm
from datamix.project.errors import DatamixError
from datamix.project.slurm import Cluster, Partition, SlurmSettings, ask_cluster, read_partitions, read_slurm_settings
from datamix.project.slurm_profile import Needs, slurm_profile

ROWS = ["main*|infinite|6000|(null)", "main*|infinite|64000+|(null)", "short|30:00|6000|(null)",
        "long|2-12:00:00|64000|gpu:a100:4(S:0-1)"]  # fmt: skip
MAIN, SHORT, LONG = read_partitions(ROWS)
CLUSTER = Cluster("22.05.8", accounting=False, partitions=(MAIN, SHORT, LONG))
RULES = {
    "corpus": Needs(12, 3.0, {"mem_mb": 1200, "runtime": 60}),
    "train": Needs(4, 3600.0, {"mem_mb": 8000, "runtime": 600, "gpu": 1}),
    "composition": Needs(4, 20.0, {"mem_mb": 2000, "runtime": 60}, apart=True),
    "genes": Needs(1, 2.0, {"mem_mb": 1000, "runtime": 60}),
}


def options(rules=RULES, *, cluster=CLUSTER, **settings):
    return slurm_profile(rules, profile="paper", settings=SlurmSettings(**settings), cluster=cluster, logs="logs")


def test_partitions_are_read_as_sinfo_prints_them():
    assert Partition("main", is_default=True, has_gpus=False, minutes=None, memory_mb=64000) == MAIN
    assert read_partitions(["main*|infinite|1|(null)"])[0].memory_mb == 0  # nobody told Slurm
    assert (SHORT.minutes, LONG.minutes, LONG.has_gpus, LONG.is_default) == (30, 3600, True, False)


def test_a_cluster_is_asked_what_a_person_does_not_say():
    found = options()
    assert found["set-resources"]["corpus"]["slurm_partition"] == "main"
    assert found["set-resources"]["train"]["slurm_partition"] == "long"
    assert found["slurm-no-account"] is True
    assert "slurm_account" not in found["default-resources"]
    named = options(account="lab", partition="short", gpu_partition="main", most_minutes=20)
    assert "slurm_account" not in named["default-resources"]  # nobody is charged here
    assert named["set-resources"]["corpus"]["slurm_partition"] == "short"
    assert named["set-resources"]["train"] == {"mem_mb": 8000, "runtime": 20, "slurm_partition": "main", "alone": 1}
    with_accounting = options(cluster=Cluster("22.05.8", accounting=True, partitions=(MAIN, LONG)), account="lab")
    assert with_accounting["default-resources"]["slurm_account"] == "lab"
    assert "slurm-no-account" not in with_accounting
    assert "slurm-status-command" not in with_accounting


def test_short_jobs_go_together_and_long_ones_alone():
    found = options(group_minutes=1)
    assert found["group-components"] == {"corpus": 12}
    assert options({"corpus": Needs(12, 9.0, {"mem_mb": 1200, "runtime": 60})}, group_minutes=1)[
        "group-components"
    ] == {"corpus": 6}
    # Sixty minutes each would be more than a partition gives to twelve.
    assert found["set-resources"]["corpus"]["runtime"] < 10
    assert "groups" not in options(group_minutes=0)
    # Six minutes each, and the partition gives thirty.
    short = options({"corpus": RULES["corpus"]}, partition="short")
    assert short["group-components"] == {"corpus": 5}
    assert short["set-resources"]["corpus"]["runtime"] == 6


def test_limits_bind_and_factors_raise():
    found = options({"corpus": RULES["corpus"]}, times_minutes=2, times_memory=1.5, group_minutes=0)
    assert found["set-resources"]["corpus"]["mem_mb"] == 1800
    assert found["set-resources"]["corpus"]["runtime"] == 120
    short = options({"corpus": RULES["corpus"]}, partition="short", group_minutes=0)
    assert short["set-resources"]["corpus"]["runtime"] == 30
    with pytest.raises(DatamixError, match=r"rule corpus needs 1,200 MB, .* has 1,000 MB"):
        options(most_memory_mb=1000)


@pytest.mark.parametrize(
    ("settings", "partitions", "message"),
    [
        ({"partition": "big"}, (MAIN,), "partition is 'big', and the cluster's partitions are: main"),
        ({}, (MAIN, SHORT), "need a GPU, and no partition of the cluster shows any; it has: main, short"),
        ({}, (), "shows no partition"),
    ],
)
def test_what_a_cluster_does_not_have_is_said(settings, partitions, message):
    with pytest.raises(DatamixError, match=message):
        options(cluster=Cluster("22.05.8", accounting=True, partitions=partitions), **settings)


def answers(monkeypatch, config):
    monkeypatch.setattr(slurm.shutil, "which", lambda _: "/usr/bin/sbatch")
    said = {"scontrol": config, "sinfo": "\n".join(ROWS)}

    def run(command, **_):
        return subprocess.CompletedProcess(command, 0 if said[command[0]] else 1, said[command[0]], "Unable to contact")

    monkeypatch.setattr(slurm.subprocess, "run", run)


def test_accounting_is_found_out(monkeypatch):
    answers(
        monkeypatch,
        "AccountingStorageType   = accounting_storage/none\nMinJobAge    = 300 sec\nSLURM_VERSION = 22.05.8\n",
    )
    assert ask_cluster() == CLUSTER
    answers(monkeypatch, "AccountingStorageType   = accounting_storage/slurmdbd\nMinJobAge    = 2 sec\n")
    assert ask_cluster().accounting


def test_a_cluster_that_cannot_be_asked_is_an_error_in_words(monkeypatch):
    answers(monkeypatch, "AccountingStorageType   = (null)\nMinJobAge    = 20 sec\n")
    with pytest.raises(DatamixError, match="forgets a job 20 seconds after its end"):
        ask_cluster()
    answers(monkeypatch, "")
    with pytest.raises(DatamixError, match="Slurm does not answer: scontrol show config says: Unable to contact"):
        ask_cluster()
    monkeypatch.setattr(slurm.shutil, "which", lambda _: None)
    with pytest.raises(DatamixError, match="There is no Slurm here"):
        ask_cluster()


def test_the_settings_of_the_project_are_the_defaults():
    assert read_slurm_settings(Path(__file__).parents[2]) == SlurmSettings()
