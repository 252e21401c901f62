import pytest

from datamix.project.slurm_words import why_failed, why_waiting

SAID = (
    "SLURM-job '12' failed, SLURM status is: '{}'. Detailed failure reason unavailable (status command is not 'sacct')."
)
REFUSED = (
    "SLURM sbatch failed. The error message was 'sbatch: error: {}'.\n    sbatch call:\n        sbatch --wrap=python\n"
)
TIMED_OUT = "slurmstepd: error: *** JOB 12 ON vm CANCELLED AT 2026-11-26T06:31:00 DUE TO TIME LIMIT ***"


def failed(tmp_path, status, own=""):
    log = tmp_path / "12.log"
    log.write_text(own)
    words = why_failed("train blood --seed 0", said=SAID.format(status), number="12", log=log)
    assert words.startswith("train blood --seed 0 (job 12 of Slurm) ")
    assert words.endswith(f"Its log: {log}")
    return words


@pytest.mark.parametrize(
    ("status", "own", "expected"),
    [
        ("CANCELLED", "slurmstepd: error: *** JOB 12 ON vm CANCELLED AT 2026-11-26T06:31:00 ***", "was cancelled"),
        ("TIMEOUT", TIMED_OUT, "reached its time limit"),
        ("CANCELLED", TIMED_OUT, "reached its time limit"),
        ("OUT_OF_MEMORY", "", "more memory than it had asked for"),
        ("FAILED", "slurmstepd-vm: error: Exceeded job memory limit", "more memory than it had asked for"),
        ("FAILED", "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=12", "more memory than it had asked for"),
        ("NODE_FAIL", "", "lost its node"),
        (
            "FAILED",
            "srun: error: Task launch for StepId=1.0 failed on node vm: Communication connection failure",
            "lost its node",
        ),
        ("PREEMPTED", "", "make room for another job"),
        ("FAILED", "one\nError: no file\n", "ended with an error:\n    one\n    Error: no file\n"),
        ("FAILED", "", "ended with an error. Run the same command again"),
    ],
)  # fmt: skip
def test_what_became_of_a_job_is_said(tmp_path, status, own, expected):
    assert expected in failed(tmp_path, status, own)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("QOSMaxSubmitJobPerUserLimit", "the queue takes no more of your jobs"),
        ("Slurm temporarily unable to accept job, sleeping and retrying", "the queue takes no more of your jobs"),
        ("Batch job submission failed: Requested time limit is invalid", "`most_minutes`"),
        ("Batch job submission failed: Memory specification can not be satisfied", "`most_memory_mb`"),
        ("Batch job submission failed: Invalid account or account/partition combination specified", "Set `account`"),
        ("Batch job submission failed: Invalid partition name specified", "`gpu_partition`"),
        ("Batch job submission failed: Requested node configuration is not available", "no node of the partition has"),
        ("Unable to contact slurm controller (connect failure)", "Slurm does not answer"),
        ("something new", "was not taken by Slurm: sbatch: error: something new."),
    ],
)  # fmt: skip
def test_what_sbatch_refuses_is_said_with_what_mends_it(error, expected):
    words = why_failed("prepare sim_blood", said=REFUSED.format(error))
    assert words.startswith("prepare sim_blood was not taken by Slurm: ")
    assert expected in words
    assert error in words


@pytest.mark.parametrize(
    "reason",
    [
        "ReqNodeNotAvail, UnavailableNodes:vm",
        "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions",
        "NodeDown",
        "PartitionDown",
    ],
)
def test_nodes_that_are_not_there_are_said(reason):
    (words,) = why_waiting([f"PENDING|{reason}"])
    assert words.startswith(f"1 job waits ({reason}): no node is there for them")


def test_waiting_is_explained_where_it_is_not_for_ones_turn():
    assert why_waiting(["PENDING|Resources", "PENDING|Priority", "RUNNING|None", "PENDING|None"]) == []
    (words,) = why_waiting(["PENDING|ReqNodeNotAvail, UnavailableNodes:vm", "PENDING|Resources", "RUNNING|None"])
    assert words.startswith("1 job waits (ReqNodeNotAvail, UnavailableNodes:vm): no node is there for them")
    found = why_waiting(["PENDING|PartitionTimeLimit"] * 2 + ["PENDING|JobHeldUser"])
    assert [words.partition(":")[0] for words in found] == [
        "1 job waits (JobHeldUser)",
        "2 jobs wait (PartitionTimeLimit)",
    ]
    assert all("(Ctrl-C)" in words or "scontrol release" in words for words in found)
