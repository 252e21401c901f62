"""The paper's own run, rehearsed at a part of its size: time and memory of each step, and what they come to in full.

Run it with `make rehearse`: files in the published layouts are simulated at two sizes (a fiftieth and a tenth of what
the paper has), and go through preparation, the choice of genes, the draw of mixtures with one epoch of training, and
scoring. A step's time and memory at full size are read off the line through both. Tens of GB of disk are needed for it.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from benchmarks.measure import in_small_process, run_command
from benchmarks.published_files import write_published
from benchmarks.training import about
from datamix.analysis.published_numbers import EVALUATION_CELLS
from datamix.project.files import write_json
from datamix.project.profile_files import project_root, read_profile

CELLS = (20_000, 100_000)
"""In the largest file of each source; a tenth of that, about, is a block's, as in the paper."""
GENES = 19_000
PROFILE = "rehearsal"
PUBLISHED = {
    "sctab_blood": 1_775_000,
    "sctab_atlas": 1_775_000,
    "perturb_seq_k562": 310_385,
    "perturb_seq_jurkat": 262_956,
    "tf_atlas": 671_453,
    "brain_neurons": 2_480_956,
}
"""Cells in the largest file of a dataset, as the manifest's notes have them; of the others the size is not known, and
1,000,000 are assumed, of evaluation sets a tenth."""
ASSUMED = 1_000_000


def main() -> None:
    """Rehearse at each size, extrapolate, print, and write `results/bench/rehearsal.json`."""
    parser = argparse.ArgumentParser(prog="make rehearse", description=__doc__)
    parser.add_argument("--cells", type=int, nargs=2, default=CELLS, help="two sizes, the smaller first")
    parser.add_argument("--genes", type=int, default=GENES)
    parser.add_argument("--folder", type=Path, help="where the files go for a while; default: a temporary folder")
    arguments = parser.parse_args()
    runs = []
    for cells in arguments.cells:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            runs.append(rehearse(Path(folder), cells=cells, genes=arguments.genes))
            print(runs[-1].to_string(index=False), flush=True)
    found = in_full(pd.concat(runs, ignore_index=True))
    print(found.to_string(index=False))
    about_it = about() | {"genes": arguments.genes, "rows": found.to_dict("records")}
    write_json(project_root() / "results" / "bench" / "rehearsal.json", about_it)


def rehearse(root: Path, *, cells: int, genes: int) -> pd.DataFrame:
    """Simulate the paper's files in a project of its own and take them through every step that needs no GPU.

    Parameters
    ----------
    root
        An empty folder.
    cells, genes
        As in `write_published`.

    Returns
    -------
    A row a step: `step` (the command), `kind` (its first word), `cells` that its time and memory follow (of the file
    that is read; of a block in training; of the largest evaluation set in scoring), `cells_in_full`, `seconds`,
    `peak_mb`.
    """
    paper = read_profile("paper")
    block = round(paper.cells * cells / ASSUMED) if isinstance(paper.cells, int) else cells // 10
    drawn = min(10_000, cells // 4)
    _write_project(root, block=block, neurons=drawn)
    in_file = in_small_process(write_published, root / "data", cells=cells, genes=genes)
    rows = []

    def take(*words: str, cells: int, in_full: int) -> None:
        seconds, peak_mb = run_command(*words, profile=PROFILE, root=root)
        step = {"step": " ".join(words), "kind": words[0], "cells": cells, "cells_in_full": in_full}
        rows.append(step | {"seconds": round(seconds, 1), "peak_mb": round(peak_mb)})
        print(rows[-1], file=sys.stderr, flush=True)

    for dataset in paper.datasets:
        if dataset in in_file:
            share = in_file[dataset] / cells
            take("prepare", dataset, cells=in_file[dataset], in_full=PUBLISHED.get(dataset, round(share * ASSUMED)))
    full_block = paper.cells if isinstance(paper.cells, int) else ASSUMED // 10
    take("genes", cells=block, in_full=full_block)
    take("train", "blood", "--seed", "0", cells=block, in_full=full_block)
    # All cells of the evaluation sets are scored: here the neurons' set is the largest, in the paper it is another.
    take("score", "blood", "--seed", "0", cells=drawn, in_full=max(EVALUATION_CELLS.values()))
    return pd.DataFrame(rows)


def in_full(rows: pd.DataFrame) -> pd.DataFrame:
    """Read time and memory of each step at full size off the line through its two sizes.

    Parameters
    ----------
    rows
        Of `rehearse`, for two sizes.

    Returns
    -------
    A row a step: its larger size's `cells`, `seconds` and `peak_mb`, and `cells_in_full`, `seconds_in_full`,
    `peak_mb_in_full`. A line that falls is taken to be level.
    """
    found, kept = [], ("kind", "cells", "seconds", "peak_mb", "cells_in_full")
    for step, sizes in rows.groupby("step", sort=False):
        small, large = sizes.sort_values("cells").to_dict("records")
        full: dict[str, Any] = {"step": step} | {name: large[name] for name in kept}
        for what in ("seconds", "peak_mb"):
            slope = max(0.0, (large[what] - small[what]) / max(1, large["cells"] - small["cells"]))
            full[f"{what}_in_full"] = round(large[what] + slope * (large["cells_in_full"] - large["cells"]))
        found.append(full)
    return pd.DataFrame(found)


def _write_project(root: Path, *, block: int, neurons: int) -> None:
    """Lay out a project with the paper's profile, small blocks, as many neurons as can be drawn, and one epoch."""
    home = project_root()
    (root / "config").mkdir(parents=True)
    manifest = (home / "data_manifest.yaml").read_text(encoding="utf-8")
    (root / "data_manifest.yaml").write_text(manifest.replace("cells: 10000,", f"cells: {neurons},"), encoding="utf-8")
    profile = yaml.safe_load((home / "config" / "paper.yaml").read_text(encoding="utf-8"))
    about = "Simulated files in the published layouts: what the paper's run costs, and no result."
    profile |= {"name": PROFILE, "title": about, "about": about, "simulated": True, "cells": block, "gene_sets": None}
    # On counts without any structure the paper's learning rate of 0.005 diverges, with scvi-tools' trainer, too.
    profile["training"] |= {"max_epochs": 1, "check_val_every_n_epoch": 1, "lr": 1e-3}
    for part in ("geneformer", "composition"):  # the first wants a GPU; the second trains as the others do
        del profile[part]
    (root / "config" / f"{PROFILE}.yaml").write_text(yaml.safe_dump(profile, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    main()
