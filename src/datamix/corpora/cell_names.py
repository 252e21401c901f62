"""Whether the names of cells tell cells apart: within a file, and between files that are to be samples of one set."""

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from datamix.project.errors import DatamixError
from datamix.sources.formats.missing import as_labels

_MOST = 0.5
_BARCODE = r"[ACGT]{12,}"  # of droplets; those of plates are shorter, and the same on every plate
_SAMPLES = (
    r"(?:samples?|donors?|patients?|subjects?|individuals?|participants?|librar(?:y|ies)|batch(?:es)?|lanes?|channels?|"
    r"runs?|plates?|stud(?:y|ies)|datasets?|experiments?|gsm|origident)(?:ids?|names?|numbers?|nos?|accessions?)?"
)


def require_other_cells(cells: Sequence[pd.Index], samples: Sequence[str]) -> None:
    """Refuse files that hold counts of the same cells: of other genes, unfiltered, or a part of them.

    Parameters
    ----------
    cells
        Names of cells, or hashes of what they are, for each sample. Names must look like barcodes to be held against
        each other: wells of plates have the same names by right.
    samples
        Their names.

    Raises
    ------
    DatamixError
        If a sample has most of the cells of another.
    """
    for number, own in enumerate(cells):
        if own.dtype == object and not own.astype(str).str.contains(_BARCODE).mean() > _MOST:
            continue
        for before, other in enumerate(cells[:number]):
            shared = int(own.isin(other).sum())
            if shared > _MOST * min(len(own), len(other)):
                msg = (
                    f"'{samples[before]}' and '{samples[number]}' hold {shared:,} of the same cells: they are two "
                    "matrices of one sample, not two samples."
                )
                raise DatamixError(msg, fix="name the one with the counts that you want, not the folder of both")


def find_name_with(
    cells: Sequence[pd.Index], columns: Sequence[str], read: Callable[[str], pd.Series]
) -> tuple[str | None, str]:
    """Find the column that tells cells of one name apart, as where samples were put together that share barcodes.

    Parameters
    ----------
    cells
        Names of cells, for each sample.
    columns
        What is known of the cells; `read` gives the values of one (n_cells,).

    Returns
    -------
    None where names are unique, else the column, or an empty text where there is none; and what is to be said.
    """
    repeats = sum(int(own.duplicated().sum()) for own in cells)
    if not repeats:
        return None, ""
    sample = pd.Series(np.repeat(np.arange(len(cells)), [len(own) for own in cells]))
    names = pd.Series(np.concatenate([own.to_numpy(dtype=object) for own in cells])).astype(str)
    for column in sorted(filter(_of_samples, columns), key=lambda name: ("sample" not in name.lower(), name)):
        values = pd.Series(as_labels(read(column), missing=""))
        if not pd.DataFrame({"sample": sample, "name": names, "value": values}).duplicated().any():
            return column, f"{repeats:,} names of cells repeat; with the column '{column}' each is unique"
    first = next(own[own.duplicated()][0] for own in cells if own.has_duplicates)
    return "", f"{repeats:,} names of cells repeat, such as '{first}', and no column tells these cells apart"


def _of_samples(column: str) -> bool:
    return re.fullmatch(_SAMPLES, re.sub(r"[\W_]", "", column.lower())) is not None
