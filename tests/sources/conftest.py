"""Where the small real files are, for the tests of readers that need them."""

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def real_data(real_data_folder: Path) -> Path:
    """Return the folder of the small real files."""
    return real_data_folder


@pytest.fixture(scope="session")
def real_data_folder() -> Path:
    """Return the folder of the small real files: the first of DATAMIX_MIRROR, or ../shared/data beside the project."""
    named = [Path(p) for p in os.environ.get("DATAMIX_MIRROR", "").split(os.pathsep) if p]
    for folder in (*named, PROJECT.parent / "shared" / "data"):
        if folder.is_dir():
            return folder
    pytest.skip("the small real data are not here: set DATAMIX_MIRROR to their folder")
