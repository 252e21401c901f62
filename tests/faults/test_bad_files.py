"""Bad input: wrong manifests, profiles and files; each ends in a sentence: expected, found, and what mends it."""

import gzip
import io
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from bad_project import give, must_say
from command import datamix, nothing_left
from foreign_cells import made_up, write_loom, write_mex, write_tenx_h5
from scipy import sparse

Write = Callable[[Path], object]


def h5ad(change: Callable[[ad.AnnData], object]) -> Write:
    """Write cells after a change."""

    def write(path: Path) -> None:
        cells = made_up()
        changed = change(cells)
        (changed if isinstance(changed, ad.AnnData) else cells).write_h5ad(path)

    return write


def changed(make: Write, change: Callable[[h5py.File], object]) -> Write:
    """Change an HDF5 file after it was written."""

    def write(path: Path) -> None:
        make(path)
        with h5py.File(path, "r+") as file:
            change(file)

    return write


def inside(change: Callable[[h5py.File], object]) -> Write:
    return changed(lambda path: made_up().write_h5ad(path), change)


def loom(change: Callable[[h5py.File], object]) -> Write:
    return changed(lambda path: write_loom(path, made_up()), change)


def tenx(change: Callable[[h5py.File], object]) -> Write:
    return changed(lambda path: write_tenx_h5(path, made_up()), change)


def without(name: str) -> Callable[[h5py.File], object]:
    return lambda file: file.__delitem__(name)


