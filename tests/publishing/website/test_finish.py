import base64
import hashlib
import re

import pandas as pd

from datamix.publishing.website.finish import POLICY, finish_page, pages_of

PAGE = """<html><head>
    <meta charset="utf-8" />
    <script src="a.js"></script><script>let x = "1 < 2";</script>
    <script data-a="b">let y;</script>
</head><body><table><thead><tr><th></th><th class="h">Cells</th></tr></thead>
<tbody><tr><th>AML</th><td>3</td></tr></tbody></table><p>&lt;th></p></body></html>"""


def test_a_page_says_first_what_it_may_load():
    page = finish_page(PAGE)
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)" />', page)
    assert page.index("charset") < policy.start() < page.index("<script")
    lines = dict(line.split(" ", 1) for line in policy[1].split("; "))
    assert lines.keys() == POLICY.keys()
    assert lines["default-src"] == "'none'"
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in ('let x = "1 < 2";', "let y;")]
    assert lines["script-src"] == f"'self' 'sha256-{hashes[0]}' 'sha256-{hashes[1]}'"


def test_a_page_is_the_same_in_the_first_build_and_the_next():
    linked = '<link href="_static/mystnb.11b3.css{}" /><link href="a.css?v=1" />'
    pages = [finish_page(PAGE.replace("</head>", f"{linked.format(v)}</head>")) for v in ("", "?v=8cd3d715")]
    assert pages[0] == pages[1]
    assert "a.css?v=1" in pages[1]


def test_headers_of_tables_say_what_they_head():
    page = finish_page(PAGE)
    assert '<tr><td></td><th scope="col" class="h">Cells</th></tr>' in page
    assert '<th scope="row">AML</th>' in page
    assert "<p>&lt;th></p>" in page
    assert finish_page(page).count("scope=") == page.count("scope=")


def test_names_of_pandas_index_stand_beside_those_of_the_columns():
    table = pd.DataFrame({"R²": [0.5]}, index=pd.Index(["AML"], name="Set"))
    for html in (table.to_html(), table.style.to_html()):
        (head,) = re.findall("(?s)<thead>.*</thead>", finish_page(html))
        assert re.findall(r"<th [^>]*>([^<]*)</th>", head) == ["Set", "R²"]
        assert head.count("<tr") == 1
    twice = table.rename_axis(columns="Kind")
    assert re.findall("(?s)<thead>.*</thead>", finish_page(twice.to_html()))[0].count("<tr") == 2


def test_templates_of_the_theme_are_no_pages(tmp_path):
    for name in ("a.html", "notebooks/b.html", "_static/c.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in pages_of(tmp_path)] == ["a.html", "notebooks/b.html"]
