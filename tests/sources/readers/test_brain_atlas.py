import numpy as np
import pytest
from layouts import rename_column, simulate_counts, together, truncate, write_neurons

from datamix.project.errors import DatamixError
from datamix.sources.readers.brain_atlas import read_brain_atlas

COUNTS = simulate_counts(60, 6)
GENES = ["ENSG00000000001.11", "ENSG00000000002.3_PAR_Y", "ENSG00000000002.3", "ENSG00000000004.1", "ENSG00000000005.2",
         "ENSG00000000006.9"]  # fmt: skip
SYMBOLS = ["MAP2", "SHOX", "SHOX", "MT-ND1", "ALT", "SYT1"]
CHROMOSOMES = ["chr1", "chrY", "chrX", "chrM", "KI270728.1", "chr22"]
DONORS = ["H18.30.002" if i % 3 else "H19.30.001" for i in range(60)]


@pytest.fixture
def path(tmp_path):
    return write_neurons(tmp_path / "Neurons.h5ad", COUNTS, GENES, SYMBOLS, CHROMOSOMES, DONORS)


def read(path, **options):
    return together(list(read_brain_atlas({"Neurons.h5ad": path}, **options)))


def test_cells_of_a_donor_and_genes_on_chromosomes(path):
    counts, obs, var = read(path, donor="H18.30.002", block_cells=7)
    mine = np.array(DONORS) == "H18.30.002"
    assert (counts == COUNTS[mine][:, [0, 1, 2, 3, 5]]).all()
    assert var.index.tolist() == [f"ENSG0000000000{i}" for i in ("1", "2", "2-1", "4", "6")]
    assert var["symbol"].tolist() == ["MAP2", "SHOX", "SHOX", "MT-ND1", "SYT1"]
    assert set(obs["donor"]) == {"H18.30.002"}
    assert obs["cell_type"].tolist() == ["Splatter" if i % 2 else "MGE interneuron" for i in np.flatnonzero(mine)]
    assert obs["cluster_id"].tolist() == (np.flatnonzero(mine) % 5).tolist()


def test_seeded_draw(path):
    """fault 8: the published call, with a seed; corrected keeps the order of the file."""
    rows = np.flatnonzero(np.array(DONORS) == "H18.30.002")
    options = {"donor": "H18.30.002", "cells": 20, "block_cells": 6}
    for seed in (0, 1):
        counts, obs, _ = read(path, seed=seed, **options)
        again, _, _ = read(path, seed=seed, **options)
        numbers = [int(name.rpartition("CELL")[2]) for name in obs.index]
        assert numbers == sorted(numbers)
        assert len(set(numbers)) == 20
        assert set(numbers) <= set(rows)
        assert (counts == COUNTS[numbers][:, [0, 1, 2, 3, 5]]).all()
        assert (again == counts).all()
        np.random.seed(seed)  # noqa: NPY002
        expected = np.random.choice(rows, 20, replace=False)  # noqa: NPY002
        counts, obs, _ = read(path, seed=seed, protocol="published", **options)
        assert [int(name.rpartition("CELL")[2]) for name in obs.index] == expected.tolist()
        assert (counts == COUNTS[expected][:, [0, 1, 2, 3, 5]]).all()
    with pytest.raises(DatamixError, match="a draw asks for 41 cells, 40 are there"):
        read(path, donor="H18.30.002", cells=41)


def test_skipping(path):
    options = {"cells": 20, "protocol": "published", "block_cells": 6}
    blocks = list(read_brain_atlas({"n": path}, **options))
    for skip in range(len(blocks) + 1):
        later = list(read_brain_atlas({"n": path}, skip=skip, **options))
        assert [b.obs_names.tolist() for b in later] == [b.obs_names.tolist() for b in blocks[skip:]]


def test_wrong_columns(path):
    with pytest.raises(DatamixError, match=r"Neurons\.h5ad: no cell is left by the filters \(donor_id == H1\)"):
        read(path, donor="H1")
    write_neurons(path, COUNTS, SYMBOLS, SYMBOLS, CHROMOSOMES, DONORS)
    with pytest.raises(DatamixError, match=r"Neurons\.h5ad: var index has 'MAP2'; expected Ensembl ids"):
        read(path)
    write_neurons(path, COUNTS, GENES, SYMBOLS, [c.removeprefix("chr") for c in CHROMOSOMES], DONORS)
    with pytest.raises(
        DatamixError, match=r"var column 'Chromosome' has none of chr1 to chr22.*; it has 1, 22, KI270728\.1"
    ):
        read(path)
    rename_column(path, "var", "Chromosome", "chromosome")
    with pytest.raises(DatamixError, match=r"Neurons\.h5ad: var has no column 'Chromosome'; it has .*chromosome"):
        read(path)


def test_normalised_and_truncated(path):
    write_neurons(path, COUNTS * 0.5, GENES, SYMBOLS, CHROMOSOMES, DONORS)
    with pytest.raises(
        DatamixError, match=r"Neurons\.h5ad: X: cell '10X\d_1:CELL\d+' has \d\.5 of gene 'ENSG.*raw counts"
    ):
        read(path)
    with pytest.raises(DatamixError, match=r"Neurons\.h5ad cannot be read"):
        read(truncate(path))
