"""The deposit of a book's archive on Zenodo, by its deposit API: a draft, the file, what it is, and, if asked, public.

The API: https://developers.zenodo.org (draft, bucket, metadata, publish). So far it was rehearsed with a stand-in only.
"""

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import yaml
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from datamix.project.errors import DatamixError
from datamix.publishing.reuse.book import CRATE

ZENODO = "https://zenodo.org"
SANDBOX = "https://sandbox.zenodo.org"
TOKEN = "ZENODO_TOKEN"
TRIES = 5
_PASSING = (429, 500, 502, 503, 504)
"""Answers after which the same request is sent again, after a pause that doubles."""


@dataclass(frozen=True)
class Deposit:
    """What stands at Zenodo after a deposit."""

    number: int
    address: str
    """Its page: of the draft, which only its owner sees, or of the record."""
    published: bool
    doi: str
    """Reserved for a draft; registered once it is published."""


def deposit(
    archive: Path, *, token: str, to: str = ZENODO, draft: int | None = None, publish: bool = False, pause: float = 1.0
) -> Deposit:
    """Upload an archive with its metadata.

    Parameters
    ----------
    archive
        As `make archive` wrote it.
    token
        Of the depositor, with the scopes deposit:write and, to publish, deposit:actions. It goes to `to` only.
    to
        The server.
    draft
        The number of a draft to go on with; a new one is made when not given.
    publish
        Whether it is made public, which cannot be undone. Otherwise the draft stays, to be looked at.
    pause
        Seconds before the first repetition.

    Raises
    ------
    DatamixError
        If there is no archive, the server is not secure or refuses, or what arrived is not what was sent. A draft that
        was made stays, and is named.
    """
    metadata = describe(archive)
    where = urlsplit(to)
    if where.scheme != "https" and where.hostname not in ("localhost", "127.0.0.1"):
        msg = f"{to} is not reached by https, so that anyone on the way could read the token."
        raise DatamixError(msg, fix="name an address that begins with https://")
    session = _session(token, pause)
    api = f"{to.rstrip('/')}/api/deposit/depositions"
    made = _ask(session, "POST", api, json={}) if draft is None else _ask(session, "GET", f"{api}/{draft}")
    number = int(made["id"])
    try:
        bucket = str(made["links"]["bucket"])
        if urlsplit(bucket)[:2] != urlsplit(to)[:2]:
            msg = f"{to} names another server for the file, {bucket}, to which the token must not go."
            raise DatamixError(msg, fix="name the right server with --to")
        _upload(session, f"{bucket}/{archive.name}", archive)
        found = _ask(session, "PUT", f"{api}/{number}", json={"metadata": metadata})
        if publish:
            found = _ask(session, "POST", f"{api}/{number}/actions/publish")
    except DatamixError as error:
        msg = f"{error.problem} The draft {number} stays as it is."
        raise DatamixError(msg, fix=f"{error.fix}; then go on with: datamix deposit --draft {number}") from error
    doi = found.get("doi") or found.get("metadata", {}).get("prereserve_doi", {}).get("doi", "")
    return Deposit(number, str(found["links"]["html"]), published=bool(found.get("submitted")), doi=str(doi))


def describe(archive: Path) -> dict[str, Any]:
    """Say of an archive what Zenodo wants to know, from the crate's own description and its CITATION.cff.

    Returns
    -------
    `title`, `description`, `creators`, `license`, `version`, `publication_date`, `related_identifiers` and others.
    """
    if not archive.is_file():
        msg = f"{archive} does not exist."
        raise DatamixError(msg, fix="make archive")
    with zipfile.ZipFile(archive) as content:
        crate = {one["@id"]: one for one in json.loads(content.read(CRATE))["@graph"]}
        software = yaml.safe_load(content.read("CITATION.cff"))
    root = crate["./"]
    identified = crate[root["identifier"]["@id"]]
    works = [reference["doi"] for reference in software.get("references", []) if "doi" in reference]
    return {
        "upload_type": "software",
        "title": root["name"],
        "description": root["description"],
        "creators": [{"name": _name(author)} for author in software["authors"]],
        "access_right": "open",
        "license": str(software["license"]).lower(),
        "version": str(software["version"]),
        "publication_date": root["datePublished"],
        "related_identifiers": [{"identifier": doi, "relation": "isDerivedFrom", "scheme": "doi"} for doi in works],
        "notes": f"{identified['name']}: {identified['value']}",
    }


def _name(author: dict[str, str]) -> str:
    if "name" in author:
        return author["name"]
    return ", ".join(author[key] for key in ("family-names", "given-names") if key in author)


def _session(token: str, pause: float) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    # A draft that is made twice would stay behind, so that POST is not repeated.
    again = Retry(
        total=TRIES - 1, backoff_factor=pause, status_forcelist=_PASSING, allowed_methods={"GET", "PUT"},
        raise_on_status=False, redirect=0,
    )  # fmt: skip
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=again))
    session.trust_env = False  # a .netrc would put another token in place of this one
    return session


def _upload(session: requests.Session, address: str, archive: Path) -> None:
    """Send the file and hold the checksum that comes back against its own."""
    with archive.open("rb") as content:
        digest = hashlib.file_digest(content, "md5").hexdigest()
        content.seek(0)
        arrived = _ask(session, "PUT", address, data=content)
    if arrived.get("checksum") != f"md5:{digest}":
        msg = f"{archive.name} arrived as {arrived.get('checksum')}; expected md5:{digest}."
        raise DatamixError(msg, fix="upload it again")


def _ask(session: requests.Session, method: str, address: str, **content: Any) -> dict[str, Any]:
    """Send a request and return the answer, or say why there is none."""
    try:
        answer = session.request(method, address, timeout=(30, 600), allow_redirects=False, **content)
    except requests.RequestException as error:
        msg = f"{address} was not reached, or broke off, {TRIES} times: {type(error).__name__}."
        raise DatamixError(msg, fix="see whether the network and the server are there") from error
    if answer.status_code in (401, 403):
        msg = f"{address} does not take the token ({answer.status_code})."
        raise DatamixError(msg, fix=f"put a token with the scopes deposit:write and deposit:actions into {TOKEN}")
    if answer.status_code == 413:
        msg = f"{address} takes no file of this size (413)."
        raise DatamixError(msg, fix="ask Zenodo for a larger quota, or deposit a smaller profile")
    if answer.status_code >= 300:
        msg = f"{address} answered {answer.status_code}: {' '.join(answer.text.split())[:200]}"
        later = "try again later" if answer.status_code in _PASSING else "correct what it names"
        raise DatamixError(msg, fix=later)
    return dict(answer.json())
