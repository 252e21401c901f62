"""While a run's jobs are on a Slurm cluster: say why they wait, and why some failed."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datamix.project.slurm_profile import name_of_jobs
from datamix.project.slurm_words import why_failed, why_waiting

_EVERY = 15.0  # seconds
_NAMED = 3  # jobs that went together


def watch_waiting(profile: str, *, say: Callable[[str], None] | None = None, every: float = _EVERY) -> threading.Thread:
    """Say, beside a run and for as long as its process lives, why its jobs wait where it is not for their turn.

    Each reason is said once, and again where it comes back after it was gone.

    Parameters
    ----------
    profile
        The profile that is run.
    say
        Called with a sentence; nothing: printed to the error stream.
    every
        Seconds between two looks.
    """
    thread = threading.Thread(target=_watch, args=(profile, say or _print, every), daemon=True)
    thread.start()
    return thread


def tell_failures(*, say: Callable[[str], None] | None = None) -> list[str]:
    """Say of each job of this process's run that fails on Slurm what became of it, as soon as that is known.

    Parameters
    ----------
    say
        Called with the words; nothing: printed to the error stream.

    Returns
    -------
    All that was said, a text for each job: the list grows.
    """
    from snakemake_executor_plugin_slurm import Executor

    report, said = Executor.report_job_error, list[str]()

    # Snakemake's own logs leave out the executor's word where jobs go together, and all of it where it is to be quiet.
    def report_and_tell(self: Any, job_info: Any, msg: str | None = None, **given: Any) -> None:
        report(self, job_info, msg=msg, **given)
        logs = [Path(log) for log in given.get("aux_logs") or [] if log]
        words = why_failed(
            _in_words(job_info.job), said=msg or "", number=job_info.external_jobid, log=logs[0] if logs else None
        )
        said.append(words)
        (say or _print)(words)

    Executor.report_job_error = report_and_tell
    return said


def _in_words(job: Any) -> str:
    """Say what a job of Snakemake, or several that go together, are to do: their commands."""
    jobs = sorted(job.jobs, key=lambda one: str(one.shellcmd)) if job.is_group() else [job]
    commands = [re.sub(r"^.* -m datamix (.*?)(?: --profile \S+)?$", r"\1", str(one.shellcmd)) for one in jobs]
    return " and ".join(commands[:_NAMED]) + (f" and {len(jobs) - _NAMED} more" if len(jobs) > _NAMED else "")


def _watch(profile: str, say: Callable[[str], None], every: float) -> None:
    never = threading.Event()
    known: frozenset[str] = frozenset()
    while not never.wait(every):
        words, known = new_reasons(profile, known=known)
        for one in words:
            say(one)


def new_reasons(profile: str, *, known: frozenset[str]) -> tuple[list[str], frozenset[str]]:
    """Look once why a run's jobs wait: the sentences of reasons that were not known, and all reasons that there are."""
    # The words begin with how many wait, which changes from look to look.
    found = {words.partition("(")[2]: words for words in why_waiting(_waiting(profile))}
    return [words for reason, words in found.items() if reason not in known], frozenset(found)


def _waiting(profile: str) -> list[str]:
    """Ask for the state and the reason of each of the run's jobs; of none where Slurm does not answer."""
    command = ["squeue", "--me", "-h", "-t", "PENDING", "-o", "%j|%T|%r"]
    try:
        rows = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return []
    named = (row.partition("|") for row in rows)
    return [rest for name, _, rest in named if name.startswith(f"{name_of_jobs(profile)}_")]


def _print(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
