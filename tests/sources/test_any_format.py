"""Files of cells as other people have them: every kind comes to the same corpus, or is refused in words that help."""

import json
from pathlib import Path

import anndata as ad
import h5py
import hdf5plugin
import numpy as np
import pandas as pd
import pytest
import rdata
from foreign_cells import (
    GENES,
    IDS,
    corpus_of,
    made_up,
    project_of,
    write_legacy_h5ad,
    write_loom,
    write_mex,
    write_tenx_h5,
)

from datamix.project.errors import DatamixError
from datamix.sources.formats.zarr_cells import open_zarr

NONE = {"not labelled"}


def as_it_is(cells: ad.AnnData) -> None:
    """Change nothing."""


def h5ad(change):
    def write(folder: Path, cells: ad.AnnData) -> list[Path]:
        cells = change(cells) or cells
        cells.write_h5ad(folder / "a.h5ad")
        return [folder / "a.h5ad"]

    return write


def one(name: str, write):
    def written(folder: Path, cells: ad.AnnData) -> list[Path]:
        write(folder / name, cells)
        return [folder / name]

    return written


def normalised(cells: ad.AnnData, *, keep: str) -> ad.AnnData:
    if keep == "raw":
        cells.raw = cells
    else:
        cells.layers[keep] = cells.X.copy()
    cells.X = np.log1p(cells.X.toarray() / 7.3)
    return cells


def by_genes(cells: ad.AnnData) -> None:
    cells.X = cells.X.tocsc()


def dense(cells: ad.AnnData) -> None:
    cells.X = cells.X.toarray()


def exchanged(cells: ad.AnnData, layout: str) -> ad.AnnData:
    """Put genes in the place of cells, as after a `T` too many."""
    cells = cells.T.copy()
    cells.X = cells.X.toarray() if layout == "dense" else cells.X.asformat(layout)
    return cells


def without_x(cells: ad.AnnData) -> ad.AnnData:
    return ad.AnnData(obs=cells.obs, var=cells.var, layers={"counts": cells.X})


def table_with(cells: ad.AnnData, *, turned: bool) -> pd.DataFrame:
    frame = cells.to_df().astype(int)
    return frame if turned else frame.T


def compressed_by(name: str):
    def write(path: Path, cells: ad.AnnData) -> None:
        cells.write_h5ad(path)
        with h5py.File(path, "a") as file:  # numbers only: HDF5 ends where blosc is to compress text of any length
            for part in ("data", "indices"):
                values = file[f"X/{part}"][:]
                del file[f"X/{part}"]
                file["X"].create_dataset(part, data=values, compression=hdf5plugin.FILTERS[name])

    return one("a.h5ad", write)


def write_h5mu(path: Path, cells: ad.AnnData) -> None:
    cells.write_h5ad(path.with_suffix(".h5ad"))
    with h5py.File(path.with_suffix(".h5ad")) as source, h5py.File(path, "w") as file:
        for name in ("adt", "rna"):
            file.create_group(f"mod/{name}")
            for part in source:
                source.copy(part, file[f"mod/{name}"])
        del file["mod/adt/X"]


def r_object(path: Path, content: object) -> None:
    rdata.write_rds(path, content)


