"""Mixtures: which cells each model is trained on, as rows of corpora, drawn as the published scripts draw them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from datamix.corpora.controls import added_cells, baseline_cells, control_cells, published_cells
from datamix.corpora.corpus import n_cells
from datamix.corpora.genes import cells_without, read_genes
from datamix.corpora.thinning import Thinning
from datamix.project.errors import DatamixError
from datamix.project.layout import Layout
from datamix.project.mixture_names import MixtureName
from datamix.project.profile import Profile

Rows = npt.NDArray[np.int64]
BASELINE, CONTROL = "baseline", "control"


@dataclass(frozen=True)
class Mixture:
    """A named recipe: the blocks of cells that one model is trained on."""

    name: str
    """`blood`, `blood_cancer`, `blood+blood_cancer`; the control `blood+blood`, or `blood+blood_690`, of 690 cells."""
    baseline: str
    added: str | None
    """The added set; the baseline's own name for a control; None for the baseline alone."""
    group: Literal["baseline", "alone", "added", "control"]
    """The column group of Figure 2A: the baseline, the added set alone, baseline + added set (the published control
    among them), and, after the paper's own columns, the controls of other sizes."""
    blocks: tuple[str, ...]
    """Keys of `draw_blocks`, in the order in which the cells are stacked."""
    cells: int | None = None
    """Cells in all; None where the sizes of the corpora were not given."""
    control: str | None = None
    """The control that its gain is held against; None: the published one, the only one for a set alone."""

    @property
    def is_control(self) -> bool:
        """Whether it is a baseline with more of its own cells."""
        return self.group in ("added", "control") and self.added == self.baseline

    @property
    def is_addition(self) -> bool:
        """Whether it is a baseline with an added set."""
        return self.group == "added" and not self.is_control


@dataclass(frozen=True)
class Part:
    """Rows of one corpus, in the order in which they were drawn."""

    dataset: str
    rows: Rows
    thinned: Thinning | None = None
    """How its cells are thinned when they are read; None: they are whole, as in all mixtures of the paper."""


def list_mixtures(profile: Profile, baseline: str, *, sizes: Mapping[str, int] | None = None) -> list[Mixture]:
    """List the mixtures on a baseline, in the column order of Figure 2A.

    Parameters
    ----------
    profile
        Its `baselines`, `added` and `cells` decide.
    baseline
        A name in `profile.baselines`.
    sizes
        Cells in each corpus, after QC, by dataset id, as `corpus_sizes` reads them. Without it the list is the paper's:
        one control, and nothing of sizes.

    Returns
    -------
    The baseline alone, each added set alone, then baseline + its own second half (the control) and baseline + each
    added set: ten for the paper's four added sets. With `sizes`, a control more for each size of added set that the
    published control is no match for (`datamix.corpora.controls`), the largest first.

    Raises
    ------
    DatamixError
        If the profile has no such baseline.
    """
    if baseline not in profile.baselines:
        msg = f"Profile {profile.name} has no baseline {baseline!r}; it has: {', '.join(profile.baselines)}."
        raise DatamixError(msg, fix=f"name one of them, or add it to config/{profile.name}.yaml")
    full = str(MixtureName(baseline, baseline))
    alone = [Mixture(name, baseline, name, "alone", (name,)) for name in profile.added]
    added = [Mixture(f"{baseline}+{name}", baseline, name, "added", (BASELINE, name)) for name in profile.added]
    control = Mixture(full, baseline, baseline, "added", (BASELINE, CONTROL))
    listed = [Mixture(baseline, baseline, None, "baseline", (BASELINE,)), *alone, control, *added]
    if sizes is None:
        return listed
    cells = control_cells(profile, baseline, sizes=sizes)
    published = published_cells(profile, baseline, sizes=sizes)
    others = sorted(set(cells.values()) - {published}, reverse=True)
    names = {published: full} | {n: str(MixtureName(baseline, baseline, n)) for n in others}
    listed += [Mixture(names[n], baseline, baseline, "control", (BASELINE, control_block(n))) for n in others]
    counts = {BASELINE: baseline_cells(profile, baseline, sizes=sizes), CONTROL: published}
    counts |= {control_block(n): n for n in others}
    counts |= {name: added_cells(profile, name, sizes=sizes) for name in profile.added}
    return [
        replace(
            m,
            cells=sum(counts[block] for block in m.blocks),
            control=m.name if m.is_control else names[cells[m.added]] if m.is_addition and m.added else full,
        )
        for m in listed
    ]


