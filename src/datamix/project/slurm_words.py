"""What became of jobs on a Slurm cluster, in sentences: why one failed, and why the others wait."""

import re
from collections.abc import Sequence
from pathlib import Path

_AGAIN = "Run the same command again: what was finished is kept."
_LAST_LINES = 5
_OF_MEMORY = re.compile(r"oom.?kill|exceeded (?:job )?memory limit|out of memory|OUT_OF_ME", re.IGNORECASE)
_OF_TIME = re.compile(r"DUE TO TIME LIMIT", re.IGNORECASE)
_OF_NODE = re.compile(r"DUE TO NODE FAILURE|launch .*failed on node .*: Communication", re.IGNORECASE)
_CANCELLED = re.compile(r"CANCELLED AT")
_REFUSALS = (
    (
        r"QOSMaxSubmit|AssocMaxSubmit|AssocGrpSubmit|QOSGrpSubmit|temporarily unable to accept|too many jobs|"
        r"Job violates accounting/QOS policy",
        "the queue takes no more of your jobs. Wait until some have ended, or set fewer `jobs` in config/slurm.yaml",
    ),
    (r"time limit", "it asks for more time than the partition gives. Set `most_minutes` in config/slurm.yaml"),
    (r"memory specification", "it asks for more memory than a node has. Set `most_memory_mb` in config/slurm.yaml"),
    (
        r"account",
        "the account is not accepted. Set `account` in config/slurm.yaml to one of yours; sacctmgr show user $USER -s "
        "lists them",
    ),
    (
        r"partition",
        "the partition is not accepted. Set `partition` or `gpu_partition` in config/slurm.yaml; sinfo lists them",
    ),
    (
        r"node configuration|nodes? (?:is|are) not available",
        "no node of the partition has what it asks for. sinfo -o '%P %m %G %l' says what there is; config/slurm.yaml "
        "says what is asked for",
    ),
    (r"contact|connect|socket|communication", "Slurm does not answer. Wait, or ask the cluster's administrator"),
)
"""What sbatch says → what it means, and what to do; the first that fits."""
_WAITS = (
    (
        r"ReqNodeNotAvail|Nodes? ?(?:Down|required)|PartitionDown|PartitionInactive|Drained",
        "no node is there for them: drained, down or reserved (sinfo -R says why). They start by themselves when one "
        "comes back",
    ),
    (
        r"InvalidAccount|InvalidQOS|Assoc\w*Limit|QOS\w*(?:Limit|Per)|JobHeldAdmin",
        "the cluster's rules hold them back. squeue --me says which; its administrator can tell you more",
    ),
    (r"JobHeldUser", "they are held: scontrol release <job> lets them go"),
    (
        r"PartitionTimeLimit|PartitionNodeLimit|BadConstraints",
        "they ask for more than the partition gives, and will never start. Stop this run (Ctrl-C), and set "
        "`most_minutes` or `most_memory_mb` in config/slurm.yaml",
    ),
)
"""Reasons of squeue that a person should hear of → what they mean. Waiting for one's turn is none of them."""


def why_failed(what: str, *, said: str, number: str | None = None, log: Path | None = None) -> str:
    """Say of a job that failed what became of it, and what to do.

    Parameters
    ----------
    what
        What it was to do: `train blood --seed 0`.
    said
        What Snakemake's executor says of it.
    number
        Its number in Slurm; None where Slurm did not take it.
    log
        Its log, which is looked into.

    Returns
    -------
    A sentence or two, the last lines of its log where it ended with an error of its own, and where the log is.
    """
    named = f"{what} (job {number} of Slurm)" if number else what
    return f"{named} {_became(said, _read(log))}" + (f"\n  Its log: {log}" if log else "")


def _became(said: str, own: str) -> str:
    """Say what became of a job, from what Slurm says of it and from the job's own log."""
    if "sbatch failed" in said or "submission failed" in said:
        error = re.search(r"error message was '?(.*?)'?\.?$", said, flags=re.MULTILINE)
        words = " ".join((error[1] if error else said).split())
        meaning = next((m for pattern, m in _REFUSALS if re.search(pattern, words, re.IGNORECASE)), None)
        return f"was not taken by Slurm: {meaning or words}. {_AGAIN}" + (
            f"\n  sbatch said: {words}" if meaning else ""
        )
    status = re.search(r"status is:? '(\w+)", said)
    state = status[1] if status else ""
    # Without accounting Slurm's word for a job that took too much memory can be another; its log has it.
    if state == "OUT_OF_MEMORY" or _OF_MEMORY.search(own):
        return (
            "was ended because it took more memory than it had asked for. Set `times_memory: 2` in config/slurm.yaml. "
            f"{_AGAIN}"
        )
    if state in {"TIMEOUT", "DEADLINE"} or _OF_TIME.search(own):
        return (
            "reached its time limit. Models that were finished are kept: running the same command again may do; else "
            "set `times_minutes: 2` in config/slurm.yaml."
        )
    if state in {"NODE_FAIL", "BOOT_FAIL"} or _OF_NODE.search(own):
        return f"lost its node, which failed or does not answer. {_AGAIN}"
    if state == "PREEMPTED":
        return f"had to make room for another job. {_AGAIN}"
    if state == "CANCELLED" or _CANCELLED.search(own):
        return f"was cancelled, by you or by the cluster's administrator. {_AGAIN}"
    last = [line for line in own.splitlines() if line.strip()][-_LAST_LINES:]
    return "ended with an error" + (":" + "".join(f"\n    {line}" for line in last) if last else f". {_AGAIN}")


def why_waiting(rows: Sequence[str]) -> list[str]:
    """Say why jobs wait, where it is not for their turn.

    Parameters
    ----------
    rows
        What `squeue -h -o "%T|%r"` prints: state and reason of each job.
    """
    reasons = [reason for state, _, reason in (row.strip().partition("|") for row in rows) if state == "PENDING"]
    found = []
    for pattern, meaning in _WAITS:
        matching = [reason for reason in reasons if re.search(pattern, reason)]
        if matching:
            many = f"{len(matching)} jobs wait" if len(matching) > 1 else "1 job waits"
            found.append(f"{many} ({matching[0]}): {meaning}.")
    return found


def _read(path: Path | None) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path else ""
    except OSError:
        return ""
