"""The fidelity ledger: every published number that is known, with ours, a tolerance, and a verdict.

Settings are a list of their own: what a profile carries over from the published scripts agrees because it was written
down, and is no number that anything here computed.
"""

from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

import pandas as pd

from datamix.corpora.mixtures import draw_blocks, list_mixtures
from datamix.project.errors import DatamixError
from datamix.project.files import read_json, write_json
from datamix.project.profile import Profile

REPRODUCED, WITHIN, DIFFERS, NOT_HERE = "reproduced", "within tolerance", "differs", "not computable here"

R2_TOLERANCE = 0.05
"""Median R². The published control moves by 0.08 on blood without any change of composition, so less is no news."""

DOSE_TOLERANCE = 0.02
"""R². The points of a neighbouring experiment are read off a figure, to about 0.01."""

CELLS_TOLERANCE = 0.01
"""Relative."""

BLOCK = 101_879
"""Cells in a published training block."""

EVALUATION_CELLS = {"blood": 38_251, "bone_marrow": 12_732, "aml": 14_702, "scc": 10_583, "neurons": 9_926}
"""Evaluation set → its cells in the paper."""


def published_numbers(published_r2: pd.DataFrame) -> pd.DataFrame:
    """List the published numbers that are known.

    Parameters
    ----------
    published_r2
        The draft heat map: `evaluation`, `mixture`, `published`, as `published_r2("blood")` gives it.

    Returns
    -------
    A row a number: `number` (a key such as `r2.aml.blood`), `what`, `unit`, `published`, `tolerance` (in the same
    unit), `source` (where it was read).
    """
    rows = [
        (f"r2.{row.evaluation}.{row.mixture}", f"R² of {row.mixture} on {row.evaluation}", "R²", row.published,
         R2_TOLERANCE, "draft heat map")
        for row in published_r2.itertuples()
    ]  # fmt: skip
    rows += [
        (f"cells.{name}", f"evaluation cells, {name}", "cells", n, round(CELLS_TOLERANCE * n), "published scripts")
        for name, n in EVALUATION_CELLS.items()
    ]
    rows += [
        (f"dose.{row.evaluation}.{row.sampling}.{row.dose}",
         f"R² on {row.evaluation}, trained on 100,000 cells of which {_of_atlas(int(str(row.dose)))}, "
         f"{row.sampling} sampling", "R²", row.r2, DOSE_TOLERANCE, "figure of Navidi et al.")
        for row in published_doses().itertuples()
    ]  # fmt: skip
    rows += [
        ("geneformer.vocabulary", "tokens in Geneformer's vocabulary", "tokens", 25_426, 0, "published scripts"),
        ("bone_marrow.training", "bone-marrow cells in training (inferred)", "cells", 114_600, 1_000, "inferred"),
    ]
    return pd.DataFrame(rows, columns=["number", "what", "unit", "published", "tolerance", "source"])


def _of_atlas(dose: int) -> str:
    return "1 is of the atlas" if dose == 1 else f"{dose:,} are of the atlas"


def carried_over(paper: Profile) -> pd.DataFrame:
    """List the settings that the profile `paper` has from the published scripts; no data are needed for them.

    Parameters
    ----------
    paper
        The profile `paper`.

    Returns
    -------
    A row a setting: `setting` (a key), `what`, `unit`, `published`, `ours` (what the profile says, or its draws do),
    `same`.
    """
    sizes = dict.fromkeys(paper.training_datasets, 3 * BLOCK)
    blocks = draw_blocks(paper, "blood", seed=0, sizes=sizes)
    k562, jurkat = (len(part.rows) for part in blocks["perturb_seq"])
    rows = [
        ("draw.block", "cells in a training block", "cells", BLOCK, sum(len(p.rows) for p in blocks["baseline"])),
        ("draw.k562", "K562 cells in the Perturb-seq block", "cells", 50_939, k562),
        ("draw.jurkat", "Jurkat cells in the Perturb-seq block", "cells", 50_940, jurkat),
        ("draw.mixtures", "mixtures on a baseline", "mixtures", 10, len(list_mixtures(paper, "blood"))),
        ("training.epochs", "epochs", "epochs", 250, paper.training.max_epochs),
        ("training.latent", "latent dimensions", "dimensions", 10, paper.training.n_latent),
        ("scoring.genes", "most variable genes", "genes", 1_000, paper.scoring.n_top_genes),
    ]
    table = pd.DataFrame(rows, columns=["setting", "what", "unit", "published", "ours"])
    return table.assign(same=table["published"] == table["ours"])