KINDS = {
    "h5ad": h5ad(as_it_is),
    "h5ad by genes": h5ad(by_genes),
    "h5ad dense": h5ad(dense),
    "h5ad raw": h5ad(lambda c: normalised(c, keep="raw")),
    "h5ad layer": h5ad(lambda c: normalised(c, keep="counts")),
    "h5ad without X": h5ad(without_x),
    "h5ad exchanged, CSR": h5ad(lambda c: exchanged(c, "csr")),
    "h5ad exchanged, CSC": h5ad(lambda c: exchanged(c, "csc")),
    "h5ad exchanged, dense": h5ad(lambda c: exchanged(c, "dense")),
    "h5ad of anndata 0.6": one("a.h5ad", write_legacy_h5ad),
    "h5ad, zstd": compressed_by("zstd"),
    "h5ad, blosc": compressed_by("blosc"),
    "h5ad, lzf": one("a.h5ad", lambda path, cells: cells.write_h5ad(path, compression="lzf")),
    "h5mu": one("a.h5mu", write_h5mu),
    "another name": one("counts.bin", lambda path, cells: cells.write_h5ad(path)),
    "loom": one("a.loom", write_loom),
    "10x h5, version 3": one("a.h5", write_tenx_h5),
    "10x h5, version 2": one("a.h5", lambda path, cells: write_tenx_h5(path, cells, version=2)),
    "mex 3": lambda folder, cells: write_mex(folder, cells),
    "mex 3 with prefix": lambda folder, cells: write_mex(folder, cells, prefix="GSM1_blood_"),
    "mex 2": lambda folder, cells: write_mex(folder, cells, version=2),
    "mex, entries in any order": lambda folder, cells: write_mex(folder, cells, order=1),
    "csv, genes × cells": one("a.csv", lambda path, cells: table_with(cells, turned=False).to_csv(path)),
    "csv, cells × genes": one("a.csv.gz", lambda path, cells: table_with(cells, turned=True).to_csv(path)),
    "tsv": one("a.txt", lambda path, cells: table_with(cells, turned=False).to_csv(path, sep="\t")),
    "csv with semicolons": one("a.csv", lambda path, cells: table_with(cells, turned=False).to_csv(path, sep=";")),
    "csv, row numbers before names": one(
        "a.csv", lambda path, cells: table_with(cells, turned=False).rename_axis("Gene").reset_index().to_csv(path)
    ),
    "R data frame": one("a.rds", lambda path, cells: r_object(path, table_with(cells, turned=False))),
    "R data frame with a column of genes": one(
        "a.rds",
        lambda path, cells: r_object(path, table_with(cells, turned=False).rename_axis("Gene").reset_index()),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_comes_to_the_same_corpus(tmp_path, kind):
    cells = made_up()
    expected = cells.to_df().to_numpy()
    (tmp_path / "given").mkdir()
    found = corpus_of(project_of(tmp_path, KINDS[kind](tmp_path / "given", cells)))
    assert found.var_names.tolist() == IDS
    assert found.var["symbol"].tolist() == GENES
    assert found.obs_names.tolist() == [f"mine:AAAC{i:012d}-1" for i in range(40)]
    np.testing.assert_array_equal(found.X.toarray(), expected)
    assert json.loads(found.uns["datamix"])["mito_genes"] == 2


@pytest.mark.parametrize(
    "names",
    [
        [f"{i}.7" for i in IDS],
        [f"GRCh38_{g}" for g in GENES],
        [f"{i}_{g}" for i, g in zip(IDS, GENES, strict=True)],
        [g.replace("-", ".") for g in GENES],
        [g if n % 3 else i for n, (g, i) in enumerate(zip(GENES, IDS, strict=True))],
        ["2-Sep" if g == "SEPTIN2" else g for g in GENES],
    ],
    ids=["version", "genome", "id and symbol", "make.names", "mixed", "date"],
)
def test_gene_names_in_every_spelling_keep_the_mitochondrial_filter(tmp_path, names):
    cells = made_up()
    cells.var_names = names
    found = corpus_of(project_of(tmp_path, h5ad(as_it_is)(tmp_path, cells)))
    assert found.var_names.tolist() == IDS
    assert found.obs["mito_fraction"].min() > 0


def mouse(cells: ad.AnnData) -> None:
    cells.var_names = [g.capitalize() if not g.startswith("MT-") else g.lower() for g in GENES]


def mouse_ids(cells: ad.AnnData) -> None:
    cells.var_names = [i.replace("ENSG", "ENSMUSG") for i in IDS]


def mouse_beside_human_ids(cells: ad.AnnData) -> None:
    cells.var["gene_ids"] = IDS
    mouse(cells)


def repeated(cells: ad.AnnData) -> None:
    cells.obs_names = [*cells.obs_names[:20], *cells.obs_names[:20]]


@pytest.mark.parametrize(
    ("change", "entry", "message"),
    [
        (mouse_ids, {}, "100 are of mouse"),
        (mouse, {}, r"0 of its 100 genes \(0%\) are known.*as mouse genes are"),
        (mouse_beside_human_ids, {}, "0 of its 100 gene names are human symbols; others, such as 'Actb'"),
        (as_it_is, {"gene_ids": "ensembl"}, "of 100 names 0 are .*, 100 are known symbols"),
        (repeated, {}, r"stands more than once(?s:.*)name_with"),
        (
            lambda c: None,
            {"options": {"cell_type": "cell_type"}},
            r"no column 'cell_type'(?s:.*)did you mean 'celltype'",
        ),
        (as_it_is, {"options": {"cell_tipe": "x"}}, r"no option 'cell_tipe'(?s:.*)did you mean 'cell_type'"),
        (
            lambda c: None,
            {"options": {"matrix": "layers/counts"}},
            r"no matrix 'layers/counts'; it has X \(raw counts\)",
        ),
        (
            lambda c: None,
            {"options": {"keep": {"donor": "d9"}}},
            "keep leaves no cell: 'donor' is none of d9; it has d1",
        ),
        (as_it_is, {"options": {"donor": ["d1"]}}, r"does not take donor: \['d1'\]"),
        (as_it_is, {"options": {"donor": {"rule": "guess"}}}, "donor: the rule 'guess' does not exist"),
        (as_it_is, {"reader": "10x"}, r"'10x', which does not exist(?s:.*)choose 'file'"),
        (as_it_is, {"gene_table": "mine"}, "'mine', which comes back to it and is no table of genes"),
    ],
)
def test_what_is_wrong_is_refused_in_words_that_help(tmp_path, change, entry, message):
    root = project_of(tmp_path, h5ad(change)(tmp_path, made_up()), **entry)
    with pytest.raises(DatamixError, match=message) as error:
        corpus_of(root)
    assert "delete" not in str(error.value)


def test_a_zarr_store_with_genes_in_the_place_of_cells_says_how_to_mend_it(tmp_path):
    made_up().T.copy().write_zarr(tmp_path / "a.zarr")
    with pytest.raises(DatamixError, match=r"genes in place of its cells: obs are named(?s:.*)adata\.T"):
        open_zarr(tmp_path / "a.zarr")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"\xd0\xcf\x11\xe0abc", "is an Excel workbook"),
        ("a.parquet", b"PAR1abc", "is a Parquet table"),
        ("a.h5ad", b"\x89HDF\r\n\x1a\nabc", "truncated or damaged"),
        ("a.csv", b"", "is empty"),
        ("a.bin", b"abc\0\0\1", "of a format that is not known here"),
        ("a.csv", b"gene,note\nACTB,x\nGAPDH,y\n", "has no column of numbers"),
        ("a.csv", b",c1,c2\nx1,1,2\nx2,3,4\n", "gene dimension cannot be told"),
        ("a.csv", b",c1,c2\nACTB,1,\nGAPDH,3,4\n", "no number stands at 'ACTB', 'c2'"),
        ("a.csv", b",c1,c2\nACTB,1,0.5\nGAPDH,3,4\n", "0.5 of gene .ACTB.; expected raw counts"),
        ("matrix.mtx", b"%%MatrixMarket matrix coordinate integer general\n1 1 0\n", "expected one features.tsv"),
    ],
)
def test_files_that_are_no_counts_are_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DatamixError, match=message) as error:
        corpus_of(project_of(tmp_path, [path]))
    assert "delete" not in str(error.value)


