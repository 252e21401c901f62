"""What each fault of the published scripts changes: both protocols run on small files made to show it.

Readers, preparation and scores are the project's own, called once as `published` and once as `corrected`. The order of
a set (fault 7) and draws without a seed (faults 8 and 12) cannot be repeated: two runs of the published way are shown
beside two of ours, which a profile has under both protocols.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import anndata as ad
import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from datamix.corpora.corpus import read_corpus
from datamix.corpora.genes import shared_genes
from datamix.corpora.mixtures import Part
from datamix.corpora.prepare import prepare
from datamix.geneformer.cells import draw_cells
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout
from datamix.project.manifest import Manifest
from datamix.project.profile import Geneformer, Profile
from datamix.scoring.correlation import mean_profile_scores
from datamix.sources.formats.blocks import Protocol
from datamix.sources.readers.brain_atlas import draw
from datamix.sources.readers.cancer_atlas import read_cancer_atlas
from datamix.sources.readers.perturb_seq import assign_metadata, read_perturb_seq
from datamix.sources.readers.sctab import is_held_out
from datamix.sources.simulator import published_layouts as files

PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)


@dataclass(frozen=True)
class Demonstration:
    """How many of a whole a fault concerns, under each protocol."""

    fault: int
    """Its number in this book."""
    counted: str
    """What is counted."""
    published: int
    corrected: int
    whole: int


def demonstrate() -> pd.DataFrame:
    """Run every demonstration.

    Returns
    -------
    A row a fault: `fault`, `counted`, `published`, `corrected`, `whole` (counts), and the shares `published_share`,
    `corrected_share` (0 to 1). Simulated; the size of an effect on the published data is not known from it.
    """
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for number, show in _DEMONSTRATIONS.items():
            root = Path(folder) / str(number)
            (root / "data" / "shown").mkdir(parents=True)
            rows.append(asdict(show(root)))
    table = pd.DataFrame(rows)
    return table.assign(**{f"{p}_share": table[p] / table["whole"] for p in PROTOCOLS})


def _profile(protocol: Protocol, *, baseline: str = "shown") -> Profile:
    entry: dict[str, Any] = {"name": protocol, "title": "Faults", "about": "Simulated.", "simulated": True}
    entry |= {"cells": "all", "protocol": protocol, "added": {}, "evaluations": {}}
    return Profile.model_validate(entry | {"baselines": {"blood": {"label": "Blood", "dataset": baseline}}})


def _corpus(
    root: Path, protocol: Protocol, reader: str, *, symbols: bool = False, training: str = "shown", **options: Any
) -> AnnData:
    """Prepare the files in `data/shown` with a reader, as any dataset is prepared, after those in `data/<training>`."""
    cited = {"access": "open", "licence": "MIT", "citation": {"text": "Simulated"}, "title": "Faults"}

    def listed(folder: Path) -> dict[str, Any]:
        return {"files": [{"name": p.name, "steps": "simulated"} for p in sorted(folder.iterdir()) if p.is_file()]}

    data = root / "data"
    shown = cited | listed(data / "shown") | {"reader": reader, "options": options, "gene_ids": "ensembl"}
    datasets = {"shown": shown}
    if symbols:
        shown |= {"gene_ids": "symbol", "gene_table": "genes"}
        (data / "genes").mkdir(exist_ok=True)
        files.write_gene_table(data / "genes" / "adata_var.csv")
        columns = {"gene": "feature_id", "symbol": "feature_name"}
        datasets["genes"] = cited | listed(data / "genes") | {"reader": "gene_table", "options": columns}
    datasets.setdefault(training, shown | listed(data / training) | {"options": {}})
    manifest = Manifest.model_validate({"datasets": datasets})
    profile = _profile(protocol, baseline=training)
    for dataset in dict.fromkeys([training, "shown"]):
        prepare(dataset, profile=profile, manifest=manifest, root=root, say=lambda _: None)
    return read_corpus(Layout(root, profile).corpus("shown"))


def _both(make: Callable[[Protocol], int]) -> dict[str, int]:
    return {protocol: make(protocol) for protocol in PROTOCOLS}


def _model_of_seed_0(_root: Path) -> Demonstration:
    seeds = range(2)
    found = _both(lambda p: len({_profile(p).model_seed(seed) for seed in seeds}))
    return Demonstration(1, "trained models behind two seeds", whole=len(seeds), **found)


def _no_mito_filter(root: Path) -> Demonstration:
    shown = root / "data" / "shown"
    files.write_gene_table(shown / "adata_var.csv")
    files.write_sctab(shown / "test.h5ad", files.counts(40, damaged=10), ids=range(40))
    options: dict[str, Any] = {"cells": ["test.h5ad"], "no_mito_filter_if_published": True}
    damaged = {f"shown:{i}" for i in range(10)}
    found = _both(lambda p: len(damaged.intersection(_corpus(root, p, "sctab", **options).obs_names)))
    return Demonstration(2, "damaged cells in the blood evaluation", whole=len(damaged), **found)


def _log_normalised(root: Path) -> Demonstration:
    shown, values = root / "data" / "shown", files.counts(40)
    files.write_gene_table(shown / "adata_var.csv")
    # 120 genes sum to less than the 1,000 that QC wants; thousands of genes, as in real files, do not.
    logs = np.log1p(1e4 * values / values.sum(axis=1, keepdims=True)) * 10
    files.write_sctab(shown / "marrow.h5ad", logs, ids=range(40), tissue="bone marrow")
    options: dict[str, Any] = {"cells": ["marrow.h5ad"], "log_normalised_if_published": True}

    def accepted(protocol: Protocol) -> int:
        try:
            return _corpus(root, protocol, "sctab", **options).n_obs
        except DatamixError:
            return 0

    return Demonstration(3, "log-normalised cells taken for counts", whole=40, **_both(accepted))


def _names_that_restart(root: Path) -> Demonstration:
    shown, values = root / "data" / "shown", files.counts(60)
    files.write_gene_table(shown / "adata_var.csv")
    # The last 20 cells of the atlas are those for evaluation, whose names there are 0 to 19.
    files.write_sctab(shown / "atlas.h5ad", values, ids=range(100, 160))
    files.write_sctab(shown / "held.h5ad", values[40:], ids=range(140, 160))
    options: dict[str, Any] = {"cells": ["atlas.h5ad"], "without_cells_of": "held.h5ad"}
    held = {f"shown:{i}" for i in range(140, 160)}
    found = _both(lambda p: len(held.intersection(_corpus(root, p, "sctab", **options).obs_names)))
    return Demonstration(4, "evaluation cells in the atlas for training", whole=20, **found)


def _shared_donors(root: Path) -> Demonstration:
    shown = root / "data" / "shown"
    files.write_gene_table(shown / "adata_var.csv")
    donors = [f"donor {i % 15}" for i in range(60)]
    sides = {"training": "train.h5ad", "evaluation": "test.h5ad"}
    for number, name in enumerate(sides.values()):
        files.write_sctab(shown / name, files.counts(60), ids=range(60 * number, 60 * (number + 1)), donors=donors)

    def shared(protocol: Protocol) -> int:
        train, test = (
            set(_corpus(root, protocol, "sctab", cells=[name], donors=side).obs["donor"])
            for side, name in sides.items()
        )
        return len(train & test)

    whole = len(set(donors))
    assert 0 < is_held_out(pd.Series(donors)).sum() < len(donors)
    return Demonstration(5, "donors on both sides of the split", whole=whole, **_both(shared))


def _cut_symbols(root: Path) -> Demonstration:
    files.write_tf_atlas(root / "data" / "shown", cells=40)
    options: dict[str, Any] = {"cells": "atlas.h5ad", "gtex": "gtex.gct"}

    def of_nkx(protocol: Protocol) -> int:
        return int(_corpus(root, protocol, "tf_atlas", symbols=True, **options).obs["TF"].str.endswith("NKX2-1").sum())

    return Demonstration(6, "cells of NKX2-1, a factor with a hyphen", whole=20, **_both(of_nkx))


def _order_of_a_set(root: Path) -> Demonstration:
    def in_set_order(seed: str) -> list[str]:
        code = f"print(*{{f'ENSG{{i:011d}}' for i in range(1, {files.N_GENES + 1})}})"
        environment = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()

    shown = root / "data" / "shown"
    files.write_gene_table(shown / "adata_var.csv")
    files.write_sctab(shown / "a.h5ad", files.counts(10), ids=range(10))
    _corpus(root, "corrected", "sctab", cells=["a.h5ad"])
    path = Layout(root, _profile("corrected")).corpus("shown")
    ours = [shared_genes([path] * copies)["gene"].tolist() for copies in (1, 2)]

    def same(one: Sequence[str], other: Sequence[str]) -> int:
        return sum(a == b for a, b in zip(one, other, strict=True))

    found = {"published": same(in_set_order("1"), in_set_order("2")), "corrected": same(*ours)}
    return Demonstration(7, "genes at the same place in two runs", whole=files.N_GENES, **found)


def _draw_without_a_seed(_root: Path) -> Demonstration:
    rows = np.arange(100)

    def shared(protocol: Protocol) -> int:
        # Two draws without a seed are as two draws with different ones.
        seeds = (1, 2) if protocol == "published" else (0, 0)
        one, two = (set(draw(rows, 40, seed=seed, protocol=protocol, where="shown").tolist()) for seed in seeds)
        return len(one & two)

    return Demonstration(8, "neurons that two draws have in common", whole=40, **_both(shared))


def _studies_in_parts(root: Path) -> Demonstration:
    shown = root / "data" / "shown" / "studies.tar.unpacked"
    files.write_study(shown / "Data_Whole2020_Hematologic", cells=20, study="Whole2020")
    for part in ("A", "B"):
        files.write_study(shown / "Data_Parts2021_Hematologic" / part, cells=20, study="Parts2021")

    def of_parts(protocol: Protocol) -> int:
        blocks = read_cancer_atlas({"studies": shown}, protocol=protocol)
        return sum(int((block.obs["dataset"] == "Parts2021").sum()) for block in blocks)

    return Demonstration(9, "cells of a cancer study in several parts", whole=40, **_both(of_parts))


def _sign_of_r(_root: Path) -> Demonstration:
    rng = np.random.default_rng(0)
    shape = rng.lognormal(0, 1, files.N_GENES)
    cells = AnnData(
        sparse.csr_matrix(rng.poisson(20 * shape, size=(40, files.N_GENES)), dtype=np.float32),
        obs=pd.DataFrame({"cell_type": "cell", "donor": "donor"}, index=[str(i) for i in range(40)]),
        var=pd.DataFrame(index=files.GENES),
    )
    # A prediction that is high where the cells are low.
    opposite = pd.Series((1 / shape) / (1 / shape).sum(), index=files.GENES)
    profile = np.log1p(1e4 * opposite).to_frame("opposite")
    scores = mean_profile_scores(profile, cells, variable=cells.var_names)
    found = {"published": int((scores["r2"] > 0.25).sum()), "corrected": int((scores["r"] > 0.5).sum())}
    return Demonstration(10, "cells predicted the wrong way round that pass for fits", whole=len(scores), **found)


def screen_cells_that_differ() -> int:
    """Read a simulated Perturb-seq screen, whose reference has another order than its batch, under both protocols.

    Returns
    -------
    How many cells differ in name, target or counts: none, as long as cells are ordered by name before their metadata
    are assigned (fault 11).
    """
    with tempfile.TemporaryDirectory() as folder:
        files.write_screen(Path(folder), cells=40)
        one, other = (_read_screen(Path(folder), protocol) for protocol in PROTOCOLS)
    same = (one.X != other.X).getnnz(axis=1) == 0
    return int(
        (~same | (one.obs_names != other.obs_names) | (one.obs["target"] != other.obs["target"]).to_numpy()).sum()
    )


def _read_screen(folder: Path, protocol: Protocol) -> AnnData:
    names = {path.name: path for path in folder.iterdir() if path.is_file()}
    options: dict[str, Any] = {"reference": "reference.h5ad", "prefix": "batch_{}_", "cell_line": "K562"}
    (block,) = read_perturb_seq(names, **options, protocol=protocol, scratch=folder / "scratch")
    return block


def _metadata_by_position(root: Path) -> Demonstration:
    shown = root / "data" / "shown"
    files.write_screen(shown, cells=40)
    reference = ad.read_h5ad(shown / "reference.h5ad").obs
    # Cell i of the batch has target i. The step is shown alone: before it, the scripts order cells by name.
    in_batch = reference.iloc[reference["gene"].astype(str).str.removeprefix("target ").astype(int).argsort()]

    def wrong(protocol: Protocol) -> int:
        assigned = assign_metadata(in_batch.index, reference, protocol=protocol)["gene"].astype(str)
        return int((assigned.to_numpy() != in_batch["gene"].astype(str).to_numpy()).sum())

    return Demonstration(11, "cells out of order that get another's target", whole=len(reference), **_both(wrong))


def _zero_shot_cells(_root: Path) -> Demonstration:
    n, cells = Geneformer().evaluation_cells, Part("shown", np.arange(2_000))

    def shared(protocol: Protocol) -> int:
        # Two draws without a seed are as two draws with different ones.
        seeds = (1, 2) if protocol == "published" else (0, 0)
        one, two = (set(draw_cells(cells, n, seed=seed).rows.tolist()) for seed in seeds)
        return len(one & two)

    return Demonstration(12, "zero-shot cells that two draws have in common", whole=n, **_both(shared))


def _neurons_in_the_atlas(root: Path) -> Demonstration:
    shown = root / "data" / "shown"
    files.write_gene_table(shown / "adata_var.csv")
    types = ["neuron", "astrocyte"] * 20
    files.write_sctab(shown / "atlas.h5ad", files.counts(40), ids=range(40), tissue="brain", cell_types=types)
    options: dict[str, Any] = {"cells": ["atlas.h5ad"], "without_neurons": True}
    found = _both(lambda p: int((_corpus(root, p, "sctab", **options).obs["cell_type"] == "neuron").sum()))
    return Demonstration(13, "neurons in the Atlas Baseline", whole=20, **found)


def _other_studies(root: Path) -> Demonstration:
    # A carcinoma beside a study on fewer genes, which is not asked for.
    genes = {"Carcinoma2020": files.N_GENES, "Other2021": _FEW_GENES}
    files.write_studies(root / "data" / "shown" / "studies.tar", genes, cells=40)
    options: dict[str, Any] = {"only": ["Carcinoma2020"]}
    found = _both(lambda p: _corpus(root, p, "cancer_atlas", symbols=True, **options).n_obs)
    return Demonstration(14, "carcinoma cells that pass QC beside another study", whole=40, **found)


def _genes_of_training(root: Path) -> Demonstration:
    shown, training = root / "data" / "shown", root / "data" / "training"
    training.mkdir()
    files.write_gene_table(shown / "adata_var.csv")
    files.write_studies(shown / "studies.tar", {"Carcinoma2020": files.N_GENES}, cells=40)
    files.write_studies(training / "studies.tar", {"Leukaemia2019": _FEW_GENES}, cells=40)
    options: dict[str, Any] = {"genes_if_published": "adata_var.csv", "training_genes_if_published": True}
    found = _both(lambda p: _corpus(root, p, "cancer_atlas", symbols=True, training="training", **options).n_obs)
    return Demonstration(15, "carcinoma cells that pass QC after training on few genes", whole=40, **found)


_FEW_GENES = 50
"""Genes of a study; their counts sum to about 1,000 a cell, so that QC drops many cells that have more in all."""
_DEMONSTRATIONS: dict[int, Callable[[Path], Demonstration]] = {
    1: _model_of_seed_0,
    2: _no_mito_filter,
    3: _log_normalised,
    4: _names_that_restart,
    5: _shared_donors,
    6: _cut_symbols,
    7: _order_of_a_set,
    8: _draw_without_a_seed,
    9: _studies_in_parts,
    10: _sign_of_r,
    11: _metadata_by_position,
    12: _zero_shot_cells,
    13: _neurons_in_the_atlas,
    14: _other_studies,
    15: _genes_of_training,
}
