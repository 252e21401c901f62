"""Which column of a file of cells holds their types, and which their donors: by likely names, checked by values."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from datamix.sources.formats.missing import as_labels

_TYPES = (
    r"celltypes?",
    r"(?:author|final|manual|major|broad|main|predicted|assigned)?cell(?:type|label|annotation|class|identity|name)s?"
    r"(?:final|fine|coarse|major|broad|level\d|l?\d|name|label|author|original)?",
    r"(?:free|author|final|manual|seurat|cluster)?annotations?(?:final|level\d|l?\d)?",
    r"cellontologyclass|classifi(?:ed|cations?)",
    r"(?:sub)?class(?:label)?|subtype",
    r"labels?",
    r"clusters?(?:names?|labels?|ids?)?|ident(?:ity)?",
)
_DONORS = (
    r"donors?(?:ids?|names?|numbers?|nos?|codes?)?",
    r"(?:patient|individual|subject|participant|person|case|human)s?(?:ids?|names?|numbers?|nos?|codes?)?",
    r"samples?(?:ids?|names?)?|specimens?(?:ids?)?|origident|librar(?:y|ies)(?:ids?)?",
)
_DISEASES = (r"disease(?:state|status)?", r"diagnos[ie]s", r"condition|healthstatus")
_OWN_DONOR = 2  # of _DONORS: from here on, a sample, which stands for a donor where none is named
_MOST = 1000
_CANCER = re.compile(
    r"cancer|carcinoma|lymphoma|leuk[a]?emia|melanoma|sarcoma|glioma|glioblastoma|myeloma|neoplasm|tumou?r|malignan"
)


@dataclass(frozen=True)
class Column:
    """A column of a table of cells, with its values."""

    name: str
    values: pd.Series
    """Value → cells, the most frequent first; what is missing is left out."""
    codes: npt.NDArray[np.int32]
    """Of each cell (n_cells,) the place of its value in `values`; -1 where it has none."""
    is_sample: bool = False
    """Whether the column names samples, which is as near to donors as the file comes."""
    file: str | None = None
    """The table beside the counts in which it stands; nothing means the file of the counts itself."""

    @property
    def labelled(self) -> int:
        """Cells with a value."""
        return int(self.values.sum())


def likely_cell_types(columns: Sequence[str], read: Callable[[str], pd.Series], *, n_cells: int) -> Column | None:
    """Choose the column with cell types; clusters that have numbers only, and yes or no, are none.

    Parameters
    ----------
    columns
        The columns that there are.
    read
        Gives the values of one (n_cells,).
    n_cells
        Cells.

    Returns
    -------
    The likeliest; None where no column is named, and filled, like one.
    """
    return _likeliest(_TYPES, columns, read, n_cells=n_cells, words=True)


def likely_donors(columns: Sequence[str], read: Callable[[str], pd.Series], *, n_cells: int) -> Column | None:
    """Choose the column with donors, or, where there is none, with samples; as `likely_cell_types`."""
    return _likeliest(_DONORS, columns, read, n_cells=n_cells, words=False)


def likely_group(columns: Sequence[str], read: Callable[[str], pd.Series], *, n_cells: int) -> tuple[str, str] | None:
    """Say from a column on disease whether cells are of a `cancer` or `non-disease`.

    Returns
    -------
    The group and why; None where no column says so for most of the cells.
    """
    found = _likeliest(_DISEASES, columns, read, n_cells=n_cells, words=True)
    if found is None:
        return None
    malignant = found.values[[bool(_CANCER.search(str(value).lower())) for value in found.values.index]].sum()
    group = "cancer" if malignant > n_cells / 2 else "non-disease"
    return group, f"its column '{found.name}' says {', '.join(map(str, found.values.index[:3]))}"


def _likeliest(
    patterns: Sequence[str], columns: Sequence[str], read: Callable[[str], pd.Series], *, n_cells: int, words: bool
) -> Column | None:
    best: Column | None = None
    for rank, pattern in enumerate(patterns):
        for name in (c for c in columns if re.fullmatch(pattern, re.sub(r"[\W_]", "", c.lower()))):
            text = pd.Series(as_labels(read(name), missing=""))
            values = text[text != ""].value_counts()
            if values.empty or len(values) > max(2, min(_MOST, n_cells // 2)):
                continue
            if words and all(re.fullmatch(r"[\d.]+|True|False", str(value)) for value in values.index):
                continue
            codes = values.index.get_indexer(pd.Index(text)).astype(np.int32)
            found = Column(name, values, codes, is_sample=patterns is _DONORS and rank >= _OWN_DONOR)
            if len(values) > 1:
                return found
            best = best or found
    return best
