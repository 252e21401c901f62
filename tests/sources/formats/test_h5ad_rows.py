import anndata as ad
import h5py
import numpy as np
import pytest
from layouts import ensembl_ids, simulate_counts, truncate, write_h5ad

from datamix.project.errors import DatamixError
from datamix.sources.formats import h5ad_rows
from datamix.sources.formats.h5ad_rows import open_h5ad, read_columns, read_names, read_rows, shape_of

COUNTS = simulate_counts(97, 30)
CELLS = [f"cell{i}" for i in range(97)]
KIND = ["a" if i % 3 else "b" for i in range(97)]


def write(path, **options):
    return write_h5ad(
        path, COUNTS, obs_names=CELLS, obs={"kind": KIND, "n": np.arange(97)}, var_names=ensembl_ids(30), **options
    )


@pytest.mark.parametrize(
    "options",
    [{}, {"dense": True}, {"dense": True, "chunks": (10, 7)}, {"legacy": True}, {"dense": True, "legacy": True}],
)
@pytest.mark.parametrize("slab", [1, 4000, 64 << 20])
def test_any_rows_in_any_order(tmp_path, monkeypatch, options, slab):
    monkeypatch.setattr(h5ad_rows, "SLAB_BYTES", slab)
    monkeypatch.setattr(h5ad_rows, "GAP", 20)
    path = write(tmp_path / "x.h5ad", **options)
    with open_h5ad(path) as file:
        assert shape_of(file) == (97, 30)
        for rows in (np.arange(97), np.array([3, 4, 50, 51, 96]), np.array([60, 2, 95, 3]), np.array([], int)):
            block = read_rows(file, rows)
            assert (block.toarray() == COUNTS[rows]).all()
            assert block.dtype == np.float32
            assert block.has_sorted_indices


@pytest.mark.parametrize("legacy", [True, False])
def test_columns_and_names(tmp_path, legacy):
    path = write(tmp_path / "x.h5ad", legacy=legacy)
    with open_h5ad(path) as file:
        obs = read_columns(file, "obs", ["kind"], optional=["n", "absent"])
        assert obs["kind"].tolist() == KIND
        assert obs["n"].tolist() == list(range(97))
        assert list(obs) == ["kind", "n"]
        assert read_names(file, "obs").tolist() == CELLS


def test_anndata_reads_the_same_from_the_written_layouts(tmp_path):
    """The writer of the tests is held against anndata, so that the readers are not only tested against it."""
    for legacy in (True, False):
        adata = ad.read_h5ad(write(tmp_path / f"{legacy}.h5ad", legacy=legacy, dense=legacy))
        assert adata.obs["kind"].tolist() == KIND
        assert (np.asarray(adata.X if legacy else adata.X.toarray()) == COUNTS).all()


def test_missing_values_are_empty_text(tmp_path):
    path = write(tmp_path / "x.h5ad")
    with h5py.File(path, "r+") as file:
        file["obs/kind/codes"][5] = -1
    with open_h5ad(path) as file:
        assert read_columns(file, "obs", ["kind"])["kind"][5] == ""


def test_truncated_file(tmp_path):
    path = truncate(write(tmp_path / "x.h5ad"))
    with (
        pytest.raises(DatamixError, match=r"x\.h5ad cannot be read as an h5ad file: it is truncated or damaged"),
        open_h5ad(path),
    ):
        pass


def test_damaged_chunk(tmp_path):
    path = write(tmp_path / "x.h5ad", dense=True, chunks=(10, 30))
    with h5py.File(path) as file:
        offset = file["X"].id.get_chunk_info(5).byte_offset
    content = bytearray(path.read_bytes())
    content[offset : offset + 16] = bytes(16)
    path.write_bytes(content)
    with pytest.raises(DatamixError, match="truncated or damaged"), open_h5ad(path) as file:
        read_rows(file, np.arange(97))


def test_compressed_and_missing_files(tmp_path):
    with pytest.raises(DatamixError, match="unpack: true"), open_h5ad(tmp_path / "x.h5ad.gz"):
        pass
    with pytest.raises(DatamixError, match="does not exist"), open_h5ad(tmp_path / "x.h5ad"):
        pass


def test_missing_column_is_named(tmp_path):
    path = write(tmp_path / "x.h5ad")
    with (
        open_h5ad(path) as file,
        pytest.raises(DatamixError, match=r"x\.h5ad: obs has no column 'donor'; it has .*kind"),
    ):
        read_columns(file, "obs", ["donor"])


def test_columnwise_matrix_is_refused(tmp_path):
    path = write(tmp_path / "x.h5ad")
    with h5py.File(path, "r+") as file:
        file["X"].attrs["encoding-type"] = "csc_matrix"
    with open_h5ad(path) as file, pytest.raises(DatamixError, match="csc_matrix, by genes"):
        shape_of(file)


def test_lengths_that_differ(tmp_path):
    path = write(tmp_path / "x.h5ad")
    with h5py.File(path, "r+") as file:
        file["X"].attrs["shape"] = (97, 31)
    with open_h5ad(path) as file, pytest.raises(DatamixError, match="X is 97 × 31, but var has 30 entries"):
        shape_of(file)


def test_column_number_out_of_range(tmp_path):
    path = write(tmp_path / "x.h5ad")
    with h5py.File(path, "r+") as file:
        file["X/indices"][0] = 30
    with open_h5ad(path) as file, pytest.raises(DatamixError, match="X/indices does not fit"):
        read_rows(file, np.arange(3))


@pytest.mark.parametrize("legacy", [True, False])
def test_names_of_some_rows(tmp_path, legacy):
    with open_h5ad(write(tmp_path / "x.h5ad", legacy=legacy)) as file:
        for rows in (np.arange(97), np.array([3, 4, 50, 96]), np.array([], int)):
            assert read_names(file, "obs", rows=rows).tolist() == [CELLS[i] for i in rows]


def test_text_that_repeats_is_held_once(tmp_path, monkeypatch):
    """Also across the pieces in which a column is read that is stored as plain text, not as categories."""
    monkeypatch.setattr(h5ad_rows, "NAMES_AT_A_TIME", 10)
    path = write(tmp_path / "x.h5ad")
    long = [f"cell type {kind}" for kind in KIND]
    with h5py.File(path, "r+") as file:
        column = file["obs"].create_dataset("text", data=np.array(long, dtype=object), dtype=h5py.string_dtype())
        column.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
    with open_h5ad(path) as file:
        found = read_columns(file, "obs", ["text"])["text"]
        assert found.tolist() == ad.io.read_elem(file["obs/text"]).tolist()
    assert found.tolist() == long
    assert len({id(value) for value in found}) == 2
