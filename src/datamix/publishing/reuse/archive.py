"""The archive of a book: one zip that says what is in it, and opens without this project.

It is a Process Run Crate 0.5, which is an RO-Crate 1.1 that also says what was run.

In it lie the site, panels, values, claims and ledger, what made them, the code with its lock, and the profile. Cells,
models and scores of single cells are made again by the code; they stay out.
"""

import json
import mimetypes
import re
import tempfile
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from datamix.project.files import files_in, replacing, sha256
from datamix.project.layout import Layout
from datamix.publishing.reuse.book import CRATE, Book, require_site
from datamix.publishing.website import swhid
from datamix.publishing.website.citation import author_name, read_citation

SPECIFICATION = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
OF_RESULTS = ("site", "panels", "values", "claims.csv", "ledger.csv")
OF_PROJECT = (
    "src", "notebooks", "book", "config", "benchmarks", "tests", "recorded", "Snakefile", "Makefile",
    "data_manifest.yaml", "pyproject.toml", "requirements.lock", "requirements-cuda.lock", "environment.yml",
    "CITATION.cff", "codemeta.json", "CHANGELOG.md", "README.md", "CONTRIBUTING.md", "LICENSE",
)  # fmt: skip
LICENCE = "https://spdx.org/licenses/MIT"
_PLACE = re.compile(r"(\bpath: *[\"']?)(?:~|/|[A-Za-z]:[\\\\/])(?:[^\n\"',}]*[\\\\/])?([^\n\"',}]*)")
"""A file's `path` that begins at the top of a machine, or at someone's home: what stands before it, and its name."""

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
    require_site(layout)
    target = layout.folder / f"datamix-{profile}.zip"
    with (
        tempfile.TemporaryDirectory(prefix="datamix-") as without_paths,
        replacing(target) as beside,
        zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        files = _files(layout) | _profiles_without_paths(layout.root, Path(without_paths))
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
    persons = [_author(i, author) for i, author in enumerate(software.get("authors", []))]
    authors: Any = [{"@id": person["@id"]} for person in persons]
    authors = authors[0] if len(authors) == 1 else authors  # as RO-Crate has one value
    code = _code(software, commit=made["commit"])
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
            "conformsTo": {"@id": PROFILE},
            "name": f"{software.get('title', 'datamix')}: profile {profile.name}",
            "description": f"{profile.title}. {profile.about} Figures, tables and numbers{cells}, and the code.",
            "datePublished": date,
            "license": {"@id": LICENCE},
            "author": authors,
            "publisher": authors,
            "version": software.get("version", ""),
            "identifier": {"@id": "#content"},
            "mainEntity": {"@id": f"{results}/site/index.html"},
            "mentions": {"@id": "#run"},
            "hasPart": [{"@id": name} for name in files],
        },
        {
            "@id": PROFILE,
            "@type": "CreativeWork",
            "name": "Process Run Crate",
            "version": PROFILE.rpartition("/")[2],
        },
        {
            "@id": LICENCE,
            "@type": "CreativeWork",
            "name": "MIT licence",
            "description": "Use, copy, change and pass on, with the copyright notice.",
        },
        {
            "@id": "#content",
            "@type": "PropertyValue",
            "name": "SWHID of all files but the crate's own description",
            "propertyID": "https://www.swhid.org",
            "value": swhid.of_files(files),
        },
        code,
        {
            "@id": "#run",
            "@type": "CreateAction",
            "name": f"make book PROFILE={profile.name}",
            "description": f"Made the book of profile {profile.name} from its data; {made['protocol']} protocol.",
            "endTime": _finished(layout),
            "actionStatus": "http://schema.org/CompletedActionStatus",
            "agent": authors,
            "instrument": {"@id": code["@id"]},
            "object": [{"@id": name} for name in (f"config/{profile.name}.yaml", "data_manifest.yaml")],
            "result": [
                {"@id": name} for name in files if name.startswith((f"{results}/panels/", f"{results}/values/"))
            ],
        },
    ]
    crate += persons
    crate += [_file(name, path) for name, path in files.items()]
    return {"@context": f"{SPECIFICATION}/context", "@graph": crate}


def _author(number: int, author: dict[str, Any]) -> dict[str, Any]:
    described = {"@id": f"#author-{number}", "@type": "Organization" if "name" in author else "Person"}
    described["name"] = author_name(author)
    return described | ({"url": author["website"]} if "website" in author else {})


def _code(software: dict[str, Any], *, commit: str) -> dict[str, Any]:
    """Describe the code; where its commit is known, by the address at which Software Heritage would have it."""
    identifier = swhid.of_commit(commit)
    address = f"{swhid.RESOLVER}{identifier}" if identifier else "#code"
    return {
        "@id": address,
        "@type": "SoftwareSourceCode",
        "name": "datamix",
        "description": "The code that made this book; it is in this archive, too.",
        "version": software.get("version", ""),
        "identifier": identifier or commit,
        "url": software.get("repository-code") or address,
    }


def _finished(layout: Layout) -> str:
    """Return when the site was finished, as ISO 8601 has it."""
    seconds = int((layout.folder / "site" / "index.html").stat().st_mtime)
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat()


def _files(layout: Layout) -> dict[str, Path]:
    results = [layout.folder / name for name in OF_RESULTS]
    project = [layout.root / name for name in OF_PROJECT]
    found = [file for path in [*results, *project] if path.exists() for file in files_in(path)]
    return {file.relative_to(layout.root).as_posix(): file for file in _kept(found)}


def _profiles_without_paths(root: Path, folder: Path) -> dict[str, Path]:
    """Write profiles that say where files lie on this machine, with the files' names only; name in the archive → file.

    All else stays as a person wrote it. What is meant is told by the names, and by the checksums beside them.
    """
    found = {}
    for path in sorted((root / "config").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        shorter = _PLACE.sub(r"\1\2", text)
        if shorter != text:
            found[f"config/{path.name}"] = folder / path.name
            found[f"config/{path.name}"].write_text(shorter, encoding="utf-8")
    return found


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
