"""The one error that users are meant to read: expected, found, done, and the command that mends it."""


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


class NotInProfileError(DatamixError):
    """A notebook's subject has no data in this profile: the book then says so in its place."""
