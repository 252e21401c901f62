"""Pages of the built site, finished: what a browser may load, and headers of tables that say what they head."""

import base64
import hashlib
import re
from pathlib import Path

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    # The theme and pandas set colours and widths in place; a style fetches nothing that the other lines forbid.
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",  # the search fetches pages, to show where it found a word
    "form-action": "'self'",
    "base-uri": "'none'",
}
"""What a page may load: its own site's files. The scripts that stand in it are let through by their hashes."""

_SCRIPT = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_CHARSET = re.compile(r"<meta charset=[^>]*>")
_TABLE = re.compile(r"<table\b.*?</table>", re.DOTALL)
_HEAD = re.compile(r"<thead\b.*?</thead>", re.DOTALL)
_ROW = re.compile(r"<tr\b.*?</tr>", re.DOTALL)
_CELL = re.compile(r"<t[hd]\b.*?</t[hd]>", re.DOTALL)
_EMPTY = re.compile(r"<th((?:\s[^>]*)?)>(\s|&nbsp;)*</th>")
_STYLE_OF_NOTEBOOKS = re.compile(r"(mystnb\.[0-9a-f]+\.css)\?v=[0-9a-f]+")
_HEADER = re.compile(r"<th(?=[\s>])(?![^>]*\sscope=)")


def pages_of(site: Path) -> list[Path]:
    """Return the pages of a site; the theme keeps templates of its own under `_static`."""
    return sorted(path for path in site.rglob("*.html") if "_static" not in path.relative_to(site).parts)


def finish_page(html: str) -> str:
    """Finish a page: headers of its tables, roles of its parts, and its content security policy.

    Parameters
    ----------
    html
        The page as Sphinx wrote it.

    Returns
    -------
    The page with `scope` on every header of a table (empty ones become cells, since they head nothing), and with a
    policy before anything that loads.
    """
    html = _TABLE.sub(lambda found: _headed(found[0]), html)
    # docutils' role of a work in a list of references was withdrawn with DPUB-ARIA 1.1.
    html = html.replace('role="doc-biblioentry"', 'role="listitem"')
    # Sphinx adds a checksum from the second build on only; the name has one.
    html = _STYLE_OF_NOTEBOOKS.sub(r"\1", html)
    policy = f'<meta http-equiv="Content-Security-Policy" content="{content_policy(html)}" />'
    return _CHARSET.sub(lambda found: f"{found[0]}\n    {policy}", html, count=1)


def content_policy(html: str) -> str:
    """Return the content security policy of a page: `POLICY`, and the hashes of the scripts that stand in it."""
    hashes = (hashlib.sha256(script.encode()).digest() for script in dict.fromkeys(_SCRIPT.findall(html)))
    allowed = "".join(f" 'sha256-{base64.b64encode(each).decode()}'" for each in hashes)
    lines = POLICY | {"script-src": POLICY["script-src"] + allowed}
    return "; ".join(f"{what} {whence}" for what, whence in lines.items())


def _headed(table: str) -> str:
    table = _HEAD.sub(lambda found: _one_row(found[0]), table)
    table = _EMPTY.sub(r"<td\1></td>", table)
    table = _HEAD.sub(lambda found: _HEADER.sub('<th scope="col"', found[0]), table)
    return _HEADER.sub('<th scope="row"', table)


def _one_row(head: str) -> str:
    """Put the names of pandas' index, which stand in a row of their own, beside those of the columns."""
    rows = _ROW.findall(head)
    if len(rows) != 2:
        return head
    upper, lower = (_CELL.findall(row) for row in rows)
    named = [[re.sub(r"<[^>]*>|&nbsp;", "", cell).strip() for cell in row] for row in (upper, lower)]
    # A column that spans others, or has a name in both rows, needs both.
    if len(upper) != len(lower) or "colspan" in head or any(all(pair) for pair in zip(*named, strict=True)):
        return head
    cells = [low if name else up for up, low, name in zip(upper, lower, named[1], strict=True)]
    return f"<thead><tr>{''.join(cells)}</tr></thead>"
