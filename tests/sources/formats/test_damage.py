import errno
import inspect
import os
import zlib
from pathlib import Path

import pytest

from datamix.project.errors import DatamixError
from datamix.sources.formats.damage import guarded, reading


def blocks(files, *, raises, skip=0):
    yield skip
    raise raises


def whole(files, *, raises):
    raise raises


@pytest.mark.parametrize(
    "error",
    [IndexError("index 7"), KeyError("obs"), zlib.error("bad"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x")],
)
def test_what_a_library_raises_over_a_file_is_said_of_the_file(error, monkeypatch):
    files = {"a": Path("data/a.h5ad")}
    expected = rf"data/a\.h5ad: the content is damaged.*\({type(error).__name__}(?s:.*)another copy"
    came = guarded(blocks)(files, raises=error, skip=3)
    assert next(came) == 3
    with pytest.raises(DatamixError, match=expected) as raised:
        next(came)
    assert raised.value.__cause__ is error
    with pytest.raises(DatamixError, match=expected):
        guarded(whole)(files, raises=error)
    monkeypatch.setenv("DATAMIX_TRACEBACK", "1")
    with pytest.raises(type(error)):
        guarded(whole)(files, raises=error)


@pytest.mark.parametrize("error", [DatamixError("x"), MemoryError(), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))])
def test_what_is_not_the_files_fault_stays_as_it_is(error):
    with pytest.raises(type(error)) as raised, reading([Path("a")]):
        raise error
    assert raised.value is error


def test_a_guarded_reader_keeps_its_signature():
    assert list(inspect.signature(guarded(blocks)).parameters) == ["files", "raises", "skip"]
    assert guarded(blocks).__doc__ == blocks.__doc__
