import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse
from small_project import GENES, SYMBOLS, cells

from datamix.corpora import corpus
from datamix.corpora.corpus import n_cells, read_corpus, read_parts, read_rows
from datamix.corpora.genes import shared_genes
from datamix.project.errors import DatamixError


def written(folder, name, *, n=30, seed=0, genes=GENES, symbols=SYMBOLS):
    source = cells(n, seed=seed, genes=genes, symbols=symbols)
    source.obs = source.obs.rename(columns={"type": "cell_type", "who": "donor"}).assign(
        dataset=name, total_counts=source.X.sum(axis=1).A1, mito_fraction=0.0
    )
    path = folder / "results" / "tiny" / "corpora" / f"{name}.h5ad"
    path.parent.mkdir(parents=True, exist_ok=True)
    source.write_h5ad(path)
    return path, source


@pytest.mark.parametrize("rows_at_a_time", [4000, 4])
def test_read_rows_is_indexing(tmp_path, monkeypatch, rows_at_a_time):
    monkeypatch.setattr(corpus, "_ROWS_AT_A_TIME", rows_at_a_time)
    path, source = written(tmp_path, "a")
    rows = np.array([17, 3, 29, 3, 0])
    genes = [GENES[40], "ENSG_not_there", GENES[2]]
    found = read_rows(path, rows, genes)
    assert isinstance(found, sparse.csr_matrix)
    assert found.dtype == np.float32
    expected = source.to_df().reindex(columns=genes, fill_value=0).iloc[rows]
    np.testing.assert_array_equal(found.toarray(), expected)


def test_a_small_corpus_is_kept_until_it_changes(tmp_path, monkeypatch):
    path, _ = written(tmp_path, "a")
    first = read_rows(path, [1, 2], GENES).toarray()
    monkeypatch.setattr(corpus, "read_h5_rows", None)  # what would read it again
    kept = read_rows(path, [2, 1], GENES)
    np.testing.assert_array_equal(kept.toarray(), first[::-1])
    kept.data[:] = -1  # the reader's own
    np.testing.assert_array_equal(read_rows(path, [1, 2], GENES).toarray(), first)
    monkeypatch.undo()
    _, other = written(tmp_path, "a", seed=5)
    np.testing.assert_array_equal(read_rows(path, [1, 2], GENES).toarray(), other.X[[1, 2]].toarray())


@pytest.mark.parametrize("rows_at_a_time", [4000, 7])
def test_parts_are_read_one_below_the_other(tmp_path, monkeypatch, rows_at_a_time):
    monkeypatch.setattr(corpus, "_ROWS_AT_A_TIME", rows_at_a_time)
    (one, _), (other, _) = written(tmp_path, "a"), written(tmp_path, "b", seed=1)
    rows = [np.random.default_rng(0).permutation(30), [4, 4, 11], []]
    found = read_parts(list(zip((one, other, one), rows, strict=True)), GENES[5::-1])
    expected = [read_corpus(path).to_df()[GENES[5::-1]].iloc[r] for path, r in ((one, rows[0]), (other, rows[1]))]
    np.testing.assert_array_equal(found.toarray(), pd.concat(expected))
    assert found.has_canonical_format


def test_a_corpus_that_is_written_anew_is_read_anew(tmp_path):
    path, _ = written(tmp_path, "a")
    before = read_rows(path, [0, 3], GENES[:4]).toarray()
    np.testing.assert_array_equal(read_rows(path, [0, 3], GENES[:4]).toarray(), before)
    adata = read_corpus(path)
    adata[:, ::-1].copy().write_h5ad(path)
    np.testing.assert_array_equal(read_rows(path, [0, 3], GENES[:4]).toarray(), before)
    np.testing.assert_array_equal(read_rows(path, [0, 3], GENES[3::-1]).toarray(), before[:, ::-1])


def test_read_rows_of_no_row(tmp_path):
    path, _ = written(tmp_path, "a")
    assert read_rows(path, [], GENES[:4]).shape == (0, 4)


@pytest.mark.parametrize("row", [-1, 30])
def test_row_that_is_not_there(tmp_path, row):
    path, _ = written(tmp_path, "a")
    with pytest.raises(DatamixError, match=r"a\.h5ad has 30 cells; rows .* were asked for"):
        read_rows(path, [0, row], GENES)


def test_read_corpus_whole_or_from_disk(tmp_path):
    path, source = written(tmp_path, "a")
    assert n_cells(path) == 30
    np.testing.assert_array_equal(read_corpus(path).X.toarray(), source.X.toarray())
    backed = read_corpus(path, backed=True)
    assert backed.isbacked
    backed.file.close()


def test_missing_corpus_names_the_command(tmp_path):
    with pytest.raises(DatamixError, match=r"corpora/b\.h5ad does not exist") as error:
        read_corpus(tmp_path / "results" / "tiny" / "corpora" / "b.h5ad")
    assert error.value.fix == "datamix prepare b --profile tiny"


def test_file_that_is_no_corpus(tmp_path):
    path, source = written(tmp_path, "a")
    del source.obs["donor"]
    source.write_h5ad(path)
    with pytest.raises(DatamixError, match=r"a\.h5ad has no donor: it is not a corpus"):
        read_corpus(path)
    path.write_text("nothing")
    with pytest.raises(DatamixError, match=r"a\.h5ad cannot be read as an h5ad file"):
        read_corpus(path)


def test_shared_genes_are_the_intersection_sorted(tmp_path):
    one, _ = written(tmp_path, "a", genes=GENES[:50][::-1], symbols=SYMBOLS[:50][::-1])
    two, _ = written(tmp_path, "b", genes=GENES[10:], symbols=[s.lower() for s in SYMBOLS[10:]])
    table = shared_genes([one, two])
    assert table["gene"].tolist() == GENES[10:50]
    assert table["symbol"].tolist() == SYMBOLS[10:50]


def test_no_gene_in_common(tmp_path):
    one, _ = written(tmp_path, "a", genes=GENES[:30], symbols=SYMBOLS[:30])
    two, _ = written(tmp_path, "b", genes=GENES[30:], symbols=SYMBOLS[30:])
    with pytest.raises(DatamixError, match=r"No gene is common to all training corpora: a \(30\), b \(30\)"):
        shared_genes([one, two])


def test_most_variable_genes_are_those_of_scanpy(tmp_path):
    (one, a), (two, b) = (
        written(tmp_path, "a", seed=1),
        written(tmp_path, "b", seed=2, genes=GENES[:50], symbols=SYMBOLS[:50]),
    )
    together = ad.concat([a[:, GENES[:50]], b], join="inner", index_unique="-")
    sc.pp.normalize_total(together, target_sum=1e4)
    sc.pp.log1p(together)
    sc.pp.highly_variable_genes(together, n_top_genes=12)
    expected = sorted(together.var_names[together.var.highly_variable])
    assert shared_genes([one, two], most_variable=12)["gene"].tolist() == expected
    assert len(shared_genes([one, two], most_variable=500)) == 50


def test_symbols_of_genes_are_text(tmp_path):
    path, _ = written(tmp_path, "a")
    assert isinstance(shared_genes([path]), pd.DataFrame)
    assert all(isinstance(s, str) for s in shared_genes([path])["symbol"])
