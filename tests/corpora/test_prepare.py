import json

import anndata as ad
import h5py
import numpy as np
import pytest
import scanpy as sc
from scipy import sparse
from small_project import GENES, SYMBOLS, cells, read_entries, run, write_manifest, write_project

from datamix.corpora import prepare as preparation
from datamix.corpora.corpus import OBS
from datamix.project.errors import DatamixError
from datamix.project.manifest import read_manifest
from datamix.sources.readers import h5ad


def test_corpus_is_what_scanpy_would_keep(tmp_path):
    source = cells(60)
    path = run(write_project(tmp_path, {"a": source}), block_cells=7)
    assert path == tmp_path / "results" / "tiny" / "corpora" / "a.h5ad"
    corpus = ad.read_h5ad(path)

    source.var["mt"] = [s.startswith("MT-") for s in SYMBOLS]
    sc.pp.calculate_qc_metrics(source, qc_vars=["mt"], percent_top=None, log1p=False, inplace=True)
    kept = source[(source.obs.total_counts > 1000) & (source.obs.pct_counts_mt < 10)]
    assert 5 < kept.n_obs < 55
    assert corpus.obs_names.tolist() == [f"a:{name}" for name in kept.obs_names]
    np.testing.assert_array_equal(corpus.X.toarray(), kept.X.toarray())
    np.testing.assert_array_equal(corpus.obs.total_counts, kept.obs.total_counts)
    np.testing.assert_allclose(corpus.obs.mito_fraction * 100, kept.obs.pct_counts_mt, rtol=1e-6)
    assert corpus.obs.cell_type.tolist() == kept.obs["type"].tolist()


def test_corpus_keeps_the_contract(tmp_path):
    corpus = ad.read_h5ad(run(write_project(tmp_path, {"a": cells()}, options={"symbol": "symbol"})))
    assert isinstance(corpus.X, sparse.csr_matrix)
    assert corpus.X.dtype == np.float32
    assert corpus.X.has_sorted_indices
    assert tuple(corpus.obs.columns) == OBS
    assert set(corpus.obs.cell_type) == {"not labelled"}
    assert set(corpus.obs.donor) == {"not recorded"}
    assert set(corpus.obs.dataset) == {"a"}
    assert corpus.var_names.tolist() == GENES
    assert corpus.var.symbol.tolist() == SYMBOLS
    record = json.loads(corpus.uns["datamix"])
    assert record["cells_read"] == 40
    assert record["cells_kept"] == corpus.n_obs
    assert record["mito_genes"] == 3
    assert record["inputs"] == {"a.h5ad": read_manifest(tmp_path).dataset("a").files[0].sha256}
    assert not list((tmp_path / "results" / "tiny" / "corpora").glob(".*"))


def test_thresholds_are_strict(tmp_path):
    counts = np.zeros((4, 60), dtype=np.float32)
    counts[:, 10] = [1000, 1001, 1800, 1801]
    counts[:, 0] = [0, 0, 200, 200]  # mitochondrial: 0.1 exactly, and a little less
    source = ad.AnnData(sparse.csr_matrix(counts), obs=cells(4).obs, var=cells(4).var)
    corpus = ad.read_h5ad(run(write_project(tmp_path, {"a": source})))
    assert corpus.obs_names.tolist() == ["a:cell1", "a:cell3"]


def test_columns_of_the_reader_are_kept_and_symbols_mapped(tmp_path):
    symbols = [*SYMBOLS[:-2], "UNKNOWN", SYMBOLS[0]]
    source = cells(genes=symbols)
    source.var_names = symbols
    root = write_project(tmp_path, {"a": source}, options={"cell_type": "type"}, gene_ids="symbol", gene_table="t")
    (root / "data" / "t").mkdir()
    table = "\n".join(f"{gene}.3,{symbol}" for gene, symbol in zip(GENES, SYMBOLS, strict=True))
    (root / "data" / "t" / "t.csv").write_text(f"gene_id,gene_name\n{table}\n")
    entries = read_entries(root)
    entries["t"] = entries["a"] | {
        "reader": "gene_table",
        "gene_ids": None,
        "gene_table": None,
        "options": {},
        "files": [{"name": "t.csv", "steps": "write it"}],
    }
    write_manifest(root, entries)
    corpus = ad.read_h5ad(run(root))
    assert corpus.var_names.tolist() == GENES[:-2]
    record = json.loads(corpus.uns["datamix"])
    assert record["genes_dropped"] == {"no Ensembl id": 1, "repeated id": 0, "repeated name": 1}
    # The repeated MT-1 counts as mitochondrial all the same.
    assert record["mito_genes"] == 4
    assert list(record["gene_table"]) == ["t.csv"]


