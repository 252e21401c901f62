import pandas as pd
import pytest

from datamix.corpora.gene_names import map_genes
from datamix.project.errors import DatamixError

TABLE = pd.DataFrame(
    {"gene": ["ENSG1", "ENSG1", "ENSG2", "ENSG3"], "symbol": ["NEW1", "OLD1", "TWO", "MT-3"]},
)


def test_symbols_repeats_and_unmapped():
    var = pd.DataFrame(index=["TWO", "OLD1", "NOVEL", "TWO", "NEW1", "MT-3", "MT-X"])
    found = map_genes(var, gene_ids="symbol", table=TABLE, where="a")
    assert found.columns.tolist() == [0, 1, 5]
    assert found.genes.tolist() == ["ENSG2", "ENSG1", "ENSG3"]
    assert found.symbols.tolist() == ["TWO", "OLD1", "MT-3"]
    assert found.mito.tolist() == [False] * 5 + [True, True]
    assert found.dropped == {"repeated name": 1, "no Ensembl id": 2, "repeated id": 1}


def test_versions_are_cut_off_and_symbols_kept():
    var = pd.DataFrame({"symbol": ["A", "", "MT-1", "B"]}, index=["ENSG7.4", "ENSG8", "ENSG9.1", "ENSG7.5"])
    found = map_genes(var, gene_ids="ensembl", table=None, where="a")
    assert found.genes.tolist() == ["ENSG7", "ENSG8", "ENSG9"]
    assert found.symbols.tolist() == ["A", "ENSG8", "MT-1"]
    assert found.mito.tolist() == [False, False, True, False]
    assert found.dropped == {"repeated name": 0, "no Ensembl id": 0, "repeated id": 1}


def test_ids_without_symbols_take_the_present_ones_from_the_table():
    found = map_genes(pd.DataFrame(index=["ENSG1", "ENSG3", "ENSG9"]), gene_ids="ensembl", table=TABLE, where="a")
    assert found.symbols.tolist() == ["NEW1", "MT-3", "ENSG9"]
    assert found.mito.tolist() == [False, True, False]


@pytest.mark.parametrize("gene_ids", ["ensembl", "symbol"])
def test_names_that_nothing_maps(gene_ids):
    with pytest.raises(DatamixError, match=r"^a: its genes are .*") as error:
        map_genes(pd.DataFrame(index=["X"]), gene_ids=gene_ids, table=None, where="a")
    assert "gene_table" in error.value.fix


def test_no_gene_left():
    with pytest.raises(DatamixError, match=r"a: none of its 2 genes \(such as 'Actb'\) has an Ensembl id"):
        map_genes(pd.DataFrame(index=["Actb", "Gapdh"]), gene_ids="symbol", table=TABLE, where="a")
