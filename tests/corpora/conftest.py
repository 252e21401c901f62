"""Data of someone else: readable, not writable."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

NOBODY = 65534


@pytest.fixture
def project_of_another() -> Iterator[Callable[[Callable[[Path], object]], Path]]:
    """Make a project whose `data/` the test cannot write from then on, and nothing else of it."""
    was_root = os.geteuid() == 0
    # Not in pytest's own folder, which only its user may enter.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()

        def make(write: Callable[[Path], object]) -> Path:
            write(root)
            for path in (root / "data").rglob("*"):
                path.chmod(0o555 if path.is_dir() else 0o444)
            (root / "data").chmod(0o555)
            if was_root:  # whom no permission keeps from writing
                os.chown(root, NOBODY, NOBODY)
                os.seteuid(NOBODY)
            return root

        try:
            yield make
        finally:
            if was_root:
                os.seteuid(0)
            for path in (root / "data", *(root / "data").rglob("*")):
                path.chmod(0o755)
