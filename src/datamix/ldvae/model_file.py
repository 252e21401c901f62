"""What a `model.pt` may hold: scvi-tools unpickles it, and a pickle is a program."""

import pickletools
import zipfile
from pathlib import Path

from datamix.project.errors import DatamixError

_STORAGES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
KNOWN = {
    *(f"torch {kind}Storage" for kind in _STORAGES),
    "torch._utils _rebuild_tensor_v2",
    "collections OrderedDict",
    "collections defaultdict",
    "_codecs encode",
    *(f"{module} {name}" for module in ("__builtin__", "builtins") for name in ("bytes", "dict", "set", "slice")),
    "numpy dtype",
    "numpy ndarray",
    *(f"numpy.{core}.multiarray {name}" for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    "pandas.core.frame DataFrame",
    "pandas.core.internals.managers BlockManager",
    "pandas.core.indexes.base Index",
    "pandas.core.indexes.base _new_Index",
    "pandas.core.indexes.range RangeIndex",
    "pandas._libs.internals _unpickle_block",
}
"""All that a model of scvi-tools names, as it is saved here: containers, arrays, tables, tensors."""
_BY_NUMBER = {"EXT1", "EXT2", "EXT4", "STACK_GLOBAL", "INST"}
"""Other ways to name something, of which a model makes no use."""


def require_plain_model(file: Path) -> None:
    """Look through a saved model, without loading it, for anything but containers, arrays, tables and tensors.

    Parameters
    ----------
    file
        `model.pt`, as scvi-tools saves it.

    Raises
    ------
    DatamixError
        If it names anything else, which would be imported and could be run, or is no such file.
    """
    try:
        with zipfile.ZipFile(file) as zipped:
            names = zipped.namelist()
            programs = [name for name in names if name.endswith((".pkl", ".pickle"))]
            if len(programs) != 1 or programs[0].count("/") != 1 or not programs[0].endswith("/data.pkl"):
                msg = (
                    f"{file} holds {', '.join(programs) or 'no data.pkl'}; expected one data.pkl, as of a saved model."
                )
                raise DatamixError(msg, fix=_FIX)
            operations = list(pickletools.genops(zipped.read(programs[0])))
    except DatamixError:
        raise
    except Exception as error:  # a damaged zip, or pickle, can raise nearly anything
        msg = f"{file} is damaged, or no model that scvi-tools saved ({type(error).__name__}: {error})."
        raise DatamixError(msg, fix=_FIX) from error
    asked = {str(argument) for operation, argument, _ in operations if operation.name == "GLOBAL"} - KNOWN
    asked |= {operation.name for operation, _, _ in operations if operation.name in _BY_NUMBER}
    if asked:
        msg = f"{file} asks to import {', '.join(sorted(asked))}, which no model of this project does. Nothing was run."
        raise DatamixError(msg, fix=_FIX)


_FIX = "do not load it; train the model here: make book, with PROFILE=… if it is not the demo"
