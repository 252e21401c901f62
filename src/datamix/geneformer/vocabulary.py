"""The vocabulary of Geneformer: a token and a non-zero median for each gene, published or computed from a mixture."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pandas as pd

from datamix.geneformer.cells import Cells
from datamix.project.errors import DatamixError
from datamix.project.files import read_json, write_json

PAD, MASK = 0, 1
"""Tokens of `<pad>` and `<mask>`."""
COUNTS_PER_CELL = 1e4
"""Cells are scaled to this total before a gene is divided by its median."""
_VALUES_AT_A_TIME = 4_000_000


class Vocabulary:
    """Genes, their tokens and their non-zero medians.

    Parameters
    ----------
    tokens
        Gene (Ensembl id), or special token in `<>`, → token; `<pad>` is 0 and `<mask>` is 1.
    medians
        Gene → median of its values above zero, in counts per 10,000; above 0. A gene without one is not used.

    Raises
    ------
    DatamixError
        If `<pad>` or `<mask>` is missing or elsewhere, a token occurs twice, or no gene has both a token and a median.
    """

    def __init__(self, tokens: Mapping[str, int], medians: Mapping[str, float]) -> None:
        fix = "use Geneformer's token_dictionary and gene_median_dictionary of the same release"
        if tokens.get("<pad>") != PAD or tokens.get("<mask>") != MASK:
            msg = (
                f"A vocabulary has <pad> {PAD} and <mask> {MASK}; found {tokens.get('<pad>')}, {tokens.get('<mask>')}."
            )
            raise DatamixError(msg, fix=fix)
        if len(set(tokens.values())) < len(tokens) or min(tokens.values()) < 0:
            msg = "A vocabulary gives each gene a token of its own, from 0 up; one occurs twice."
            raise DatamixError(msg, fix=fix)
        used = sorted((token, gene) for gene, token in tokens.items() if gene in medians)
        if not used:
            msg = f"No gene has both a token ({len(tokens):,} entries) and a median ({len(medians):,} entries)."
            raise DatamixError(msg, fix=fix)
        wrong = [gene for _, gene in used if not 0 < medians[gene] < np.inf]
        if wrong:
            msg = f"The median of {wrong[0]} is {medians[wrong[0]]}; expected a number above 0."
            raise DatamixError(msg, fix=fix)
        self.size = max(tokens.values()) + 1
        """Tokens, specials included; the model has so many."""
        self.genes = np.array([gene for _, gene in used], dtype=object)
        """Ensembl ids (n_genes,), by token."""
        self.tokens = np.array([token for token, _ in used], dtype=np.int32)
        """Token of each gene (n_genes,), rising."""
        self.medians = np.array([medians[gene] for _, gene in used])
        """Non-zero median of each gene (n_genes,), float64."""

    @classmethod
    def of_medians(cls, medians: Mapping[str, float]) -> "Vocabulary":
        """Make one from medians: the genes that have one, sorted by id, get the tokens from 2 on."""
        tokens = {"<pad>": PAD, "<mask>": MASK} | {gene: i for i, gene in enumerate(sorted(medians), start=2)}
        return cls(tokens, medians)

    @cached_property
    def digest(self) -> str:
        """Hash of genes, tokens and medians: 64 hexadecimal digits."""
        content = [self.size, self.genes.tolist(), self.tokens.tolist(), self.medians.tolist()]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def positions(self, genes: Iterable[str]) -> npt.NDArray[np.int64]:
        """Return the place of each gene in `self.genes`, −1 where it has none.

        Raises
        ------
        DatamixError
            If no gene is known.
        """
        index = pd.Index(genes)
        found = pd.Index(self.genes).get_indexer(index)
        if len(index) == 0 or (found < 0).all():
            names = f"{index[0]} …" if len(index) else "none"
            msg = (
                f"No gene of the cells is in the vocabulary: the cells have {names}, the vocabulary {self.genes[0]} …."
            )
            raise DatamixError(msg, fix="name genes by Ensembl ids without version")
        return found

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        content = {"size": self.size, "genes": self.genes.tolist(), "tokens": self.tokens.tolist()}
        write_json(path, content | {"medians": self.medians.tolist()})

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read what `save` wrote.

        Raises
        ------
        DatamixError
            If there is no such file.
        """
        if not path.is_file():
            msg = f"{path} does not exist: {path.parent} holds no model of this project."
            raise DatamixError(msg)
        content = read_json(path)
        tokens = {"<pad>": PAD, "<mask>": MASK} | dict(zip(content["genes"], content["tokens"], strict=True))
        vocabulary = cls(tokens, dict(zip(content["genes"], content["medians"], strict=True)))
        vocabulary.size = content["size"]  # the published one may end with a gene that has no median
        return vocabulary


