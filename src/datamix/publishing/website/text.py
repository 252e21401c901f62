"""Text that people gave (labels, titles, cell types, files), shown as it is: in Markdown, tables."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

_MARKS = re.compile(r"([\\|*_`\[\]<>$#&{}~^:!%@=+])")


def plain(text: str) -> str:
    """Return text for Markdown that shows it as it is: one line, without markup, HTML, roles or mathematics."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def link(words: str, address: str) -> str:
    """Return words, as they are, that link to an address of the web; without a link where it is none."""
    if not re.match(r"https?://\S", address):
        return plain(words)
    # What could end the link, or begin a tag, is what a browser would write so.
    safe = re.sub(r"[\s<>()\[\]\\\"'`|{}]", lambda found: "".join(f"%{b:02X}" for b in found[0].encode()), address)
    return f"[{plain(words)}]({safe})"


def show_table(
    table: pd.DataFrame,
    numbers: str | None = None,
    *,
    but: Mapping[str, str] | None = None,
    index: bool = True,
    missing: str | None = None,
    precision: int | None = None,
) -> "Styler":
    """Return a table as a page shows it; text in it is text, whatever stands in it.

    Parameters
    ----------
    table
        With unique columns.
    numbers
        Python's format of all columns of numbers, such as `{:.2f}`.
    but
        That of some columns.
    index
        Whether its index is shown.
    missing
        What stands where there is no value.
    precision
        Digits after the point where no format is given.
    """
    formats: dict[Any, Any] = {}
    if numbers is not None:
        formats = dict.fromkeys(table.select_dtypes("number").columns, numbers)
    formats |= but or {}
    styled = table.style.format(formats or None, escape="html", na_rep=missing, precision=precision)
    styled = styled.format_index(escape="html").format_index(escape="html", axis=1)
    return styled if index else styled.hide()
