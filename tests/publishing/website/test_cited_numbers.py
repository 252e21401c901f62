import re
import shutil
from pathlib import Path

from datamix.publishing.values import Values
from datamix.publishing.website import swhid
from datamix.publishing.website.cited_numbers import numbers_to_cite
from datamix.publishing.website.site import build_site

ROOT = Path(__file__).parents[3]


def test_each_number_of_a_page_is_listed_with_a_link_and_an_entry(tiny_book):
    shutil.copy(ROOT / "CITATION.cff", tiny_book)
    page = (build_site("demo", tiny_book).parent / "notebooks" / "fig2.html").read_text(encoding="utf-8")
    (listed,) = re.findall(r'<details class="claims screen-only">.*?</ul></details>', page, flags=re.DOTALL)
    assert re.findall(r'<a href="#value-([^"]+)">(.*?)</a>(.*?):', listed) == [
        ("fig2.aml.blood", "0.39", ", median R²"),
        ("fig2.cells", "1,234", ", cells"),
    ]
    assert all(f'id="value-{key}"' in page for key in ("fig2.aml.blood", "fig2.cells"))
    data = swhid.of_content((tiny_book / "results" / "demo" / "values" / "fig2.json").read_bytes())
    assert listed.count("@software{datamix_value_fig2_") == listed.count(data) == 2


def test_nothing_is_listed_where_nothing_can_be_cited(tiny_book):
    folder = tiny_book / "results" / "demo"
    values = Values.read(folder)
    assert numbers_to_cite({"fig2.cells": "1,234"}, values, folder=folder) == "", "there is no CITATION.cff"
    shutil.copy(ROOT / "CITATION.cff", tiny_book)
    assert numbers_to_cite({}, values, folder=folder) == ""
    long = "a <sentence> & " + "word " * 40
    shown = numbers_to_cite({"fig2.cells": long}, values, folder=folder)
    assert "a &lt;sentence&gt; &amp; word" in shown
    assert " …</a>" in shown
