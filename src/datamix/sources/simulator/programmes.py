"""The simulator's genes and gene programmes: the ground truth behind every simulated count.

Marker genes, with their real symbols and Ensembl ids, stand in `simulated_genes.csv` beside the programmes they are
known for; every programme is filled up with artificial genes (SIM0001, SIMG0000000001) that no annotation holds.
Everything here comes from one fixed seed, so that all simulated corpora share it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from datamix.project.errors import DatamixError
from datamix.project.files import replacing

# Programmes of the haematopoietic tree and their parents (None: the root); children inherit part of their parents'.
TREE: dict[str, str | None] = {
    "esc": None,
    "hsc": "esc",
    "mpp": "hsc",
    "cmp": "mpp",
    "clp": "mpp",
    "mep": "cmp",
    "gmp": "cmp",
    "erythroid": "mep",
    "platelet": "mep",
    "granulocyte": "gmp",
    "monocyte": "gmp",
    "dendritic": "gmp",
    "t_cell": "clp",
    "b_cell": "clp",
    "nk_cell": "clp",
}

# Artificial genes added to each programme's markers.
ARTIFICIAL_GENES: dict[str, int] = {
    **dict.fromkeys(TREE, 22),
    **dict.fromkeys(("esc", "hsc", "mpp", "cmp", "clp", "mep", "gmp", "erythroid"), 38),
    "haematopoietic": 45,
    "plasma_cell": 16,
    "cytotoxic": 10,
    "antigen_presentation": 6,
    "cell_cycle_s": 10,
    "cell_cycle_g2m": 10,
    "interferon": 6,
    "stress": 10,
    "unfolded_protein": 10,
    "hypoxia": 10,
    "ribosomal": 8,
    "epithelial": 20,
    "keratinocyte": 20,
    "gut": 14,
    "liver": 14,
    "lung": 14,
    "fibroblast": 14,
    "endothelial": 14,
    "muscle": 14,
    "neuronal": 70,
    "excitatory_neuron": 30,
    "inhibitory_neuron": 30,
    "nuclear_rna": 35,
    "oncogenic": 25,
    "leukaemic": 25,
    "malignant_aml": 60,
    "malignant_all": 25,
    "malignant_cll": 25,
    "malignant_cml": 25,
    "malignant_lymphoma": 25,
    "malignant_myeloma": 25,
    "malignant_scc": 60,
    "line_k562": 35,
    "line_jurkat": 35,
}
_ARTIFICIAL_HOUSEKEEPING = 110
_SEED = 20250219


@dataclass(frozen=True)
class Truth:
    """What a cell's expected counts are made of; natural logarithms throughout.

    Attributes
    ----------
    genes
        The universe, in its fixed order, columns `gene` (id) and `symbol`.
    names
        The programmes, in the order of `effects`' rows.
    baseline
        (n_genes,) log relative rate with no programme active.
    effects
        (n_programmes, n_genes) log rise of a gene where a programme is fully active; 0 for genes that are not in it.
    dispersion
        (n_genes,) inverse overdispersion of the negative binomial: variance = mean + mean² / dispersion.
    mitochondrial
        (n_genes,) True for the 13 mitochondrial genes.
    """

    genes: pd.DataFrame
    names: tuple[str, ...]
    baseline: np.ndarray
    effects: np.ndarray
    dispersion: np.ndarray
    mitochondrial: np.ndarray

    def activities(self, active: Mapping[str, float]) -> np.ndarray:
        """Return activities as a vector (n_programmes,) in the order of `names`."""
        made = np.zeros(len(self.names))
        for name, level in active.items():
            made[self.names.index(name)] = level
        return made


@cache
def truth() -> Truth:
    """Build the gene universe and the programmes; the same at every call and in every process."""
    rng = np.random.default_rng(_SEED)
    names = tuple(ARTIFICIAL_GENES)
    with (files("datamix.sources.simulator") / "simulated_genes.csv").open(encoding="utf-8") as file:
        markers = pd.read_csv(file)
    membership = [text.split() for text in markers["programmes"]]
    for name, n in ARTIFICIAL_GENES.items():
        # A gene seldom serves one programme only: some artificial genes belong to a second one.
        seconds = rng.choice(names, size=n)
        membership += [[name, second] if rng.random() < 0.1 else [name] for second in seconds]
    membership += [["housekeeping"]] * _ARTIFICIAL_HOUSEKEEPING
    n_artificial = len(membership) - len(markers)
    artificial = pd.DataFrame(
        {
            "gene": [f"SIMG{i:010d}" for i in range(1, n_artificial + 1)],
            "symbol": [f"SIM{i:04d}" for i in range(1, n_artificial + 1)],
        }
    )
    genes = pd.concat([markers[["gene", "symbol"]], artificial], ignore_index=True)
    n_genes = len(genes)

    def belongs(name: str) -> np.ndarray:
        return np.array([name in of for of in membership])

    # Housekeeping genes are on everywhere, at levels as skewed as real ones; programme genes are nearly off by default.
    baseline = np.where(belongs("housekeeping"), rng.normal(-0.4, 1.1, n_genes), rng.normal(-4.8, 0.8, n_genes))
    baseline[belongs("mitochondrial")] = rng.normal(0, 0.8, 13)
    members = np.array([belongs(name) for name in names])
    effects = members * rng.normal(4.4, 1.1, members.shape).clip(1)
    # Well-known markers are known because they are strong.
    effects[:, : len(markers)] += 0.5 * members[:, : len(markers)]
    return Truth(
        genes=genes,
        names=names,
        baseline=baseline,
        effects=effects,
        dispersion=rng.lognormal(np.log(3), 0.6, n_genes),
        mitochondrial=belongs("mitochondrial"),
    )


def programmes() -> dict[str, list[str]]:
    """Return the gene programmes, the ground truth of the simulated data.

    Housekeeping and mitochondrial genes are in none for that alone: the former are on in every cell, and the share of
    the latter is drawn per cell.

    Returns
    -------
    Symbols of each programme's genes, in the order of the universe.
    """
    made = truth()
    symbols = made.genes["symbol"].to_numpy()
    return {name: symbols[row > 0].tolist() for name, row in zip(made.names, made.effects, strict=True)}


def write_gmt(path: Path) -> None:
    """Write the gene programmes as a GMT file: name, description, then the symbols, separated by tabs.

    Parameters
    ----------
    path
        The file; written beside and moved.
    """
    lines = ["\t".join([name, "simulated gene programme", *symbols]) for name, symbols in programmes().items()]
    with replacing(path) as beside:
        beside.write_text("\n".join(lines) + "\n", encoding="utf-8")


def without_programmes(names: Sequence[str]) -> np.ndarray:
    """Return which programmes stay when some are switched off.

    Parameters
    ----------
    names
        The programmes that are switched off.

    Returns
    -------
    (n_programmes,) 1 for a programme that stays and 0 for one that is switched off, in the order of `Truth.names`.

    Raises
    ------
    DatamixError
        If one of the names is no programme.
    """
    known = truth().names
    unknown = sorted(set(names) - set(known))
    if unknown:
        msg = f"No simulated gene programme is called {', '.join(unknown)}; the programmes are {', '.join(known)}."
        raise DatamixError(msg, fix="correct 'without' among the dataset's options in data_manifest.yaml")
    return np.array([float(name not in names) for name in known])