def replaced(name: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = value
        file[name].attrs.update(attributes)

    return change


def first_indices(value: int) -> Callable[[h5py.File], object]:
    return lambda file: file["X/indices"].__setitem__(slice(0, 9), value)


def said_shape(cells: int) -> Callable[[h5py.File], object]:
    return lambda file: file["X"].attrs.__setitem__("shape", np.array([cells, 100]))


def content(text: str | bytes) -> Write:
    return lambda path: path.write_bytes(text.encode() if isinstance(text, str) else text)


def packed(text: bytes, *, lacking: int = 0) -> Write:
    data = gzip.compress(text)
    return content(data[: len(data) - lacking])


def cut(share: float) -> Write:
    def write(path: Path) -> None:
        made_up().write_h5ad(path)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return write


def counts(values: Callable[[np.ndarray], np.ndarray]) -> Callable[[ad.AnnData], None]:
    def change(cells: ad.AnnData) -> None:
        cells.X = sparse.csr_matrix(np.asarray(values(cells.X.toarray()), dtype=np.float32))

    return change


def one_value(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(matrix: np.ndarray) -> np.ndarray:
        matrix[3, 5] = value
        return matrix

    return change


def zipped(*names: str) -> Write:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"x")

    return write


def tarred(*names: str) -> Write:
    def write(path: Path) -> None:
        with tarfile.open(path, "w") as archive:
            for name in names:
                archive.addfile(tarfile.TarInfo(name), io.BytesIO())

    return write


def table(row: int, column: int, value: object) -> Write:
    """Write a table of counts with another value at one place."""

    def write(path: Path) -> None:
        frame = made_up().to_df().astype(int).astype(object)
        frame.iloc[row, column] = value
        frame.to_csv(path)

    return write


def as_mouse(cells: ad.AnnData) -> None:
    cells.var_names = [f"ENSMUSG{i:011d}" for i in range(cells.n_vars)]


def as_nobody(cells: ad.AnnData) -> None:
    cells.var_names = [f"x{i}" for i in range(cells.n_vars)]


def all_alike(cells: ad.AnnData) -> None:
    cells.obs_names = ["a"] * cells.n_obs


def something_else(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = 1


R = b"X\n\0\0\0\3\0\4\1\0"
FILES = {
    "empty": ("a.h5ad", content(""), "empty"),
    "blanks": ("a.csv", content("\n \n\n"), "empty"),
    "a web page": ("a.h5ad", content("<!DOCTYPE html><html>log in</html>"), "web page"),
    "a page of errors as XML": ("a.h5ad", content("<?xml version='1.0'?><Error>NoSuchKey</Error>"), "web page"),
    "a PDF": ("a.h5ad", content(b"%PDF-1.7\n\0\0\0"), "not known"),
    "a picture": ("a.h5ad", content(b"\x89PNG\r\n\x1a\n\0\0\0"), "not known"),
    "a program": ("a.h5ad", content(b"\x7fELF\2\1\1\0"), "not known"),
    "a pickle": ("a.pkl", content(pickle.dumps({"a": 1}, protocol=4)), "pickle"),
    "a pointer of Git LFS": ("a.h5ad", content("version https://git-lfs.github.com/spec/v1\noid sha256:1\n"), "LFS"),
    "arrays of NumPy": ("a.npy", lambda path: np.save(path, np.ones(3)), "NumPy"),
    "many arrays": ("a.npz", lambda path: np.savez(path, a=np.ones(3)), "arrays"),
    "a workbook": ("a.xlsx", zipped("xl/workbook.xml"), "Excel"),
    "a table of Parquet": ("a.parquet", content(b"PAR1\0\0PAR1"), "Parquet"),
    "reads": ("a.bam", content(b"BAM\1\0\0"), "aligned reads"),
    "a zip without counts": ("a.zip", zipped("readme.txt"), "without a matrix.mtx"),
    "a tar without counts": ("a.tar", tarred("readme.txt"), "without a matrix.mtx"),
    "a zip cut short": ("a.zip", content(b"PK\3\4" + b"\0" * 30), "not known|damaged"),
    "a tar of rubbish": ("a.tar", content(bytes(range(256)) * 4), "damaged"),
    "a gzip cut short": ("a.csv.gz", packed(b"a,b\n" * 999, lacking=20), "damaged"),
    "a gzip of rubbish": ("a.csv.gz", content(b"\x1f\x8b\x08\0" + bytes(range(200))), "damaged"),
    "an HDF5 in a gzip": ("a.gz", packed(b"\x89HDF\r\n\x1a\n" + b"\0" * 99), "gunzip"),
    "an h5ad cut to a tenth": ("a.h5ad", cut(0.1), "damaged|truncated"),
    "an h5ad cut to a half": ("a.h5ad", cut(0.5), "damaged|truncated"),
    "an h5ad cut by a byte": ("a.h5ad", cut(0.9999), "damaged|truncated"),
    "an HDF5 of something else": ("a.h5ad", something_else, "another kind"),
    "an h5ad without genes": ("a.h5ad", inside(without("var")), "var"),
    "an h5ad without cells": ("a.h5ad", inside(without("obs")), "obs"),
    "an h5ad without counts": ("a.h5ad", inside(without("X")), "counts|matrix"),
    "an h5ad whose names lead elsewhere": (
        "a.h5ad",
        inside(lambda file: file["obs"].attrs.__setitem__("_index", "nowhere")),
        "obs|nowhere",
    ),
    "rows that end before they begin": (
        "a.h5ad",
        inside(replaced("X/indptr", np.arange(40, -1, -1))),
        "does not fit",
    ),
    "rows beyond the counts": ("a.h5ad", inside(replaced("X/indptr", np.arange(41) * 10**6)), "does not fit"),
    "genes beyond the genes": ("a.h5ad", inside(first_indices(10**6)), "damaged|gene"),
    "genes below zero": ("a.h5ad", inside(first_indices(-5)), "damaged|gene"),
    "a shape of billions": ("a.h5ad", inside(said_shape(10**9)), "does not fit"),
    "more cells than rows": ("a.h5ad", inside(said_shape(50)), "does not fit"),
    "no cells at all": ("a.h5ad", h5ad(lambda cells: cells[:0].copy()), "no cell|none of 0|counts"),
    "no genes at all": ("a.h5ad", h5ad(lambda cells: cells[:, :0].copy()), "gene|counts"),
    "logarithms": ("a.h5ad", h5ad(counts(np.log1p)), "raw counts"),
    "counts below zero": ("a.h5ad", h5ad(counts(lambda matrix: -matrix)), "raw counts"),
    "one count below zero": ("a.h5ad", h5ad(counts(one_value(-1))), "raw counts"),
    "a count that is no number": ("a.h5ad", h5ad(counts(one_value(np.nan))), "raw counts"),
    "a count without end": ("a.h5ad", h5ad(counts(one_value(np.inf))), "raw counts"),
    "cells that all have one name": ("a.h5ad", h5ad(all_alike), "stands more than once"),
    "mice": ("a.h5ad", h5ad(as_mouse), "mouse"),
    "genes that nobody knows": ("a.h5ad", h5ad(as_nobody), "are known"),
    "a table of words": ("a.csv", content("a,b\nc,d\ne,f\n"), "number"),
    "a word among counts": ("a.csv", table(30, 50, "many"), "text among its counts"),
    "a gap among counts": ("a.csv", table(3, 5, None), "no number"),
    "a count of minus one in a table": ("a.csv", table(3, 5, -1), "raw counts"),
    "a header alone": ("a.csv", lambda path: made_up()[:0].to_df().to_csv(path), "cell|row|counts|number"),
    "rows of different lengths": ("a.csv", content("g,c1,c2\nACTB,1,2\nGAPDH,1,2,3,4\n"), "fields"),
    "one column": ("a.csv", content("ACTB\nGAPDH\nB2M\n"), "column|number"),
    "UTF-16": ("a.csv", content("g,c1\nACTB,1\n".encode("utf-16")), "UTF-16"),
    "quotes without end": ("a.csv", content('g,c1\n"ACTB,1\nGAPDH,2\n'), "damaged"),
    "a loom without genes": ("a.loom", loom(without("row_attrs/Gene")), "Gene"),
    "a loom without counts": ("a.loom", loom(without("matrix")), "another kind"),
    "a 10x file without barcodes": ("a.h5", tenx(without("matrix/barcodes")), "another kind"),
    "a 10x file with fewer names": ("a.h5", tenx(replaced("matrix/barcodes", np.array(["a"], "S"))), "damaged"),
    "an R file cut short": ("a.rds", packed(R), "R |damaged|truncated"),
    "an R file of rubbish": ("a.rds", packed(R + b"\0\3\5\0" + bytes(range(99))), "R |damaged"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_wrong_file(bad_project, case):
    """A file of cells that is damaged, of another kind, or holds what cannot be."""
    name, write, words = FILES[case]
    write(give(bad_project, name) / name)
    said = must_say(bad_project, words)
    assert name in said.text or "mine" in said.text


@pytest.mark.parametrize("case", FILES)
def test_a_wrong_file_looked_into(bad_project, case):
    """The same files under `datamix inspect`: a problem is said, or what is in them."""
    name, write, _ = FILES[case]
    path = bad_project / name
    write(path)
    with nothing_left(bad_project):
        said = datamix(bad_project, "inspect", str(path))
    assert "Traceback" not in said.text
    assert "that datamix does not know" not in said.text, said.text
    assert said.code in {0, 1}


Lines = Callable[[list[str]], list[str]]


def lines(name: str, change: Lines) -> Write:
    def write(folder: Path) -> None:
        path = folder / name
        path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")

    return write


def in_line(number: int, text: str) -> Lines:
    return lambda before: [*before[:number], text, *before[number + 1 :]]


def other_count(count: str) -> Lines:
    """Give the entry of the sixth line another count."""
    return lambda before: in_line(5, f"{before[5].rpartition(' ')[0]} {count}")(before)


MATRIX, HEAD = "matrix.mtx", 2
MEX = {
    "no genes": (lambda folder: (folder / "genes.tsv").unlink(), "genes"),
    "no barcodes": (lambda folder: (folder / "barcodes.tsv").unlink(), "barcodes"),
    "a barcode too few": (lines("barcodes.tsv", lambda before: before[:-1]), "cells"),
    "a gene too many": (lines("genes.tsv", lambda before: [*before, "ENSG00000000999\tX"]), "genes"),
    "no header": (lines(MATRIX, lambda before: before[3:]), "MatrixMarket"),
    "a header of words": (lines(MATRIX, in_line(HEAD, "many genes and cells")), "rows, columns and entries"),
    "a header of minus one": (lines(MATRIX, in_line(HEAD, "-1 -1 -1")), "rows, columns and entries"),
    "entries too few": (lines(MATRIX, lambda before: before[:-50]), "truncated"),
    "entries too many": (lines(MATRIX, lambda before: [*before, "1 1 3"]), "entries"),
    "an entry beyond the genes": (lines(MATRIX, in_line(5, "999999 1 3")), "outside"),
    "an entry of cell zero": (lines(MATRIX, in_line(5, "1 0 3")), "outside"),
    "an entry of words": (lines(MATRIX, in_line(5, "one two three")), MATRIX),
    "an entry below zero": (lines(MATRIX, other_count("-3")), "raw counts"),
    "an entry that is no number": (lines(MATRIX, other_count("nan")), "raw counts|not 'gene cell count'"),
}


@pytest.mark.parametrize("case", MEX)
def test_a_wrong_matrix_of_10x(bad_project, case):
    """Three files of a 10x matrix, of which one is missing, cut, or says what cannot be."""
    change, words = MEX[case]
    folder = give(bad_project)
    write_mex(folder, made_up(), version=2)
    change(folder)
    give(bad_project, *(name for name in (MATRIX, "genes.tsv", "barcodes.tsv") if (folder / name).is_file()))
    must_say(bad_project, words)


@pytest.mark.parametrize("what", ["a folder", "a pipe", "a link to nowhere", "a link to itself", "a device"])
def test_what_is_no_file(bad_project, what):
    """A folder, pipe, device or broken link where a file should be: missing, and nobody waits for it."""
    path = give(bad_project, "a.h5ad") / "a.h5ad"
    make = {
        "a folder": path.mkdir,
        "a pipe": lambda: os.mkfifo(path),
        "a link to nowhere": lambda: path.symlink_to("nowhere"),
        "a link to itself": lambda: path.symlink_to(path.name),
        "a device": lambda: path.symlink_to("/dev/zero"),
    }
    make[what]()
    must_say(bad_project, r"a\.h5ad")


@pytest.mark.parametrize("text", ["", "gene\nx\n", "gene_id,gene_name\n", "a,b\n1,2\n", "<html>", "\0\1\2"])
def test_a_wrong_table_of_genes(bad_project, text):
    """A table of genes that is empty, lacks a column, or is something else."""
    (bad_project / "data" / "genes" / "genes.csv").write_text(text)
    must_say(bad_project, r"genes\.csv")


def test_a_file_that_was_put_right(bad_project):
    """A wrong file that a person then replaces by the right one: that is taken, and not held against the wrong one."""
    path = give(bad_project, "a.csv") / "a.csv"
    path.write_text("")
    must_say(bad_project, "empty")
    made_up().to_df().to_csv(path)
    said = datamix(bad_project, "prepare", "mine", "--profile", "tiny")
    assert said.code == 0, said.text
    assert pd.read_csv(path, index_col=0).shape == (40, 100)
