import numpy as np
import pandas as pd
import pytest

from datamix.project.errors import DatamixError
from datamix.sources.readers.file import read_file

GENES = ["ACTB", "CD3E", "GAPDH", "MT-ND1", "PTPRC"]
CELLS = ["A1", "A10", "A2"]


@pytest.fixture
def files(tmp_path):
    """Counts with genes in rows and, as R writes them, no title above the names; a table of their cells beside."""
    values = np.random.default_rng(0).integers(0, 9, (len(GENES), len(CELLS)))
    lines = [",".join(CELLS), *(f"{gene},{','.join(map(str, row))}" for gene, row in zip(GENES, values, strict=True))]
    (tmp_path / "counts.csv").write_text("\n".join(lines) + "\n")
    # In another order than the counts, and with a cell that was not counted.
    lines = ["line,call", "A2,L1,SNG", "A1,L2,SNG", "B7,L1,SNG", "A10,L1,DBL"]
    (tmp_path / "cells.csv").write_text("\n".join(lines) + "\n")
    return {name: tmp_path / name for name in ("counts.csv", "cells.csv")}


def test_columns_of_a_table_beside_the_counts_count_as_their_own(files):
    options = {"cells": "cells.csv", "donor": "line", "cell_type": {"rule": "constant", "value": "tumour"}}
    (block,) = read_file(files, **options)
    assert block.obs["donor"].to_dict() == {"A1": "L2", "A10": "L1", "A2": "L1"}
    (singlets,) = read_file(files, **options, keep={"call": "SNG"})
    assert singlets.obs["donor"].to_dict() == {"A1": "L2", "A2": "L1"}
    assert set(singlets.obs["cell_type"]) == {"tumour"}
    counts = pd.read_csv(files["counts.csv"])
    np.testing.assert_array_equal(singlets.X.toarray(), counts[["A1", "A2"]].T)


FITS = "line,call\nA1,L1,SNG\nA10,L1,SNG\nA2,L1,SNG\n"


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (FITS.replace("A10", "A11"), {}, r"has no cell 'A10' of .*counts\.csv"),
        (FITS + "A1,L2,SNG\n", {}, "has cell 'A1' twice"),
        (FITS, {"donor": "patient"}, "with the table beside it has no column 'patient'; it has line, call"),
        (FITS, {"cells": "meta.csv"}, r"no file 'meta\.csv', only counts\.csv, cells\.csv"),
    ],
)
def test_a_table_that_does_not_fit(files, text, options, message):
    files["cells.csv"].write_text(text)
    with pytest.raises(DatamixError, match=message):
        list(read_file(files, **({"cells": "cells.csv", "counts": "counts.csv", "donor": "line"} | options)))
