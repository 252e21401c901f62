"""What is to be seen in a panel, in numbers, for those who cannot see it: from its table."""

from dataclasses import dataclass

import pandas as pd

_LONG = 1e9  # from here on powers of ten are told


@dataclass(frozen=True)
class Seen:
    """What of a table is told: between which numbers a column lies, and where."""

    column: str
    what: str
    by: tuple[str, ...]
    """Columns that name a row."""
    spec: str = ".2f"
    """Python's format of a number."""
    only: tuple[str, str] | None = None
    """A column and what it must hold; other rows are not told of."""
    once: bool = False
    """Whether rows of one name repeat one number, which then counts once."""


def in_numbers(name: str, table: pd.DataFrame) -> str:
    """Say in a sentence what numbers a panel shows.

    Parameters
    ----------
    name
        The panel, as in the paper.
    table
        Its source data, as its csv has them.

    Returns
    -------
    Sentences with the lowest, the highest and the middle number and where they are, such as `Median R² (50 numbers):
    from 0.02 (Perturb-seq, Neurons) to 0.69 (+ Bone marrow, Blood); half lie below 0.35.`, or the
    verdicts that it shows. Nothing where the panel's table holds no such numbers.
    """
    seen = [_between(each, table) for each in SEEN.get(name, ())]
    return " ".join(sentence for sentence in [*seen, _verdicts(table), _laid_out(table)] if sentence)


def _between(seen: Seen, table: pd.DataFrame) -> str:
    if not {seen.column, *seen.by, *(seen.only or ())[:1]} <= set(table):
        return ""
    if seen.only is not None:
        table = table[table[seen.only[0]].astype(str) == seen.only[1]]
    if seen.once:
        table = table.drop_duplicates([*seen.by, seen.column])
    numbers = pd.to_numeric(table[seen.column], errors="coerce").dropna()
    if numbers.empty:
        return ""

    def said(number: float) -> str:
        text = format(number, seen.spec if abs(number) < _LONG else ".1e")
        return text.replace("-", "−") if set(text) & set("123456789") else text.removeprefix("-")

    def at(place: int) -> str:
        row = table.loc[numbers.index[place]]
        names = ", ".join(dict.fromkeys(str(row[column]) for column in seen.by))
        return f"{said(numbers.iloc[place])} ({names})" if names else said(numbers.iloc[place])

    if numbers.nunique() == 1:
        return f"{seen.what}: {said(numbers.iloc[0])} throughout."
    # Of two numbers there is none in the middle.
    middle = f"; half lie below {said(float(numbers.median()))}" if len(numbers) > 2 else ""
    ends = f"from {at(int(numbers.argmin()))} to {at(int(numbers.argmax()))}"
    return f"{seen.what} ({len(numbers):,} numbers): {ends}{middle}."


def _verdicts(table: pd.DataFrame) -> str:
    if not {"claim", "title", "source", "value", "verdict"} <= set(table):
        return ""
    first = table[table["source"] == table["source"].iloc[0]].dropna(subset=["value"])
    each = [f"{row.title}: {row.value:.3f}, {row.verdict}".replace("-", "−") for row in first.itertuples()]
    return f"{table['source'].iloc[0]}: {'; '.join(each)}."


def _laid_out(table: pd.DataFrame) -> str:
    if not {"x", "y", "cell", "mixture", "evaluation_label"} <= set(table):
        return ""
    cells = table.drop_duplicates(["cell", "evaluation_label"]).groupby("evaluation_label", sort=False).size()
    return f"Cells: {', '.join(f'{label} {count:,}' for label, count in cells.items())}."


_SET = ("evaluation_label",)
_PAIR = ("mixture_label", "evaluation_label")
_R2 = (Seen("median", "Median R²", _PAIR),)
_TYPES = (Seen("median", "Median R² of a cell type", ("cell_type", *_PAIR)),)
_RANKS = "Geneformer, rank correlation"
_HIDDEN = "Geneformer, log probability"
_SEEDS = (Seen("median", "Median R² of a trained model", _PAIR),)
_ADDED = (
    Seen("uniqueness", "New in the mixture", _PAIR, only=("direction", "gained")),
    Seen("uniqueness", "Lost from the baseline", _PAIR, only=("direction", "lost")),
)
_CELL = (
    Seen("first", "R² of a cell with the first seed", ()),
    Seen("second", "R² of the same cells with the second seed", ()),
)

