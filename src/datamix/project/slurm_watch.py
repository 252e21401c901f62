"""While a run's jobs are on a Slurm cluster: say why they wait, and afterwards why some failed."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from datamix.project.slurm_profile import name_of_jobs
from datamix.project.slurm_words import why_failed, why_waiting

_EVERY = 30.0  # seconds


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


def tell_why_failed(log: Path, *, say: Callable[[str], None] | None = None) -> None:
    """Say of each job that failed in a run what became of it, and what to do.

    Parameters
    ----------
    log
        Snakemake's log of the run.
    say
        Called with each; nothing: printed to the error stream.
    """
    for words in why_failed(log.read_text(encoding="utf-8", errors="replace")):
        (say or _print)(words)


def _watch(profile: str, say: Callable[[str], None], every: float) -> None:
    never = threading.Event()
    said: set[str] = set()
    while not never.wait(every):
        # The words begin with how many wait, which changes from look to look.
        found = {words.partition("(")[2]: words for words in why_waiting(_waiting(profile))}
        for key in found.keys() - said:
            say(found[key])
        said = set(found)


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
