"""What the fast trainer and scorer were to reach, and whether a benchmark says that they do."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

NOT_MEASURED = "not measured"


def judge(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Hold a benchmark against the targets that were set before it was run.

    Parameters
    ----------
    tables
        Parts of the benchmark, as `publishing.recorded.read_benchmark` returns them: `training`, `together`, `scoring`,
        `optimum`, `demo`, `gpu`; a part that is missing is not measured.

    Returns
    -------
    A row a target, indexed by `name` (training, products, best, one, many, scoring, memory, optimum, demo, gpu):
    `target`; `at_least` or `at_most`, the number wanted; `found`, a ratio of medians over the repeats
    (of several sizes: that of the worst); `low` and `high`, the range of the ratio over all pairs of repeats (NaN where
    there is one run only); `size`; `verdict`: met, missed or not measured.
    """
    rows = [
        *_training(tables.get("training")),
        *_together(tables.get("together")),
        *_scoring(tables.get("scoring")),
        *_others(tables),
    ]
    columns = ["name", "target", "at_least", "at_most", "found", "low", "high", "size"]
    table = pd.DataFrame(rows, columns=columns).set_index("name")
    reached = (table["found"] >= table["at_least"]) | (table["found"] <= table["at_most"])
    table["verdict"] = np.where(table["found"].isna(), NOT_MEASURED, np.where(reached, "met", "missed"))
    return table


def ratio_range(over: Sequence[float], under: Sequence[float]) -> tuple[float, float]:
    """Return the smallest and largest ratio of two lists of repeats; NaN where both are of one run."""
    if len(over) == len(under) == 1:
        return np.nan, np.nan
    return min(over) / max(under), max(over) / min(under)


def _training(table: pd.DataFrame | None) -> list[dict[str, Any]]:
    rows = []
    for name, target, wanted, column, over in (
        ("training", "One model on one thread: times as fast as stock", 2.5, "times stock", "stock"),
        (
            "products",
            "One model on one thread: share of the rate of its matrix products",
            0.45,
            "share of products",
            "products",
        ),
    ):
        row: dict[str, Any] = {"name": name, "target": target, "at_least": wanted}
        if table is not None:
            worst = table.iloc[int(table[column].argmin())]
            low, high = ratio_range(worst["repeats"][over], worst["repeats"]["ours"])
            row |= {"found": worst[column], "low": low, "high": high, "size": _size(worst, worst_of=len(table))}
        rows.append(row)
    return rows


def _together(table: pd.DataFrame | None) -> list[dict[str, Any]]:
    best, one, many = (
        {"name": name, "target": f"Ten models on all cores: times as fast as {stock}", "at_least": wanted}
        for name, stock, wanted in (
            ("best", "the best that stock does on them", 4),
            ("one", "stock at its defaults, in one process", 20),
            ("many", "stock at its defaults, in a process a core", 20),
        )
    )
    if table is not None:
        stock = table[table["trainer"] == "stock"]
        defaults = stock[stock["threads"] > 1]
        ours = table[table["trainer"] == "ours"].iloc[0]
        for row, rows in (
            (best, stock.nsmallest(1, "ten models s/epoch")),
            (one, defaults[defaults["processes"] == 1]),
            (many, defaults[defaults["processes"] > 1]),
        ):
            for _, way in rows.iterrows():
                low, high = ratio_range(way["repeats"], ours["repeats"])
                row |= {"found": way["times ours"], "low": low, "high": high, "size": _size(way)}
    return [best, one, many]


def _scoring(table: pd.DataFrame | None) -> list[dict[str, Any]]:
    time: dict[str, Any] = {"name": "scoring", "target": "Scoring: times as fast as the published way", "at_least": 5}
    memory: dict[str, Any] = {
        "name": "memory",
        "target": "Scoring: share of the published way's memory",
        "at_most": 0.2,
    }
    if table is not None:
        largest = table.iloc[int(table["cells"].argmax())]
        low, high = ratio_range(largest["repeats"]["published"], largest["repeats"]["ours"])
        time |= {"found": largest["times published"], "low": low, "high": high, "size": _size(largest)}
        memory |= {"found": largest["share of memory"], "size": _size(largest)}
    return [time, memory]


def _others(tables: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    optimum: dict[str, Any] = {
        "name": "optimum",
        "target": "Same optimum: difference of the mean held-out bounds, in its standard errors",
        "at_most": 1,
    }
    if "optimum" in tables:
        optimum["found"] = tables["optimum"]["in standard errors"].iloc[0]
    demo: dict[str, Any] = {
        "name": "demo",
        "target": "Demo, training and scoring: share of the time with stock",
        "at_most": 1 / 3,
    }
    if "demo" in tables:
        by_trainer = tables["demo"].set_index("trainer")
        both = {name: np.add(row["train"], row["score"]).tolist() for name, row in by_trainer["repeats"].items()}
        low, high = ratio_range(both["ours"], both["stock"])
        demo |= {"found": by_trainer.loc["ours", "share of stock"], "low": low, "high": high}
    gpu: dict[str, Any] = {
        "name": "gpu",
        "target": "Ten models on a GPU: share of the time of one stock model on it",
        "at_most": 1,
    }
    if "gpu" in tables and tables["gpu"]["device"].iloc[0] == "cuda":
        row = tables["gpu"].iloc[0]
        low, high = ratio_range(row["repeats"]["ours, ten"], row["repeats"]["stock, one"])
        gpu |= {"found": row["share"], "low": low, "high": high, "size": _size(row)}
    return [optimum, demo, gpu]


def _size(row: Any, *, worst_of: int = 1) -> str:
    size = f"{row['cells']:,} cells × {row['genes']:,} genes"
    return f"{size}, the worst of {worst_of}" if worst_of > 1 else size


def in_words(value: float, wanted: float) -> str:
    """Say a ratio as its target does: as a share where that is below 1, else as a multiple."""
    return f"{value:.0%}" if wanted < 1 else f"{value:.1f}"


def found_in_words(row: pd.Series) -> str:
    """Say a target's number (a row of `judge`) with its range over the repeats."""
    wanted = row["at_most"] if np.isnan(row["at_least"]) else row["at_least"]
    if np.isnan(row["found"]):
        return "–"
    spread = "" if np.isnan(row["low"]) else f" ({in_words(row['low'], wanted)} to {in_words(row['high'], wanted)})"
    return in_words(row["found"], wanted) + spread


def what_was_measured(found: Mapping[str, str]) -> str:
    """Say what was found of each thing, and in one sentence at the end what was not measured.

    Parameters
    ----------
    found
        What was found, or `NOT_MEASURED`, by the words for what was to be measured.
    """
    known = [f"{what}: {number}." for what, number in found.items() if number != NOT_MEASURED]
    unknown = "; ".join(what[0].lower() + what[1:] for what, number in found.items() if number == NOT_MEASURED)
    return " ".join([*known, *([f"Not measured: {unknown}."] if unknown else [])])


def pretraining_in_words(table: pd.DataFrame | None) -> str:
    """Say how fast Geneformer is pretrained beside the plain library, model by model; None was not measured."""
    if table is None:
        return NOT_MEASURED
    return "; ".join(
        f"{row['times stock']:.1f} times the tokens a second with {row['ours peak MB'] / row['stock peak MB']:.0%} of "
        f"the memory, for the model “{row['model']}”"
        for _, row in table.iterrows()
    )
