"""What counting programs leave, folders of samples and parts of counts: the right matrix is read, once, or none."""

import re
import shutil
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import rdata
from foreign_cells import GENES, IDS, TABLE, made_up, write_mex, write_tenx_h5
from scipy import io, sparse

from datamix.corpora.cell_folders import files_of
from datamix.corpora.inspection import inspect_cells
from datamix.corpora.labels_beside import tables_beside
from datamix.project.errors import DatamixError

KNOWN = TABLE.rename(columns={"gene_id": "gene", "gene_name": "symbol"})


def looked(path):
    return inspect_cells(files_of(path), gene_table=lambda: KNOWN, beside=tables_beside(path), say=str)


def mtx(path: Path, matrix: sparse.spmatrix) -> None:
    io.mmwrite(path, sparse.coo_matrix(matrix).astype(int))


def lines(path: Path, names: object) -> None:
    path.write_text("\n".join(names) + "\n")


def halves(cells):
    return {"S1": cells[:20].copy(), "S2": cells[20:].copy()}


def part_of(cells):
    """Return fewer counts of the same cells and genes."""
    return sparse.csr_matrix(np.floor(cells.X.toarray() / 30))


def starsolo(folder, cells, *kinds, matrix="matrix"):
    for kind in kinds:
        for which in ("raw", "filtered"):
            place = folder / "Solo.out" / kind / which
            place.mkdir(parents=True)
            write_mex(place, cells, version=2)
            (place / "genes.tsv").rename(place / "features.tsv")
            (place / "matrix.mtx").rename(place / f"{matrix}.mtx")
        (folder / "Solo.out" / kind / "Summary.csv").write_text("Number of Reads,1\n")
    return folder / "Solo.out"


