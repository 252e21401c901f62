"""A package of a few modules, edited: what changes its fingerprint, and what does not; and that of this project."""

import sys
from pathlib import Path

import pytest
from small_grid import small_layout

from datamix.ldvae.grid import train_baseline
from datamix.project.fingerprint import DECIDES_NOTHING, fields_used, fingerprint, imported_by, reached
from datamix.scoring.score import score_baseline

MODULES = {
    "__init__.py": '"""A package."""\n',
    "work.py": '''"""Does the work."""

from typing import TYPE_CHECKING

import numpy as np

from datamix import tools as t
from datamix.tools import half

if TYPE_CHECKING:
    from datamix.plan import Plan

LIMIT = 3


def run(plan: "Plan", wanted: int = 1) -> float:
    """Run it."""
    from datamix.late import finish  # only where it is run

    # a comment
    return finish(half(plan.size()), limit=LIMIT) + np.sqrt(plan.cells) + t.third(1)


def other():
    return table()


def table():
    return "numbers.csv"
''',
    "tools.py": "SHARE = 0.5\n\n\ndef half(x):\n    return x * SHARE\n\n\ndef third(x):\n    return x / 3\n",
    "late.py": "def finish(x, *, limit):\n    return Sum(x).total(limit)\n\n\nclass Sum:\n    def __init__(self, x):\n"
    "        self.x = x\n\n    def total(self, limit):\n        return min(self.x, limit)\n\n    def unused(self):\n"
    "        return 0\n",
    "plan.py": "class Plan:\n    cells: int = 4\n    label: str = 'a'\n\n    def size(self):\n"
    "        return self.cells\n\n    def path(self):\n        return 'here'\n",
    "numbers.csv": "1,2\n",
}


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "datamix"
    folder.mkdir()
    for name, text in MODULES.items():
        (folder / name).write_text(text)
    return folder


def edit(package, name, old, new):
    path = package / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("work.py", "LIMIT = 3", "LIMIT = 4"),
        ("work.py", "wanted: int = 1", "wanted: int = 2"),
        ("work.py", "import numpy as np", "import math as np"),
        ("work.py", "import half", "import third as half"),
        ("tools.py", "SHARE = 0.5", "SHARE = 0.25"),
        ("tools.py", "x / 3", "x / 4"),
        ("late.py", "min(self.x", "max(self.x"),
        ("late.py", "self.x = x", "self.x = x + 1"),
        ("plan.py", "return self.cells", "return 2 * self.cells"),
    ],
)
def test_a_change_of_what_is_reached_changes_it(package, name, old, new):
    before = fingerprint("datamix.work:run", package=package)
    edit(package, name, old, new)
    assert fingerprint("datamix.work:run", package=package) != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("work.py", "Run it.", "Run it twice."),
        ("work.py", "# a comment", "# another\n"),
        ("work.py", "-> float", "-> int"),
        ("work.py", "return table()", "return table() + '!'"),
        ("late.py", "return 0", "return 1"),
        ("plan.py", "'here'", "'there'"),
        ("plan.py", "label: str = 'a'", "label: str = 'b'"),
        ("numbers.csv", "1,2", "1,3"),
    ],
)
def test_a_change_of_words_and_of_what_is_not_reached_does_not(package, name, old, new):
    before = fingerprint("datamix.work:run", package=package)
    edit(package, name, old, new)
    assert fingerprint("datamix.work:run", package=package) == before


def test_a_file_of_data_counts_where_it_is_named(package):
    assert "datamix/numbers.csv" in reached("datamix.work:other", package=package)
    before = fingerprint("datamix.work:other", package=package)
    edit(package, "numbers.csv", "1,2", "1,3")
    assert fingerprint("datamix.work:other", package=package) != before


def test_what_is_left_out_and_what_is_read_of_an_object(package):
    assert not [key for key in reached("datamix.work:run", without=["datamix.late"], package=package) if "late" in key]
    assert fields_used("datamix.work:run", of="datamix.plan:Plan", package=package) == {"cells"}


def test_a_script_counts_as_a_whole_and_names_what_it_imports(package, tmp_path):
    script = tmp_path / "page.py"
    script.write_text("# %% [markdown]\n# Words\n\n# %%\nfrom datamix.tools import half\n\nhalf(2)\n")
    assert imported_by(script, "datamix.tools") == ["datamix.tools:half"]
    before = fingerprint(script, package=package)
    script.write_text(script.read_text().replace("Words", "Other words"))
    assert fingerprint(script, package=package) == before
    edit(package, "tools.py", "SHARE = 0.5", "SHARE = 0.25")
    assert fingerprint(script, package=package) != before


def test_an_unknown_entry_is_refused(package):
    for entry in ("datamix.work:runs", "datamix.works"):
        with pytest.raises(ValueError, match=f"no {entry}"):
            fingerprint(entry, package=package)


def test_nothing_that_runs_is_missed(tmp_path):
    """Train and score a small grid, note each function of the package that is called, and look for it."""
    layout = small_layout(tmp_path)
    called = set()

    def note(frame, event, _):
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("datamix.") and "<locals>" not in frame.f_code.co_qualname:
            called.add(f"{module}:{frame.f_code.co_qualname}")

    sys.setprofile(note)
    try:
        train_baseline(layout, "blood", seed=0, say=str)
        score_baseline(layout, "blood", seed=0, say=str)
    finally:
        sys.setprofile(None)
    found = reached("datamix.ldvae.grid:train_baseline", "datamix.scoring.score:score_baseline")
    followed = {key for key in called if not key.startswith(DECIDES_NOTHING) and "<module>" not in key}
    parts = {key: (key, key.rpartition(".")[0]) for key in followed}  # a method, or its class as a whole
    assert len(followed) > 50
    assert not [key for key, names in parts.items() if not set(names) & set(found)]


def test_every_exception_exists():
    package = Path(sys.modules["datamix"].__file__).parent
    for name in DECIDES_NOTHING:
        module, _, definition = name.partition(":")
        path = package.parent.joinpath(*module.split(".")).with_suffix(".py")
        assert f"def {definition}(" in path.read_text() if definition else path.is_file()
