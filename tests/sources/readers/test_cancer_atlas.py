import gzip
import logging
import shutil

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from layouts import (
    ensembl_ids,
    matrix_market,
    pack,
    simulate_counts,
    together,
    truncate,
    write_3ca_study,
    write_h5ad,
    write_sctab_genes,
)

from datamix.project.errors import DatamixError
from datamix.sources.readers.cancer_atlas import read_cancer_atlas, read_cancer_atlas_aggregate
from datamix.sources.readers.cancer_atlas_files import find_studies

GALEN, QIN, YOST = simulate_counts(30, 8), simulate_counts(20, 7, seed=1), simulate_counts(10, 8, seed=2)
GALEN_SYMBOLS = ["TBCE", "GATA1", "TBCE", "HLA-A", "MT-ND1", "MATR3", "TP53", "ONLY1"]
QIN_SYMBOLS = ["MT-ND1", "TP53", "TBCE", "GATA1", "TBCE", "HLA-A", "NA"]
SHARED = ["TBCE", "GATA1", "TBCE-1", "HLA-A", "MT-ND1", "TP53"]
TYPES = np.array(["Malignant", "T_cell", ""])[np.arange(30) % 3]


def cells(n, **columns):
    return pd.DataFrame({"cell_name": [f"c{i}" for i in range(n)], "cell_type": TYPES[:n], **columns})


@pytest.fixture
def folder(tmp_path):
    """Three studies: plain, quoted with lower-case genes file and number-like names, and one in parts."""
    folder = tmp_path / "Data_Hematologic"
    write_3ca_study(folder, GALEN, GALEN_SYMBOLS, cells(30, sample="s1", complexity=700.5), study="Galen2019")
    numeric = cells(20).assign(
        cell_name=["001", "1e5", "1e5", *(f"{i}" for i in range(3, 20))], patient="p", sample="s"
    )
    write_3ca_study(folder, QIN, QIN_SYMBOLS, numeric, study="Qin2021", quoted=True, genes_name="genes.txt")
    for part in ("BCC", "SCC"):
        write_3ca_study(folder, YOST, GALEN_SYMBOLS, cells(10), study="Yost2019", tissue="Skin", part=part)
    return folder


def read(folder, **options):
    return together(list(read_cancer_atlas({"studies": folder}, **options)))


def test_malignant_cells_over_shared_genes(folder):
    counts, obs, var = read(folder, block_cells=4)
    assert var.index.tolist() == SHARED
    expected = [
        GALEN[:, [0, 1, 2, 3, 4, 6]][TYPES == "Malignant"],
        QIN[:, [2, 3, 4, 5, 0, 1]][TYPES[:20] == "Malignant"],
        *[YOST[:, [0, 1, 2, 3, 4, 6]][TYPES[:10] == "Malignant"]] * 2,
    ]
    assert (counts == np.vstack(expected)).all()
    assert obs["dataset"].unique().tolist() == ["Galen2019", "Qin2021", "Yost2019"]
    assert obs.index[:2].tolist() == ["Galen2019:c0", "Galen2019:c3"]
    assert obs.index[-1] == "Yost2019/SCC:c9"
    assert set(obs["cell_type"]) == {"Malignant"}
    assert obs["complexity"].iloc[0] == "700.5"


@pytest.mark.filterwarnings("ignore:.* names are not unique")
def test_against_anndata(folder):
    """The genes are those of anndata's own inner join, as the authors did it."""
    parts = []
    for counts, symbols in ((GALEN, GALEN_SYMBOLS), (QIN, QIN_SYMBOLS)):
        part = ad.AnnData(counts.astype(np.float32), var=pd.DataFrame(index=symbols))
        part.var_names_make_unique()
        parts.append(part)
    shutil.rmtree(folder / "Data_Yost2019_Skin")
    counts, _, var = read(folder, cell_type=None)
    joined = ad.concat(parts)
    assert var.index.tolist() == joined.var_names.tolist()
    assert (counts == joined.X).all()


