"""The one error that users are meant to read: expected, found, done, and the command that mends it."""

from collections.abc import Iterator
from contextlib import contextmanager

TRACEBACK = "DATAMIX_TRACEBACK"
"""The environment variable that shows where an error that nobody foresaw happened; for developers, and for reports."""


class DatamixError(Exception):
    """A problem the user can mend; shown without a traceback, with a non-zero exit.

    Parameters
    ----------
    problem
        What was expected and what was found, naming the file, column or key.
    fix
        The command, or the edit, that mends it.
    """

    def __init__(self, problem: str, *, fix: str | None = None) -> None:
        self.problem, self.fix = problem, fix
        super().__init__(problem if fix is None else f"{problem}\n  To mend it: {fix}")

    def about_file(self, named: str, *, really: str) -> "DatamixError":
        """Return the same error where what it says of one file is to be done in another."""
        return DatamixError(self.problem.replace(named, really), fix=self.fix and self.fix.replace(named, really))


class NotInProfileError(DatamixError):
    """A notebook's subject has no data in this profile: the book then says so in its place."""


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Note on an error that nobody foresaw what was being worked on: a file and its cells, say.

    A `DatamixError` says so itself.
    """
    try:
        yield
    except DatamixError:
        raise
    except Exception as error:
        error.add_note(what)
        raise
