import logging
import shutil

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from layouts import (
    barcodes,
    ensembl_ids,
    rename_column,
    simulate_counts,
    together,
    truncate,
    write_mex,
    write_reference,
)

from datamix.project.errors import DatamixError
from datamix.sources.readers.perturb_seq import assign_metadata, gem_group_of_rank, read_perturb_seq

G = 10
IDS, SYMBOLS = ensembl_ids(G), [f"GENE{i}" for i in range(G)]


class Experiment:
    """Three batches of 20 cells, of which the reference keeps 12 each, the batches mixed."""

    def __init__(self, folder, *, stem, groups):
        self.folder, self.stem, self.groups = folder, stem, groups
        self.counts = {i: simulate_counts(20, G, seed=i) for i in groups}
        self.barcodes = {i: barcodes(20, seed=i) for i in groups}
        for i in groups:
            write_mex(folder / "mex", stem.format(i), self.counts[i], self.barcodes[i], IDS, SYMBOLS)
        cells = [(i, j) for i in groups for j in range(20) if j % 5 < 3]
        self.cells = [cells[k] for k in np.random.default_rng(0).permutation(len(cells))]
        self.names = [f"{self.barcodes[i][j]}-{groups[i]}" for i, j in self.cells]
        self.gene = ["non-targeting" if k % 6 == 0 else f"TARGET{k % 4}" for k in range(len(cells))]
        self.write_reference()
        self.files = {"reference.h5ad": folder / "reference.h5ad", "mex": folder / "mex"}

    def write_reference(self, names=None, **columns):
        names = self.names if names is None else names
        n = len(names)
        write_reference(
            self.folder / "reference.h5ad", simulate_counts(n, 3), names, gene=self.gene[:n], genes=IDS[:3], **columns
        )

    def read(self, **options):
        return list(self.open(**options))

    def open(self, **options):
        defaults = {"reference": "reference.h5ad", "prefix": self.stem, "cell_line": "K562", "block_cells": 7}
        return read_perturb_seq(self.files, **{"scratch": self.folder / "scratch", **defaults, **options})


@pytest.fixture
def k562(tmp_path):
    return Experiment(tmp_path, stem="KD6_{}_essential_", groups={1: 1, 2: 2, 10: 10})


@pytest.fixture
def jurkat(tmp_path):
    """File numbers are not gem groups; a HepG2 batch lies in the same folder."""
    experiment = Experiment(tmp_path, stem="jurkat_{}_", groups={1: 2, 2: 3, 10: 1})
    for path in sorted((tmp_path / "mex").iterdir()):
        path.rename(path.with_name(f"GSM82250{path.name.split('_')[1]}_{path.name}"))
    write_mex(
        tmp_path / "mex", "GSM8225099_hepg2_1_", simulate_counts(5, 2), barcodes(5, seed=77), IDS[:2], SYMBOLS[:2]
    )
    return experiment


def check(experiment, blocks, cell_line="K562"):
    counts, obs, var = together(blocks)
    kept = [k for k, gene in enumerate(experiment.gene) if gene != "non-targeting"]
    expected = np.array([experiment.counts[experiment.cells[k][0]][experiment.cells[k][1]] for k in kept])
    assert (counts == expected).all()
    assert obs.index.tolist() == [experiment.names[k] for k in kept]
    assert obs["target"].tolist() == [experiment.gene[k] for k in kept]
    n = len(experiment.names)
    assert obs["total_counts"].tolist() == np.linspace(500, 5000, n)[kept].tolist()
    assert obs["mito_fraction"].tolist() == np.linspace(0.01, 0.2, n)[kept].tolist()
    assert set(obs["cell_type"]) == {cell_line}
    assert var.index.tolist() == IDS
    assert var["symbol"].tolist() == SYMBOLS


def test_cells_of_the_reference_with_all_genes(k562):
    check(k562, k562.read())
    assert [p.name for p in sorted(k562.folder.iterdir())] == ["mex", "reference.h5ad", "scratch"]


def collated(experiment):
    """What the published scripts do, with scanpy and anndata: keep, concatenate, order by name, assign by position."""
    reference = ad.read_h5ad(experiment.files["reference.h5ad"])
    batches = []
    for i, group in experiment.groups.items():
        batch = sc.read_10x_mtx(experiment.folder / "mex", prefix=experiment.stem.format(i), cache=False)
        codes = batch.obs_names.str.split("-").str[0]
        wanted = reference.obs_names[reference.obs["gem_group"] == group].str.split("-").str[0]
        batch.obs_names = codes + f"-{group}"
        batches.append(batch[codes.isin(wanted)].copy())
    cells = ad.concat(batches)[reference.obs_names].copy()
    assert cells.obs_names.equals(reference.obs_names)  # printed there
    cells.obs = reference.obs
    return cells[cells.obs["gene"] != "non-targeting"]