def cell_ranger_multi(folder, cells):
    outs = folder / "run" / "outs"
    for name, part in halves(cells).items():
        place = outs / "per_sample_outs" / name / "count"
        place.mkdir(parents=True)
        write_mex(place / "sample_filtered_feature_bc_matrix", part)
        write_tenx_h5(place / "sample_filtered_feature_bc_matrix.h5", part)
        (place / "sample_molecule_info.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (outs / "multi" / "count").mkdir(parents=True)
    write_mex(outs / "multi" / "count" / "raw_feature_bc_matrix", cells)
    write_tenx_h5(outs / "multi" / "count" / "raw_feature_bc_matrix.h5", cells)
    return folder / "run"


def cell_ranger_runs(folder, cells):
    for name, part in halves(cells).items():
        outs = folder / "runs" / name / "outs"
        outs.mkdir(parents=True)
        for which in ("raw", "filtered"):
            write_mex(outs / f"{which}_feature_bc_matrix", part)
            write_tenx_h5(outs / f"{which}_feature_bc_matrix.h5", part)
    return folder / "runs"


def files_of_samples_below(folder, cells):
    for name, part in halves(cells).items():
        (folder / "runs" / name).mkdir(parents=True)
        write_tenx_h5(folder / "runs" / name / "filtered_feature_bc_matrix.h5", part)
    return folder / "runs"


def starsolo_of_one_kind(folder, cells):
    return starsolo(folder, cells, "Gene")


def starsolo_with_estimates(folder, cells):
    place = starsolo(folder, cells, "Gene") / "Gene" / "raw"
    io.mmwrite(place / "UniqueAndMult-EM.mtx", sparse.coo_matrix(cells.X.T * 1.5))
    return place


def starsolo_velocyto(folder, cells):
    place = starsolo(folder, cells, "Velocyto", matrix="spliced") / "Velocyto" / "filtered"
    for name in ("ambiguous", "unspliced"):
        mtx(place / f"{name}.mtx", part_of(cells).T)
    return place


def kallisto(folder, cells):
    mtx(folder / "cells_x_genes.mtx", cells.X)
    lines(folder / "cells_x_genes.barcodes.txt", cells.obs_names)
    lines(folder / "cells_x_genes.genes.txt", [f"{gene}.3" for gene in IDS])
    lines(folder / "cells_x_genes.genes.names.txt", GENES)
    return folder


def alevin_fry(folder, cells):
    mtx(folder / "quants_mat.mtx", cells.X)
    lines(folder / "quants_mat_rows.txt", cells.obs_names)
    lines(folder / "quants_mat_cols.txt", IDS)
    return folder


def parse(folder, cells):
    mtx(folder / "DGE.mtx", cells.X)
    genes = pd.DataFrame({"gene_id": IDS, "gene_name": GENES, "genome": "hg38"})
    genes.to_csv(folder / "all_genes.csv", index=False)
    cells.obs.reset_index(names="bc_wells").to_csv(folder / "cell_metadata.csv", index=False)
    return folder


def matrix_and_table_of_cells(folder, cells):
    mtx(folder / "counts.mtx", cells.X.T)
    lines(folder / "genes.tsv", GENES)
    cells.obs.to_csv(folder / "metadata.csv")
    return folder


def written_by_r(folder, cells):
    mtx(folder / "counts.mtx", cells.X.T)
    for name, values in (("genes", GENES), ("barcodes", cells.obs_names)):
        pd.DataFrame({"x": list(values)}, index=range(1, len(values) + 1)).to_csv(folder / f"{name}.csv", quoting=2)
    return folder


def sample_called_after_its_cells(folder, cells):
    write_mex(folder, cells, prefix="T_cells_")
    return folder


def layers_of_velocities(folder, cells):
    cells.layers.update({"spliced": cells.X.copy(), "unspliced": part_of(cells), "ambiguous": part_of(cells)})
    cells.X = np.log1p(cells.X.toarray() / 7)
    cells.write_h5ad(folder / "a.h5ad")
    return folder / "a.h5ad"


def zarr_of_velocities(folder, cells):
    layers = {"mature": cells.X, "nascent": part_of(cells), "ambiguous": part_of(cells)}
    ad.AnnData(obs=cells.obs, var=cells.var, layers=layers).write_zarr(folder / "a.zarr")
    return folder / "a.zarr"


def whether_a_gene_is_seen(folder, cells):
    cells.layers.update({"at_least_one": (cells.X > 0).astype("f4"), "soupx": cells.X.copy()})
    cells.X = (cells.X > 20).astype("f4")
    cells.write_h5ad(folder / "a.h5ad")
    return folder / "a.h5ad"


def modality_called_gex(folder, cells):
    cells.write_h5ad(folder / "x.h5ad")
    with h5py.File(folder / "x.h5ad") as one, h5py.File(folder / "a.h5mu", "w") as file:
        for name in ("ADT", "GEX"):
            file.create_group(f"mod/{name}")
            for part in one:
                one.copy(part, file[f"mod/{name}"])
    return folder / "a.h5mu"


def cellbender(folder, cells):
    write_tenx_h5(folder / "a.h5", cells)
    with h5py.File(folder / "a.h5", "a") as file:
        file["droplet_latents/cell_probability"] = np.ones(40)
        file["metadata/barcodes_analyzed"] = np.array(cells.obs_names, dtype="S")
    return folder / "a.h5"


def rhapsody(folder, cells):
    head = "####\n## BD Rhapsody Analysis Pipeline Version 1.9\n## Analysis Date: 2021-01-01\n"
    frame = cells.to_df().astype(int).set_axis(range(1, 41))
    (folder / "a.csv").write_text(head + frame.to_csv(index_label="Cell_Index"))
    return folder / "a.csv"


def feature_counts(folder, cells):
    frame = cells.to_df().astype(int).T
    for number, (name, value) in enumerate((("Chr", "1;1"), ("Start", "1;9"), ("Strand", "+;+"), ("Length", 900))):
        frame.insert(number, name, value)
    text = frame.to_csv(sep="\t", index_label="Geneid")
    (folder / "a.txt").write_text(f"# Program:featureCounts v2.0.1; Command:featureCounts -a x.gtf\n{text}")
    return folder / "a.txt"


def reads_of_no_gene(folder, cells):
    frame = cells.to_df().astype(int).T
    frame.loc["__no_feature"], frame.loc["ERCC-00002"], frame.loc["ERCC.00003"] = 50_000, 30, 400
    frame.to_csv(folder / "a.tsv", sep="\t")
    return folder / "a.tsv"


def header_that_begins_with_a_hash(folder, cells):
    (folder / "a.tsv").write_text("#gene" + cells.to_df().astype(int).T.to_csv(sep="\t"))
    return folder / "a.tsv"


def numbers_of_cells_among_genes(folder, cells):
    frame = cells.to_df().astype(int)
    for name, values in (("leiden", np.arange(40) % 5), ("percent.mt", 4.5), ("Donor", np.arange(40) % 2 + 1)):
        frame.insert(0, name, values)
    frame.to_csv(folder / "a.csv")
    return folder / "a.csv"


def numbered_patients(folder, cells):
    cells.obs["Patient No."] = pd.array([1, 2, None, 4] * 10, dtype="Int64")
    del cells.obs["donor"]
    cells.write_h5ad(folder / "a.h5ad")
    return folder / "a.h5ad"


READ = {  # what is made: samples, types and donors, words of the notes
    cell_ranger_multi: (["S1", "S2"], None, None, ""),
    cell_ranger_runs: (["S1", "S2"], None, None, ""),
    files_of_samples_below: (["S1", "S2"], None, None, ""),
    starsolo_of_one_kind: (["filtered"], None, None, ""),
    starsolo_with_estimates: (["raw"], None, None, "those of matrix.mtx, not of UniqueAndMult-EM.mtx"),
    starsolo_velocyto: (["filtered"], None, None, "those of spliced.mtx, not of ambiguous.mtx, unspliced.mtx"),
    kallisto: (None, None, None, ""),
    alevin_fry: (None, None, None, ""),
    parse: (None, "celltype", "donor", "taken from cell_metadata.csv"),
    matrix_and_table_of_cells: (None, "celltype", "donor", "taken from metadata.csv"),
    written_by_r: (None, None, None, ""),
    sample_called_after_its_cells: (None, None, None, ""),
    layers_of_velocities: (["a"], "celltype", "donor", "taken from layers/spliced"),
    zarr_of_velocities: (["a"], "celltype", "donor", ""),
    whether_a_gene_is_seen: (["a"], "celltype", "donor", "taken from layers/soupx"),
    modality_called_gex: (["a"], "celltype", "donor", ""),
    cellbender: (["a"], None, None, ""),
    rhapsody: (["a"], None, None, ""),
    feature_counts: (["a"], None, None, ""),
    reads_of_no_gene: (["a"], None, None, "no genes are left out: __no_feature, ERCC-00002, ERCC.00003"),
    header_that_begins_with_a_hash: (["a"], None, None, ""),
    numbers_of_cells_among_genes: (["a"], None, "Donor", ""),
    numbered_patients: (["a"], "celltype", "Patient No.", ""),
}


@pytest.mark.parametrize("make", READ, ids=lambda make: make.__name__)
def test_the_whole_counts_are_read_once(make, tmp_path):
    cells = made_up()
    total = np.asarray(cells.X.sum(axis=1)).ravel()
    found = looked(make(tmp_path, cells))
    samples, cell_type, donor, note = READ[make]
    assert found.problem is None
    np.testing.assert_array_equal(found.total, total)
    assert set(found.genes.genes) == set(IDS)
    assert list(found.samples) == (samples or [tmp_path.name])
    assert (found.cell_type and found.cell_type.name, found.donor and found.donor.name) == (cell_type, donor)
    assert note in "; ".join(found.notes)


PROGRAMS = {  # as the page “Your own cells” calls them
    "CellBender": cellbender,
    "STARsolo": starsolo_of_one_kind,
    "alevin-fry": alevin_fry,
    "kallisto": kallisto,
    "Parse": parse,
    "R's writeMM": written_by_r,
    "Rhapsody": rhapsody,
    "featureCounts": feature_counts,
    "HTSeq": reads_of_no_gene,
}


def test_each_program_that_the_page_names_was_tried():
    page = (Path(__file__).parents[2] / "book" / "your_cells.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (10x HDF5 and MEX|tables of text) \| (.*) \|$", page, flags=re.MULTILINE))
    tenx = rows["10x HDF5 and MEX"].partition("as ")[2]
    tables = rows["tables of text"].partition("those of ")[2]
    capital = r"STARsolo|alevin-fry|featureCounts|R's \w+|[A-Z]\w+|kallisto"
    assert re.findall(capital, f"{tenx} {tables}") == list(PROGRAMS)
    assert set(PROGRAMS.values()) <= set(READ)
    note = READ[reads_of_no_gene][3]
    for word in re.findall(r"reads of no gene \(`(\w+)`\), spike-ins \(`(.*?)`\)", page)[0]:
        assert word in note