def test_names_that_look_like_numbers_or_repeat_are_text(folder):
    _, obs, _ = read(folder, only=["Qin2021"], cell_type=None)
    assert obs.index[:4].tolist() == ["Qin2021:001", "Qin2021:1e5", "Qin2021:1e5-1", "Qin2021:3"]
    assert set(obs["donor"]) == {"Qin2021:p"}
    _, obs, _ = read(folder, only=["Galen2019", "Yost2019"], cell_type=None)
    assert set(obs["donor"]) == {"Galen2019:s1", "Yost2019"}  # the sample, and the study, where there is no patient
    assert obs["cell_type"].iloc[2] == ""


def test_blocks_and_skipping(folder):
    blocks = list(read_cancer_atlas({"studies": folder}, block_cells=4))
    for skip in range(len(blocks) + 1):
        later = list(read_cancer_atlas({"studies": folder}, block_cells=4, skip=skip))
        assert [b.obs_names.tolist() for b in later] == [b.obs_names.tolist() for b in blocks[skip:]]
        assert all((a.X != b.X).nnz == 0 for a, b in zip(later, blocks[skip:], strict=True))


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_archives_are_read_like_folders(folder, suffix):
    before = read(folder, block_cells=4)
    archives = [pack(study, suffix=suffix) for study in sorted(folder.iterdir())]
    after = read(folder, block_cells=4)
    one_by_one = together(list(read_cancer_atlas({a.name: a for a in archives}, block_cells=4)))
    for other in (after, one_by_one):
        assert (other[0] == before[0]).all()
        assert other[1].equals(before[1])


def test_studies_in_parts_are_left_out_as_published(folder, caplog):
    """fault 9."""
    _, obs, _ = read(folder, protocol="published")
    assert set(obs["dataset"]) == {"Galen2019", "Qin2021"}
    assert "Yost2019/BCC lies in a sub-folder" in caplog.text


def test_studies_without_umi_counts_are_left_out(folder, caplog):
    write_3ca_study(folder, GALEN, GALEN_SYMBOLS, cells(30), study="Tpm2020", matrix_name="Exp_data_TPM.mtx")
    assert "Tpm2020" not in {study.name for study in find_studies(folder)}
    assert ("datamix.sources.readers.cancer_atlas_files", logging.WARNING) in [
        record[:2] for record in caplog.record_tuples
    ]
    with pytest.raises(DatamixError, match=r"No study Tpm2020 with Exp_data_UMIcounts\.mtx; found: .*Galen2019"):
        read(folder, only=["Tpm2020"])


def test_only_and_without(folder):
    """fault 14: as published, studies left out still count in the intersection of genes."""
    counts, obs, var = read(folder, without=["Qin2021", "Yost2019"], protocol="published")
    assert set(obs["dataset"]) == {"Galen2019"}
    assert var.index.tolist() == SHARED
    assert (counts == GALEN[TYPES == "Malignant"][:, [0, 1, 2, 3, 4, 6]]).all()
    counts, _, var = read(folder, without=["Qin2021", "Yost2019"])
    assert var.index.tolist() == ["TBCE", "GATA1", "TBCE-1", *GALEN_SYMBOLS[3:]]
    assert (counts == GALEN[TYPES == "Malignant"]).all()
    _, obs, _ = read(folder, only=["Yost2019"])
    assert set(obs["dataset"]) == {"Yost2019"}


