"""A figure panel: svg, pdf, png, source data and a json of what made it, written by one call."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.text import Text

from datamix.figures.style import NARROW, WIDE, show_text_as_it_is
from datamix.project.errors import DatamixError
from datamix.project.files import replacing, write_json
from datamix.project.spreadsheets import for_spreadsheets
from datamix.publishing.run import Run, describe

PNG_DPI = 300
"""Dots per inch of the png."""

TEXT_SIZES = (5, 7)
"""Smallest and largest text in a panel, in points; bold letters of a panel may have 8."""

# No date, program or version may enter a file, so that the same figure gives the same bytes.
_WITHOUT_DATES: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None, "Creator": None}},
    "pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
    "png": {"metadata": {"Software": None}, "dpi": PNG_DPI},
}
_EDITABLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "datamix", "pdf.fonttype": 42}


@dataclass(frozen=True)
class Panel:
    """A saved panel. Jupyter shows it with its caption; the book leaves that out, since `{panel}` shows it there."""

    name: str
    """As in the paper: `2a`, `S4b`."""
    folder: Path
    alt: str
    caption: str

    def path(self, suffix: str) -> Path:
        """Return the file with that suffix: svg, pdf, png, csv or json."""
        return self.folder / f"fig{self.name}.{suffix}"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        image = base64.b64encode(self.path("png").read_bytes()).decode()
        text = f"Figure {self.name}. {self.caption}"
        # The book's build drops outputs with this mark.
        return {"image/png": image, "text/plain": text}, {
            "image/png": {"alt": self.alt, "width": 720},
            "datamix": {"panel": self.name},
        }


def save_panel(
    fig: Figure,
    name: str,
    *,
    data: pd.DataFrame,
    alt: str,
    caption: str,
    results: Run,
    made: Mapping[str, Any] | None = None,
) -> Panel:
    """Write a panel's five files, `panels/fig<name>.{svg,pdf,png,csv,json}`; the same inputs give the same bytes.

    Parameters
    ----------
    fig
        The figure, 89 or 183 mm wide, its text 5 to 7 points; `datamix.figures.style.figure` makes such a one.
    name
        The panel's number in the paper, such as `2a` or `S4b`.
    data
        What is drawn, tidy: from it alone the panel can be drawn again. The index is written where it has a name.
    alt
        What the panel shows, in a sentence, for those who cannot see it.
    caption
        The caption, in Markdown; `{val}` may stand in it.
    results
        The notebook's run.
    made
        What of the panel's provenance is not that of the run, such as its `seeds`: see `run.describe`.

    Returns
    -------
    The panel; as the last line of a cell it is shown. The figure is closed, so that Jupyter does not show it twice; it
    can still be saved.

    Raises
    ------
    DatamixError
        If the name, alt text, caption or data is missing or malformed, or the figure has another width or text size.
    """
    _check_words(name, alt=alt, caption=caption)
    _check_data(name, data)
    show_text_as_it_is(fig)
    fig.set_dpi(PNG_DPI)
    fig.draw_without_rendering()  # ticks get their labels, and everything its place
    _keep_layout(fig)  # or each format would lay it out again
    _check_figure(name, fig)
    panel = Panel(name, results.folder / "panels", alt.strip(), caption.strip())
    # The json goes first and comes back last: where it stands, all five files belong together.
    panel.path("json").unlink(missing_ok=True)
    for suffix, options in _WITHOUT_DATES.items():
        with replacing(panel.path(suffix)) as beside, mpl.rc_context(_EDITABLE):
            fig.savefig(beside, format=suffix, **options)
    with replacing(panel.path("csv")) as beside:
        for_spreadsheets(data).to_csv(
            beside, index=_has_named_index(data), float_format="%.6g", lineterminator="\n", encoding="utf-8"
        )
    width, height = (round(inches * 25.4, 1) for inches in fig.get_size_inches())
    write_json(
        panel.path("json"),
        {
            "panel": name,
            "caption": panel.caption,
            "alt": panel.alt,
            "size_mm": [width, height],
            "files": {suffix: panel.path(suffix).name for suffix in ("svg", "pdf", "png", "csv", "json")},
            **describe(results, made=made),
        },
    )
    plt.close(fig)
    return panel


def _keep_layout(fig: Figure) -> None:
    """Take the layout engine from a figure; with `none` a placeholder would stay, and each format be drawn twice."""
    with mpl.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
        fig.set_layout_engine(None)


def _check_words(name: str, *, alt: str, caption: str) -> None:
    if not re.fullmatch(r"S?[1-9]\d*[a-z]?", name):
        msg = f"panel {name!r}: expected a number as in the paper, such as 2a or S4b."
        raise DatamixError(msg, fix="correct the name given to save_panel")
    for word, text in {"alt": alt, "caption": caption}.items():
        if not text.strip():
            msg = f"panel {name}: {word} is empty; every panel needs one."
            raise DatamixError(msg, fix=f"give save_panel {word}=…")


def _check_data(name: str, data: Any) -> None:
    if not isinstance(data, pd.DataFrame):
        msg = f"panel {name}: data is {type(data).__name__}, expected a pandas DataFrame."
        raise DatamixError(msg, fix="give save_panel data=, the table that is drawn")
    if data.empty:
        msg = f"panel {name}: data has shape {data.shape}, expected at least one row and one column."
        raise DatamixError(msg, fix="give save_panel data=, the table that is drawn")


def _check_figure(name: str, fig: Figure) -> None:
    width = fig.get_size_inches()[0] * 25.4
    if min(abs(width - allowed) for allowed in (NARROW, WIDE)) > 0.5:
        msg = f"panel {name} is {width:.0f} mm wide, expected {NARROW} or {WIDE} mm."
        raise DatamixError(msg, fix=f"make it with datamix.figures.style.figure(width={NARROW}) or (width={WIDE})")
    smallest, largest = TEXT_SIZES
    for text in fig.findobj(Text):
        assert isinstance(text, Text)
        words, size = text.get_text().strip(), float(text.get_fontsize())
        letter = len(words) == 1 and text.get_fontweight() in {"bold", 700}
        if words and text.get_visible() and not smallest <= round(size, 2) <= (8 if letter else largest):
            msg = f"panel {name}: {words!r} is set in {size:.1f} points, expected {smallest} to {largest}."
            raise DatamixError(msg, fix="call datamix.figures.style.apply() before drawing, or set fontsize=")


def _has_named_index(data: pd.DataFrame) -> bool:
    return all(name is not None for name in data.index.names)
