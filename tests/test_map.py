"""The map of the code in CONTRIBUTING.md names every module, and no other."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def modules():
    """Return the modules of each wing: folder → names; below `sources`, its parts too."""
    package = ROOT / "src" / "datamix"
    found = {}
    for path in package.rglob("*.py"):
        if path.stem != "__init__" and path.parent != package:
            found.setdefault(path.parent.relative_to(package).as_posix(), set()).add(path.stem)
    return found


def mapped():
    """Return what the map says: each row begins with a wing in code type, and names modules in code type."""
    text = (
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Where things are")[2].partition("\n## ")[0]
    )
    rows = re.findall(r"^\| `([\w/]+)/` \| (.*) \|$", text, flags=re.MULTILINE)
    return {wing: set(re.findall(r"`(\w+)`", words)) for wing, words in rows}


def test_the_map_names_every_module_and_no_other():
    assert mapped() == modules()
