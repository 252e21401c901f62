import pandas as pd
import pytest

from datamix.corpora.gene_names import map_genes
from datamix.project.errors import DatamixError

TABLE = pd.DataFrame(
    {
        "gene": ["ENSG00000000001", "ENSG00000000001", "ENSG00000000002", "ENSG00000000003"],
        "symbol": ["NEW1", "OLD1", "TWO", "MT-3"],
    },
)


def test_symbols_repeats_and_unmapped():
    var = pd.DataFrame(index=["TWO", "OLD1", "NOVEL", "TWO", "NEW1", "MT-3", "MT-X"])
    found = map_genes(var, gene_ids="symbol", table=TABLE, where="a")
    assert found.columns.tolist() == [0, 1, 5]
    assert found.genes.tolist() == ["ENSG00000000002", "ENSG00000000001", "ENSG00000000003"]
    assert found.symbols.tolist() == ["TWO", "OLD1", "MT-3"]
    assert found.mito.tolist() == [False] * 5 + [True, True]
    assert found.dropped == {"repeated name": 1, "no Ensembl id": 2, "repeated id": 1}
    assert found.named_by == {"earlier symbol": 1, "symbol": 4}


def test_versions_are_cut_off_and_symbols_kept():
    var = pd.DataFrame(
        {"symbol": ["A", "", "MT-1", "B"]},
        index=["ENSG00000000007.4", "ENSG00000000008", "ENSG00000000009.1", "ENSG00000000007.5"],
    )
    found = map_genes(var, gene_ids="ensembl", table=None, where="a")
    assert found.genes.tolist() == ["ENSG00000000007", "ENSG00000000008", "ENSG00000000009"]
    assert found.symbols.tolist() == ["A", "ENSG00000000008", "MT-1"]
    assert found.mito.tolist() == [False, False, True, False]
    assert found.dropped == {"repeated name": 0, "no Ensembl id": 0, "repeated id": 1}


def test_ids_without_symbols_take_the_present_ones_from_the_table():
    found = map_genes(
        pd.DataFrame(index=["ENSG00000000001", "ENSG00000000003", "ENSG00000000009"]),
        gene_ids="ensembl",
        table=TABLE,
        where="a",
    )
    assert found.symbols.tolist() == ["NEW1", "MT-3", "ENSG00000000009"]
    assert found.mito.tolist() == [False, True, False]


@pytest.mark.parametrize("gene_ids", ["ensembl", "symbol"])
def test_names_that_nothing_maps(gene_ids):
    with pytest.raises(DatamixError, match=r"^a: its genes are .*") as error:
        map_genes(pd.DataFrame(index=["X"]), gene_ids=gene_ids, table=None, where="a")
    assert "gene_table" in error.value.fix


def test_no_gene_left():
    with pytest.raises(DatamixError, match=r"a: 0 of its 2 genes \(0%\) are known.*'Actb', 'Gapdh'.*as mouse genes"):
        map_genes(pd.DataFrame(index=["Actb", "Gapdh"]), gene_ids="symbol", table=TABLE, where="a")


REAL = pd.DataFrame(
    {
        "gene": [f"ENSG{i:011d}" for i in range(1, 9)],
        "symbol": ["HLA-A", "MT-ND1", "ACTB", "SEPTIN2", "MARCHF5", "C1orf56", "7SK", "GAPDH"],
    }
)


@pytest.mark.parametrize(
    ("name", "number", "how"),
    [
        ("ENSG00000000003", 3, "Ensembl id"),
        ("ENSG00000000003.12", 3, "Ensembl id with version"),
        ("GRCh38_ENSG00000000003", 3, "Ensembl id with a genome's prefix"),
        ("ENSG00000000003_ACTB", 3, "Ensembl id beside a symbol"),
        ("ACTB|ENSG00000000003.2", 3, "Ensembl id beside a symbol"),
        ("hg19_ACTB", 3, "symbol with a genome's prefix"),
        ("GRCh38_____ACTB", 3, "symbol with a genome's prefix"),
        ('"ACTB"', 3, "symbol"),
        ("HLA.A", 1, "symbol as R's make.names writes it"),
        ("MT.ND1", 2, "symbol as R's make.names writes it"),
        ("X7SK", 7, "symbol as R's make.names writes it"),
        ("2-Sep", 4, "symbol that became a date"),
        ("Sep-02", 4, "symbol that became a date"),
        ("5-Mar", 5, "symbol that became a date"),
        ("C1ORF56", 6, "symbol in capitals"),
    ],
)
def test_each_spelling_comes_to_its_gene(name, number, how):
    var = pd.DataFrame(index=[name, "GAPDH"])
    found = map_genes(var, gene_ids="symbol", table=REAL, where="a")
    assert found.genes.tolist() == [f"ENSG{number:011d}", "ENSG00000000008"]
    assert found.symbols[0] == REAL["symbol"][number - 1]
    assert found.named_by == ({"symbol": 2} if how == "symbol" else {how: 1, "symbol": 1})
    assert found.mito.tolist() == [number == 2, False]


