import numpy as np
import pandas as pd
import pytest
from tiny_cells import make_cells

from datamix.geneformer import vocabulary as module
from datamix.geneformer.vocabulary import Vocabulary, nonzero_medians
from datamix.project.errors import DatamixError

SPECIAL = {"<pad>": 0, "<mask>": 1}


@pytest.mark.parametrize("values_at_a_time", [1, 7, 4_000_000])
def test_medians_are_exact_over_chunks(tmp_path, monkeypatch, values_at_a_time):
    monkeypatch.setattr(module, "_VALUES_AT_A_TIME", values_at_a_time)
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.7, size=(31, 9)) * rng.integers(1, 4, size=(31, 9))
    counts[:, 4] = 0  # a gene that no cell has
    totals = counts.sum(axis=1) + rng.integers(1, 50, size=31)  # further genes were measured
    genes = [f"G{i}" for i in range(9)]
    chunks = [make_cells(counts[i : i + 8], genes, totals=totals[i : i + 8]) for i in range(0, 31, 8)]
    found = nonzero_medians(iter(chunks), scratch=tmp_path)
    values = pd.DataFrame(counts / totals[:, None] * 1e4, columns=genes).replace(0, np.nan)
    assert found == pytest.approx(values.median().dropna().to_dict(), rel=1e-12)
    assert "G4" not in found
    assert list(tmp_path.iterdir()) == []  # nothing is left of the temporary file


def test_no_counts_at_all(tmp_path):
    with pytest.raises(DatamixError, match="No cell of the training mixture has any count"):
        nonzero_medians([make_cells([[0, 0]], ["G1", "G2"])], scratch=tmp_path)


def test_genes_are_numbered_by_id():
    vocabulary = Vocabulary.of_medians({"B": 2.0, "A": 1.0})
    assert vocabulary.genes.tolist() == ["A", "B"]
    assert vocabulary.tokens.tolist() == [2, 3]
    assert vocabulary.size == 4


def test_a_published_gene_without_median_is_not_used_but_counted():
    vocabulary = Vocabulary(SPECIAL | {"A": 2, "B": 3, "C": 4}, {"A": 1.0, "B": 2.0, "Z": 1.0})
    assert vocabulary.genes.tolist() == ["A", "B"]
    assert vocabulary.size == 5


def test_save_and_load(tmp_path):
    vocabulary = Vocabulary(SPECIAL | {"A": 2, "B": 3, "C": 4}, {"A": 1 / 3, "B": 2.0})
    vocabulary.save(tmp_path / "vocabulary.json")
    again = Vocabulary.load(tmp_path / "vocabulary.json")
    assert again.digest == vocabulary.digest
    assert again.size == 5
    assert Vocabulary.of_medians({"A": 1 / 3, "B": 2.5}).digest != Vocabulary.of_medians({"A": 1 / 3, "B": 2.0}).digest


@pytest.mark.parametrize(
    ("tokens", "medians", "message"),
    [
        ({"<pad>": 1, "<mask>": 0, "A": 2}, {"A": 1.0}, "has <pad> 0 and <mask> 1; found 1, 0"),
        ({"A": 0, "B": 1}, {"A": 1.0}, "found None, None"),
        (SPECIAL | {"A": 2, "B": 2}, {"A": 1.0}, "one occurs twice"),
        (SPECIAL | {"A": 2}, {"B": 1.0}, r"No gene has both a token \(3 entries\) and a median \(1 entries\)"),
        (SPECIAL | {"A": 2}, {"A": 0.0}, "The median of A is 0.0; expected a number above 0"),
    ],
)
def test_a_vocabulary_that_cannot_be(tokens, medians, message):
    with pytest.raises(DatamixError, match=message):
        Vocabulary(tokens, medians)


def test_genes_that_are_no_ensembl_ids():
    vocabulary = Vocabulary.of_medians({"ENSG00000000003": 1.0})
    with pytest.raises(DatamixError, match=r"the cells have CD19 …, the vocabulary ENSG00000000003 ….\n.*Ensembl ids"):
        vocabulary.positions(["CD19", "CD3E"])


def test_no_model_there(tmp_path):
    with pytest.raises(DatamixError, match=r"vocabulary.json does not exist: .* holds no model"):
        Vocabulary.load(tmp_path / "vocabulary.json")