@pytest.mark.parametrize("protocol", ["published", "corrected"])
def test_protocols_give_the_cells_of_the_published_scripts(k562, protocol):
    """fault 11: by position or by name, metadata are of the right cells, because these are in order by then."""
    blocks = k562.read(protocol=protocol)
    check(k562, blocks)
    counts, obs, _ = together(blocks)
    expected = collated(k562)
    assert obs.index.tolist() == expected.obs_names.tolist()
    assert obs["target"].tolist() == expected.obs["gene"].tolist()
    assert (counts == expected.X.toarray()).all()


@pytest.mark.parametrize("protocol", ["published", "corrected"])
def test_metadata_of_cells_out_of_order(protocol, caplog):
    caplog.set_level(logging.INFO, logger="datamix")
    reference = pd.DataFrame({"target": ["X", "Y", "Z"]}, index=["A-1", "C-1", "G-1"])
    names = pd.Index(["G-1", "A-1", "C-1"])
    found = assign_metadata(names, reference, protocol=protocol)
    if protocol == "published":
        assert found["target"].tolist() == ["X", "Y", "Z"]
        assert found.index.tolist() == reference.index.tolist()
        assert "Names of cells and reference agree: False." in caplog.text
        with pytest.raises(DatamixError, match=r"2 cells cannot take the 3 rows .* by position"):
            assign_metadata(names[:2], reference, protocol=protocol)
    else:
        assert found["target"].tolist() == ["Z", "X", "Y"]
        assert found.index.tolist() == names.tolist()
        with pytest.raises(DatamixError, match=r"1 of 3 cells are not in the reference, among them G-1\."):
            assign_metadata(names, reference.iloc[:2], protocol=protocol)


def test_layout_against_scanpy(k562):
    """scanpy's reader, which the authors used, finds the same cells, genes and counts in the written MEX files."""
    for i, counts in k562.counts.items():
        adata = sc.read_10x_mtx(k562.folder / "mex", prefix=f"KD6_{i}_essential_", cache=False)
        assert (adata.X.toarray() == counts).all()
        assert adata.obs_names.tolist() == [f"{barcode}-1" for barcode in k562.barcodes[i]]
        assert adata.var["gene_ids"].tolist() == IDS


def test_batches_matched_by_barcodes(jurkat, caplog):
    check(jurkat, jurkat.read(gem_groups="overlap", cell_line="Jurkat"), cell_line="Jurkat")
    assert caplog.text == ""
    with pytest.raises(DatamixError, match=r"cells of .*reference\.h5ad are in no MEX batch"):
        jurkat.read()  # the numbers are not the gem groups


def test_ascii_rank_rule():
    """The pairs printed by the authors for Jurkat: 47 repeats 56, whose gem group is 51; 41 is absent."""
    ranks = gem_group_of_rank(range(1, 57))
    assert [ranks[i] for i in (10, 1, 11, 19, 2, 20, 47, 56, 9)] == [1, 11, 2, 10, 22, 12, 41, 51, 56]


def test_rank_that_disagrees_is_reported(tmp_path, caplog):
    experiment = Experiment(tmp_path, stem="jurkat_{}_", groups={1: 1, 2: 3, 3: 2})
    check(experiment, experiment.read(gem_groups="overlap"))
    assert "batch 2: group 3, rank 2; batch 3: group 2, rank 3" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING


def test_batch_that_repeats_another(jurkat):
    write_mex(jurkat.folder / "mex", "GSM1_jurkat_47_", jurkat.counts[2], jurkat.barcodes[2], IDS, SYMBOLS)
    with pytest.raises(DatamixError, match=r"Batches 2 and 47 both match gem group 3.*\n.*skip_batches"):
        jurkat.read(gem_groups="overlap")
    check(jurkat, jurkat.read(gem_groups="overlap", skip_batches=[47]))


def test_batch_that_matches_no_gem_group(jurkat):
    write_mex(jurkat.folder / "mex", "GSM1_jurkat_3_", simulate_counts(9, G), barcodes(9, seed=50), IDS, SYMBOLS)
    with pytest.raises(
        DatamixError, match="Batch 3 matches no gem group by its barcodes: best none, needed more than 30%"
    ):
        jurkat.read(gem_groups="overlap")
    # A batch whose barcodes are spread over all gem groups alike.
    spread = Experiment(jurkat.folder / "other", stem="jurkat_{}_", groups={i: i for i in range(1, 5)})
    mixed = [spread.barcodes[i][j] for i in range(1, 5) for j in (0, 1)]
    write_mex(spread.folder / "mex", "jurkat_5_", simulate_counts(8, G), mixed, IDS, SYMBOLS)
    with pytest.raises(DatamixError, match="Batch 5 matches no gem group by its barcodes: best 2 of 8 cells"):
        spread.read(gem_groups="overlap")


