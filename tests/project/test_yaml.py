import pytest

from datamix.project.errors import DatamixError
from datamix.project.settings import Settings
from datamix.project.yaml import MOST_ENTRIES, read_yaml


class Numbers(Settings):
    numbers: list[float]


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "a.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_yaml(path, Numbers)

    return read


def test_aliases_are_read_and_bombs_of_them_are_not(read):
    assert read("numbers: [&a 1.0, *a, *a]").numbers == [1.0, 1.0, 1.0]
    levels = "\n".join(f"- &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9))
    with pytest.raises(DatamixError, match=f"more than {MOST_ENTRIES:,} entries"):
        read(f"numbers:\n- &a0 [1.0]\n{levels}\n")
    with pytest.raises(DatamixError, match="within what it repeats"):
        read("numbers: &a [*a]")


def test_a_byte_order_mark_is_no_content(read):
    assert read(b"\xef\xbb\xbfnumbers: [1.0]").numbers == [1.0]


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan"])
def test_numbers_are_finite(read, number):
    with pytest.raises(DatamixError, match="finite number"):
        read(f"numbers: [{number}]")


def test_of_many_problems_the_first_are_said_in_lines_that_a_terminal_shows(read):
    with pytest.raises(DatamixError, match="; and 1 more") as error:
        read('numbers: []\n"\\e[31m": 1\nb: 1\nc: 1\nd: 1\ne: 1\nf: 1\n')
    assert r"unknown key '\x1b[31m'" in str(error.value)
    with pytest.raises(DatamixError, match=r"found 'x{98,99}…") as error:
        read(f"numbers: [{'x' * 10_000}]")
    assert len(str(error.value)) < 400
