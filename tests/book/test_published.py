"""What the site publishes: links that lead somewhere, and nothing that tells of the machine that made it."""

import getpass
import re
from pathlib import Path

import pandas as pd

from datamix.publishing.website.finish import content_policy, pages_of
from datamix.publishing.website.links import read_links

# A name of a folder must follow, so that neither a fraction nor the letters of a picture count.
PATH = re.compile(rb"(?<![\w.:/-])(/(?:home|root|tmp|work|Users|opt|mnt|scratch|workspace)/[\w.-]+|[A-Z]:\\\\?Users)")
SUFFIXES = {".html", ".json", ".svg", ".csv", ".ipynb", ".js", ".css", ".txt", ".pdf", ".inv", ".png", ".yaml", ".cff"}


def test_every_link_and_anchor_of_the_site_is_there(site):
    links = read_links(site)
    assert links.broken == []
    assert links.twice == []
    assert all(address.startswith("https://") for address in links.external)
    listed = pd.read_csv(site.parent / "external_links.csv")
    assert listed["address"].tolist() == sorted(links.external)


def test_figures_claims_and_numbers_have_anchors(site):
    text = {path.stem: path.read_text(encoding="utf-8") for path in pages_of(site)}
    for path in (site / "panels").glob("fig*.json"):
        assert any(f'id="fig-{path.stem.removeprefix("fig").lower()}"' in page for page in text.values()), path.stem
    claims = pd.read_csv(site.parent / "claims.csv")["claim"]
    assert [c for c in claims if f'id="claim-{c}"' not in text["claims"]] == []
    assert len(set(re.findall(r'id="value-([^"]+)"', text["abstract"]))) > 30
    for name, page in text.items():  # each number is listed at the end of its page, with how it is cited
        anchored = set(re.findall(r'id="value-([^"]+)"', page))
        cited = re.findall(r'<li><a href="#value-([^"]+)">.*?@software\{datamix_value_', page, flags=re.DOTALL)
        assert anchored == set(cited), name


def test_every_page_says_what_it_may_load(site):
    for path in pages_of(site):
        page = path.read_text(encoding="utf-8")
        head = page[: page.index("<script")]
        assert f'content="{content_policy(page)}"' in head, path.name


def test_nothing_published_tells_of_the_machine(site):
    names = {str(Path.home()), str(site.parents[2])}
    user = getpass.getuser()
    told = []
    for path in sorted(site.rglob("*")):
        if path.suffix not in SUFFIXES or not path.is_file():
            continue
        content = path.read_bytes()
        found = {match.decode() for match in PATH.findall(content)}
        found |= {name for name in names if len(name) > 5 and name.encode() in content}
        if user not in {"root", "user"} and path.suffix in {".json", ".csv", ".ipynb"}:
            found |= {user} & {word.decode() for word in re.findall(rb"\w+", content)}
        if found:
            told.append(f"{path.relative_to(site)}: {', '.join(sorted(found))}")
    assert told == []


def test_a_path_is_noticed():
    paths = [f"/{'/'.join(parts)}" for parts in (("home", "me", "x"), ("tmp", "a.csv"), ("root", "x"))]
    found = PATH.findall(f'"{paths[0]}" ({paths[1]}) {paths[2]} C:\\Users'.encode())
    assert found == [*(path.encode() for path in ("/home/me", *paths[1:])), b"C:\\Users"]
    assert not PATH.findall(f"https://x.org{paths[0]}, ..{paths[1]}, AQ{paths[1]}, 1/2, /tmp and /home".encode())
