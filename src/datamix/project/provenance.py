"""What made a result: commit, versions, data, seeds, time, and the command that makes it again."""

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datamix.project.profile_files import project_root

if TYPE_CHECKING:
    import torch

PACKAGES = (
    "datamix",
    "torch",
    "scvi-tools",
    "transformers",
    "datasets",
    "scanpy",
    "anndata",
    "numpy",
    "pandas",
    "matplotlib",
)
"""The packages on which numbers and figures depend."""

UNCOMMITTED = "with uncommitted changes"


def commit(root: Path | None = None, *, apart_from: str | None = None) -> str:
    """Return the commit of a checkout.

    Parameters
    ----------
    root
        Its top folder; by default the project's.
    apart_from
        A folder in it whose changes do not count.

    Returns
    -------
    40 hexadecimal digits, followed by ' with uncommitted changes' where files differ from it; 'unknown' where the
    folder is no git checkout, or git is not installed.
    """
    root = project_root() if root is None else root
    top = _git(root, "rev-parse", "--show-toplevel")
    head = _git(root, "rev-parse", "--verify", "HEAD")
    # A release unpacked somewhere inside another checkout must not take that one's commit.
    if top is None or head is None or Path(top) != root.resolve():
        return "unknown"
    where = [] if apart_from is None else ["--", ".", f":(exclude){apart_from}"]
    return f"{head} {UNCOMMITTED}" if _git(root, "status", "--porcelain", *where) else head


def short_commit(commit: str) -> str:
    """Shorten a commit for a reader: 8 digits, and what stands behind it (`with uncommitted changes`)."""
    head, _, changes = commit.partition(" ")
    return f"{head[:8]} {changes}".strip()


def is_clean(commit: str) -> bool:
    """Say whether a commit is known, and nothing differed from it."""
    return re.fullmatch(r"[0-9a-f]{40}", commit) is not None


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages on which results depend, 'absent' where one is missing."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def hardware(device: "torch.device") -> dict[str, Any]:
    """Return the processor, its cores, and the accelerator where `device` is one."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    found = {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "device": device.type,
    }
    if device.type == "cuda":
        import torch

        found["accelerator"] = torch.cuda.get_device_name(device)
    return found
