import os

import pytest

from datamix.project.checksums import differences, note, with_present_times, without_times


@pytest.fixture
def noted(tmp_path):
    """A folder of one noted file."""
    (tmp_path / "a.csv").write_text("1,2\n")
    return tmp_path, note([tmp_path / "a.csv"], root=tmp_path)


def test_a_file_as_it_was_does_not_differ(noted):
    folder, notes = noted
    assert differences(notes, root=folder) == {}
    os.utime(folder / "a.csv", (1, 1))
    assert differences(notes, root=folder) == {}, "its content decides, not its time"


def test_a_file_that_was_changed_differs(noted):
    folder, notes = noted
    (folder / "a.csv").write_text("")
    assert differences(notes, root=folder) == {"a.csv": "it has 0 bytes, not 4"}
    (folder / "a.csv").write_text("2,2\n")
    assert differences(notes, root=folder) == {"a.csv": "its content is another"}


def test_size_and_time_as_noted_are_believed_unless_it_is_to_be_hashed(noted):
    folder, notes = noted
    before = (folder / "a.csv").stat()
    (folder / "a.csv").write_text("2,2\n")
    os.utime(folder / "a.csv", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert differences(notes, root=folder) == {}
    assert differences(notes, root=folder, hashed=["a.csv"]) == {"a.csv": "its content is another"}


def test_a_file_that_is_gone_differs_where_that_is_asked(noted):
    folder, notes = noted
    (folder / "a.csv").unlink()
    assert differences(notes, root=folder) == {}
    assert differences(notes, root=folder, missing=True) == {"a.csv": "it is gone"}
    (folder / "a.csv").mkdir()
    assert differences(notes, root=folder) == {"a.csv": "it is gone"}


def test_a_touched_file_is_noted_with_its_time_and_hashed_no_more(noted):
    folder, notes = noted
    os.utime(folder / "a.csv", (1, 1))
    touched = with_present_times(notes, root=folder)
    assert touched == {"a.csv": {**notes["a.csv"], "time": 10**9}}
    (folder / "a.csv").write_text("2,2\n")
    os.utime(folder / "a.csv", (1, 1))
    assert differences(touched, root=folder) == {}
    assert differences(without_times(touched), root=folder) == {"a.csv": "its content is another"}
    (folder / "a.csv").unlink()
    assert with_present_times(touched, root=folder) == touched
