import subprocess
import sys

END = """
import atexit, sys
from datamix.project.ending import end_at_once, ends_with

class Library:
    def __del__(self):
        print("taken apart")

end_at_once()
library = Library()
atexit.register(print, "registered")
"""


def ended(last):
    return subprocess.run([sys.executable, "-c", END + last], capture_output=True, text=True, check=False)


def test_a_process_ends_with_its_status_after_what_is_registered_and_takes_nothing_apart():
    done = ended("end_at_once(); print('said', end=''); ends_with(3); sys.exit(3)")
    assert (done.returncode, done.stdout) == (3, "saidregistered\n")


def test_a_process_of_which_nobody_says_how_it_ends_does_so_as_python_does():
    done = ended("raise ValueError('unforeseen')")
    assert done.returncode == 1
    assert done.stdout == "registered\ntaken apart\n"
    assert "ValueError: unforeseen" in done.stderr