@pytest.mark.parametrize("name", ["1-Mar", "14-Oct", "ACTBX", "ENSG0000000000", "XENSG00000000003"])
def test_names_that_nobody_can_tell_are_dropped(name):
    found = map_genes(pd.DataFrame(index=[name, "ACTB"]), gene_ids="symbol", table=REAL, where="a")
    assert found.genes.tolist() == ["ENSG00000000003"]
    assert found.dropped["no Ensembl id"] == 1


def test_copies_on_the_y_chromosome_are_dropped_as_such():
    var = pd.DataFrame(index=["ENSG00000000003.1", "ENSG00000000003.1_PAR_Y", "ENSGR0000000008", "ENSG00000000008"])
    found = map_genes(var, gene_ids="ensembl", table=REAL, where="a")
    assert found.genes.tolist() == ["ENSG00000000003", "ENSG00000000008"]
    assert found.dropped["copy on the Y chromosome"] == 2
    assert sum(found.dropped.values()) == 2


def test_names_made_unique_are_repeats():
    var = pd.DataFrame(index=["ACTB", "ACTB.1", "GAPDH", "GAPDH-1"])
    found = map_genes(var, gene_ids="symbol", table=REAL, where="a")
    assert found.genes.tolist() == ["ENSG00000000003", "ENSG00000000008"]
    assert found.dropped == {"repeated name": 2, "no Ensembl id": 0, "repeated id": 0}


def test_ids_beside_symbols_are_preferred():
    var = pd.DataFrame({"ensembl": ["ENSG00000000003", "ENSG00000000777"]}, index=["OLD", "NOVEL"])
    found = map_genes(var, gene_ids="symbol", table=REAL, where="a")
    assert found.genes.tolist() == var["ensembl"].tolist()
    assert found.symbols.tolist() == ["OLD", "NOVEL"]
    assert found.named_by == {"Ensembl id beside the name": 2}


def test_the_mitochondrion_as_refseq_names_it():
    bare = ["ND1", "ND2", "ND3", "ND4", "ND5", "ND6", "ATP6", "COX1", "CYTB"]
    symbols = [*(f"MT-{b}" for b in bare[:7]), "MT-CO1", "MT-CYB", "PTGS1", "COX1"]
    table = pd.DataFrame({"gene": [f"ENSG{i:011d}" for i in range(11)], "symbol": symbols})
    found = map_genes(pd.DataFrame(index=[*bare, "PTGS1"]), gene_ids="symbol", table=table, where="a")
    assert found.mito.tolist() == [True] * 9 + [False]
    few = map_genes(pd.DataFrame(index=["COX1", "PTGS1"]), gene_ids="symbol", table=table, where="a")
    assert few.mito.tolist() == [False, False]


@pytest.mark.parametrize(
    ("names", "gene_ids", "message"),
    [
        (
            ["ENSMUSG00000000001", "ENSMUSG00000000003"],
            "ensembl",
            r"2 are of mouse \(such as 'ENSMUSG00000000001'\), 0 are",
        ),
        (["hg19_ACTB", "mm10_Actb"], "symbol", r"of 2 genes 1 are of mouse \(such as 'mm10_Actb'\), 1 are human"),
        (["ACTB", "GAPDH", "ENSG00000000003"], "ensembl", r"of 3 names 1 are \(ENSG .*, 2 are known symbols"),
        (["ACTB", "A", "B", "C"], "symbol", r"1 of its 4 genes \(25%\) are known; expected at least 50%"),
    ],
)
def test_genes_that_are_not_what_was_said_are_refused(names, gene_ids, message):
    with pytest.raises(DatamixError, match=message):
        map_genes(pd.DataFrame(index=names), gene_ids=gene_ids, table=REAL, where="a")


def test_artificial_genes_of_the_simulator_are_their_own_ids():
    var = pd.DataFrame({"symbol": ["A", "SIM0001"]}, index=["ENSG00000000007", "SIMG0000000001"])
    found = map_genes(var, gene_ids="ensembl", table=None, where="a")
    assert found.genes.tolist() == ["ENSG00000000007", "SIMG0000000001"]
    assert found.named_by == {"Ensembl id": 1, "artificial gene of the simulator": 1}
