"""What libraries raise over a damaged file, or one laid out as nobody expected, said as a problem of the file."""

import inspect
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from datamix.project.errors import TRACEBACK, DatamixError
from datamix.project.shortages import shortage

_OF_CONTENT = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, EOFError, OSError, RuntimeError,
               zlib.error, struct.error)  # fmt: skip


@contextmanager
def reading(files: Iterable[Path]) -> Iterator[None]:
    """Say which files were read, and what to do, where a library could not make anything of their content.

    What the machine lacks (disk, memory, rights) is not the file's fault and stays as it is. With `DATAMIX_TRACEBACK`
    everything does, for those who look for a fault in a reader.

    Raises
    ------
    DatamixError
        With the first words of what the library said.
    """
    try:
        yield
    except DatamixError:
        raise
    except _OF_CONTENT as error:
        if os.environ.get(TRACEBACK) or shortage(error) is not None:
            raise
        said = " ".join(str(error).split())[:200]
        at = "".join(f" It happened with {note}." for note in getattr(error, "__notes__", ()))
        names = ", ".join(map(str, list(files)[:4]))
        msg = f"{names}: the content is damaged, or laid out in a way that is not known here ({type(error).__name__}"
        msg += f"{f': {said}' if said else ''}).{at}"
        fix = "take another copy of the file; if other programs read it well, report it with what "
        raise DatamixError(msg, fix=f"{fix}{TRACEBACK}=1 before the same command prints") from error


def guarded(read: Callable[..., Any]) -> Callable[..., Any]:
    """Let a reader, `read(files, …)`, raise nothing but a `DatamixError` over what it reads; blocks come as before."""
    if inspect.isgeneratorfunction(read):

        @wraps(read)
        def blocks(files: Mapping[str, Path], **options: Any) -> Iterator[Any]:
            with reading(files.values()):
                yield from read(files, **options)

        return blocks

    @wraps(read)
    def whole(files: Mapping[str, Path], **options: Any) -> Any:
        with reading(files.values()):
            return read(files, **options)

    return whole
