"""The numbers that a page quotes, at its end: each with a link to its place and an entry of BibTeX."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

from datamix.project.errors import DatamixError
from datamix.publishing.values import Values
from datamix.publishing.website import swhid
from datamix.publishing.website.citation import bibtex, read_citation
from datamix.publishing.website.site_index import provenance_of_panels

_LONGEST = 60
"""Letters of a recorded sentence that are shown."""


def numbers_to_cite(quoted: Mapping[str, str], values: Values, *, folder: Path) -> str:
    """Return a list that unfolds; nothing where a page quotes none, or nothing says what made them.

    Parameters
    ----------
    quoted
        Key → the number as the page has it; each has a place `#value-<key>` there.
    values
        All that were recorded.
    folder
        `results/<profile>`.
    """
    software = read_citation(folder.parent.parent)
    try:
        made = provenance_of_panels(folder)
    except DatamixError:
        return ""
    if not quoted or software is None:
        return ""
    items = []
    for key, words in quoted.items():
        value = values[key]
        data = swhid.of_content((folder / "values" / f"{value.notebook}.json").read_bytes())
        entry = escape(bibtex({**made, "value": key, "swhid": data}, software))
        unit = f", {escape(value.unit)}" if value.unit else ""
        shown = escape(words if len(words) <= _LONGEST else f"{words[:_LONGEST].rpartition(' ')[0]} …")
        items.append(
            f'<li><a href="#value-{escape(key)}">{shown}</a>{unit}: <code>{escape(key)}</code>'
            f'<details class="panel-cite"><summary>Cite this number</summary>\n<pre>{entry}</pre></details></li>'
        )
    told = "The numbers of this page, to link and to cite"
    return f'<details class="claims screen-only"><summary>{told}</summary><ul>{"".join(items)}</ul></details>\n'
