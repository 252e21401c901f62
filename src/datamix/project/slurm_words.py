"""What became of jobs on a Slurm cluster, in sentences: why one failed, and why the others wait."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_AGAIN = "Run the same command again: what was finished is kept."
_LAST_LINES = 5
_OF_MEMORY = re.compile(r"oom.?kill|exceeded (?:job )?memory limit|out of memory|OUT_OF_ME", re.IGNORECASE)
_OF_TIME = re.compile(r"DUE TO TIME LIMIT", re.IGNORECASE)
_OF_NODE = re.compile(r"DUE TO NODE FAILURE", re.IGNORECASE)
_CANCELLED = re.compile(r"CANCELLED AT")
_REFUSALS = (
    (
        r"QOSMaxSubmit|AssocMaxSubmit|AssocGrpSubmit|QOSGrpSubmit|temporarily unable to accept|too many jobs|"
        r"Job violates accounting/QOS policy",
        "the queue takes no more of your jobs. Wait until some have ended, or set a smaller `jobs` in config/slurm.yaml",
    ),
    (r"time limit", "it asks for more time than the partition gives. Set `most_minutes` in config/slurm.yaml"),
    (r"memory specification", "it asks for more memory than a node has. Set `most_memory_mb` in config/slurm.yaml"),
    (r"account", "the account is not accepted. Set `account` in config/slurm.yaml to one of yours (sacctmgr show user $USER -s)"),
    (r"partition", "the partition is not accepted. Set `partition` or `gpu_partition` in config/slurm.yaml; sinfo lists them"),
    (
        r"node configuration|nodes? (?:is|are) not available",
        "no node of the partition has what it asks for. sinfo -o '%P %m %G %l' says what there is; config/slurm.yaml says "
        "what is asked for",
    ),
    (r"contact|connect|socket|communication", "Slurm does not answer. Wait, or ask the cluster's administrator"),
)  # fmt: skip
"""What sbatch says → what it means, and what to do; the first that fits."""
_WAITS = (
    (r"ReqNodeNotAvail|NodeDown|Nodes_required|PartitionDown|PartitionInactive|Drained",
     "no node is there for them: drained, down or reserved (sinfo -R says why). They start by themselves when one comes back"),
    (r"InvalidAccount|InvalidQOS|Assoc\w*Limit|QOS\w*(?:Limit|Per)|JobHeldAdmin",
     "the cluster's rules hold them back. squeue --me says which; its administrator can tell you more"),
    (r"JobHeldUser", "they are held: scontrol release <job> lets them go"),
    (r"PartitionTimeLimit|PartitionNodeLimit|BadConstraints",
     "they ask for more than the partition gives, and will never start. Stop this run (Ctrl-C), and set `most_minutes` or "
     "`most_memory_mb` in config/slurm.yaml"),
)  # fmt: skip
"""Reasons of squeue that a person should hear of → what they mean. Waiting for one's turn is none of them."""


def why_failed(log: str, *, read: bool = True) -> list[str]:
    """Say of each job that failed what became of it, and what to do.

    Parameters
    ----------
    log
        The text of Snakemake's log of the run.
    read
        Whether to look into the logs of the jobs.

    Returns
    -------
    A sentence or two for each job, and the last lines of its log where it ended with an error of its own.
    """
    found = []
    for number, what, said, path in _failures(log):
        own = _read(path) if read and path else ""
        named = f"{what} (job {number} of Slurm)" if number else what
        found.append(f"{named} {_became(said, own)}" + (f"\n  Its log: {path}" if path else ""))
    return found


def _failures(log: str) -> Iterator[tuple[str, str, str, str]]:
    """Find the jobs that failed: Slurm's number, the job in words, what the executor says, and the log's path."""
    for block in re.split(r"^(?=\[?Error in (?:rule|group) )", log, flags=re.MULTILINE)[1:]:
        kind, name = re.match(r"\[?Error in (rule|group) ([\w-]+)", block).groups()  # type: ignore[union-attr]
        block = re.split(r"^(?:\[|Trying to restart|Shutting down|Exiting|Finished)", block, flags=re.MULTILINE)[0]
        said = re.search(r"message: (.*(?:\n(?!    \w+:).*)*)", block)
        number = re.search(r"SLURM-job '(\d+)", block) or re.search(r"external_jobid: (\d+)", block)
        path = re.search(r"^\s*log: (.*?\.log)\b", block, flags=re.MULTILINE)
        command = re.search(r"-m datamix (.*?)(?: --profile \S+)?\s*$", block, flags=re.MULTILINE)
        # A group has a line for each of its jobs.
        what = f"datamix {command[1]}" if command and kind == "rule" else f"{kind} {name}"
        yield number[1] if number else "", what, said[1] if said else "", path[1] if path else ""


def _became(said: str, own: str) -> str:
    """Say what became of a job, from what Slurm says of it and from the job's own log."""
    if "sbatch failed" in said or "submission failed" in said:
        error = re.search(r"error message was '?(.*?)'?\.?$", said, flags=re.MULTILINE)
        words = " ".join((error[1] if error else said).split())
        meaning = next((m for pattern, m in _REFUSALS if re.search(pattern, words, re.IGNORECASE)), None)
        return f"was not taken by Slurm: {meaning or words}. {_AGAIN}" + (f"\n  sbatch said: {words}" if meaning else "")
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
            "reached its time limit. Models that were finished are kept, so that running the same command again may do; "
            "else set `times_minutes: 2` in config/slurm.yaml."
        )
    if state in {"NODE_FAIL", "BOOT_FAIL"} or _OF_NODE.search(own):
        return f"lost its node, which failed. {_AGAIN}"
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


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