def test_every_reference_cell_is_found_or_named(k562):
    stranger = f"{'A' * 16}-2"
    k562.write_reference([*k562.names[:-1], stranger])
    with pytest.raises(
        DatamixError,
        match=rf"1 of 36 cells of .*reference\.h5ad are in no MEX batch, among them {stranger} \(gem groups 2\)",
    ):
        k562.read()
    k562.write_reference()
    for path in (k562.folder / "mex").glob("KD6_10_*"):
        path.unlink()
    with pytest.raises(DatamixError, match=r"12 of 36 cells .*gem groups 10\)"):
        k562.read()


@pytest.mark.parametrize("kept", [0, 2])
def test_interrupted_and_skipping(k562, kept):
    """Blocks from a later start, with or without the spool of the interrupted run, are the same."""
    blocks = k562.read()
    for skip in range(len(blocks) + 1):
        reader = k562.open()
        for _ in range(kept):
            next(reader)
        reader.close()
        later = k562.read(skip=skip)
        assert [b.obs_names.tolist() for b in later] == [b.obs_names.tolist() for b in blocks[skip:]]
        assert all((a.X != b.X).nnz == 0 for a, b in zip(later, blocks[skip:], strict=True))


def test_two_read_at_once(k562):
    """Two profiles on one source: what the one has put on disk, and its removal, are nothing to the other."""
    one = k562.open(scratch=k562.folder / "one")
    first = next(one)
    check(k562, k562.read(scratch=k562.folder / "two"))
    shutil.rmtree(k562.folder / "two")
    check(k562, [first, *one])


def test_single_files_instead_of_a_folder(k562):
    paths = sorted((k562.folder / "mex").iterdir())
    k562.files = {"reference.h5ad": k562.folder / "reference.h5ad", **{p.name: p for p in paths}}
    check(k562, k562.read())


def test_wrong_columns(k562):
    k562.write_reference(mitopercent=np.linspace(1, 20, 36))
    with pytest.raises(
        DatamixError, match=r"reference\.h5ad: obs column 'mitopercent' reaches 20; expected a fraction"
    ):
        k562.read()
    k562.write_reference(gem_group=np.ones(36, int))
    with pytest.raises(DatamixError, match=r"obs index '[ACGT]{16}-\d+' stands twice, or is not '<16 nt>-<gem_group>'"):
        k562.read()
    k562.write_reference()
    rename_column(k562.files["reference.h5ad"], "obs", "UMI_count", "umis")
    with pytest.raises(DatamixError, match=r"reference\.h5ad: obs has no column 'UMI_count'"):
        k562.read()


def test_truncated_files(k562):
    truncate(k562.folder / "mex" / "KD6_2_essential_matrix.mtx.gz")
    with pytest.raises(DatamixError, match=r"KD6_2_essential_matrix\.mtx\.gz.* truncated"):
        k562.read()
    (k562.folder / "mex" / "KD6_2_essential_matrix.mtx.gz").unlink()
    with pytest.raises(DatamixError, match=r"Batch 2 \(KD6_2_essential_\) has no matrix\.mtx"):
        k562.read()
    truncate(k562.files["reference.h5ad"])
    with pytest.raises(DatamixError, match=r"reference\.h5ad cannot be read"):
        k562.read()


def test_normalised_batch_is_named(k562):
    write_mex(k562.folder / "mex", "KD6_2_essential_", k562.counts[2] / 3, k562.barcodes[2], IDS, SYMBOLS)
    with pytest.raises(DatamixError, match=r"KD6_2_essential_matrix\.mtx\.gz: entry \d+ is .*expected raw counts"):
        k562.read()


def test_batches_with_other_genes(k562):
    write_mex(k562.folder / "mex", "KD6_2_essential_", k562.counts[2], k562.barcodes[2], IDS[::-1], SYMBOLS)
    with pytest.raises(DatamixError, match=r"KD6_2_essential_features\.tsv\.gz lists other genes than batch 1"):
        k562.read()
    with pytest.raises(DatamixError, match=r"No MEX file is named RPE1_<batch>_matrix\.mtx"):
        k562.read(prefix="RPE1_{}_")
