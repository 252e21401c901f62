from pathlib import Path

import numpy as np
import pytest
import rdata

from datamix.project.errors import DatamixError
from datamix.project.manifest import read_manifest
from datamix.sources.readers.gene_table import read_gene_table

PROJECT = Path(__file__).parents[3]


def gene(number: int, version: str = "") -> str:
    return f"ENSG{number:011d}{version}"


def saved(path: Path, rows: list[tuple[str, ...]], *, header: str = "id,name,kind,place") -> dict[str, Path]:
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")
    return {path.name: path}


COLUMNS = {"gene": "id", "symbol": "name", "biotype": "kind", "chromosome": "place"}


def test_of_several_ids_one_is_chosen_by_the_rule(tmp_path):
    rows = [
        (gene(1), "A", "lncRNA", "chr1"),
        (gene(5, ".2"), "A", "protein_coding", "scaffold"),
        (gene(9, ".1"), "A", "protein_coding", "chr2"),
        (gene(8), "B", "lncRNA", "chr1"),
        (gene(7, ".13"), "B", "pseudogene", "chrX"),
        (gene(3), "", "lncRNA", "chr1"),
        ("ENSMUSG00000000001", "Actb", "protein_coding", "chr1"),
        ("ERCC-00002", "ERCC", "spike", "chr1"),
        (gene(10, "_PAR_Y"), "C", "protein_coding", "chrY"),
        (gene(2), "NA", "protein_coding", "chr1"),
    ]
    found = read_gene_table(saved(tmp_path / "t.csv", rows), **COLUMNS)
    assert dict(zip(found["symbol"], found["gene"], strict=True)) == {"A": gene(9), "B": gene(7), "NA": gene(2)}
    assert found["gene"].is_monotonic_increasing


def test_table_with_two_columns(tmp_path):
    header = ",feature_id,feature_name"
    files = saved(tmp_path / "t.csv", [("0", gene(4), "X"), ("1", gene(3), "Y")], header=header)
    found = read_gene_table(files, gene="feature_id", symbol="feature_name")
    assert found.to_dict("list") == {"gene": [gene(3), gene(4)], "symbol": ["Y", "X"]}


def test_earlier_symbols_serve_where_the_table_has_none(tmp_path):
    files = saved(tmp_path / "t.csv", [(gene(2), "NEW", "lncRNA", "chr1"), (gene(1), "SAME", "lncRNA", "chr1")])
    symbols = np.array(["OLD", "SAME", "GONE", "OLDER"])
    ids = np.array([gene(2), gene(2), gene(99), gene(1)])
    rdata.write_rda(tmp_path / "old.rda", {"rows": {"id": ids, "symbol": symbols}})
    files["old.rda"] = tmp_path / "old.rda"
    found = read_gene_table(files, **COLUMNS, earlier={"file": "old.rda", "gene": "rows/id", "symbol": "rows/symbol"})
    assert list(zip(found["gene"], found["symbol"], strict=True)) == [
        (gene(1), "SAME"),
        (gene(1), "OLDER"),
        (gene(2), "NEW"),
        (gene(2), "OLD"),
    ]


def test_missing_column(tmp_path):
    files = saved(tmp_path / "t.csv", [(gene(1), "A", "x", "chr1")])
    with pytest.raises(DatamixError, match=r"t\.csv has no column gene_id, gene_name; it has id, name, kind, place"):
        read_gene_table(files)


def test_no_human_gene(tmp_path):
    files = saved(tmp_path / "t.csv", [("ENSMUSG00000000001", "Actb", "x", "chr1")])
    with pytest.raises(DatamixError, match=r"column id holds no human Ensembl gene id"):
        read_gene_table(files, **COLUMNS)


def test_real_table(real_data):
    dataset = read_manifest(PROJECT).dataset("genes_ensembl")
    by_size = {p.stat().st_size: p for p in real_data.rglob("*") if p.is_file()}
    table = read_gene_table({file.name: by_size[file.bytes] for file in dataset.files}, **dataset.options)
    assert table["symbol"].is_unique
    assert table["gene"].str.fullmatch(r"ENSG\d{11}").all()
    ids = table.set_index("symbol")["gene"]
    known = {
        "ACTB": "ENSG00000075624",
        "MT-ND1": "ENSG00000198888",
        "CD3E": "ENSG00000198851",
        "HBB": "ENSG00000244734",
    }
    assert {symbol: ids[symbol] for symbol in known} == known
    # Renamed to TENT5C: the earlier symbol still finds the gene, and the present one comes first.
    assert ids["FAM46C"] == ids["TENT5C"]
    assert table.drop_duplicates("gene").set_index("gene")["symbol"][ids["FAM46C"]] == "TENT5C"


@pytest.mark.parametrize("chr_", ["chr", ""])
def test_main_chromosomes_are_known_as_ucsc_and_as_ensembl_write_them(tmp_path, chr_):
    path = tmp_path / "genes.csv"
    rows = [f"ENSG00000000009,ACTB,protein_coding,{chr_}7", "ENSG00000000001,ACTB,protein_coding,HSCHR7_ALT"]
    path.write_text("\n".join(["gene_id,gene_name,biotype,chromosome", *rows]))
    table = read_gene_table({path.name: path}, biotype="biotype", chromosome="chromosome")
    assert table["gene"].tolist() == ["ENSG00000000009"]
