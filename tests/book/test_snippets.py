"""The Python lines that the README and the book offer for copying, run as they stand on the demo's results."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ("fig2", "figS2", "training")
PAGES = ("README.md", "book/reproduce.md", "book/reuse.md", *(f"notebooks/{name}.py" for name in NOTEBOOKS))


def snippets():
    for page in PAGES:
        text = (
            re.sub(r"^# ?", "", (ROOT / page).read_text(), flags=re.MULTILINE)
            if page.endswith(".py")
            else (ROOT / page).read_text()
        )
        for number, code in enumerate(re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)):
            yield pytest.param(code, id=f"{page}-{number}")


@pytest.mark.parametrize("code", snippets())
def test_the_lines_work(code, tmp_path):
    if not (ROOT / "results" / "demo" / "site").is_dir():
        pytest.skip("no demo results: make book")
    (tmp_path / "results").symlink_to(ROOT / "results")
    environment = os.environ | {"DATAMIX_ROOT": str(ROOT), "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