def starsolo_of_two_kinds(folder, cells):
    return starsolo(folder, cells, "Gene", "GeneFull")


def matrices_of_which_none_is_whole(folder, cells):
    write_mex(folder / "m", cells, version=2)
    shutil.copy(folder / "m" / "matrix.mtx", folder / "m" / "exon.mtx")
    (folder / "m" / "matrix.mtx").rename(folder / "m" / "intron.mtx")
    return folder / "m"


def pattern(folder, cells):
    write_mex(folder / "m", cells, version=2)
    io.mmwrite(folder / "m" / "matrix.mtx", sparse.coo_matrix(cells.X.T), field="pattern")
    return folder / "m"


def dense_mtx(folder, cells):
    write_mex(folder / "m", cells, version=2)
    io.mmwrite(folder / "m" / "matrix.mtx", cells.X.T.toarray().astype(int))
    return folder / "m"


def link_to_nothing(folder, cells):
    (folder / "a.h5ad").symlink_to(folder / "gone")
    return folder / "a.h5ad"


def begins_with(content: bytes):
    def make(folder, cells):
        (folder / "a").write_bytes(content)
        return folder / "a"

    return make


def compressed(content: bytes):
    import gzip

    return begins_with(gzip.compress(content))


def labels_in_place_of_counts(folder, cells):
    rdata.write_rds(folder / "a.rds", {"type": np.array(["T", "B"])})
    return folder / "a.rds"


