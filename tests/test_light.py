"""The light part, `pip install datamix` without extras: what it may import, and that it draws the book's figures."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from small_site import served, write_small_site

ROOT = Path(__file__).parents[1]

GUARD = """
import importlib.abc, os, sys

class Light(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in ALLOWED or top.startswith("_"):
            return None
        raise ModuleNotFoundError(f"{name} is not in the light part", name=name)

sys.meta_path.insert(0, Light())
"""


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def light_packages(*beside):
    """Return the base dependencies of pyproject.toml, others beside them, and all that they need."""
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    found, ahead = set(), [Requirement(one) for one in (*asked, *beside)]
    while ahead:
        requirement = ahead.pop()
        name = canonical(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        try:
            ahead += [Requirement(one) for one in requires(requirement.name) or []]
        except PackageNotFoundError:  # needed on another system, or by another Python
            continue
    return found


def run_light(code):
    """Run code where nothing can be imported but the light part and its dependencies."""
    packages = light_packages()
    allowed = {module for module, of in packages_distributions().items() if packages & set(map(canonical, of))}
    lines = [f"ALLOWED = {sorted(allowed | {'datamix'})!r}", GUARD, f"sys.path.insert(0, {str(ROOT / 'src')!r})", code]
    environment = {
        "MPLBACKEND": "agg",
        "PATH": "/usr/bin:/bin",
        "DATAMIX_ROOT": str(ROOT),
        "HOME": os.environ.get("HOME", ""),
    }
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_light_part_has_no_machinery_of_training():
    heavy = {"torch", "scvi-tools", "scanpy", "anndata", "pyarrow", "scipy", "scikit-learn", "numba", "snakemake"}
    assert {"numpy", "pandas", "matplotlib", "pydantic"} <= light_packages()
    assert not light_packages() & heavy


@pytest.mark.parametrize("heavy", ["torch", "scipy", "pyarrow"])
def test_the_guard_refuses_what_is_not_light(heavy):
    code = f"try:\n    import {heavy}\nexcept ModuleNotFoundError as error:\n    print(error)"
    assert run_light(code) == f"{heavy} is not in the light part\n"


def test_every_recorded_figure_is_drawn_by_the_light_part():
    code = """
import datamix, matplotlib.pyplot as plt
for profile in ("demo", "mini"):
    book = datamix.open(f"recorded/{profile}")
    for name in book.panels:
        book.panel(name).figure()
        plt.close("all")
    print(profile, *book.panels)
    book.claims(), book.scores(), dict(book.values), book.panel("2a").cite()
"""
    lines = run_light(code).splitlines()
    assert [line.split()[0] for line in lines] == ["demo", "mini"]
    assert all("2a" in line.split() for line in lines)


def test_a_published_book_is_opened_and_drawn_by_the_light_part(tmp_path):
    with served(write_small_site(tmp_path)) as (address, _):
        code = f"""
import datamix, pandas as pd
book = datamix.open({address!r})
mine = pd.DataFrame({{"evaluation": ["aml"], "median": [0.3]}})
book.panel("2a").with_results(mine).figure()
print(*book.panels, len(book.values), len(book.claims()), book.panel("2a").cite()[:10])
"""
        assert run_light(code) == "2a S1a 7 1 @software{\n"


def test_two_books_are_compared_by_the_light_part():
    said = run_light(
        'sys.argv = ["datamix", "diff", "recorded/demo", "recorded/demo"]\nfrom datamix.cli import main\nmain()'
    )
    assert said == "recorded/demo and recorded/demo say the same.\n"


def test_results_that_need_more_say_so(tmp_path):
    """Scores of single cells are a parquet file, which the light part does not read."""
    code = f"""
from pathlib import Path
import datamix, shutil
folder = Path({str(tmp_path)!r}) / "results"
shutil.copytree("recorded/demo", folder)
(folder / "scores").mkdir()
(folder / "scores" / "reconstruction.parquet").write_bytes(b"")
try:
    datamix.open(folder).scores()
except datamix.project.errors.DatamixError as error:
    print(error)
"""
    assert "pip install 'datamix[train]'" in run_light(code)


def test_the_notebook_for_binder_runs_in_the_light_part():
    assert "@software{datamix_fig2a_" in run_light((ROOT / "binder" / "redraw.py").read_text(encoding="utf-8"))
    assert "binder/redraw.py" in (ROOT / "binder" / "postBuild").read_text(encoding="utf-8")


def test_binder_has_the_light_part_of_the_lock():
    pins = {
        name: set(re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==(\S+)", (ROOT / name).read_text(), flags=re.MULTILINE))
        for name in ("requirements.lock", "binder/requirements.txt")
    }
    assert pins["binder/requirements.txt"] <= pins["requirements.lock"]
    named = {name for name, _ in pins["binder/requirements.txt"]}
    # Jupytext makes a notebook of the script there; colorama is for Windows.
    assert named - {"colorama"} == light_packages("jupytext") - {"colorama"}


def test_the_container_is_described_as_its_schema_asks():
    """`devContainer.base.schema.json`: an image and its lifecycle, with what a codespace must have."""
    described = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert set(described) == {"name", "image", "hostRequirements", "postCreateCommand", "customizations"}
    assert re.fullmatch(r"[\w./-]+:3\.11", described["image"])
    assert isinstance(described["hostRequirements"]["cpus"], int)
    assert all(re.fullmatch(r"\d+gb", described["hostRequirements"][key]) for key in ("memory", "storage"))
    target = described["postCreateCommand"].removeprefix("make ")
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
