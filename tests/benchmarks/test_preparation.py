"""The files of which a preparation is measured: the same cells, however they are stored."""

import anndata as ad
import numpy as np
import pytest
from benchmarks.preparation import LAYOUTS, measure, period, write_cells


def test_all_layouts_hold_the_same_cells(tmp_path):
    found = []
    for layout in LAYOUTS:
        path = tmp_path / f"{layout}.h5ad"
        write_cells(path, layout=layout, cells=2_400, genes=450)
        cells = ad.read_h5ad(path)
        found.append(np.asarray(cells.X if layout == "dense" else cells.X.toarray()))
    assert found[0].shape == (2_400, 450)
    again = found[0][period(2_400, 450) :]
    assert 0 < len(again) <= 400
    assert (found[0][: len(again)] == again).all()
    assert all((found[0] == other).all() for other in found[1:])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_preparation_stays_within_its_memory(tmp_path, layout):
    ours = np.ones(150_000_000)  # 1.2 GB of whoever measures, which are none of the preparation's
    found = measure(tmp_path, layout=layout, cells=2_000, genes=300)
    assert (found["layout"], found["cells"]) == (layout, 2_000)
    assert found["kept"] == 2_000
    assert 100 < found["peak_mb"] < found["memory_mb"] < ours.nbytes / 1e6
