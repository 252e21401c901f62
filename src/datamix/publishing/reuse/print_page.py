"""The whole book as one page for paper: a title, contents, and every page of the site in its order.

What only a screen has use for is left out: navigation, folded code, downloads. Pictures are the vector ones.
"""

import posixpath
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag

from datamix.project.errors import DatamixError

SCREEN_ONLY = (
    "a.headerlink", "details.above-input", "details.below-input", ".tag_hide-input > details", ".panel-downloads",
    ".panel-cite", ".panel-source details", ".panel-reads", ".panel-numbers", "button", "script", "style", ".copybtn",
    ".screen-only", ".toctree-wrapper",
)  # fmt: skip
"""What has no place on paper, as CSS names it."""


def compose(site: Path, *, toc: Mapping[str, Any], title: str, facts: list[str], pages: Mapping[str, int]) -> str:
    """Compose the page.

    Parameters
    ----------
    site
        The folder of the built site.
    toc
        What `book/_toc.yml` says: `root`, and `parts` with `caption` and `chapters`.
    title
        Of the book.
    facts
        Lines below the title: what made it.
    pages
        Anchor → number of the page in print, for the contents; empty where not known so far.

    Returns
    -------
    HTML; pictures and style sheets are named by where they lie on this machine.

    Raises
    ------
    DatamixError
        If the site lacks a page of the contents.
    """
    parts = [("", [toc["root"]])] + [
        (str(part.get("caption", "")), [chapter["file"] for chapter in part["chapters"]]) for part in toc["parts"]
    ]
    names = {name for _, chapters in parts for name in chapters}
    articles = {name: _article(site, name, names) for name in names}
    contents, body = [], []
    for caption, chapters in parts:
        contents.append(f'<li class="part">{escape(caption)}</li>' if caption else "")
        for name in chapters:
            heading = articles[name].find("h1")
            words = heading.get_text(" ", strip=True) if heading else name
            number = pages.get(anchor(name), "")
            contents.append(f'<li><a href="#{anchor(name)}">{escape(words)}</a><span>{number}</span></li>')
            body.append(f'<section class="chapter" id="{anchor(name)}">{articles[name].decode_contents()}</section>')
    said = "".join(f"<p>{escape(line)}</p>" for line in facts)
    head = f'<meta charset="utf-8"><title>{escape(title)}</title>{_styles(site)}'
    front = f'<section class="front"><h1>{escape(title)}</h1>{said}</section>'
    listed = f'<nav class="contents"><h2>Contents</h2><ol>{"".join(contents)}</ol></nav>'
    page = f'<body class="printed"><article class="bd-article">{front}{listed}{"".join(body)}</article></body>'
    return f'<!doctype html><html lang="en" data-theme="light"><head>{head}</head>{page}</html>\n'


def anchor(name: str, target: str = "") -> str:
    """Return the id that a page, or what has the id `target` on it, has in print."""
    return "--".join([name.replace("/", "-"), target] if target else [name.replace("/", "-")])


def _styles(site: Path) -> str:
    """Name the site's style sheets but those of its layout, and the one for paper last."""
    names = ("pygments.css", "mystnb.*.css", "sphinx-design.min.css", "datamix.css", "print.css")
    found = [path for name in names for path in sorted((site / "_static").glob(name))]
    return "".join(f'<link rel="stylesheet" href="{path.resolve().as_uri()}">' for path in found)


def _article(site: Path, name: str, names: set[str]) -> Tag:
    path = site / f"{name}.html"
    if not path.is_file():
        msg = f"{path} does not exist, but book/_toc.yml lists {name}."
        raise DatamixError(msg, fix=f"make book PROFILE={site.parent.name}")
    article = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").select_one("article.bd-article")
    if article is None:
        msg = f"{path} has no article: it is not a page that datamix made."
        raise DatamixError(msg, fix=f"make book PROFILE={site.parent.name}")
    for thing in article.select(", ".join(SCREEN_ONLY)):
        thing.decompose()
    for output in article.select("div.cell_output pre"):
        said = output.get_text().lstrip()
        if said.startswith("{'") and "'python':" in said:
            output.decompose()  # versions: the title page has them
    for empty in article.select("div.cell"):
        if not empty.get_text(strip=True) and not empty.find("img"):
            empty.decompose()
    for details in article.select("details"):
        details["open"] = ""
    for identified in article.select("[id]"):
        identified["id"] = anchor(name, str(identified["id"]))
    for link in article.select("a[href]"):
        _lead(link, name, names)
    for picture in article.select("img[src]"):
        source = _from_top(name, str(picture["src"]))
        vector = site / (source.removesuffix(".png") + ".svg")
        picture["src"] = (vector if vector.is_file() else site / source).resolve().as_uri()
    return article


def _lead(link: Tag, name: str, names: set[str]) -> None:
    """Let a link lead to the same place in print; one to a file of the site becomes plain words."""
    address = str(link["href"])
    if "://" in address or address.startswith("mailto:"):
        return
    path, _, target = address.partition("#")
    page = _from_top(name, path).removesuffix(".html") if path else name
    if page in names and (not path or path.endswith(".html")):
        link["href"] = f"#{anchor(page, target)}"
    else:
        link.unwrap()


def _from_top(name: str, address: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), address))