def test_published_evaluation_sets_have_mapped_genes(folder, tmp_path):
    """And fault 15: of these, the genes that the training corpora share."""
    table = write_sctab_genes(tmp_path / "adata_var.csv", ensembl_ids(3), ["TBCE", "MT-ND1", "TP53"])
    files = {"studies": folder, "adata_var.csv": table}
    options = {"only": ["Galen2019"], "genes_if_published": "adata_var.csv", "block_cells": 4}
    limited = {"training_genes_if_published": True, "training_genes": ensembl_ids(3)[1:]}
    mine = GALEN[TYPES == "Malignant"]
    for more, columns in (({}, [0, 4, 6]), (limited, [4, 6])):
        counts, _, var = together(list(read_cancer_atlas(files, protocol="published", **options, **more)))
        assert (counts == mine[:, columns]).all()
        assert var.index.tolist() == [GALEN_SYMBOLS[column] for column in columns]
        counts, _, _ = together(list(read_cancer_atlas(files, **options, **more)))
        assert (counts == mine).all()


def test_studies_that_share_no_gene_are_named(folder):
    """The studies' genes may be symbols here and ids there."""
    (folder / "Data_Qin2021_Hematologic" / "genes.txt").write_text("".join(f"{g}\n" for g in ensembl_ids(7)))
    with pytest.raises(DatamixError, match="No gene is shared by the studies Galen2019, Qin2021, Yost2019/BCC"):
        read(folder)


@pytest.mark.parametrize("header", ["", "gene_id\tgene_name\n"])
def test_two_columns_of_gene_names(folder, header):
    """Ids and symbols, as 10x writes them: the symbols are taken, and the id where a gene has none."""
    before = read(folder, only=["Galen2019"])
    symbols = [*GALEN_SYMBOLS[:7], ""]
    lines = "".join(f"{gene}\t{symbol}\n" for gene, symbol in zip(ensembl_ids(8), symbols, strict=True))
    (folder / "Data_Galen2019_Hematologic" / "Genes.txt").write_text(header + lines)
    counts, _, var = read(folder, only=["Galen2019"])
    assert (counts == before[0]).all()
    assert var.index.tolist() == [*before[2].index[:7], ensembl_ids(8)[7]]


def test_gene_ids_alone_are_kept(folder):
    ids = [f"{gene}.3" for gene in ensembl_ids(8)]
    (folder / "Data_Galen2019_Hematologic" / "Genes.txt").write_text("gene\n" + "".join(f"{g}\n" for g in ids))
    assert read(folder, only=["Galen2019"])[2].index.tolist() == ids


def test_compressed_files_are_read_like_plain_ones(folder):
    before = read(folder)
    galen = folder / "Data_Galen2019_Hematologic"
    for name in ("Exp_data_UMIcounts.mtx", "Genes.txt", "Cells.csv"):
        (galen / f"{name}.gz").write_bytes(gzip.compress((galen / name).read_bytes()))
        (galen / name).unlink()
    pack(galen, suffix=".tar.gz")
    after = read(folder)
    assert (after[0] == before[0]).all()
    assert after[1].equals(before[1])


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_of_cells(folder, separator):
    before = read(folder, only=["Galen2019"])
    table = folder / "Data_Galen2019_Hematologic" / "Cells.csv"
    text = pd.read_csv(table, dtype=str, keep_default_na=False).to_csv(index=False, sep=separator)
    table.write_text("\ufeff" + text, "utf-8")  # with the mark that spreadsheets put in front
    assert read(folder, only=["Galen2019"])[1].equals(before[1])


@pytest.mark.parametrize("suffix", [".ZIP", ".Tar.Gz"])
def test_archives_and_studies_may_have_other_names(folder, tmp_path, suffix):
    """A name that is not 3CA's is the study's; endings may be in capitals."""
    galen = folder / "Data_Galen2019_Hematologic"
    archive = pack(galen.rename(tmp_path / "my tumours"), suffix=suffix.lower())
    archive = archive.rename(tmp_path / f"sent{suffix}")
    counts, obs, _ = together(list(read_cancer_atlas({archive.name: archive})))
    assert (counts == GALEN[TYPES == "Malignant"]).all()
    assert set(obs["dataset"]) == {"my tumours"}


