"""A project of one small dataset, to be spoilt; and what must come of it."""

import re
from pathlib import Path

import yaml
from command import Said, datamix, nothing_left
from foreign_cells import made_up, project_of

PREPARE = ("prepare", "mine", "--profile", "tiny")


def make_project(folder: Path) -> Path:
    """Lay out a project whose dataset `mine` is a good h5ad."""
    cells = folder / "given" / "cells.h5ad"
    cells.parent.mkdir()
    made_up().write_h5ad(cells)
    return project_of(folder / "project", [cells], options={"cell_type": "celltype"})


def manifest_text(root: Path) -> str:
    """Return its manifest."""
    return (root / "data_manifest.yaml").read_text()


def give(root: Path, *names: str) -> Path:
    """Let `mine` be other files, which the test writes; returns their folder."""
    content = yaml.safe_load(manifest_text(root))
    files = [{"name": name, "steps": "put it there"} for name in names]
    content["datasets"]["mine"] |= {"files": files, "options": {}}
    (root / "data_manifest.yaml").write_text(yaml.safe_dump(content))
    (root / "data" / "mine" / "cells.h5ad").unlink(missing_ok=True)
    return root / "data" / "mine"


def must_say(root: Path, words: str) -> Said:
    """Prepare `mine`, which must end in one clear error with these words (a pattern), and leave nothing."""
    with nothing_left(root):
        said = datamix(root, *PREPARE)
    said.must_be_one_clear_error()
    assert re.search(words, said.text), said.text
    return said