def mixtures_of(layout: Layout, baseline: str) -> list[Mixture]:
    """List the mixtures on a baseline, controls of every size included, as the prepared corpora have their sizes."""
    return list_mixtures(layout.profile, baseline, sizes=corpus_sizes(layout, baseline))


def corpus_sizes(layout: Layout, baseline: str) -> dict[str, int]:
    """Read how many cells, after QC, each corpus holds that the mixtures on a baseline draw from."""
    profile = layout.profile
    used = (profile.baselines[baseline].dataset, *(d for added in profile.added.values() for d in added.datasets))
    return {dataset: n_cells(layout.corpus(dataset)) for dataset in dict.fromkeys(used)}


def control_of(mixtures: Sequence[Mixture], name: str) -> Mixture:
    """Return the control that a mixture's gain is held against; a control's is itself.

    Parameters
    ----------
    mixtures
        As `list_mixtures` gives them.
    name
        The mixture's name.

    Raises
    ------
    DatamixError
        If there is no such mixture.
    """
    of = {m.name: m for m in mixtures}
    if name not in of:
        msg = f"There is no mixture {name!r}."
        raise DatamixError(msg, fix=f"name one of {', '.join(of)}")
    published = next(m for m in mixtures if m.is_control)
    return of[of[name].control or published.name]


def controls_of(mixtures: Sequence[Mixture]) -> dict[str, str]:
    """Return the control that each mixture's gain is held against: name → name."""
    return {m.name: control_of(mixtures, m.name).name for m in mixtures}


def control_block(cells: int) -> str:
    """Return the key of `draw_blocks` for a control of other than the published size."""
    return f"{CONTROL}_{cells}"


def draw_blocks(profile: Profile, baseline: str, *, seed: int, sizes: Mapping[str, int]) -> dict[str, tuple[Part, ...]]:
    """Draw the blocks of cells that the mixtures on a baseline are built of.

    The procedure is the published one, with NumPy's legacy generator: seed it; split the baseline's cells in two
    halves with scikit-learn's `train_test_split`; draw from each half, then from each added set in the profile's
    order, without replacement; a set marked `reseed` seeds the generator again first; a set of `all` cells takes no
    draw. The same files and seed give the same cells.

    Controls of other sizes (ours) take no draw from that generator: a smaller one is the first cells of the published
    control, a larger one is all of it and more of the second half, drawn by a generator of its own.

    Parameters
    ----------
    profile
        Its `baselines`, `added` and `cells` say what is drawn.
    baseline
        A name in `profile.baselines`.
    seed
        0 or above.
    sizes
        Cells in each corpus, after QC, by dataset id.

    Returns
    -------
    Block name (`baseline`, `control`, an added set, or `control_690`) → its parts, one a dataset.

    Raises
    ------
    DatamixError
        If a corpus has fewer cells than a draw asks for.
    """
    from sklearn.model_selection import train_test_split

    generator = np.random.RandomState(seed)
    settings = profile.baselines[baseline]
    halves = train_test_split(np.arange(sizes[settings.dataset]), test_size=0.5, random_state=seed)
    blocks: dict[str, tuple[Part, ...]] = {}
    for block, half in zip((BASELINE, CONTROL), halves, strict=True):
        source = f"half of {settings.dataset} (the '{baseline}' baseline is split in two)"
        blocks[block] = (Part(settings.dataset, _draw(half, profile.cells, generator, source=source)),)
    for name, added in profile.added.items():
        if added.reseed:
            generator.seed(seed)
        wanted = added.cells or profile.cells
        shares = _shares(wanted, len(added.datasets))
        blocks[name] = tuple(
            Part(dataset, _draw(np.arange(sizes[dataset]), share, generator, source=dataset))
            for dataset, share in zip(added.datasets, shares, strict=True)
        )
    published = blocks[CONTROL][0].rows
    for cells in set(control_cells(profile, baseline, sizes=sizes).values()) - {len(published)}:
        rows = published[:cells]
        if cells > len(published):
            rest = halves[1][~np.isin(halves[1], published)]
            more = np.random.RandomState(seed).choice(rest, cells - len(published), replace=False)
            rows = np.concatenate([published, more])
        blocks[control_block(cells)] = (Part(settings.dataset, rows),)
    return blocks


