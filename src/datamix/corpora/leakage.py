"""The leakage guard: no evaluation cell in training, and under the corrected protocol no evaluation donor either.

The published protocol is to run with its faults, and one of them is such a leak: cells that restarting names fail to
keep out of the atlas (fault 4). A profile names it, with the reason, under `shares_cells_with`; under `published` the
run then goes on, says so in its log, and the book shows it. The entry counts under `published` only: a corrected run
with evaluation cells in training always stops, and so does a published one where a leak is not named.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from datamix.corpora.corpus import read_corpus
from datamix.corpora.mixtures import Part
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout
from datamix.project.manifest import MANIFEST, read_manifest
from datamix.sources.formats.missing import MISSING

log = logging.getLogger(__name__)
NO_DONOR = MISSING | {"pooled", "pool"}
"""What sources write where a donor is not known, or cells of several were pooled: such cells share no known donor."""
_NAMED = 3  # in messages


@dataclass(frozen=True)
class Comparison:
    """What an evaluation set and a training dataset of the same source have in common."""

    evaluation: str
    """A key of the profile's `evaluations`."""
    training: str
    """A training dataset."""
    what: Literal["cell", "donor"]
    compared: int
    """Cells, or known donors, of the evaluation set."""
    shared: tuple[str, ...]
    """Those of them that are in training, sorted."""
    reason: str | None
    """Why the profile allows it, under this protocol; None where it does not."""


def compare(layout: Layout, blocks: Mapping[str, Sequence[Part]]) -> list[Comparison]:
    """Compare the cells that are drawn for training with those of every evaluation set.

    Cells are compared by the name that their source gives them (`soma_joinid` in scTab), donors by theirs, between
    datasets that the manifest says are of one `source`, or that were read from a file with the same sha256;
    elsewhere the same name means nothing. Of an evaluation set
    all cells of the wanted types count, drawn or not.

    Parameters
    ----------
    layout
        The profile and its folders; the corpora must have been prepared.
    blocks
        The blocks of `datamix.corpora.mixtures.draw_blocks`.

    Returns
    -------
    For each evaluation set and training dataset of one source, cells, and under the corrected protocol also donors.

    Raises
    ------
    DatamixError
        If a corpus is missing.
    """
    profile, manifest = layout.profile, read_manifest(layout.root, layout.profile)
    rows: dict[str, set[int]] = {}
    for part in (part for parts in blocks.values() for part in parts):
        rows.setdefault(part.dataset, set()).update(part.rows.tolist())
    tested_on = {name: evaluation.dataset for name, evaluation in profile.evaluations.items()}
    files = {dataset: _files(layout, dataset) for dataset in dict.fromkeys([*rows, *tested_on.values()])}
    # Each corpus is read once; of those for training only the cells that are drawn stay in memory.
    names: dict[str, pd.DataFrame] = {}
    found = []
    for name, evaluation in profile.evaluations.items():
        # The same file under two ids is one source, whatever the manifest says.
        alike = [
            dataset
            for dataset in rows
            if manifest.source_of(dataset) == manifest.source_of(tested_on[name])
            or not files[tested_on[name]].isdisjoint(files[dataset])
        ]
        if not alike:
            continue
        tested = _names(layout, tested_on[name])
        if evaluation.cell_types is not None:
            tested = tested[tested["cell_type"].isin(evaluation.cell_types)]
        for dataset in alike:
            if dataset not in names:
                names[dataset] = _names(layout, dataset).iloc[sorted(rows[dataset])]
            trained = names[dataset]
            cells = _compare(trained["cell"], tested["cell"])
            reason = evaluation.shares_cells_with.get(dataset) if profile.protocol == "published" else None
            found.append(Comparison(name, dataset, "cell", *cells, reason))
            if profile.protocol == "corrected":  # fault 5: the published splits are over cells
                donors = _compare(*(t["donor"][~t["donor"].str.lower().isin(NO_DONOR)] for t in (trained, tested)))
                found.append(Comparison(name, dataset, "donor", *donors, evaluation.shares_donors_with.get(dataset)))
    return found


def require_no_leak(layout: Layout, blocks: Mapping[str, Sequence[Part]]) -> list[Comparison]:
    """Compare as `compare` does, and fail if anything is shared that the profile does not allow.

    A shared cell that it allows is a warning in the log.

    Raises
    ------
    DatamixError
        Naming evaluation set, training dataset, how many are shared and the first of them.
    """
    found = compare(layout, blocks)
    leaks = [c for c in found if c.shared and c.reason is None]
    if leaks:
        config = f"config/{layout.profile.name}.yaml"
        msg = "\n".join(_describe(layout, leak) for leak in leaks)
        first = leaks[0]
        own = set(layout.profile.own_datasets)
        place = config if {layout.profile.evaluations[first.evaluation].dataset, first.training} & own else MANIFEST
        fix = f"leave them out on one side, by an option of the reader in {place}"
        if first.what == "donor" or layout.profile.protocol == "published":
            line = f"evaluations.{first.evaluation}.shares_{first.what}s_with: {{{first.training}: <reason>}}"
            fix += f"; or, if it is meant, say why in {config}: {line}"
        raise DatamixError(msg, fix=fix)
    for allowed in (c for c in found if c.shared and c.what == "cell"):
        log.warning("%s The profile allows it: %s", _describe(layout, allowed), allowed.reason)
    return found


def _describe(layout: Layout, leak: Comparison) -> str:
    dataset = layout.profile.evaluations[leak.evaluation].dataset
    more = ", …" if len(leak.shared) > _NAMED else ""
    return (
        f"Evaluation set '{leak.evaluation}' ({dataset}): {len(leak.shared):,} of its {leak.compared:,} {leak.what}s "
        f"are also in the training cells drawn from {leak.training} ({', '.join(leak.shared[:_NAMED])}{more})."
    )


def _names(layout: Layout, dataset: str) -> pd.DataFrame:
    """Read what a corpus's cells are called: `cell` (by the source), `donor`, `cell_type`."""
    obs = read_corpus(layout.corpus(dataset), backed=True).obs
    cells = obs.index.str.removeprefix(f"{dataset}:")
    return obs[["donor", "cell_type"]].astype(str).assign(cell=cells).reset_index(drop=True)


def _files(layout: Layout, dataset: str) -> set[str]:
    """Return the sha256 of the files that a corpus was read from."""
    record = json.loads(read_corpus(layout.corpus(dataset), backed=True).uns.get("datamix", "{}"))
    return {digest for digest in record.get("inputs", {}).values() if digest}


def _compare(trained: pd.Series, tested: pd.Series) -> tuple[int, tuple[str, ...]]:
    names = set(tested)
    return len(names), tuple(sorted(names.intersection(trained)))