SEEN: dict[str, tuple[Seen, ...]] = {
    "2a": _R2,
    "2b": _TYPES,
    "2c": (Seen("r2", "R² of the cell", ("mixture_label",), once=True),),
    "3c": (Seen("uniqueness", "Uniqueness", ("new_label", "known_label", "evaluation_label")),),
    "3d": _ADDED,
    "4a": (Seen("loading", "Loading", ("gene", "factor")),),
    "4b": (
        Seen("score", "Score of a gene set", ("source", "mixture_label"), ".0f"),
        Seen("change", "Change against the baseline", ("source", "mixture_label"), ".0f"),
    ),
    "4c": (Seen("gain", "Fall of the mean squared residual", ("symbol",)),),
    "5b": (
        Seen(
            "r2", "Median R² of a cell type as trained", ("cell_type", "evaluation_label"), only=("seen", "as trained")
        ),
        Seen("r2", "Median R² of a cell type left out", ("cell_type", "evaluation_label"), only=("seen", "left out")),
        Seen("distance", "Distance", ("cell_type", "evaluation_label")),
    ),
    "6a": _R2,
    "6b": _ADDED,
    "7a": tuple(
        Seen("value", what, ("block", "evaluation"), ".3f", only=("quantity", quantity))
        for quantity, what in (("shapley", "Shapley value"), ("alone", "R² alone"), ("left_out", "Loss without"))
    ),
    "7b": (Seen("value", "Interaction", ("block", "other", "evaluation"), ".3f"),),
    "7c": (
        Seen("found", "R² found", ("evaluation",)),
        Seen("error", "Error of the law", ("evaluation",), ".3f"),
        Seen("error_of_average", "Error of the average", ("evaluation",), ".3f"),
    ),
    "7d": (
        Seen("found", "R² of the recommended", ("asked",), only=("kind", "recommended")),
        Seen("over_uniform", "Recommended less equal shares", ("asked",), ".3f", only=("kind", "recommended")),
    ),
    "7e": (Seen("tau", "τ", ("model", "evaluation")),),
    "8a": (Seen("median", "Median R²", ("dose", "evaluation")),),
    "8b": (Seen("r2", "Published R²", ("dose", "sampling", "evaluation")),),
    "S1a": (Seen("read", "Cells read", ("title",), ",.0f"), Seen("kept", "Cells kept", ("title",), ",.0f")),
    "S1b": (
        Seen("total_counts", "Middle total counts", ("dataset",), ",.0f", only=("quantile", "0.5")),
        Seen("mito_fraction", "Middle mitochondrial fraction", ("dataset",), ".1%", only=("quantile", "0.5")),
    ),
    "S2a": _CELL,
    "S2b": _SEEDS,
    "S3a": (
        # On training cells the first epochs are orders of magnitude away.
        Seen("elbo_validation", "On held-out cells", ("mixture", "epoch"), ",.0f"),
    ),
    "S4a": _R2,
    "S4b": _TYPES,
    "S5a": (
        Seen("published_share", "Share under the published protocol", ("fault",), ".0%"),
        Seen("corrected_share", "Share under the corrected protocol", ("fault",), ".0%"),
    ),
    "S6a": _CELL,
    "S6b": _SEEDS,
    "S7a": (Seen("median", "Median correlation", _PAIR), Seen("published", "With the mean rank", _SET)),
    "S7b": (
        Seen("median", "Median log probability", _PAIR),
        Seen("unigram_log_probability", "Under the frequencies", _SET),
    ),
    "S7c": (Seen("smoothed", "Loss, smoothed", ("mixture_label", "step")),),
    "S7d": (
        Seen("over_control", "Over the control, LDVAE", _PAIR, ".3f", only=("measure", "LDVAE, R²")),
        Seen("over_control", _HIDDEN, _PAIR, ".3f", only=("measure", _HIDDEN)),
        Seen("over_control", "Geneformer, rank correlation", _PAIR, ".3f", only=("measure", _RANKS)),
    ),
    "S8a": (Seen("rate", "Cells a second", ("trainer", "cells", "genes"), ",.0f"),),
    "S8b": (Seen("seconds", "Seconds an epoch", ("way",), ".1f"),),
    "S8c": (
        Seen("seconds", "Seconds", ("way", "cells"), ".1f"),
        Seen("peak_mb", "Memory in MB", ("way", "cells"), ",.0f"),
    ),
    "S8d": (Seen("bound", "Held-out bound", ("trainer",), ".1f"),),
    "S9a": (Seen("r2", "Median R²", ("model", *_PAIR)),),
    "S9b": (Seen("r2_held_out", "Median R² on held-out molecules", ("model", *_PAIR)),),
}
"""Panel → what is told of its table. The framework (1a–1d) and layouts (3a, 3b) have no such numbers."""
