"""A file from the web: gone on with where it broke off, checked, and moved to its place when it is whole."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from datamix.corpora.inventory import FileState
from datamix.project.errors import DatamixError
from datamix.project.files import sha256

PATIENCE = 60.0
"""Seconds without a byte after which a server counts as gone."""
LONGEST_WAIT = 120.0
"""Seconds that a server which asks for time is waited for, once."""
TURNS = 4
"""Requests for one file, where a server asks for time or sends what was not asked for."""
_CHUNK = 1 << 16  # what is lost of it when a download breaks off


def download(
    found: FileState, url: str, *, expected: str | None, size: int | None, say: Callable[[str], None] = print
) -> None:
    """Download a file to its place; what came of it before is gone on from.

    Parameters
    ----------
    found
        The file, and where it is to lie.
    url
        Its address, http or https.
    expected, size
        The sha256 and the bytes that it should have; None where they are not known.
    say
        Called with a line where the server asks to be waited for.

    Raises
    ------
    DatamixError
        If it cannot be had, or is not the file that was expected; nothing lies in its place then.
    """
    import requests
    import urllib3

    again = f"datamix data fetch {found.dataset}"
    scheme = url.partition(":")[0].lower()
    if scheme not in {"http", "https"}:
        msg = f"{found.file.name} of {found.dataset} has the url {url}: {scheme}: cannot be downloaded, only http(s):."
        fix = f"give its https address (most archives have one), or put the file at {found.path} yourself"
        raise DatamixError(msg, fix=fix)
    part = found.path.with_name(f".{found.path.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        _fill(part, url, name=found.file.name, size=size, say=say)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        have = part.stat().st_size if part.exists() and _version(part).exists() else 0
        kept = f" {have:,} bytes are kept and will be gone on from." if have else ""
        msg = f"Download of {found.file.name} from {url} failed ({type(error).__name__}: {error}).{kept}"
        raise DatamixError(msg, fix=f"check the network, then: {again}") from error
    _version(part).unlink(missing_ok=True)
    if expected is not None and (came := sha256(part)) != expected:
        part.unlink()
        msg = (
            f"sha256 of {found.file.name} from {url} is {came}, not the expected {expected}. What came was deleted. "
            "The file may have been replaced by its authors, or damaged on the way."
        )
        raise DatamixError(msg, fix=f"{again}; if it fails the same way, compare the source with data_manifest.yaml")
    if expected is None and (other := _no_data(part, found.file.name)):
        part.unlink()
        msg = f"{url} gave {other}, expected {found.file.name}. What came was deleted."
        raise DatamixError(msg, fix=f"open the address in a browser and correct it, or put the file at {found.path}")
    part.replace(found.path)


def _fill(part: Path, url: str, *, name: str, size: int | None, say: Callable[[str], None]) -> None:
    """Ask for what is lacking of a file until it is there, a few times at most."""
    import requests

    for turn in range(1, TURNS + 1):
        version = _version(part)
        # The server sends the rest only if the file is still the one that the first part came from.
        have = part.stat().st_size if part.exists() and version.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": version.read_text(encoding="utf-8")}
        with requests.get(url, headers=headers, stream=True, timeout=PATIENCE) as response:
            if have and response.status_code == requests.codes.requested_range_not_satisfiable:
                # Nothing lies beyond what is there: it is the whole file, or the start of another one.
                if response.headers.get("Content-Range") == f"bytes */{have}" and size in {None, have}:
                    return
                version.unlink()
                continue
            wait = _asks_to_wait(response)
            if wait is not None and wait <= LONGEST_WAIT and turn < TURNS:
                say(f"{name}: the server asks to be waited for, {wait:.0f} s ({response.status_code})")
                time.sleep(wait)
                continue
            if wait is not None and wait > LONGEST_WAIT:
                msg = f"the server asks to be asked again in {wait:,.0f} seconds ({response.status_code})"
                raise requests.HTTPError(msg)
            response.raise_for_status()
            if response.status_code == requests.codes.partial_content and not _goes_on(response, version, have):
                version.unlink(missing_ok=True)  # another part than was asked for, or of another file
                continue
            _write(response, part, url, have=have, name=name, size=size)
            return
    msg = f"the server sent another part than was asked for, {TURNS} times"
    raise requests.ConnectionError(msg)


def _write(response: Any, part: Path, url: str, *, have: int, name: str, size: int | None) -> None:
    import requests
    from tqdm import tqdm

    have = have if response.status_code == requests.codes.partial_content else 0
    length = response.headers.get("Content-Length", "")
    # Without being asked to, some servers call a .gz file a text that they have compressed: then it comes as it is.
    encoded = response.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}
    as_it_is = not encoded or name.endswith((".gz", ".tgz", ".bgz")) or (length.isdecimal() and int(length) == size)
    total = have + int(length) if length.isdecimal() and as_it_is else None
    if None not in (total, size) and total != size:
        msg = f"{url} offers {total:,} bytes, expected {size:,}: it is another file."
        raise DatamixError(msg, fix="compare the source with data_manifest.yaml")
    # A weak tag does not promise the same bytes, so it must not be used to go on; nor is an unpacked text gone on with.
    tag = _tag(response)
    if tag and as_it_is:
        _version(part).write_text(tag, encoding="utf-8")
    else:
        _version(part).unlink(missing_ok=True)
    bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=name, disable=None)
    with part.open("ab" if have else "wb") as out, bar:
        for chunk in _chunks(response, as_it_is=encoded and as_it_is):
            out.write(chunk)
            bar.update(len(chunk))
    came = part.stat().st_size
    if total is not None and came != total:
        if came > total:
            _version(part).unlink(missing_ok=True)
        msg = f"{came:,} of {total:,} bytes came"
        raise requests.ConnectionError(msg)


def _chunks(response: Any, *, as_it_is: bool) -> Iterator[bytes]:
    return response.raw.stream(_CHUNK, decode_content=False) if as_it_is else response.iter_content(_CHUNK)


def _goes_on(response: Any, version: Path, have: int) -> bool:
    """Whether a part that came begins where the other ends, and is of the same file as far as the server says."""
    begins = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    same = _tag(response) in {"", version.read_text(encoding="utf-8") if version.exists() else ""}
    return bool(have) and begins is not None and int(begins[1]) == have and same


def _asks_to_wait(response: Any) -> float | None:
    """Return the seconds after which a busy server wants to be asked again; None where it does not say so."""
    said = response.headers.get("Retry-After", "").strip()
    if response.status_code not in {429, 503} or not said:
        return None
    if said.isdecimal():
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _tag(response: Any) -> str:
    """Return by what a server tells this version of a file; empty where it promises nothing."""
    tag = response.headers.get("ETag") or response.headers.get("Last-Modified", "")
    return "" if tag.startswith("W/") else tag


def _no_data(part: Path, name: str) -> str:
    """Say what came in place of data, of a file whose sha256 is not known; empty where nothing speaks against it."""
    with part.open("rb") as file:
        start = file.read(512).lstrip().lower()
    if not part.stat().st_size:
        return "an empty file"
    page = start.startswith((b"<!doctype html", b"<html")) and not name.lower().endswith((".html", ".htm"))
    return "a web page" if page else ""


def _version(part: Path) -> Path:
    return part.with_name(f"{part.name}.version")
