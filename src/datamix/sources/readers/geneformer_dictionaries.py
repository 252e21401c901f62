"""Geneformer's dictionaries, published as pickles: read without running what a pickle can carry.

Source: Theodoris et al. 2023, doi 10.1038/s41586-023-06139-9.
"""

import math
import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from datamix.project.errors import DatamixError

VALUES: dict[str, type] = {
    "token_dictionary.pkl": int,
    "gene_median_dictionary.pkl": float,
    "gene_name_id_dict.pkl": str,
}
"""Published file: what its values are. Keys are text: Ensembl ids (and special tokens), or symbols in the last."""
_RELEASE = re.compile(r"_gc\d+M(?=\.pkl$)")
"""What later releases add to the names: the size of the corpus, `token_dictionary_gc104M.pkl`."""


def read_geneformer_dictionaries(files: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Read Geneformer's dictionaries.

    Parameters
    ----------
    files
        Some or all of `VALUES`, under these names or those of later releases (`token_dictionary_gc104M.pkl`).

    Returns
    -------
    File name without release and `.pkl` → dictionary: `token_dictionary` (Ensembl id → int), `gene_median_dictionary`
    (Ensembl id → non-zero median, above 0), `gene_name_id_dict` (symbol → Ensembl id).

    Raises
    ------
    DatamixError
        If a file is not one of these, is there in two releases, is truncated, or holds anything but such a dictionary.
    """
    plain = {name: _RELEASE.sub("", name) for name in files}
    unknown = sorted(name for name in files if plain[name] not in VALUES)
    if unknown:
        msg = f"{', '.join(unknown)} is none of Geneformer's dictionaries ({', '.join(VALUES)})."
        raise DatamixError(msg, fix="edit the dataset's files in data_manifest.yaml")
    if len(set(plain.values())) < len(plain):
        msg = f"{', '.join(sorted(files))}: one of Geneformer's dictionaries is there in two releases."
        raise DatamixError(msg, fix="name the files of one release in data_manifest.yaml")
    return {
        plain[name].removesuffix(".pkl"): _checked(read_plain_pickle(path), VALUES[plain[name]], path)
        for name, path in files.items()
    }


def read_plain_pickle(path: Path) -> Any:
    """Unpickle dict, str, int, float and NumPy's numbers, which become int and float, and nothing else.

    A pickle is a program; the stock unpickler would import and call whatever it names. This one imports nothing: for
    the two names by which NumPy's numbers are pickled it takes functions of its own, which know numbers only.

    Raises
    ------
    DatamixError
        If the file is truncated, or asks for anything else to be imported.
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
        raise DatamixError(msg, fix="datamix data verify, then datamix data fetch") from error


class _Forbidden(Exception):
    pass


class _NumberType:
    """Stands for a NumPy dtype: a kind and size of number, and an order of bytes."""

    def __init__(self, code: object, *_options: object) -> None:
        if not (isinstance(code, str) and re.fullmatch(r"[iu][1248]|f[248]", code)):
            msg = f"numpy.dtype({code!r}), which is no number"
            raise _Forbidden(msg)
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[object, ...]) -> None:
        self.order = state[1] if state[1] in ("<", ">") else "="

    def read(self, content: object) -> int | float:
        """Return the number that these bytes are."""
        if isinstance(content, str):  # by protocols before 3
            content = content.encode("latin1")
        if not isinstance(content, bytes):
            msg = f"a number made of {type(content).__name__}"
            raise _Forbidden(msg)
        (number,) = np.frombuffer(content, np.dtype(f"{self.order}{self.code}")).tolist()
        return number


def _number(kind: object, content: object) -> int | float:
    if not isinstance(kind, _NumberType):
        msg = f"a NumPy scalar of {type(kind).__name__}"
        raise _Forbidden(msg)
    return kind.read(content)


def _bytes_of(text: object, encoding: object) -> bytes:
    """Stand for `codecs.encode`, by which protocols before 3 write bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        msg = "_codecs.encode of something other than bytes"
        raise _Forbidden(msg)
    return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _NumberType,
    ("numpy.core.multiarray", "scalar"): _number,  # up to NumPy 1
    ("numpy._core.multiarray", "scalar"): _number,  # from NumPy 2 on
    ("_codecs", "encode"): _bytes_of,
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) in _STAND_INS:
            return _STAND_INS[module, name]
        msg = f"{module}.{name}"
        raise _Forbidden(msg)

    def persistent_load(self, pid: Any) -> NoReturn:
        msg = f"the outside object {pid!r}"
        raise _Forbidden(msg)


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