def test_dense_and_sparse_files_and_any_blocks_give_the_same_corpus(tmp_path):
    source = cells(50)
    sparse_path = run(write_project(tmp_path / "sparse", {"a": source}), block_cells=9)
    dense = source.copy()
    dense.X = source.X.toarray()
    dense_path = run(write_project(tmp_path / "dense", {"a": dense}), block_cells=50)
    one, other = ad.read_h5ad(sparse_path), ad.read_h5ad(dense_path)
    np.testing.assert_array_equal(one.X.toarray(), other.X.toarray())
    assert one.obs.equals(other.obs)
    for block_cells in (1, 7, 100):
        assert run(tmp_path / "sparse", block_cells=block_cells).read_bytes() == sparse_path.read_bytes()


def test_chunks_are_filled_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "_CHUNK", 10)
    monkeypatch.setattr(preparation, "_STORAGE", preparation._STORAGE | {"chunks": (10,)})
    source = cells(120)
    source.obs["who"] = [f"donor {i // 10}" for i in range(120)]
    source.X[:20] = 0  # whole blocks of which QC keeps nothing, the first ones
    source.X.eliminate_zeros()
    path = run(write_project(tmp_path, {"a": source}), block_cells=9)
    whole = path.read_bytes()
    corpus = ad.read_h5ad(path)
    kept = source[[name.removeprefix("a:") for name in corpus.obs_names]]
    assert len(kept) > 10
    assert corpus.X.nnz > 160
    np.testing.assert_array_equal(corpus.X.toarray(), kept.X.toarray())
    assert corpus.obs["total_counts"].dtype == np.float64
    assert corpus.obs["donor"].tolist() == kept.obs["who"].tolist()
    assert run(tmp_path, block_cells=100).read_bytes() == whole


def test_memory_sets_the_size_of_blocks(tmp_path, monkeypatch):
    whole, asked = h5ad.read_h5ad, []

    def watched(files, *, skip=0, block_cells=20_000, symbol=None):
        asked.append(block_cells)
        return whole(files, skip=skip, block_cells=block_cells, symbol=symbol)

    monkeypatch.setattr(h5ad, "read_h5ad", watched)
    root = write_project(tmp_path, {"a": cells()}, options={"symbol": "symbol"})
    path = root / "config" / "tiny.yaml"
    before = path.read_text()
    for memory_mb in (700, 1400):
        path.write_text(before + f"memory_mb: {memory_mb}\n")
        run(root)
    assert asked == [preparation.cells_in_memory(700), preparation.cells_in_memory(1400)]
    assert asked[0] < asked[1]


@pytest.mark.parametrize("protocol", ["published", "corrected"])
def test_log_normalised_blocks_pass_under_published_only(tmp_path, monkeypatch, protocol):
    whole = h5ad.read_h5ad

    def marking(files, *, skip=0, block_cells=20_000, symbol=None):
        for block in whole(files, skip=skip, block_cells=block_cells, symbol=symbol, matrix="X"):
            block.uns["log_normalised"] = True
            yield block

    monkeypatch.setattr(h5ad, "read_h5ad", marking)
    source = cells()
    source.X = source.X * 2.5
    root = write_project(tmp_path, {"a": source}, options={"symbol": "symbol"})
    path = root / "config" / "tiny.yaml"
    path.write_text(path.read_text() + f"protocol: {protocol}\n")
    if protocol == "corrected":
        with pytest.raises(DatamixError, match="expected raw counts"):
            run(root)
        return
    corpus = ad.read_h5ad(run(root))
    assert json.loads(corpus.uns["datamix"])["log_normalised"] is True
    assert (corpus.X.data % 1 > 0).any()


def test_normalised_counts_are_refused(tmp_path):
    source = cells()
    sc.pp.normalize_total(source, target_sum=1e4)
    with pytest.raises(DatamixError, match=r"a\.h5ad holds no raw counts, .*; it has X \(no raw counts\)"):
        run(write_project(tmp_path, {"a": source}))
    with pytest.raises(
        DatamixError, match=r"a \(a\.h5ad\): cell 'cell0' has [\d.]+ of gene 'ENSG.*expected raw counts"
    ):
        run(write_project(tmp_path, {"a": source}, options={"matrix": "X"}))
    assert not (tmp_path / "results" / "tiny" / "corpora" / "a.h5ad").exists()


