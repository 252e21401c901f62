import numpy as np
import pandas as pd
import pytest
from layouts import rename_column, simulate_counts, together, truncate, write_gct, write_tf_atlas

from datamix.project.errors import DatamixError
from datamix.sources.readers.tf_atlas import read_tf_atlas

FRAMES = ["TFORF0001-GATA1", "TFORF0002-GATA1", "TFORF0003-SOX2", "TFORF0004-NKX2-1", "TFORF0005-HLX",
          "TFORF3549-GFP", "TFORF3550-mCherry"]  # fmt: skip
TF = [FRAMES[i % 7] for i in range(50)]
COUNTS = simulate_counts(50, 6)
SYMBOLS = ["GATA1", "MT-ND1", "TBCE", "TBCE", "SOX2", "ACTB"]
TPM = pd.DataFrame(
    [[0.0, 1, 9], [9, 9, 0], [0, 0, 9], [5, 5, 4.9]],
    index=["ENSG00000000001.1", "ENSG00000000002.1", "ENSG00000000003.1", "ENSG00000000004.1"],
    columns=["Lung", "Liver", "Whole Blood"],
)


@pytest.fixture(params=[True, False], ids=["dense", "csr"])
def files(request, tmp_path):
    write_tf_atlas(tmp_path / "atlas.h5ad", COUNTS, TF, SYMBOLS, dense=request.param)
    write_gct(tmp_path / "medians.gct.gz", TPM, ["GATA1", "SOX2", "NKX2-1", "HLX"])
    return {name: tmp_path / name for name in ("atlas.h5ad", "medians.gct.gz")}


def read(files, **options):
    return together(list(read_tf_atlas(files, **{"cells": "atlas.h5ad", "gtex": "medians.gct.gz", **options})))


@pytest.mark.parametrize(("protocol", "kept"), [("corrected", {"GATA1", "NKX2-1"}), ("published", {"GATA1"})])
def test_tfs_expressed_in_blood(files, protocol, kept):
    """fault 6: published loses NKX2-1, whose symbol has a hyphen. SOX2 and HLX are low in blood, controls no genes."""
    counts, obs, var = read(files, protocol=protocol, block_cells=4)
    expected = [i for i, frame in enumerate(TF) if frame.split("-", 1)[1] in kept]
    assert (counts == COUNTS[expected]).all()
    assert obs["TF"].tolist() == [TF[i] for i in expected]
    assert set(obs["cell_type"]) == kept
    assert {"TFORF0001-GATA1", "TFORF0002-GATA1"} <= set(obs["TF"])  # both reading frames of a gene
    assert obs["total_counts"].tolist() == np.linspace(500, 9000, 50)[expected].tolist()
    assert obs["mito_fraction"].tolist() == np.linspace(0.01, 0.2, 50)[expected].tolist()
    assert var.index.tolist() == ["GATA1", "MT-ND1", "TBCE", "TBCE-1", "SOX2", "ACTB"]


def test_all_cells_with_controls(files):
    counts, obs, _ = read(files, gtex=None)
    assert (counts == COUNTS).all()
    assert {"GFP", "mCherry"} <= set(obs["cell_type"])


def test_skipping(files):
    options = {"cells": "atlas.h5ad", "gtex": "medians.gct.gz", "block_cells": 4}
    blocks = list(read_tf_atlas(files, **options))
    for skip in range(len(blocks) + 1):
        later = list(read_tf_atlas(files, skip=skip, **options))
        assert [b.obs_names.tolist() for b in later] == [b.obs_names.tolist() for b in blocks[skip:]]


def test_wrong_columns(files):
    path = files["atlas.h5ad"]
    write_tf_atlas(path, COUNTS, TF, SYMBOLS, percent_mito=np.linspace(1, 20, 50))
    with pytest.raises(DatamixError, match=r"atlas\.h5ad: obs column 'percent_mito' reaches 20; expected a fraction"):
        read(files)
    write_tf_atlas(path, COUNTS, [t.replace("TFORF0003-", "") for t in TF], SYMBOLS)
    with pytest.raises(DatamixError, match=r"atlas\.h5ad: obs column 'TF' has 'SOX2'; expected TFORF, four digits"):
        read(files)
    rename_column(path, "obs", "n_counts", "counts")
    with pytest.raises(DatamixError, match=r"atlas\.h5ad: obs has no column 'n_counts'"):
        read(files)


def test_normalised_and_truncated(files):
    path = files["atlas.h5ad"]
    write_tf_atlas(path, np.log1p(COUNTS), TF, SYMBOLS)
    with pytest.raises(DatamixError, match=r"atlas\.h5ad: X: cell 'AAAC0000-0' has 0\.693147 of gene '.*raw counts"):
        read(files, gtex=None)
    truncate(path)
    with pytest.raises(DatamixError, match=r"atlas\.h5ad cannot be read"):
        read(files)
    write_tf_atlas(path, COUNTS, TF, SYMBOLS)
    with pytest.raises(DatamixError, match=r"no cell is left by the filters.*Whole Blood above 99"):
        read(files, min_z=99.0)