def nonzero_medians(cells: Iterable[Cells], *, scratch: Path) -> dict[str, float]:
    """Compute the exact median of each gene's values above zero, in counts per 10,000, in one pass.

    The values go through a temporary file, by chunk and gene, so that memory holds a chunk of cells and then a few
    genes, however many cells there are.

    Parameters
    ----------
    cells
        Chunks, all with the same genes.
    scratch
        A folder for the temporary file; 8 bytes for each count above zero.

    Returns
    -------
    Gene → median, for the genes that any cell has.

    Raises
    ------
    DatamixError
        If a value is no count, or no cell has any.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    starts: list[npt.NDArray[np.int64]] = []
    genes: npt.NDArray[np.object_] = np.empty(0, dtype=object)
    with TemporaryDirectory(dir=scratch, prefix=".medians.") as folder:
        spilled = Path(folder) / "values"
        written = 0
        with spilled.open("wb") as file:
            for chunk in cells:
                genes = chunk.genes
                by_gene = chunk.per_total(COUNTS_PER_CELL).tocsc()
                starts.append(written + by_gene.indptr.astype(np.int64))
                written += by_gene.nnz
                by_gene.data.tofile(file)
        if not written:
            msg = "No cell of the training mixture has any count."
            raise DatamixError(msg, fix="check the corpora of the mixture")
        bounds = np.stack(starts)
        per_gene = np.diff(bounds, axis=1).sum(axis=0)
        medians = np.full(len(genes), np.nan)
        for first, last in pairwise(_groups(per_gene)):
            pieces = [_read(spilled, start=b[first], stop=b[last]) for b in bounds]
            owner = np.concatenate([np.repeat(np.arange(first, last), np.diff(b[first : last + 1])) for b in bounds])
            medians[first:last] = _medians(np.concatenate(pieces), owner - first, per_gene[first:last])
    return {str(gene): float(m) for gene, m in zip(genes, medians, strict=True) if not np.isnan(m)}


def _read(path: Path, *, start: np.int64, stop: np.int64) -> npt.NDArray[np.float64]:
    return np.fromfile(path, dtype=np.float64, count=int(stop - start), offset=8 * int(start))


def _groups(per_gene: npt.NDArray[np.int64]) -> list[int]:
    """Cut the genes in runs of at most `_VALUES_AT_A_TIME` values, or of one gene."""
    bounds, held = [0], 0
    for gene, n in enumerate(per_gene.tolist()):
        if held and held + n > _VALUES_AT_A_TIME:
            bounds.append(gene)
            held = 0
        held += n
    return [*bounds, len(per_gene)]


def _medians(values: npt.NDArray[np.float64], owner: npt.NDArray[np.int64], n: npt.NDArray[np.int64]) -> npt.NDArray:
    ordered = values[np.lexsort((values, owner))]
    last = np.cumsum(n)
    middle = np.full((2, len(n)), np.nan)
    some = n > 0
    for row, offset in zip(middle, ((n - 1) // 2, n // 2), strict=True):
        row[some] = ordered[(last - n + offset)[some]]
    return middle.mean(axis=0)
