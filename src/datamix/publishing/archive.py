"""The archive of a book: one zip that says what is in it (RO-Crate 1.1), and opens without this project.

In it lie the site, panels, values, claims and ledger, what made them, the code with its lock, and the profile. Cells,
models and scores of single cells are made again by the code; they stay out.
"""

import json
import mimetypes
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datamix.project.errors import DatamixError
from datamix.project.files import files_in, replacing, sha256
from datamix.project.layout import Layout
from datamix.publishing.book import CRATE, Book
from datamix.publishing.citation import read_citation

SPECIFICATION = "https://w3id.org/ro/crate/1.1"
OF_RESULTS = ("site", "panels", "values", "claims.csv", "ledger.csv")
OF_PROJECT = (
    "src", "notebooks", "book", "config", "benchmarks", "tests", "recorded", "Snakefile", "Makefile",
    "data_manifest.yaml", "pyproject.toml", "requirements.lock", "requirements-cuda.lock", "environment.yml",
    "CITATION.cff", "codemeta.json", "CHANGELOG.md", "README.md", "CONTRIBUTING.md", "LICENSE",
)  # fmt: skip
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the zip, so that the same content gives the same bytes."""


def write_archive(profile: str, *, date: str, root: Path | None = None) -> Path:
    """Write the archive of a profile's book.

    Parameters
    ----------
    profile
        Its name; its book must have been made.
    date
        The day of publication, `2026-01-31`.
    root
        The project's folder; found from the current folder upwards when not given.

    Returns
    -------
    `results/<profile>/datamix-<profile>.zip`.

    Raises
    ------
    DatamixError
        If the book has not been made.
    """
    layout = Layout.of(profile, root)
    if not (layout.folder / "site" / "index.html").is_file():
        msg = f"{layout.folder / 'site'} does not exist: the book of profile {profile} has not been made so far."
        raise DatamixError(msg, fix=f"make book PROFILE={profile}")
    files = _files(layout)
    target = layout.folder / f"datamix-{profile}.zip"
    with replacing(target) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files.items():
            archive.writestr(zipfile.ZipInfo(name, _FIRST_DAY), path.read_bytes(), zipfile.ZIP_DEFLATED)
        text = _json(describe(layout, files, date=date))
        archive.writestr(zipfile.ZipInfo(CRATE, _FIRST_DAY), text, zipfile.ZIP_DEFLATED)
    return target


def describe(layout: Layout, files: dict[str, Path], *, date: str) -> dict[str, Any]:
    """Describe the archive's content as RO-Crate 1.1 asks for it: JSON-LD, flat.

    Parameters
    ----------
    layout
        The profile and its folders.
    files
        Name in the archive → file.
    date
        The day of publication.
    """
    profile, results = layout.profile, f"results/{layout.profile.name}"
    made = Book(layout.folder, root=layout.root).provenance
    software = read_citation(layout.root) or {}
    cells = " of simulated cells" if profile.simulated else ""
    crate: list[dict[str, Any]] = [
        {
            "@id": CRATE,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": SPECIFICATION},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": f"{software.get('title', 'datamix')}: profile {profile.name}",
            "description": f"{profile.title}. {profile.about} Figures, tables and numbers{cells}, and the code.",
            "datePublished": date,
            "license": {"@id": "https://spdx.org/licenses/MIT"},
            "author": [{"@id": f"#author-{i}"} for i, _ in enumerate(software.get("authors", []))],
            "version": software.get("version", ""),
            "mainEntity": {"@id": f"{results}/site/index.html"},
            "mentions": {"@id": "#run"},
            "hasPart": [{"@id": name} for name in files],
        },
        {"@id": "https://spdx.org/licenses/MIT", "@type": "CreativeWork", "name": "MIT licence"},
        {
            "@id": "#code",
            "@type": "SoftwareApplication",
            "name": "datamix",
            "version": software.get("version", ""),
            "identifier": made["commit"],
        },
        {
            "@id": "#run",
            "@type": "CreateAction",
            "name": f"make book PROFILE={profile.name}",
            "instrument": {"@id": "#code"},
            "result": [
                {"@id": name} for name in files if name.startswith((f"{results}/panels/", f"{results}/values/"))
            ],
        },
    ]
    for i, author in enumerate(software.get("authors", [])):
        kind = "Organization" if "name" in author else "Person"
        crate.append({"@id": f"#author-{i}", "@type": kind, "name": author.get("name") or author["family-names"]})
    crate += [_file(name, path) for name, path in files.items()]
    return {"@context": f"{SPECIFICATION}/context", "@graph": crate}


def _files(layout: Layout) -> dict[str, Path]:
    results = [layout.folder / name for name in OF_RESULTS]
    project = [layout.root / name for name in OF_PROJECT]
    found = [file for path in [*results, *project] if path.exists() for file in files_in(path)]
    return {file.relative_to(layout.root).as_posix(): file for file in _kept(found)}


def _kept(files: Iterable[Path]) -> list[Path]:
    """Leave out what only this machine has use for."""
    hidden = {"__pycache__", ".ipynb_checkpoints"}
    return [file for file in files if not hidden & set(file.parts) and not file.name.startswith(".")]


def _file(name: str, path: Path) -> dict[str, Any]:
    kind, _ = mimetypes.guess_type(name)
    return {
        "@id": name,
        "@type": "File",
        "name": path.name,
        "contentSize": str(path.stat().st_size),
        "encodingFormat": kind or "text/plain",
        "sha256": sha256(path),
    }


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
