"""The simulated corpora: which kinds of cells each holds, how many donated them, and how they were measured."""

from dataclasses import dataclass
from functools import cache

from datamix.project.errors import DatamixError
from datamix.sources.simulator import kinds as kinds
from datamix.sources.simulator.kinds import MEAN_PROGRESS, Kind
from datamix.sources.simulator.perturbations import knock_downs, tf_atlas


@dataclass(frozen=True)
class Corpus:
    """A corpus: its kinds of cells, and how they were donated and measured.

    Attributes
    ----------
    kinds
        The kinds of cells.
    donors
        Donors of each study, or lines.
    counts
        Median total counts of a cell.
    mito
        Mean mitochondrial share of an intact cell.
    study_effect, donor_effect
        Standard deviation over genes of the log effect of a study (chemistry, laboratory) and of a donor.
    """

    kinds: tuple[Kind, ...]
    donors: int
    counts: float = 3800
    mito: float = 0.04
    study_effect: float = 0.2
    donor_effect: float = 0.12


@cache
def corpora() -> dict[str, Corpus]:
    """Return all simulated corpora by name."""
    return {
        "blood": Corpus(kinds.blood(), donors=8),
        "bone_marrow": Corpus(kinds.bone_marrow(), donors=6),
        "blood_cancer": Corpus(kinds.blood_cancer(), donors=4, donor_effect=0.35),
        "k562": Corpus(knock_downs("K562"), donors=1, counts=4200, mito=0.05),
        "jurkat": Corpus(knock_downs("Jurkat"), donors=1, counts=4200),
        "tf_atlas": Corpus(tf_atlas(), donors=1, counts=4500, study_effect=0.3),
        "atlas": Corpus(kinds.atlas(), donors=12),
        "eval_blood": Corpus(kinds.blood(), donors=4),
        "eval_bone_marrow": Corpus(kinds.bone_marrow(), donors=3),
        "eval_aml": Corpus(kinds.aml(), donors=5, counts=3200, study_effect=0.3, donor_effect=0.35),
        "eval_scc": Corpus(kinds.scc(), donors=5, study_effect=0.4, donor_effect=0.35),
        "eval_neurons": Corpus(kinds.neurons(), donors=1, mito=0.01, study_effect=0.8),
    }


def find_corpus(name: str) -> Corpus:
    """Return one simulated corpus.

    Raises
    ------
    DatamixError
        If there is none of this name.
    """
    known = corpora()
    if name not in known:
        msg = f"No simulated corpus is called {name!r}; the corpora are {', '.join(known)}."
        raise DatamixError(msg, fix="correct 'corpus' among the dataset's options in data_manifest.yaml")
    return known[name]


def programmes_in(corpus: str) -> set[str]:
    """Return the programmes that are active in a simulated corpus: the truth for what a model of it can learn.

    Parameters
    ----------
    corpus
        Name of the corpus.

    Returns
    -------
    Programmes with an expected activity of at least a quarter in at least 2 % of the cells. Interferon, stress and
    ribosomal genes vary in every corpus, the cell cycle in all but neurons.

    Raises
    ------
    DatamixError
        If there is no such corpus.
    """
    found = {"interferon", "stress", "ribosomal"}
    kinds_in = find_corpus(corpus).kinds
    share: dict[str, float] = {}
    for kind in kinds_in:
        start = kind.start or kind.active
        for name in {*start, *kind.active}:
            begin, end = start.get(name, 0.0), kind.active.get(name, 0.0)
            if begin + MEAN_PROGRESS * (end - begin) >= 0.25:
                share[name] = share.get(name, 0.0) + kind.share
        if kind.cycling:
            found |= {"cell_cycle_s", "cell_cycle_g2m"}
    total = sum(kind.share for kind in kinds_in)
    return found | {name for name, part in share.items() if part >= 0.02 * total}