REFUSED = {
    "labels in place of counts": (labels_in_place_of_counts, "its object is not a matrix but a vector"),
    "starsolo of two kinds": (starsolo_of_two_kinds, "'Gene' and 'GeneFull' hold 40 of the same cells"),
    "matrices of which none is whole": (matrices_of_which_none_is_whole, "of the same genes and cells, and only one"),
    "pattern": (pattern, "says which genes are seen, and not how often"),
    "dense mtx": (dense_mtx, "is a dense matrix, every 0 written out"),
    "link to nothing": (link_to_nothing, "a link to .*gone, where nothing is"),
    "pickle": (begins_with(b"\x80\x05\x95\x10"), "is a Python pickle"),
    "bam": (compressed(b"BAM\x01\0\0\0\0"), r"aligned reads(?s:.*)count them first"),
    "fastq": (compressed(b"@read/1\nACGTN\n+\nIIIII\n" * 9), r"is reads(?s:.*)count them first"),
    "feather": (begins_with(b"ARROW1\0\0" + bytes(90)), "is a Feather table"),
    "qs": (begins_with(b"\x0b\x0e\x0a\x0c" + bytes(90)), "package qs wrote(?s:.*)saveRDS"),
    "bzip2": (begins_with(b"BZh91AY&SY" + bytes(90)), "compressed by bzip2(?s:.*)bunzip2"),
    "zstd": (begins_with(b"\x28\xb5\x2f\xfd" + bytes(90)), "compressed by zstd(?s:.*)unzstd"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_called_what_it_is(case, tmp_path):
    make, words = REFUSED[case]
    with pytest.raises(DatamixError, match=words):
        looked(make(tmp_path, made_up()))
