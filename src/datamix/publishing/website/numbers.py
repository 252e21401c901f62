"""The numbers of a heat map as a table on the page, with what was published beside them."""

from typing import Any

import pandas as pd

from datamix.publishing.drawings import HEAT_MAPS
from datamix.publishing.words import interval_in_words


def numbers_html(name: str, table: pd.DataFrame) -> str:
    """Return the numbers of a panel as a table that unfolds; nothing where the panel is no heat map of R².

    Parameters
    ----------
    name
        The panel, as in the paper.
    table
        Its source data, as its csv has them.
    """
    if name not in HEAT_MAPS or not {"median", "over_control_low_all", "control"} <= set(table):
        return ""
    # A control is held against nothing, and an added set alone is not asked about: it has no interval.
    asked = (table["mixture"] != table["control"]) & table["over_control_low_all"].notna()
    table = table.assign(over_control=table["over_control"].where(asked))
    columns: dict[str, list[Any]] = {
        "Evaluation cells": table["evaluation_label"].tolist(),
        "Trained on": table["mixture_label"].tolist(),
        "Median R² (95 % interval)": _intervals(table, "median", "low", "high", spec=".2f"),
        "Over its control (simultaneous 95 %)": _intervals(
            table, "over_control", "over_control_low_all", "over_control_high_all", spec=".3f"
        ),
    }
    words = "The numbers as a table"
    if table.get("published", pd.Series(dtype=float)).notna().any():
        columns["Published R², on the paper’s own cells"] = [
            "–" if value != value else f"{value:.2f}" for value in table["published"]
        ]
        words += ", the published beside ours"
    html = pd.DataFrame(columns).to_html(index=False, border=0, justify="left", classes="numbers")
    return f'<details class="panel-numbers"><summary>{words}</summary><div class="panel-table">{html}</div></details>'


def _intervals(table: pd.DataFrame, *columns: str, spec: str) -> list[str]:
    return [interval_in_words(*row, spec=spec) for row in table[[*columns]].itertuples(index=False)]
