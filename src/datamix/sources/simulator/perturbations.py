"""What the simulator's perturbations do: knock-downs in two cell lines, transcription factors in stem cells."""

from datamix.sources.simulator.kinds import PRESENTS, Active, Kind, identity

# What a knock-down of these essential genes does, beside lowering the gene itself.
_PATHWAYS: tuple[tuple[str, dict[str, float]], ...] = (
    ("RPL3 RPL5 RPL11 RPS6 RPS14 RPS19 RPSA", {"ribosomal": -0.25, "stress": 0.8}),
    ("PCNA MCM2 MCM5 RRM1 CDC45 GINS2", {"cell_cycle_s": 0.6, "stress": 0.4}),
    ("PLK1 AURKB KIF11 CDC20 TPX2", {"cell_cycle_g2m": 0.7}),
    ("HSPA5 HSP90B1 PDIA6 CALR", {"unfolded_protein": 1.0}),
    ("PSMA1 PSMA3 PSMB1 PSMB5 PSMD1 PSMD14", {"stress": 1.0, "unfolded_protein": 0.5}),
    ("POLR2A POLR2B SF3B1 SNRPD1 GTF2B", {"oncogenic": -0.4, "interferon": 0.6}),
    ("MYC NPM1 NCL", {"oncogenic": -0.6}),
)
_LINES: dict[str, tuple[dict[str, float], dict[str, dict[str, float]]]] = {
    "K562": (
        {**identity("mep"), "erythroid": 0.4, "line_k562": 1.0, "oncogenic": 1.0, "malignant_cml": 0.3},
        {"GATA1": {"erythroid": -0.4, "mep": -0.5}, "TAL1": {"erythroid": -0.3}, "BCR": {"oncogenic": -0.5}},
    ),
    "Jurkat": (
        {**identity("t_cell"), "line_jurkat": 1.0, "oncogenic": 1.0, "malignant_all": 0.3},
        {"CD3E": {"t_cell": -0.4}, "ZAP70": {"t_cell": -0.3, "stress": 0.3}, "LCK": {"t_cell": -0.3}},
    ),
}


def knock_downs(line: str) -> tuple[Kind, ...]:
    """Return the cells of a line (K562, Jurkat) in which essential genes are knocked down; `target` names the gene."""
    basal, own_targets = _LINES[line]
    basal = {"stress": 0.2, "unfolded_protein": 0.2, "ribosomal": 1.0, **basal}
    shifts = {target: shift for targets, shift in _PATHWAYS for target in targets.split()} | own_targets
    untouched = Kind(line, 0.08 * len(shifts), basal, cycling=0.5, labels={"target": "non-targeting"})
    knocked_down = (
        Kind(
            line,
            1.0,
            {name: max(0.0, basal.get(name, 0.0) + shift.get(name, 0.0)) for name in basal | shift},
            start=basal,  # cells differ in how far the knock-down has come
            cycling=0.5,
            gene_changes={target: -2.0},  # about 14 % remains
            labels={"target": target},
        )
        for target, shift in shifts.items()
    )
    return (untouched, *knocked_down)


# What transcription factors turn embryonic stem cells into. As in the real atlas, factors that blood expresses
# differentiate towards other lineages too, and some do next to nothing.
_FACTORS: tuple[tuple[str, Active], ...] = (
    ("RUNX1 TAL1 MEIS1 HLF HOXA9 MYB", identity("hsc")),
    ("GATA2 LMO2", identity("mep")),
    ("GATA1 KLF1", identity("erythroid")),
    ("NFE2", identity("platelet")),
    ("CEBPA CEBPE GFI1", identity("granulocyte")),
    ("SPI1 CEBPB MAFB", {**identity("monocyte"), **PRESENTS}),
    ("IRF8 IRF4 BATF3", {**identity("dendritic"), **PRESENTS}),
    ("GATA3 TCF7 LEF1 BCL11B", identity("t_cell")),
    ("PAX5 EBF1", identity("b_cell")),
    ("TBX21 EOMES", {**identity("nk_cell"), "cytotoxic": 0.8}),
    ("IRF7 STAT1", {"esc": 0.8, "interferon": 1.0}),
    ("ERG FLI1 ETV2 SOX17", {"endothelial": 1.0}),
    ("ASCL1 DLX2 DLX5 INSM1 MYT1L", {"neuronal": 1.0, "inhibitory_neuron": 0.8}),
    ("NEUROD1 NEUROD2 NEUROD4 NEUROG1 NEUROG2 ATOH1 POU3F2", {"neuronal": 1.0, "excitatory_neuron": 0.8}),
    ("TP63", {"keratinocyte": 0.7, "epithelial": 0.5}),
    ("GRHL2 ELF3", {"epithelial": 1.0}),
    ("HNF4A HNF1A", {"liver": 1.0, "epithelial": 0.4}),
    ("CDX2 CDX1", {"gut": 1.0, "epithelial": 0.4}),
    ("MYOD1 MYOG", {"muscle": 1.0}),
    ("TWIST1 PRRX1", {"fibroblast": 1.0}),
    ("YY1 SP1 MAX ELF1 FOXO1 NFKB1", {"esc": 1.0}),
)


def tf_atlas() -> tuple[Kind, ...]:
    """Return embryonic stem cells on their way to what the factor `TF` makes of them; mCherry is the control."""
    control = Kind("ESC-derived cell", 3.0, identity("esc"), cycling=0.4, labels={"TF": "mCherry"})
    induced = (
        Kind(
            "ESC-derived cell",
            1.0,
            fate,
            start=identity("esc"),
            cycling=0.2,
            gene_changes={factor: 4.0},  # the over-expressed open reading frame itself
            labels={"TF": factor},
        )
        for factors, fate in _FACTORS
        for factor in factors.split()
    )
    return (control, *induced)
