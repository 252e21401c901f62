"""The kinds of cells that the simulator knows: the haematopoietic tree, other tissues, tumours, neurons."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from datamix.sources.simulator.programmes import TREE

Active = Mapping[str, float]
PROGRESS = (4.0, 2.0)
"""Beta distribution of how far a cell has come from `Kind.start` to `Kind.active`."""
MEAN_PROGRESS = PROGRESS[0] / sum(PROGRESS)


@dataclass(frozen=True)
class Kind:
    """A kind of cell within a corpus.

    Attributes
    ----------
    cell_type
        Goes to `obs.cell_type`.
    share
        Its share of the corpus, relative to the other kinds.
    active
        Activity of each programme in it; 1 is full.
    start
        The programmes a cell starts from where cells of this kind lie on their way from there to `active`.
    cycling
        Share of cells in S or G2/M phase.
    study
        Goes to `obs.dataset`; the corpus's own name where empty.
    gene_changes
        Log change of single genes, by symbol (a knock-down, an over-expressed factor), against their level in `start`,
        or in `active` without one: a blocked or foreign promoter does not follow what the programmes become.
    labels
        Further columns of `obs`.
    """

    cell_type: str
    share: float
    active: Active
    start: Active | None = None
    cycling: float = 0.03
    study: str = ""
    gene_changes: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def identity(node: str) -> dict[str, float]:
    """Return the programmes of a node of the tree: its own, part of its parent's, and less of its grandparent's."""
    active, weight, at = {}, 1.0, node
    while weight > 0.1:
        active[at] = weight
        parent = TREE[at]
        if parent is None:
            break
        at, weight = parent, 0.35 * weight
    return active if node == "esc" else {**active, "haematopoietic": 1.0}


def _cell(cell_type: str, node: str, *, share: float, more: Active | None = None, cycling: float = 0.03) -> Kind:
    """Return a normal, settled kind of cell of the tree."""
    return Kind(cell_type, share, {**identity(node), **(more or {})}, cycling=cycling)


def _maturing(cell_type: str, node: str, *, share: float, cycling: float) -> Kind:
    """Return a kind of cell of the marrow, on its way from the parent node."""
    parent = TREE[node]
    return Kind(cell_type, share, identity(node), start=identity(parent) if parent else None, cycling=cycling)


def _in_tissue(kinds: tuple[Kind, ...], *, share: float, tissue: str) -> tuple[Kind, ...]:
    return tuple(replace(kind, share=kind.share * share, labels={"tissue": tissue}) for kind in kinds)


PRESENTS = {"antigen_presentation": 0.8}


def blood(share: float = 1.0) -> tuple[Kind, ...]:
    """Return the cells of blood: mature, with hardly a stem cell."""
    kinds = (
        _cell("CD4 T cell", "t_cell", share=0.30),
        _cell("CD8 T cell", "t_cell", share=0.16, more={"cytotoxic": 0.8}),
        _cell("NK cell", "nk_cell", share=0.10, more={"cytotoxic": 1.0}),
        _cell("B cell", "b_cell", share=0.11, more=PRESENTS),
        _cell("plasma cell", "b_cell", share=0.01, more={"b_cell": 0.3, "plasma_cell": 1.0, "unfolded_protein": 0.4}),
        _cell("monocyte", "monocyte", share=0.22, more=PRESENTS),
        _cell("dendritic cell", "dendritic", share=0.03, more={"antigen_presentation": 1.0}),
        _cell("granulocyte", "granulocyte", share=0.03, more={"ribosomal": 0.5}),
        _cell("platelet", "platelet", share=0.02, more={"ribosomal": 0.5}),
        _cell("erythrocyte", "erythroid", share=0.01, more={"ribosomal": 0.4}),
        _cell("haematopoietic stem cell", "hsc", share=0.003),
    )
    return _in_tissue(kinds, share=share, tissue="blood")


def bone_marrow(share: float = 1.0) -> tuple[Kind, ...]:
    """Return the cells of bone marrow: mostly progenitors, many of them dividing."""
    kinds = (
        _cell("haematopoietic stem cell", "hsc", share=0.09, cycling=0.05),
        _maturing("multipotent progenitor", "mpp", share=0.08, cycling=0.2),
        _maturing("common myeloid progenitor", "cmp", share=0.09, cycling=0.35),
        _maturing("common lymphoid progenitor", "clp", share=0.09, cycling=0.35),
        _maturing("megakaryocyte-erythroid progenitor", "mep", share=0.12, cycling=0.4),
        _maturing("granulocyte-monocyte progenitor", "gmp", share=0.12, cycling=0.4),
        _maturing("erythroblast", "erythroid", share=0.18, cycling=0.3),
        _cell("megakaryocyte", "platelet", share=0.02),
        _cell("granulocyte", "granulocyte", share=0.04),
        _cell("monocyte", "monocyte", share=0.06, more=PRESENTS),
        _cell("dendritic cell", "dendritic", share=0.02, more={"antigen_presentation": 1.0}),
        _cell("CD4 T cell", "t_cell", share=0.05),
        _cell("CD8 T cell", "t_cell", share=0.03, more={"cytotoxic": 0.8}),
        _cell("NK cell", "nk_cell", share=0.02, more={"cytotoxic": 1.0}),
        _cell("B cell", "b_cell", share=0.03, more=PRESENTS),
        _cell("plasma cell", "b_cell", share=0.01, more={"b_cell": 0.3, "plasma_cell": 1.0, "unfolded_protein": 0.4}),
    )
    return _in_tissue(kinds, share=share, tissue="bone marrow")


def atlas() -> tuple[Kind, ...]:
    """Return the cells of many normal tissues, blood and bone marrow included; no neurons."""
    solid = (
        Kind("enterocyte", 0.08, {"gut": 1, "epithelial": 0.8}, cycling=0.1, labels={"tissue": "intestine"}),
        Kind("hepatocyte", 0.07, {"liver": 1, "epithelial": 0.3}, labels={"tissue": "liver"}),
        Kind("pneumocyte", 0.07, {"lung": 1, "epithelial": 0.8}, labels={"tissue": "lung"}),
        Kind("keratinocyte", 0.06, {"keratinocyte": 1, "epithelial": 0.4}, cycling=0.1, labels={"tissue": "skin"}),
        Kind("fibroblast", 0.08, {"fibroblast": 1, "stress": 0.4}, labels={"tissue": "skin"}),
        Kind("endothelial cell", 0.07, {"endothelial": 1}, labels={"tissue": "lung"}),
        Kind("muscle cell", 0.07, {"muscle": 1, "fibroblast": 0.2}, labels={"tissue": "heart"}),
    )
    return (*blood(0.25), *bone_marrow(0.25), *solid)


def _malignant(study: str, share: float, active: Active, *, cycling: float, **labels: str) -> Kind:
    return Kind("Malignant", share, active, cycling=cycling, study=study, labels=labels)


def blood_cancer() -> tuple[Kind, ...]:
    """Return malignant cells of five studies: each with its own programme, some of what drives them in common."""
    shared = {"oncogenic": 0.7}
    mature_b = {**identity("b_cell"), **PRESENTS, **shared}
    return (
        _malignant("sim_ALL", 0.25, {**identity("clp"), **shared, "leukaemic": 0.5, "malignant_all": 1}, cycling=0.3),
        _malignant("sim_CLL", 0.2, {**mature_b, "malignant_cll": 1}, cycling=0.03),
        _malignant("sim_CML", 0.2, {**identity("cmp"), **shared, "leukaemic": 0.9, "malignant_cml": 1}, cycling=0.3),
        _malignant("sim_lymphoma", 0.2, {**mature_b, "malignant_lymphoma": 1}, cycling=0.3),
        _malignant("sim_myeloma", 0.15, {**mature_b, "plasma_cell": 1, "malignant_myeloma": 1}, cycling=0.1),
    )


def aml() -> tuple[Kind, ...]:
    """Return malignant cells of acute myeloid leukaemia: what they share with the training studies, and their own."""
    own = {"oncogenic": 0.6, "leukaemic": 0.8, "malignant_aml": 1.0}
    return (
        _malignant("sim_AML", 0.3, {**identity("hsc"), **own}, cycling=0.1, state="HSC-like"),
        _malignant("sim_AML", 0.35, {**identity("gmp"), **own}, cycling=0.3, state="GMP-like"),
        _malignant("sim_AML", 0.25, {**identity("monocyte"), **own}, cycling=0.1, state="monocyte-like"),
    )


def scc() -> tuple[Kind, ...]:
    """Return malignant cells of squamous cell carcinoma."""
    own = {"epithelial": 0.7, "hypoxia": 0.6, "malignant_scc": 1.0, "oncogenic": 0.5}
    return (
        _malignant("sim_SCC", 0.6, {"keratinocyte": 1, **own}, cycling=0.25, state="basal-like"),
        _malignant("sim_SCC", 0.3, {"keratinocyte": 0.5, "fibroblast": 0.4, **own}, cycling=0.1, state="invasive"),
    )


def neurons() -> tuple[Kind, ...]:
    """Return neurons, measured as nuclei."""
    # Nuclei, as brain atlases have them: nuclear RNA, and little from ribosomal genes.
    nuclei = {"neuronal": 1.1, "nuclear_rna": 1.1, "ribosomal": 0.1}
    return (
        Kind("excitatory neuron", 0.6, {**nuclei, "excitatory_neuron": 1.0}, cycling=0),
        Kind("inhibitory neuron", 0.4, {**nuclei, "inhibitory_neuron": 1.0}, cycling=0),
    )