def published_doses() -> pd.DataFrame:
    """Read a published dose–response to atlas cells, of a neighbouring experiment on the paper's own files.

    Blood and some cells of all tissues, 100,000 cells in all; scVI with 64 dimensions. Read off a figure, to about
    0.01; means over cells, five seeds. The genes on which R² is computed are chosen anew for each mixture, so that they
    change with the dose, and 10,000 blood cells are for validation.

    Returns
    -------
    A row a point: `evaluation`, `sampling` (`standard`, or `adaptive` resampling), `dose` (cells), `r2`.

    References
    ----------
    Navidi et al., microsoft/sc-AR, `eval_scripts/generate_plots_scvi_models.ipynb`.
    """
    with files("datamix.analysis").joinpath("published_doses.csv").open() as file:
        return pd.read_csv(file)


def our_numbers(
    profile: Profile, *, r2: Mapping[tuple[str, str], float], cells: Mapping[str, int]
) -> dict[str, float | str]:
    """Compute our counterpart of each published number, or say why it cannot be had.

    Parameters
    ----------
    profile
        The profile that is run; the numbers of any but `paper` are of other cells, and have no counterpart.
    r2
        (evaluation, mixture) → R², the median or the mean over cells, averaged over seeds, of the profile that is run.
    cells
        Corpus → cells after QC, of the profile that is run.

    Returns
    -------
    Key → our number, or the reason (text) that there is none.
    """
    found: dict[str, float | str] = {}
    if profile.name == "paper":
        found |= {f"r2.{evaluation}.{mixture}": value for (evaluation, mixture), value in r2.items()}
        found |= {f"cells.{name}": cells[e.dataset] for name, e in profile.evaluations.items()}
        found["bone_marrow.training"] = cells[profile.added["bone_marrow"].datasets[0]]
    elsewhere = "simulated cells" if profile.simulated else "other cells than the paper's"
    kept = dict.fromkeys(("r2", "cells", "bone_marrow"), f"profile {profile.name} has {elsewhere}")
    other = {
        "geneformer.vocabulary": "its dictionary files are not at hand",
        "dose": "of another model (scVI, 64 dimensions), scored on other genes at each dose",
    }
    return kept | other | found


def write_verdicts(published: pd.DataFrame, ours: Mapping[str, float | str]) -> pd.DataFrame:
    """Hold ours against the published numbers.

    Parameters
    ----------
    published
        As `published_numbers` returns it.
    ours
        As `our_numbers` returns it: by key, or by the first part of the key for a reason that many share.

    Returns
    -------
    `published` with `ours` (NaN where there is none), `verdict` ("reproduced": equal as printed, to two decimals for
    R², to one cell for counts; "within tolerance"; "differs"; "not computable here"), and `why`.
    """
    rows = []
    for row in published.itertuples():
        value = ours.get(str(row.number), ours.get(str(row.number).split(".")[0], "no counterpart is computed"))
        if isinstance(value, str):
            rows.append((float("nan"), NOT_HERE, value))
            continue
        apart, tolerance = abs(value - float(str(row.published))), float(str(row.tolerance))
        printed = 0.005 if row.unit == "R²" else 0.5
        near = DIFFERS if apart > tolerance else WITHIN
        rows.append((float(value), REPRODUCED if apart < printed else near, ""))
    return published.assign(**dict(zip(("ours", "verdict", "why"), zip(*rows, strict=True), strict=True)))


