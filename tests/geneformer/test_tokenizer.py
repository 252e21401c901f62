import datasets
import numpy as np
import pytest
from tiny_cells import make_cells

from datamix.corpora.corpus import read_corpus
from datamix.corpora.mixtures import Part
from datamix.geneformer import cells as cells_module
from datamix.geneformer.tokenizer import encode, tokenize
from datamix.geneformer.vocabulary import Vocabulary
from datamix.project.errors import DatamixError


def slowly(counts, totals, genes, tokens, medians, *, input_size):
    """Encode one cell after the other, as the definition reads."""
    encoded = []
    for row, total in zip(counts, totals, strict=True):
        values = {}
        for gene, count in zip(genes, row, strict=True):
            if count > 0 and gene in tokens:
                values[tokens[gene]] = count / total * 1e4 / medians[gene]
        by_token = sorted(values)
        encoded.append(sorted(by_token, key=lambda t: values[t], reverse=True)[:input_size])
    return encoded


@pytest.mark.parametrize("seed", range(4))
def test_against_the_definition(seed):
    rng = np.random.default_rng(seed)
    genes = [f"G{i:02d}" for i in rng.permutation(30)]  # not in the order of the vocabulary
    counts = rng.poisson(rng.gamma(0.5, 2, size=(40, 30)))
    counts[3] = 0  # empty
    totals = counts.sum(axis=1) + rng.integers(0, 20, size=40)
    known = rng.choice(genes, 22, replace=False)  # the others are outside the vocabulary
    medians = {str(g): float(rng.choice([0.5, 1, 2])) for g in known}  # few values, so that there are ties
    vocabulary = Vocabulary.of_medians(medians)
    tokens = dict(zip(vocabulary.genes, vocabulary.tokens.tolist(), strict=True))
    expected = slowly(counts, totals, genes, tokens, medians, input_size=9)
    found = encode(make_cells(counts, genes, totals=totals), vocabulary, input_size=9)
    assert [found[i].tolist() for i in range(len(found))] == expected
    assert found.lengths[3] == 0
    assert max(found.lengths) == 9  # some cells were cut
    assert any(len(set(row[row > 0])) < (row > 0).sum() for row in counts)


def test_worked_by_hand():
    # Of 100 counts in all: A 10 → 1000 / 500 = 2; B 4 → 400 / 100 = 4; C 2 → 200 / 100 = 2, a tie with A; D is 0; X has
    # no token.
    vocabulary = Vocabulary.of_medians({"A": 500.0, "B": 100.0, "C": 100.0, "D": 1.0})
    cell = make_cells([[10, 4, 2, 0, 9]], ["A", "B", "C", "D", "X"], totals=[100])
    assert encode(cell, vocabulary, input_size=4)[0].tolist() == [3, 2, 4]
    assert encode(cell, vocabulary, input_size=2)[0].tolist() == [3, 2]


def test_the_total_scales_a_cell_and_does_not_reorder_it():
    vocabulary = Vocabulary.of_medians({"A": 3.0, "B": 1.0})
    low, high = (make_cells([[5, 2]], ["A", "B"], totals=[t]) for t in (7, 7000))
    assert encode(low, vocabulary, input_size=4)[0].tolist() == encode(high, vocabulary, input_size=4)[0].tolist()


@pytest.fixture
def mixture(layout, monkeypatch):
    monkeypatch.setattr(cells_module, "CELLS_AT_A_TIME", 10)
    parts = [Part("a", np.arange(5, 30)), Part("b", np.arange(12))]
    genes = read_corpus(layout.corpus("a")).var_names
    return parts, Vocabulary.of_medians({g: 1.0 + i % 3 for i, g in enumerate(genes)})


def test_a_folder_that_datasets_opens(layout, mixture, tmp_path):
    parts, vocabulary = mixture
    made = tokenize(layout, parts, vocabulary, input_size=24, folder=tmp_path / "blood+x", key="one")
    stored = datasets.load_from_disk(str(tmp_path / "blood+x"))
    assert stored.column_names == ["input_ids", "length", "cell", "cell_type", "donor", "dataset"]
    assert len(stored) == len(made) == 37
    assert set(stored["dataset"]) == {"a", "b"}
    whole = encode(next(cells_module.read_cells(layout, parts[1:], vocabulary.genes)), vocabulary, input_size=24)
    assert [len(ids) for ids in stored["input_ids"]] == list(stored["length"])
    assert stored["input_ids"][25] == whole[0].tolist()
    assert [p.name for p in tmp_path.iterdir()] == ["blood+x"]


def test_interrupted_and_taken_up_again(layout, mixture, tmp_path, monkeypatch):
    parts, vocabulary = mixture
    whole = tokenize(layout, parts, vocabulary, input_size=24, folder=tmp_path / "whole", key="one")
    read = cells_module.read_rows
    asked = []

    def fails_at_the_third(path, rows, genes):
        asked.append(len(rows))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return read(path, rows, genes)

    monkeypatch.setattr(cells_module, "read_rows", fails_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        tokenize(layout, parts, vocabulary, input_size=24, folder=tmp_path / "again", key="one")
    assert not (tmp_path / "again").exists()
    again = tokenize(layout, parts, vocabulary, input_size=24, folder=tmp_path / "again", key="one")
    assert len(asked) == 3 + 3  # the two chunks that were done are not read again
    assert again.to_dict() == whole.to_dict()
    tokenize(layout, parts, vocabulary, input_size=24, folder=tmp_path / "again", key="one")
    assert len(asked) == 6  # finished: kept
    other = tokenize(layout, parts[1:], vocabulary, input_size=24, folder=tmp_path / "again", key="two")
    assert len(other) == 12


def test_no_cells(layout, mixture, tmp_path):
    with pytest.raises(DatamixError, match="The mixture has no cells"):
        tokenize(layout, [], mixture[1], input_size=24, folder=tmp_path / "none", key="one")
