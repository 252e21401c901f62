"""Commands of `datamix` in this process, and what a person sees of them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from datamix.cli import app

NOTES = re.compile(r"(^|/)(\.lock|\.hashes\.json|\.locks/[^/]+\.lock)$")
"""What commands may leave in folders of a project: locks that mean nothing, hashes of files that were read."""


@dataclass(frozen=True)
class Said:
    """What a command printed, and with what it ended."""

    text: str
    code: int

    def must_be_one_clear_error(self) -> None:
        """Assert that it is an error that names what to do, of a few lines, without a traceback, and foreseen."""
        assert self.code == 1, self.text
        assert "Error: " in self.text
        assert "To mend it:" in self.text
        assert "Traceback" not in self.text
        assert "that datamix does not know" not in self.text, self.text
        last = self.text[self.text.index("Error: ") :]
        assert len(last) < 1500, last
        assert all(letter.isprintable() or letter == "\n" for letter in last), repr(last)


def datamix(root: Path, *arguments: str) -> Said:
    """Run a command for the project in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATAMIX_ROOT", str(root))
        patch.delenv("DATAMIX_MIRROR", raising=False)
        patch.delenv("DATAMIX_TRACEBACK", raising=False)
        done = CliRunner().invoke(app, list(arguments))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Said(done.output, done.exit_code)


def files_below(root: Path) -> set[str]:
    """Name all files of a project, apart from `NOTES`."""
    found = (path for path in root.rglob("*") if not path.is_dir() or path.is_symlink())
    names = {path.relative_to(root).as_posix() for path in found}
    return {name for name in names if not NOTES.search(name)}


@contextmanager
def nothing_left(root: Path) -> Iterator[None]:
    """Assert that the block leaves no file behind."""
    before = files_below(root)
    yield
    assert sorted(files_below(root) ^ before) == []