@pytest.mark.parametrize("cut", ["", "-1"])
@pytest.mark.parametrize("column", [None, "barcode"])
def test_labels_beside_counts_are_found_by_name(tmp_path, cut, column):
    cells = made_up()
    frame = cells.obs[["celltype"]].rename(index=lambda name: name.removesuffix(cut) if cut else name)
    labels = tmp_path / "meta.csv"
    (frame if column is None else frame.rename_axis(column).reset_index()).to_csv(labels)
    rule = {"rule": "column", "file": "meta.csv", "column": "celltype"}
    files = [*h5ad(as_it_is)(tmp_path, cells), labels]
    found = corpus_of(project_of(tmp_path, files, options={"cell_type": rule}))
    assert found.obs["cell_type"].tolist() == cells.obs["celltype"].tolist()


def test_missing_values_are_missing(tmp_path):
    cells = made_up()
    cells.obs["donor"] = np.resize([1.0, np.nan, 2.0], 40)
    cells.obs["celltype"] = np.resize(["nan", "NA", "Unknown", ""], 40)
    options = {"cell_type": "celltype", "donor": "donor"}
    found = corpus_of(project_of(tmp_path, h5ad(as_it_is)(tmp_path, cells), options=options))
    assert set(found.obs["donor"]) == {"1", "2", "not recorded"}
    assert set(found.obs["cell_type"]) == NONE
