"""Geneformer's dictionaries, published as pickles: read without running what a pickle can carry, kept as JSON.

Source: Theodoris et al. 2023, doi 10.1038/s41586-023-06139-9.
"""

import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from datamix.project.errors import DatamixError
from datamix.project.files import read_json, write_json

VALUES: dict[str, type] = {
    "token_dictionary.pkl": int,
    "gene_median_dictionary.pkl": float,
    "gene_name_id_dict.pkl": str,
}
"""Published file: what its values are. Keys are text: Ensembl ids (and special tokens), or symbols in the last."""


def read_geneformer_dictionaries(files: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Read Geneformer's dictionaries, converting each pickle to a JSON file beside it the first time.

    Parameters
    ----------
    files
        Some or all of `VALUES`.

    Returns
    -------
    File name without `.pkl` → dictionary: `token_dictionary` (Ensembl id → int), `gene_median_dictionary` (Ensembl id →
    non-zero median, above 0), `gene_name_id_dict` (symbol → Ensembl id).

    Raises
    ------
    DatamixError
        If a file is not one of these, is truncated, or holds anything but such a dictionary.
    """
    unknown = sorted(set(files) - set(VALUES))
    if unknown:
        msg = f"{', '.join(unknown)} is none of Geneformer's dictionaries ({', '.join(VALUES)})."
        raise DatamixError(msg, fix="edit the dataset's files in data_manifest.yaml")
    return {name.removesuffix(".pkl"): _read_once(path, VALUES[name]) for name, path in files.items()}


def read_plain_pickle(path: Path) -> Any:
    """Unpickle dict, str, int and float, and nothing else.

    A pickle is a program; the stock unpickler would import and call whatever it names. This one imports nothing.

    Raises
    ------
    DatamixError
        If the file is truncated, or asks for anything to be imported.
    """
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file).load()
    except _Forbidden as error:
        msg = f"{path} asks to import {error}; expected a plain dictionary of text and numbers. Nothing was run."
        raise DatamixError(
            msg, fix="do not use this file; take the dictionary from Geneformer's own repository"
        ) from error
    except Exception as error:  # a damaged pickle can raise nearly anything
        msg = f"{path} cannot be unpickled: it is truncated or damaged ({error})."
        raise DatamixError(msg, fix="delete the file and run `datamix data fetch` again") from error


class _Forbidden(Exception):
    pass


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        msg = f"{module}.{name}"
        raise _Forbidden(msg)

    def persistent_load(self, pid: Any) -> NoReturn:
        msg = f"the outside object {pid!r}"
        raise _Forbidden(msg)


def _read_once(path: Path, kind: type) -> dict[str, Any]:
    converted = path.with_suffix(".json")
    if converted.is_file() and converted.stat().st_mtime_ns >= path.stat().st_mtime_ns:
        return _checked(read_json(converted), kind, converted)
    content = _checked(read_plain_pickle(path), kind, path)
    write_json(converted, content)
    return content


def _checked(content: Any, kind: type, path: Path) -> dict[str, Any]:
    if type(content) is not dict or not content:
        msg = f"{path} holds a {type(content).__name__}; expected a dictionary that is not empty."
        raise DatamixError(msg, fix="take the dictionary from Geneformer's own repository")
    expected = f"text → {kind.__name__}" + (", finite and above 0" if kind is float else "")
    for key, value in content.items():
        # type(), not isinstance(): True is an int.
        plain = type(key) is str and type(value) is kind
        if not plain or (type(value) is float and not 0 < value < math.inf):
            msg = f"{path}: {key!r} → {value!r}; expected {expected}."
            raise DatamixError(msg, fix="take the dictionary from Geneformer's own repository")
    return content
