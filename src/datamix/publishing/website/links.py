"""Where the links of a site lead: to pages and places that are there, or out of it."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

from datamix.publishing.website.finish import pages_of


@dataclass
class Links:
    """The links of a site."""

    broken: list[str] = field(default_factory=list)
    """`page: target`, of those that lead to no file, or to no place on its page."""
    external: dict[str, list[str]] = field(default_factory=dict)
    """Addresses elsewhere, and the pages that name them; nothing is fetched."""
    twice: list[str] = field(default_factory=list)
    """`page: anchor`, of places that a page has twice, so that a link leads to the first."""


class _Page:
    def __init__(self, html: str) -> None:
        page = BeautifulSoup(html, "html.parser")
        self.anchors = [str(one["id"]) for one in page.select("[id]") if one["id"]]
        targets = (one.get("href") or one.get("src") for one in page.select("[href], [src]"))
        self.targets = [str(target) for target in targets if target]


def read_links(site: Path) -> Links:
    """Read every link of every page of a site, and hold it against what is there.

    Parameters
    ----------
    site
        Its folder. Scripts, pictures and style sheets count as links, too.
    """
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in pages_of(site)}
    anchors = {path: set(page.anchors) for path, page in pages.items()}
    found = Links()
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        found.twice += [f"{name}: {a}" for a in sorted(anchors[path]) if page.anchors.count(a) > 1]
        for target in dict.fromkeys(page.targets):
            parts = urlsplit(target)
            if parts.scheme in {"http", "https"} or parts.netloc:
                found.external.setdefault(target, []).append(name)
            elif not parts.scheme:
                to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                place = unquote(parts.fragment)
                if not to.is_file() or (to in anchors and place and place not in anchors[to]):
                    found.broken.append(f"{name}: {target}")
            elif parts.scheme not in {"data", "mailto"}:
                found.broken.append(f"{name}: {target}")
    return found
