"""A published site, read from its address: each file is fetched when it is asked for, checked, and kept for the time.

What comes from a server is not trusted: it must have the size and the checksum that the site's own index says, the
index itself must be short and well-formed, and nothing but http and https is followed. That the index is the right one,
only https says.
"""

import hashlib
import http.client
import re
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import ValidationError

from datamix.project.errors import DatamixError
from datamix.project.files import replacing
from datamix.publishing.website.site_index import INDEX, Index

PATIENCE = 30.0
"""Seconds without a byte after which a server counts as gone."""
LONGEST = 600.0
"""Seconds that a file may take."""
LARGEST_INDEX = 5_000_000
"""Bytes; that of the demo has some ten thousands."""
LARGEST = 200_000_000
"""Bytes of a file."""
_CHUNK = 1 << 16
_NO_SITE = "name the address of a book's first page; one made before books carried an index opens as a folder only"


def is_address(source: object) -> bool:
    """Whether a book's source is an address rather than a path."""
    return isinstance(source, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", source) is not None


class Published:
    """A site at an address.

    Parameters
    ----------
    address
        Of its folder, or of a page in it: `https://someone.github.io/datamix/`.

    Raises
    ------
    DatamixError
        If it is not http or https, cannot be reached, or has no index that can be read.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
            msg = f"{address} is no address of a site: expected http:// or https:// and a server."
            raise DatamixError(msg, fix="correct it; a folder or an archive is named by its path")
        path = parts.path if parts.path.endswith("/") else f"{parts.path}/"
        if path.endswith((".html/", f"/{INDEX}/")):
            path = f"{path[:-1].rpartition('/')[0]}/"
        self.address = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
        self._kept = tempfile.TemporaryDirectory(prefix="datamix-")  # as long as the book is
        self.folder = Path(self._kept.name).resolve()
        content = _get(f"{self.address}{INDEX}", most=LARGEST_INDEX)
        try:
            self.index = Index.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            msg = f"{self.address}{INDEX} is no list of a book's files ({f'{where}: ' if where else ''}{first['msg']})."
            raise DatamixError(msg, fix=_NO_SITE) from error
        (self.folder / INDEX).write_bytes(content)

    def file(self, name: str) -> Path:
        """Return where a file of the site lies here, fetched where it was not; it does not exist where none is listed.

        Raises
        ------
        DatamixError
            If it does not come, or is not what the index says.
        """
        path = self.folder / name
        listed = self.index.files.get(name)
        if listed is None or path.is_file():
            return path
        address = f"{self.address}{quote(name)}"
        if listed.bytes > LARGEST:
            msg = f"{address} is said to have {listed.bytes:,} bytes; expected at most {LARGEST:,}."
            raise DatamixError(msg, fix="download the site, and open its folder")
        content = _get(address, most=listed.bytes)
        if len(content) != listed.bytes or hashlib.sha256(content).hexdigest() != listed.sha256:
            msg = f"{address} is not the file that {INDEX} lists: {len(content):,} bytes of another content came."
            raise DatamixError(msg, fix="open the book again, which may be a new one by now; nothing was kept")
        with replacing(path) as beside:
            beside.write_bytes(content)
        return path


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http and https only, and from https to https only."""

    max_redirections = 5

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        scheme = urlsplit(newurl).scheme.lower()
        if scheme != "https" and (scheme != "http" or urlsplit(req.full_url).scheme == "https"):
            problem = f"{req.full_url} leads on to {newurl}, which is not followed."
            raise DatamixError(problem, fix="name the address where the book is now")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Return what knows http and https, and neither files nor ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), urllib.request.HTTPSHandler(), _Redirects(),
        urllib.request.HTTPDefaultErrorHandler(), urllib.request.HTTPErrorProcessor(), urllib.request.UnknownHandler(),
    ):  # fmt: skip
        opener.add_handler(handler)
    return opener


def _get(address: str, *, most: int) -> bytes:
    """Fetch an address; more bytes than `most`, or more seconds than `LONGEST`, are not waited for."""
    request = urllib.request.Request(address, headers={"Accept-Encoding": "identity", "User-Agent": "datamix"})
    until = time.monotonic() + LONGEST
    content = bytearray()
    try:
        with _opener().open(request, timeout=PATIENCE) as response:
            while part := response.read1(_CHUNK):
                content += part
                if len(content) > most:
                    msg = f"{address} sends more than the {most:,} bytes that are expected of it."
                    raise DatamixError(msg, fix="see in a browser what is there")
                if time.monotonic() > until:
                    msg = f"{address} takes longer than {LONGEST:.0f} seconds."
                    raise DatamixError(msg, fix="try again later, or download the site and open its folder")
            if response.length:  # what was announced and did not come
                raise http.client.IncompleteRead(bytes(content), response.length)
    except urllib.error.HTTPError as error:
        error.close()
        msg = f"{address} cannot be read: the server answers {error.code} {' '.join(str(error.reason).split())}."
        raise DatamixError(msg, fix=_NO_SITE if error.code in {404, 410} else "try again later") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        msg = f"{address} was not reached, or broke off ({type(error).__name__}: {reason})."
        raise DatamixError(msg, fix="check the address and the network, then try again") from error
    return bytes(content)