@pytest.mark.parametrize("block_cells", [100, 7])
def test_repeated_cell_names_are_refused(tmp_path, block_cells):
    counts = np.full((20, 60), 30, dtype=np.float32)
    counts[:, :3] = 0
    source = ad.AnnData(sparse.csr_matrix(counts), obs=cells(20).obs, var=cells(20).var)
    source.obs_names = ["x", *source.obs_names[1:-1], "x"]
    with pytest.raises(DatamixError, match=r"a: cell name '(a:)?x' stands more than once \(1 repeats in all\)"):
        run(write_project(tmp_path, {"a": source}), block_cells=block_cells)


def test_qc_that_keeps_nothing_says_what_it_found(tmp_path):
    source = cells()
    source.X = sparse.csr_matrix(np.minimum(source.X.toarray(), 2))
    with pytest.raises(DatamixError, match=r"QC keeps none of 40 cells\. .*above 1000 \(the highest is \d+\)"):
        run(write_project(tmp_path, {"a": source}))


def test_truncated_file_is_refused_by_the_manifest_and_by_the_reader(tmp_path):
    root = write_project(tmp_path, {"a": cells()})
    path = root / "data" / "a" / "a.h5ad"
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(DatamixError, match=r"a\.h5ad \(a\) has .* bytes, the manifest says"):
        run(root)
    write_manifest(root, {"a": read_entries(root)["a"] | {"files": [{"name": path.name, "steps": "x"}]}})
    with pytest.raises(DatamixError, match=r"a\.h5ad cannot be read as an h5ad file: it is truncated"):
        run(root)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell_tipe": "type"}, r"Dataset 'a': the reader 'h5ad' has no option 'cell_tipe'"),
        ({"cell_type": "kind"}, r"a\.h5ad: obs has no column 'kind'; it has .*type"),
        ({"symbol": "name"}, r"a\.h5ad: var has no column 'name'"),
    ],
)
def test_options_that_do_not_fit(tmp_path, options, message):
    with pytest.raises(DatamixError, match=message):
        run(write_project(tmp_path, {"a": cells()}, options=options))


def test_reader_that_does_not_exist(tmp_path):
    with pytest.raises(DatamixError, match="Dataset 'a' asks for the reader 'h5', which does not exist") as error:
        run(write_project(tmp_path, {"a": cells()}, reader="h5"))
    assert "h5ad" in error.value.fix


def test_values_published_by_the_source_are_used(tmp_path, monkeypatch):
    whole = h5ad.read_h5ad

    def published(files, *, skip=0, block_cells=20_000, cell_type=None, donor=None, symbol=None):
        for block in whole(files, skip=skip, block_cells=block_cells, symbol=symbol):
            block.obs["total_counts"], block.obs["mito_fraction"] = 5000.0, 0.05
            yield block

    monkeypatch.setattr(h5ad, "read_h5ad", published)
    corpus = ad.read_h5ad(run(write_project(tmp_path, {"a": cells()})))
    assert corpus.n_obs == 40
    assert set(corpus.obs.mito_fraction) == {0.05}


@pytest.mark.parametrize("protocol", ["published", "corrected"])
def test_reader_is_told_the_protocol_of_the_profile(tmp_path, monkeypatch, protocol):
    whole, told = h5ad.read_h5ad, []

    def with_protocol(files, *, skip=0, block_cells=20_000, symbol=None, protocol="corrected"):
        told.append(protocol)
        return whole(files, skip=skip, block_cells=block_cells, symbol=symbol)

    monkeypatch.setattr(h5ad, "read_h5ad", with_protocol)
    root = write_project(tmp_path, {"a": cells()}, options={"symbol": "symbol"})
    path = root / "config" / "tiny.yaml"
    path.write_text(path.read_text() + f"protocol: {protocol}\n")
    run(root)
    assert told == [protocol]


def test_blocks_with_different_genes_are_refused(tmp_path, monkeypatch):
    from datamix.sources.readers import h5ad

    def changing(files, *, skip=0, block_cells=20_000, symbol=None):
        for seed, genes in enumerate([GENES, GENES[::-1]]):
            block = cells(seed=seed, genes=genes)
            block.obs_names = [f"{seed}{name}" for name in block.obs_names]
            yield block

    monkeypatch.setattr(h5ad, "read_h5ad", changing)
    with pytest.raises(DatamixError, match="its reader gave blocks with different genes"):
        run(write_project(tmp_path, {"a": cells()}, options={"symbol": "symbol"}))


def test_file_opens_with_plain_hdf5(tmp_path):
    with h5py.File(run(write_project(tmp_path, {"a": cells()}))) as file:
        assert file["X"].attrs["encoding-type"] == "csr_matrix"
        assert file["X/indptr"].shape[0] == file["X"].attrs["shape"][0] + 1
