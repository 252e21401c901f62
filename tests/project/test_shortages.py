import errno
import os

import pytest
from command import datamix
from small_project import cells, write_project

from datamix.corpora import prepare
from datamix.project.shortages import is_full, is_out_of_memory, shortage


def os_error(number):
    return OSError(number, os.strerror(number), "results/a")


@pytest.mark.parametrize(
    "error",
    [
        os_error(errno.ENOSPC),
        os_error(errno.EDQUOT),
        os_error(errno.EFBIG),
        RuntimeError("[Errno 28] No space left on device: 'model.pt'"),
        OSError("Can't write data (errno = 28, error message = 'No space left on device', buf = 0x0)"),
    ],
)
def test_a_full_disk_is_said_in_whatever_words_it_comes(error):
    caused = ValueError("cannot be written")
    caused.__cause__ = error
    assert is_full(caused)
    said = shortage(caused)
    assert "no room left to write" in said.problem
    assert "df -h" in said.fix


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        os_error(errno.ENOMEM),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried …"),
        ImportError("libgfortran.so.5.0.0: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
    ],
)
def test_too_little_memory_is_said(error):
    assert is_out_of_memory(error)
    assert "make book CORES=1" in shortage(error).fix


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_a_file_that_may_not_be_written_is_named(number):
    assert "results/a cannot be written or read by this user" in shortage(os_error(number)).problem


def test_other_errors_are_no_shortage():
    assert shortage(ValueError("a wrong value")) is None
    assert shortage(os_error(errno.ENOENT)) is None


def test_a_command_says_it(tmp_path, monkeypatch):
    root = write_project(tmp_path, {"a": cells()})

    def full(*_, **__):
        raise os_error(errno.ENOSPC)

    monkeypatch.setattr(prepare, "prepare", full)
    said = datamix(root, "prepare", "a", "--profile", "tiny")
    said.must_be_one_clear_error()
    assert "no room left to write (results/a)" in said.text
