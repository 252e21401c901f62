"""Supply: what is installed is pinned with hashes, comes from the package index, and may be used with MIT code."""

import re
from dataclasses import dataclass
from datetime import date
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-cuda.lock")
_ENTRY = re.compile(
    r"^(?!#)(?P<requirement>\S[^\\\n]*)(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})*)$", re.MULTILINE
)
PERMISSIVE = re.compile(
    r"\b(MIT|BSD|Apache|ISC|Python Software Foundation|PSF|MPL|Mozilla|Public Domain|Unlicense|CC0|0BSD|Zlib|HPND|CNRI"
    r"|BSL-1|Boost|MIT-CMU)\b"
)
"""Licences that ask whoever uses a package unchanged for no more than notices; MPL's conditions end at its files."""
COPYLEFT = re.compile(r"\b(A?GPL|GNU (Affero )?General|EUPL|CC-BY-NC|SSPL|Proprietary|Commercial)\b")
BOTH = {"docutils": "public domain for the most part; one file, a mode for Emacs that is not installed, is GPL"}
"""Packages that name a licence with conditions beside others, and why they are no hindrance."""


@dataclass(frozen=True)
class Pin:
    """A line of a lock."""

    requirement: Requirement
    hashes: int

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def is_for_here(self) -> bool:
        return self.requirement.marker is None or self.requirement.marker.evaluate()


def pinned(lock: str) -> list[Pin]:
    """Read a lock; a line that is none of one package is an error."""
    text = (PROJECT / lock).read_text()
    return [Pin(Requirement(m["requirement"]), m["hashes"].count("sha256:")) for m in _ENTRY.finditer(text)]


def installed() -> dict[str, Distribution]:
    return {canonicalize_name(one.metadata["Name"]): one for one in distributions()}


def licence_of(package: Distribution) -> str:
    """Return the licence as the package's metadata have it; where they are silent, the head of its licence file."""
    about = package.metadata
    classes = [c.rpartition("::")[2].strip() for c in about.get_all("Classifier", []) if c.startswith("License ::")]
    said = [about.get("License-Expression") or "", *(c for c in classes if c != "OSI Approved")]
    said = [words for words in said if words] or [(about.get("License") or "").strip().partition("\n")[0]]
    if not any(said) or not PERMISSIVE.search("; ".join(said)):
        files = [f for f in package.files or [] if re.search(r"(?i)licen[cs]e|copying", f.name)]
        texts = [
            Path(str(f.locate())).read_text(errors="replace")[:2000] for f in files if Path(str(f.locate())).is_file()
        ]
        said += re.findall(r"(?i)MIT License|BSD [23]-Clause|Apache License", " ".join(texts))[:1]
    return "; ".join(words for words in said if words)


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_is_pinned_with_hashes(lock):
    """Every line of the locks: one version of one package, with sha256; no address, path, option or repository."""
    pins = pinned(lock)
    assert len(pins) > 10
    assert [pin.name for pin in pins if not pin.hashes or pin.requirement.url] == []
    assert [pin.name for pin in pins if not re.fullmatch(r"==[^,*]+", str(pin.requirement.specifier))] == []
    said = [
        line for line in (PROJECT / lock).read_text().splitlines() if line and not line.startswith(("#", "    --h"))
    ]
    assert len(said) == len(pins)


def test_what_runs_here_is_what_is_pinned():
    """Every package of the lock that this machine has: in the version that the lock says."""
    here = installed()
    pins = [pin for pin in pinned(LOCKS[0]) if pin.is_for_here]
    assert len(pins) > 100
    assert [pin.name for pin in pins if pin.name not in here] == []
    assert [pin.name for pin in pins if here[pin.name].version not in pin.requirement.specifier] == []


def test_nothing_is_installed_from_elsewhere():
    """Each call of pip in what installs: with hashes, or the project itself without dependencies; no other download."""
    files = ["Makefile", "Snakefile", "environment.yml", *(f".ci/{path.name}" for path in (PROJECT / ".ci").iterdir())]
    lines = [line for file in files for line in (PROJECT / file).read_text().splitlines() if not line.startswith("#")]
    calls = [line for line in lines if re.search(r"pip install\b", line)]
    assert len(calls) >= 4
    itself = re.compile(r"--no-deps --no-build-isolation -e \.")
    assert [call for call in calls if "--require-hashes" not in call and not itself.search(call)] == []
    assert [
        line for line in lines if re.search(r"\b(curl|wget|git clone|conda install|npm|easy_install)\b", line)
    ] == []


def test_what_builds_is_pinned_too():
    """Packages that come as source only are built by what the lock pins, installed by hash, not by the latest."""
    lines = [line for line in (PROJECT / "Makefile").read_text().splitlines() if "pip install" in line]
    at = [line.endswith("--no-deps --require-hashes -r .venv/build.lock") for line in lines].index(True)
    locked = [line for line in lines if "-r requirements.lock" in line]
    assert len(locked) == 2
    assert all("--no-build-isolation" in line and lines.index(line) > at for line in locked)
    names = re.search(r"\^\((.+?)\)==", (PROJECT / "Makefile").read_text())
    assert set(names[1].split("|")) <= {pin.name for pin in pinned(LOCKS[0]) if pin.is_for_here}


def test_licences_may_be_used_with_mit():
    """The licence of every dependency that is installed here, from its metadata: none asks that this code have it."""
    here = installed()
    found = {pin.name: licence_of(here[pin.name]) for pin in pinned(LOCKS[0]) if pin.is_for_here}
    assert len(found) > 100
    assert [(name, words) for name, words in found.items() if not PERMISSIVE.search(words)] == []
    assert {name for name, words in found.items() if COPYLEFT.search(words)} <= set(BOTH)


def test_what_is_pinned_is_listed_with_its_age():
    """The list of what is pinned, and when it was released: every package of the lock, in its version."""
    lines = (PROJECT / "recorded" / "pins.csv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split(",") for line in lines]
    assert {(canonicalize_name(name), f"=={version}") for name, version, _ in rows} == {
        (pin.name, str(pin.requirement.specifier)) for pin in pinned(LOCKS[0])
    }
    assert all(date.fromisoformat(day) <= date.today() for *_, day in rows)
