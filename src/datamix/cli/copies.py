"""The process that the jobs of a run are copies of (`datamix.project.copies`), and what it loads for them."""

import os
import socket
import sys
from pathlib import Path

from datamix.cli import main
from datamix.project.copies import SOCKET, copy_for_jobs, start_copying
from datamix.publishing.kernel import KERNEL, offer_kernel, run_kernel

_CELLS = ("datamix.corpora.prepare", "datamix.corpora.fetch")
_LDVAE = ("datamix.scoring.hold_out", "datamix.scoring.yardsticks", "datamix.ldvae.composition")
LOADED = {
    "prepare": _CELLS,
    "genes": _CELLS,
    "gene-sets": _CELLS,
    "train": _LDVAE,
    "score": _LDVAE,
    "read-out": _LDVAE,
    "hold-out": _LDVAE,
    "yardsticks": _LDVAE,
    "composition": _LDVAE,
    "geneformer": ("datamix.geneformer.run",),
    "notebook": ("jupytext", "papermill", "datamix.publishing.notebook"),
    KERNEL: ("ipykernel.kernelapp", "datamix.publishing.results", "datamix.publishing.panels", "datamix.figures.style"),
}
"""Command → what is imported before a copy does its job."""


def start() -> None:
    """Let the jobs and the kernels that this process starts be copies of one that has the libraries loaded."""
    start_copying(__name__)
    if SOCKET in os.environ:
        offer_kernel(Path(os.environ[SOCKET]).parent)


def load(words: list[str]) -> tuple[str, ...]:
    """Name the modules that a job needs."""
    return LOADED.get(words[0], ()) if words else ()


def do(words: list[str]) -> None:
    """Do a job: a command of `datamix`, or a notebook's kernel."""
    sys.argv[1:] = words
    if words[:1] == [KERNEL]:
        run_kernel(words[1:])
    else:
        main()


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as listening:
        copy_for_jobs(listening, load=load, do=do)