def note_yardsticks(ledger: pd.DataFrame, beside: pd.DataFrame) -> pd.DataFrame:
    """Note what a simple model and a perfect one reach where R² is compared: to agree is not yet to be good.

    Parameters
    ----------
    ledger
        As `write_verdicts` returns it.
    beside
        A row a (evaluation, mixture) of the profile that is run: `simple_mean`, `simple_pca`, `ceiling`, as
        `datamix.analysis.beside.beside_each` gives them.

    Returns
    -------
    `ledger` with `note`; empty where there is no number of ours, or it is no R².
    """
    known = {
        f"r2.{row.evaluation}.{row.mixture}": f"mean profile {row.simple_mean:.2f}, PCA {row.simple_pca:.2f}, "
        f"ceiling {row.ceiling:.2f}"
        for row in beside.itertuples()
    }
    ours = ledger["ours"].notna()
    return ledger.assign(note=[known.get(n, "") if o else "" for n, o in zip(ledger["number"], ours, strict=True)])


def compare_with_record(ledger: pd.DataFrame, path: Path) -> list[str]:
    """Say which verdicts are others than those on record.

    Parameters
    ----------
    ledger
        As `write_verdicts` returns it.
    path
        The record, json: key → verdict.

    Returns
    -------
    A line a number whose verdict changed, or that is new or gone.

    Raises
    ------
    DatamixError
        If there is no record.
    """
    if not path.is_file():
        msg = f"There is no record of the ledger's verdicts in {path}."
        raise DatamixError(msg, fix="write one, with datamix.analysis.published_numbers.renew_record")
    before = read_json(path)
    now = dict(zip(ledger["number"], ledger["verdict"], strict=True))
    keys = [k for k in dict.fromkeys([*before, *now]) if before.get(k) != now.get(k)]
    return [f"{key}: {before.get(key, 'not on record')} → {now.get(key, 'gone')}" for key in keys]


def renew_record(ledger: pd.DataFrame, path: Path, *, say: Callable[[str], None] = print) -> None:
    """Put the verdicts on record, on purpose; says what changes."""
    for line in compare_with_record(ledger, path) if path.is_file() else []:
        say(line)
    write_json(path, dict(zip(ledger["number"], ledger["verdict"], strict=True)))


def published_claims(published: pd.DataFrame) -> pd.DataFrame:
    """Compute the same statistics from the published heat map, which has neither cells nor intervals.

    Parameters
    ----------
    published
        `evaluation`, `mixture`, `published`, as `published_r2("blood")` gives them.

    Returns
    -------
    `claim`, `value`; a verdict needs an interval, which cannot be had from two printed decimals.
    """
    r2 = published.set_index(["evaluation", "mixture"])["published"]
    over = {e: r2[e, "blood+blood_cancer"] - r2[e, "blood+blood"] for e in ("aml", "scc")}
    values = {
        "unseen": r2["blood", "blood"] - r2["neurons", "blood"],
        "cancer": min(over.values()),
        "tf_atlas": r2["neurons", "blood+tf_atlas"] - r2["neurons", "blood+blood"],
    }
    return pd.DataFrame({"claim": list(values), "value": list(values.values())})


def published_r2(baseline: str) -> pd.DataFrame:
    """Return the published reconstruction R² of a baseline, as printed in the draft heat map of 2025-01-17.

    Mean or median over cells is not stated there, and the final version may differ (doi 10.1101/2025.02.19.639127).

    Returns
    -------
    Columns `evaluation`, `mixture`, `published`; empty for a baseline of which no value is known.
    """
    with files("datamix.analysis").joinpath("published_r2.csv").open(encoding="utf-8") as file:
        table = pd.read_csv(file)
    wanted = table.loc[table["baseline"] == baseline, ["evaluation", "mixture", "r2"]]
    return wanted.rename(columns={"r2": "published"}).reset_index(drop=True)
