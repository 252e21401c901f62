import h5py
import numpy as np
import pandas as pd
import pytest
from foreign_cells import GENES as SYMBOLS
from foreign_cells import IDS, made_up

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


@pytest.fixture
def rich(tmp_path):
    """An h5mu file whose modalities are both of genes, with more of everything than is taken unasked."""
    cells = made_up()
    cells.obs["batch"] = np.resize(["b1", "b2"], 40)
    cells.obs_names = [f"AAAC{i % 20:012d}-1" for i in range(40)]  # as where two samples were put together
    cells.var["ids"], cells.var["other_ids"] = IDS, [*IDS[1:], IDS[0]]
    cells.var["titles"] = [f"{gene} of man" for gene in SYMBOLS]
    cells.layers["twice"] = cells.X * 2
    cells.write_h5ad(tmp_path / "x.h5ad")
    with h5py.File(tmp_path / "x.h5ad") as source, h5py.File(tmp_path / "a.h5mu", "w") as file:
        for name, times in (("rna", 1), ("nuclei", 3)):
            file.create_group(f"mod/{name}")
            for part in source:
                source.copy(part, file[f"mod/{name}"])
            file[f"mod/{name}/X/data"][:] *= times
    return {"a.h5mu": tmp_path / "a.h5mu"}, cells


def test_each_option_says_what_is_read(rich):
    files, cells = rich
    counts = cells.X.toarray()

    def read(**options):
        return next(iter(read_file(files, **options)))

    as_it_is = read()
    np.testing.assert_array_equal(as_it_is.X.toarray(), counts)
    assert list(as_it_is.var["ensembl"]) == IDS
    np.testing.assert_array_equal(read(modality="nuclei").X.toarray(), counts * 3)
    np.testing.assert_array_equal(read(matrix="layers/twice").X.toarray(), counts * 2)
    assert list(read(ensembl="other_ids").var["ensembl"]) == [*IDS[1:], IDS[0]]
    assert list(read(symbol="titles").var["symbol"]) == [f"{gene} of man" for gene in SYMBOLS]
    labelled = read(cell_type="celltype", donor="donor", study="batch").obs
    assert list(labelled["cell_type"]) == list(cells.obs["celltype"])
    assert list(labelled["donor"]) == list(cells.obs["donor"])
    assert list(labelled["dataset"]) == list(cells.obs["batch"])
    kept = read(donor="donor", keep={"donor": ["d2"], "batch": "b1"})
    assert set(kept.obs["donor"]) == {"d2"}
    np.testing.assert_array_equal(kept.X.toarray(), counts[(cells.obs["donor"] == "d2") & (cells.obs["batch"] == "b1")])
    assert list(read(name_with=["batch", "donor"]).obs_names[:2]) == [
        "b1:d1:AAAC000000000000-1",
        "b2:d1:AAAC000000000001-1",
    ]