def test_fractional_study_is_refused_by_name(folder):
    write_3ca_study(folder, GALEN * 1.5, GALEN_SYMBOLS, cells(30), study="Rendeiro2020")
    with pytest.raises(
        DatamixError,
        match=r"Study Rendeiro2020 .*1\.5'; expected raw counts.*\n.*add Rendeiro2020 to the option `without`",
    ):
        read(folder)
    assert "Rendeiro2020" not in set(read(folder, without=["Rendeiro2020"])[1]["dataset"])


def test_wrong_columns_are_named(folder):
    galen = folder / "Data_Galen2019_Hematologic"
    cells(30).drop(columns="cell_type").to_csv(galen / "Cells.csv")
    with pytest.raises(
        DatamixError, match=r"Data_Galen2019_Hematologic/Cells\.csv has no column 'cell_type'; it has .*cell_name"
    ):
        read(folder)
    assert "Galen2019" in set(read(folder, cell_type=None)[1]["dataset"])
    cells(30).rename(columns={"cell_name": "cell"}).to_csv(galen / "Cells.csv")
    with pytest.raises(DatamixError, match="has no column 'cell_name'"):
        read(folder, cell_type=None)


def test_truncated_files(folder):
    galen = folder / "Data_Galen2019_Hematologic"
    truncate(galen / "Exp_data_UMIcounts.mtx")
    with pytest.raises(
        DatamixError, match=r"Study Galen2019 .*Exp_data_UMIcounts\.mtx.* (truncated|expected gene, cell)"
    ):
        read(folder)
    (galen / "Exp_data_UMIcounts.mtx").write_text(matrix_market(GALEN))
    truncate(galen / "Genes.txt", share=0.5)
    with pytest.raises(DatamixError, match=r"is 8 × 30; the files beside it list \d genes and 30 cells"):
        read(folder)
    archive = truncate(pack(folder / "Data_Qin2021_Hematologic", suffix=".tar.gz"), share=0.5)
    with pytest.raises(DatamixError, match=rf"{archive.name}.* truncated or damaged"):
        read(folder)


def test_packed_and_unpacked(folder):
    study = folder / "Data_Qin2021_Hematologic"
    shutil.copytree(study, folder / "copy" / study.name)
    pack(folder / "copy" / study.name, suffix=".zip").rename(folder / f"{study.name}.zip")
    with pytest.raises(DatamixError, match="Study Qin2021 is there twice"):
        read(folder)


@pytest.fixture
def aggregate(tmp_path):
    """The layout of the authors' aggregate: names restart in each study."""
    study = ["Galen2019"] * 20 + ["Qin2021"] * 10
    obs = {
        "study": study,
        "cell_name": [str(i // 2) for i in range(30)],
        "cell_type": TYPES.tolist(),
        "sample": ["s"] * 30,
        "complexity": np.arange(30.0),
        "tissue": ["Hematologic"] * 30,
    }
    return write_h5ad(
        tmp_path / "cca.h5ad", GALEN, obs_names=[str(i % 20) for i in range(30)], obs=obs, var_names=GALEN_SYMBOLS
    )


def test_aggregate(aggregate):
    blocks = list(read_cancer_atlas_aggregate({"cca": aggregate}, without=["Qin2021"], block_cells=3))
    counts, obs, var = together(blocks)
    assert (counts == GALEN[:20][TYPES[:20] == "Malignant"]).all()
    assert obs.index.tolist()[:3] == ["Galen2019:0", "Galen2019:1-1", "Galen2019:3"]
    assert var.index.tolist()[:3] == ["TBCE", "GATA1", "TBCE-1"]
    (_, only, _) = together(list(read_cancer_atlas_aggregate({"cca": aggregate}, only=["Qin2021"])))
    assert set(only["dataset"]) == {"Qin2021"}
    with pytest.raises(DatamixError, match=r"no cell is left by the filters .*only \['Ji2020'\]"):
        list(read_cancer_atlas_aggregate({"cca": aggregate}, only=["Ji2020"]))