def draw_corpora(
    layout: Layout, baseline: str, *, seed: int, say: Callable[[str], None] = print
) -> dict[str, tuple[Part, ...]]:
    """Draw the blocks of `draw_blocks` from the prepared corpora.

    Cells without a count of the genes that the training corpora share are left out of what was drawn, and counted.

    Parameters
    ----------
    layout
        The profile and its folders; corpora and shared genes must be there.
    baseline, seed
        As in `draw_blocks`.
    say
        Called with a line for each dataset that loses cells.
    """
    blocks = draw_blocks(layout.profile, baseline, seed=seed, sizes=corpus_sizes(layout, baseline))
    empty = empty_cells(layout, {part.dataset for parts in blocks.values() for part in parts}, say=say)
    return {
        block: tuple(replace(part, rows=part.rows[~np.isin(part.rows, empty[part.dataset])]) for part in parts)
        for block, parts in blocks.items()
    }


def empty_cells(
    layout: Layout, datasets: Collection[str], *, say: Callable[[str], None] = print
) -> dict[str, npt.NDArray[np.int64]]:
    """Find the cells that no mixture has, since they have no count in the genes that the training corpora share.

    Parameters
    ----------
    layout
        The profile and its folders; corpora and shared genes must be there.
    datasets
        To look through.
    say
        Called with a line for each dataset that has such cells.

    Returns
    -------
    Dataset → row numbers, ascending.
    """
    genes = read_genes(layout)["gene"].to_numpy()
    empty = {dataset: cells_without(layout.corpus(dataset), genes) for dataset in sorted(datasets)}
    for dataset in (dataset for dataset, rows in empty.items() if len(rows)):
        some = f"{len(empty[dataset]):,} of {n_cells(layout.corpus(dataset)):,}"
        say(f"{dataset}: {some} cells have none of the {len(genes):,} shared genes and are left out")
    return empty


def draw_mixtures(
    layout: Layout, baseline: str, *, seed: int, say: Callable[[str], None] = print
) -> dict[str, list[Part]]:
    """Draw the cells of every mixture on a baseline, as the prepared corpora have their sizes: mixture → its parts."""
    blocks = draw_corpora(layout, baseline, seed=seed, say=say)
    return {m.name: [part for block in m.blocks for part in blocks[block]] for m in mixtures_of(layout, baseline)}


def _shares(cells: int | Literal["all"], parts: int) -> list[int | Literal["all"]]:
    """Share a block equally; what does not divide goes to the last (50,939 K562 + 50,940 Jurkat)."""
    if cells == "all":
        return ["all"] * parts
    bounds = [cells * i // parts for i in range(parts + 1)]
    return [upper - lower for lower, upper in pairwise(bounds)]


def _draw(rows: Rows, cells: int | Literal["all"], generator: np.random.RandomState, *, source: str) -> Rows:
    if cells == "all":
        return rows
    if cells > len(rows):
        msg = f"A draw asks for {cells:,} cells of {source}, which has {len(rows):,} after QC."
        raise DatamixError(msg, fix="lower `cells` in the profile, or give that block `cells: all`")
    return generator.choice(rows, cells, replace=False)
