"""More kinds of files that people have, each made here: what is found in them, or the words of the refusal."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import rdata
import xarray as xr
from foreign_cells import GENES, IDS, TABLE, made_up, write_mex, write_tenx_h5
from scipy import sparse

from datamix.corpora.cell_folders import files_of
from datamix.corpora.inspection import inspect_cells
from datamix.corpora.labels_beside import tables_beside
from datamix.project.errors import DatamixError
from datamix.sources.formats import r_cells

KNOWN = TABLE.rename(columns={"gene_id": "gene", "gene_name": "symbol"})


def scaled_beside_counts(folder, cells):
    cells.layers["counts"] = cells.X.copy()
    counts = cells.X.toarray()
    cells.X = (counts - counts.mean(axis=0)) / (counts.std(axis=0) + 1)
    cells.write_h5ad(folder / "a.h5ad")


def duplicate_symbols_with_ids(folder, cells):
    cells.var["gene_ids"] = IDS
    cells.var_names = [GENES[0], GENES[0], *GENES[2:]]
    cells.write_h5ad(folder / "a.h5ad")


def categories_with_nan(folder, cells):
    cells.obs["celltype"] = pd.Categorical(np.where(np.arange(40) < 10, None, cells.obs["celltype"]))
    cells.write_h5ad(folder / "a.h5ad")


def categories_of_whole_fractions(folder, cells):
    cells.obs["donor"] = pd.Categorical(np.resize([1.0, 2.0, np.nan], 40))
    cells.write_h5ad(folder / "a.h5ad")


def mark_at_the_end_of_each_line(folder, cells):
    lines = cells.to_df().astype(int).T.to_csv().splitlines()
    (folder / "a.csv").write_bytes("".join(f"{line},\r\n" for line in lines).encode())


def gct(folder, cells):
    frame = cells.to_df().astype(int).T
    frame.insert(0, "Description", "na")
    (folder / "a.gct").write_text("#1.2\n100\t40\n" + frame.to_csv(sep="\t", index_label="Name"))


def zarr_of_version_3(folder, cells):
    import zarr

    ad.settings.zarr_write_format = 3
    try:
        cells.write_zarr(folder / "a.zarr")
    finally:
        ad.settings.zarr_write_format = 2
    assert zarr.open(folder / "a.zarr").metadata.zarr_format == 3


def loom_of_cells_by_genes(folder, cells):
    with h5py.File(folder / "a.loom", "w") as file:
        file["matrix"] = cells.X.toarray()
        file["row_attrs/CellID"] = np.array(cells.obs_names, dtype="S")
        file["col_attrs/Gene"] = np.array(cells.var_names, dtype="S")


def features_of_two_columns(folder, cells):
    paths = write_mex(folder / "m", cells, version=2)
    genes = next(p for p in paths if "genes" in p.name)
    genes.rename(genes.with_name("features.tsv"))


def quoted_with_byte_order_mark(folder, cells):
    frame = cells.to_df().astype(int).T
    frame.to_csv(folder / "a.csv", encoding="utf-8-sig", quoting=1)


def semicolons_and_decimal_commas(folder, cells):
    cells.to_df().T.to_csv(folder / "a.csv", sep=";", decimal=",", float_format="%.1f")


def cells_with_a_column_of_types(folder, cells):
    cells.to_df().astype(int).assign(celltype=cells.obs["celltype"]).to_csv(folder / "a.tsv.gz", sep="\t")


def tar_of_samples(folder, cells):
    with tarfile.open(folder / "a.tar", "w") as packed:
        for name, part in (("s1", cells[:20]), ("s2", cells[20:])):
            write_mex(folder / name, part.copy())
            for path in sorted((folder / name).iterdir()):
                packed.add(path, f"{name}/{path.name}")
                path.unlink()
            (folder / name).rmdir()


def folder_of_samples(folder, cells):
    for name, part in (("s1", cells[:20]), ("s2", cells[20:])):
        part.copy().write_h5ad(folder / f"{name}.h5ad")
    (folder / "README.txt").write_text("Two samples.\n")


def whole_numbers_as_float64(folder, cells):
    cells.X = cells.X.astype(np.float64)
    cells.write_h5ad(folder / "a.h5ad", compression="lzf")


def small_integers(folder, cells):
    cells.X = cells.X.toarray().astype(np.uint16)
    cells.write_h5ad(folder / "a.h5ad", compression="gzip")


def without_an_ending(folder, cells):
    cells.write_h5ad(folder / "a.h5ad")
    (folder / "a.h5ad").rename(folder / "counts")


def mitochondrial_genes_with_a_colon(folder, cells):
    cells.var_names = [g.replace("MT-", "MT:") for g in GENES]
    cells.write_h5ad(folder / "a.h5ad")


def census_of_cellxgene(folder, cells):
    """Write what `cellxgene_census.get_anndata` gives: cells and genes are numbered, ids stand in columns."""
    cells.obs = cells.obs.rename(columns={"celltype": "cell_type", "donor": "donor_id"}).assign(disease="normal")
    cells.obs_names = [str(i) for i in range(40)]
    columns = {"soma_joinid": range(100), "feature_id": IDS, "feature_name": GENES, "feature_length": 1000}
    cells.var = pd.DataFrame(columns, index=[str(i) for i in range(100)])
    cells.write_h5ad(folder / "a.h5ad")


def labels_beside(folder, cells):
    table = cells.obs.rename(index=lambda name: name.removesuffix("-1")).reset_index(names="barcode")
    table.to_csv(folder / "a_metadata.csv", index=False)
    cells.obs = cells.obs[[]]
    cells.write_h5ad(folder / "a.h5ad")


def named_vector_beside(folder, cells):
    rdata.write_rds(folder / "idents.rds", pd.DataFrame({"x": cells.obs["celltype"].to_numpy()}, index=cells.obs_names))
    write_mex(folder / "a", cells)


READ = {  # what is made: cells, types and donors, words of the notes
    scaled_beside_counts: (40, "celltype", "donor", "taken from layers/counts"),
    duplicate_symbols_with_ids: (40, "celltype", "donor", "Ensembl ids are taken from a column"),
    categories_with_nan: (40, "celltype", "donor", ""),
    categories_of_whole_fractions: (40, "celltype", "donor", ""),
    mark_at_the_end_of_each_line: (40, None, None, ""),
    gct: (40, None, None, ""),
    zarr_of_version_3: (40, "celltype", "donor", ""),
    loom_of_cells_by_genes: (40, None, None, "cells × genes"),
    features_of_two_columns: (40, None, None, ""),
    quoted_with_byte_order_mark: (40, None, None, ""),
    semicolons_and_decimal_commas: (40, None, None, ""),
    cells_with_a_column_of_types: (40, "celltype", None, ""),
    tar_of_samples: (40, None, None, ""),
    folder_of_samples: (40, "celltype", "donor", ""),
    whole_numbers_as_float64: (40, "celltype", "donor", ""),
    small_integers: (40, "celltype", "donor", ""),
    without_an_ending: (40, "celltype", "donor", ""),
    mitochondrial_genes_with_a_colon: (40, "celltype", "donor", ""),
    census_of_cellxgene: (40, "cell_type", "donor_id", "Ensembl ids are taken from a column"),
    labels_beside: (40, "celltype", "donor", "a_metadata.csv, which lies beside it and names 40 of 40"),
    named_vector_beside: (40, "x", None, "idents.rds"),
}


def looked(path):
    return inspect_cells(files_of(path), gene_table=lambda: KNOWN, beside=tables_beside(path), say=str)


def refuse_if_unusable(found):
    if found.problem is not None:
        raise found.problem


def only_path(folder: Path) -> Path:
    """Return what was made in a folder: `a…`, or the folder where it is one of samples."""
    named = sorted(p for p in folder.iterdir() if p.stem.split(".")[0] in {"a", "m", "counts"})
    return named[0] if named else folder


@pytest.mark.parametrize("make", READ, ids=lambda make: make.__name__)
def test_what_is_found(make, tmp_path):
    cells = made_up()
    total = np.asarray(cells.X.sum(axis=1)).ravel()
    make(tmp_path, cells)
    found = looked(only_path(tmp_path))
    n, cell_type, donor, note = READ[make]
    assert (found.n_cells, found.problem) == (n, None)
    np.testing.assert_array_equal(found.total, total)
    assert set(found.genes.genes) == set(IDS)
    assert found.mito.sum() > 0
    assert (found.cell_type and found.cell_type.name, found.donor and found.donor.name) == (cell_type, donor)
    assert note in "; ".join([*found.notes, *found.formats])
    if make is categories_with_nan:
        assert found.cell_type.labelled == 30
    if make is categories_of_whole_fractions:
        assert list(found.donor.values.items()) == [("1", 14), ("2", 13)]


def obsm_only(folder, cells):
    ad.AnnData(obs=cells.obs, var=cells.var, obsm={"X_pca": np.zeros((40, 5))}).write_h5ad(folder / "a.h5ad")


def two_organisms(folder, cells):
    cells.var_names = [*(f"GRCh38_{g}" for g in GENES[:40]), *(f"mm10___{g.capitalize()}" for g in GENES[40:])]
    cells.write_h5ad(folder / "a.h5ad")


def two_genomes(folder, cells):
    write_tenx_h5(folder / "a.h5", cells, version=2)
    with h5py.File(folder / "a.h5", "a") as file:
        file.copy("GRCh38", "mm10")


def peaks_only(folder, cells):
    write_tenx_h5(folder / "a.h5", cells)
    with h5py.File(folder / "a.h5", "a") as file:
        del file["matrix/features/feature_type"]
        file["matrix/features/feature_type"] = np.array(["Peaks"] * 100, "S")


def letters_of_windows(folder, cells):
    frame = cells.to_df().astype(int).T
    frame.insert(0, "note", "µ chain")
    (folder / "a.csv").write_bytes(frame.to_csv().encode("cp1252"))


def workbook(folder, cells):
    with zipfile.ZipFile(folder / "a.xlsx", "w") as packed:
        packed.writestr("[Content_Types].xml", "<Types/>")
        packed.writestr("xl/workbook.xml", "<workbook/>")


def arrays_of_scipy(folder, cells):
    sparse.save_npz(folder / "a.npz", cells.X)


def other_modalities(folder, cells):
    cells.write_h5ad(folder / "x.h5ad")
    with h5py.File(folder / "x.h5ad") as one, h5py.File(folder / "a.h5mu", "w") as file:
        for name in ("atac", "adt"):
            file.create_group(f"mod/{name}")
            for part in one:
                one.copy(part, file[f"mod/{name}"])
    (folder / "x.h5ad").unlink()


def values_below_zero(folder, cells):
    cells.X = cells.X.toarray() - 3
    cells.write_h5ad(folder / "a.h5ad")


def logarithms(folder, cells):
    cells.X = np.log1p(cells.X.toarray() / 7)
    cells.write_h5ad(folder / "a.h5ad")


def empty(folder, cells):
    (folder / "a.h5ad").touch()


def truncated_gzip(folder, cells):
    stream = io.BytesIO(cells.to_df().astype(int).T.to_csv().encode())
    (folder / "a.csv.gz").write_bytes(gzip.compress(stream.getvalue())[:-2000])


def truncated_hdf5(folder, cells):
    cells.write_h5ad(folder / "b.h5ad")
    (folder / "a.h5ad").write_bytes((folder / "b.h5ad").read_bytes()[:20_000])


def web_page(folder, cells):
    (folder / "a.h5ad").write_text("<!DOCTYPE html>\n<html><head><title>Log in</title></head></html>\n")


def pointer_of_git(folder, cells):
    (folder / "a.h5ad").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n")


def no_cells(folder, cells):
    cells[:0].copy().write_h5ad(folder / "a.h5ad")


def mtx_alone(folder, cells):
    for path in write_mex(folder / "m", cells, version=2)[1:]:
        path.unlink()


def h5seurat(folder, cells):
    with h5py.File(folder / "a.h5seurat", "w") as file:
        file.create_group("assays/RNA")
        file.create_group("cell.names")


def utf16(folder, cells):
    cells.to_df().astype(int).T.to_csv(folder / "a.csv", encoding="utf-16")


REFUSED = {
    obsm_only: "holds no raw counts, whole numbers from 0 up; it has no matrix",
    two_organisms: "60 are of mouse",
    two_genomes: "holds counts of the genomes GRCh38, mm10",
    peaks_only: "holds no genes; it has 100 of kind Peaks",
    letters_of_windows: "in another encoding than UTF-8(?s:.*)iconv",
    workbook: "an Excel workbook(?s:.*)save it as CSV",
    arrays_of_scipy: "NumPy or SciPy arrays, without names of cells and genes",
    other_modalities: "holds the modalities adt, atac, and none is chosen",
    values_below_zero: "holds no raw counts(?s:.*)normalised or scaled",
    logarithms: "holds no raw counts(?s:.*)normalised or scaled",
    empty: "is empty",
    truncated_gzip: "truncated or damaged",
    truncated_hdf5: "damaged|truncated|cannot be read",
    web_page: "is a web page, not what was to be downloaded",
    pointer_of_git: "is a pointer of Git LFS",
    no_cells: "holds no raw counts|no cells",
    mtx_alone: "expected one features.tsv or genes.tsv beside it, found none",
    h5seurat: "HDF5 file of another kind(?s:.*)saved as .rds",
    utf16: "UTF-16",
}


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_what_is_refused_says_why(make, tmp_path):
    make(tmp_path, made_up())
    path = next(iter(sorted(p for p in tmp_path.iterdir() if p.name.startswith(("a", "m")))))
    with pytest.raises(DatamixError, match=REFUSED[make]):
        refuse_if_unusable(looked(path))


def test_the_layers_of_a_split_seurat_object_are_joined(tmp_path, monkeypatch):
    """Seurat 5 before JoinLayers: a layer a sample, and their names in tables of truth values, by name and layer."""
    cells = made_up()
    parts = {"counts.s1": cells[:25], "counts.s2": cells[25:]}

    def matrix(part):
        turned = sparse.csc_matrix(part.X.T)
        slots = {"i": turned.indices, "p": turned.indptr, "x": turned.data}
        return SimpleNamespace(Dim=np.array(turned.shape), Dimnames=[None, None], **slots)

    marks = {name: np.isin(cells.obs_names, part.obs_names) for name, part in parts.items()}
    sides = {
        "cells": pd.DataFrame(marks, index=cells.obs_names),
        "features": pd.DataFrame(dict.fromkeys(parts, True), index=GENES),
    }
    logmaps = {side: xr.DataArray(t.to_numpy(), dims=("r", "c"), coords={"r": list(t.index), "c": list(t.columns)})
               for side, t in sides.items()}  # fmt: skip
    assay = SimpleNamespace(**logmaps, layers={name: matrix(part) for name, part in parts.items()})
    seurat = {"assays": {"RNA": assay}, "active.assay": np.array(["RNA"]), "meta.data": cells.obs, "class": "Seurat"}
    monkeypatch.setattr(r_cells, "r_object", lambda path, name: SimpleNamespace(**seurat))
    found = r_cells.open_r(tmp_path / "a.rds")
    assert found.notes == ("the layers of 2 samples are joined: counts.s1, counts.s2",)
    rows = np.arange(40)
    assert list(found.read_names(rows)) == list(cells.obs_names)
    np.testing.assert_array_equal(found.read_rows(rows).toarray(), cells.X.toarray())
    assert list(found.obs(["donor"])["donor"]) == list(cells.obs["donor"])
