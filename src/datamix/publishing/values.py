"""Numbers quoted in the book: recorded by the notebook that computes them, looked up by key."""

import difflib
import math
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from datamix.project.errors import DatamixError
from datamix.project.files import read_json, write_json
from datamix.publishing.run import Run, redraw_command

_KEY = re.compile(r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)+")


class Value(BaseModel):
    """One recorded value, with what the paper published where it did."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: int | float | str
    unit: str
    published: int | float | str | None = None
    tolerance: float | None = None
    """How far `value` may lie from `published` and still agree, in the same unit."""
    notebook: str

    @property
    def agrees(self) -> bool | None:
        """Whether the value lies within the tolerance of the published one; None where either is missing."""
        if self.tolerance is None or isinstance(self.value, str) or not isinstance(self.published, int | float):
            return None
        return abs(self.value - self.published) <= self.tolerance


class Values(Mapping[str, Value]):
    """All values of a profile, read-only, by key."""

    def __init__(self, values: Mapping[str, Value], *, folder: Path) -> None:
        self._values, self._folder = dict(values), folder

    @classmethod
    def read(cls, folder: Path, *, notebooks: Collection[str] | None = None) -> "Values":
        """Read the values that notebooks recorded.

        Parameters
        ----------
        folder
            `results/<profile>`; the files are `values/<notebook>.json` in it.
        notebooks
            Whose values count, those of the book say; all where not given.

        Raises
        ------
        DatamixError
            If two notebooks recorded the same key.
        """
        merged: dict[str, Value] = {}
        for path in sorted((folder / "values").glob("*.json")):
            for key, entry in read_json(path).items() if notebooks is None or path.stem in notebooks else ():
                if key in merged:
                    msg = f"value '{key}' is recorded by two notebooks, {merged[key].notebook} and {path.stem}."
                    raise DatamixError(msg, fix="rename it in one of them")
                merged[key] = Value(notebook=path.stem, **entry)
        return cls(merged, folder=folder)

    @classmethod
    def start(cls, folder: Path, *, notebook: str) -> Path:
        """Begin an empty record for a notebook, so that no key of an earlier run survives; return its file."""
        path = folder / "values" / f"{notebook}.json"
        write_json(path, {})
        return path

    def __getitem__(self, key: str) -> Value:
        if key in self._values:
            return self._values[key]
        near = difflib.get_close_matches(key, self._values, n=3, cutoff=0.5)
        hint = f"near keys: {', '.join(near)}" if near else f"{len(self._values)} keys are recorded, none like it"
        msg = f"no value '{key}' in {self._folder / 'values'}; {hint}."
        raise UnknownValueError(msg, fix="correct the key, or record it in a notebook and run that again")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def quote(self, expression: str) -> str:
        """Return a value as text.

        Parameters
        ----------
        expression
            `key`, `key:format` or `key|published:format`; the format is Python's, such as `.2f`, `,d` or `.0%`.

        Returns
        -------
        The text, with a true minus sign before negative numbers.

        Raises
        ------
        DatamixError
            If the key is unknown, has no published value, or the format does not fit it.
        """
        name, _, spec = expression.partition(":")
        key, _, field = (part.strip() for part in name.partition("|"))
        value = self[key]
        if field not in {"", "published", "unit"}:
            msg = f"'{expression}': {field!r} is no part of a value."
            raise DatamixError(msg, fix=f"write {key}, {key}|published or {key}|unit")
        content = getattr(value, field or "value")
        if content is None:
            msg = f"value '{key}' has no {field} value."
            raise DatamixError(msg, fix=f"give published= where {value.notebook} records it")
        try:
            text = format(content, spec)
        except ValueError as error:
            msg = f"'{expression}': format {spec!r} does not fit {content!r} ({error})."
            raise DatamixError(msg, fix="use a Python format, such as .2f, ,d or .0%") from error
        if isinstance(content, str):
            return text
        text = re.sub(r"^-(?=[0.]*\D*$)", "", text)  # -0.001 rounds to 0.00, not to -0.00
        return re.sub(r"^-(?=\d)", "−", text)


class UnknownValueError(DatamixError, KeyError):
    """A key that no notebook recorded; a `KeyError` too, so that `in` and `get` work on `Values`."""

    __str__ = Exception.__str__  # KeyError would print the repr of the message


def record(
    key: str,
    value: float | str,
    *,
    unit: str,
    published: float | str | None = None,
    tolerance: float | None = None,
    results: Run,
) -> None:
    """Record a value that the book quotes, in `values/<notebook>.json`.

    Recording a key again replaces it, so that a cell can be run twice.

    Parameters
    ----------
    key
        Parts of letters, digits, `_`, `+` and `-`, joined by dots, such as `fig2.aml.blood+blood_cancer`.
    value
        A finite number, or a text such as the name of the best mixture.
    unit
        What it measures, such as 'median R²' or 'cells'.
    published
        What the paper reports in its place, where it does.
    tolerance
        How far from `published` still counts as agreement, in the same unit.
    results
        The notebook's run.

    Raises
    ------
    DatamixError
        If the key is malformed, or a number is not finite.
    """
    if not _KEY.fullmatch(key):
        msg = f"value key {key!r} must be parts of letters, digits, '_', '+' and '-', joined by dots."
        raise DatamixError(msg, fix="use a key such as fig2.aml.blood+blood_cancer")
    numbers = {"value": _plain(value), "published": _plain(published), "tolerance": _plain(tolerance)}
    for name, number in numbers.items():
        if isinstance(number, float) and not math.isfinite(number):
            msg = f"value '{key}': {name} is {number}, expected a finite number."
            raise DatamixError(msg, fix=f"mend {results.notebook}, then run {redraw_command(results)}")
    path = results.folder / "values" / f"{results.notebook}.json"
    recorded = read_json(path) if path.is_file() else {}
    write_json(path, recorded | {key: {"unit": unit} | {k: v for k, v in numbers.items() if v is not None}})


def record_interval(
    key: str, row: Mapping[str, float], column: str, *, simultaneous: bool, unit: str, results: Run
) -> None:
    """Record a quantity with the ends of its interval, as `<key>`, `<key>_low` and `<key>_high`.

    Parameters
    ----------
    key
        As in `record`.
    row
        A row of a table of the analysis.
    column
        The quantity; its ends are in `<column>_low` and `<column>_high`, those of its simultaneous interval in
        `<column>_low_all` and `<column>_high_all`.
    simultaneous
        Whether the interval allows for all that the quantity was chosen from: it does where that is the largest of
        many.
    unit, results
        As in `record`.
    """
    family = "_all" if simultaneous else ""
    record(key, row[column], unit=unit, results=results)
    for end in ("low", "high"):
        record(f"{key}_{end}", row[f"{column}_{end}{family}"], unit=unit, results=results)


def _plain(number: Any) -> Any:
    """Turn NumPy's scalars, which JSON does not know, into Python's."""
    return number.item() if isinstance(number, np.generic) else number
