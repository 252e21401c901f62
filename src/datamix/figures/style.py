"""How figures look: one colour and label for each mixture and evaluation set everywhere, and sizes in millimetres."""

from collections.abc import Iterable
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text

from datamix.project.errors import DatamixError
from datamix.project.mixture_names import read_name
from datamix.project.profile import Profile

NARROW, WIDE = 89, 183
"""Widths of a panel in mm: one column and two of a journal page."""

DIVERGING = "RdBu_r"
"""Colour map for log2 fold changes; red and blue stay apart for every common kind of colour blindness."""

SEQUENTIAL = "cividis"
"""Colour map for amounts, the same with and without colour vision."""

NEUTRAL = "#8C8C8C"
"""Identity lines, chance levels and everything else that is no set."""

_KNOWN = {
    "blood": "#D55E00",
    "atlas": "#666666",
    "bone_marrow": "#E69F00",
    "blood_cancer": "#CC79A7",
    "perturb_seq": "#009E73",
    "tf_atlas": "#0072B2",
    "aml": "#882255",
    "scc": "#999933",
    "neurons": "#56B4E9",
}
# Okabe & Ito's colours first, then the muted scheme of P. Tol: both are made to stay apart without colour vision.
_PALETTE = (
    "#D55E00", "#E69F00", "#CC79A7", "#009E73", "#0072B2", "#56B4E9", "#882255", "#999933", "#332288", "#44AA99",
    "#117733", "#DDCC77", "#CC6677", "#AA4499", "#88CCEE", "#666666",
)  # fmt: skip

_MARKERS = {
    "blood": "o", "atlas": "h", "bone_marrow": "s", "blood_cancer": "^", "perturb_seq": "v", "tf_atlas": "D",
    "aml": "P", "scc": "X", "neurons": "*",
}  # fmt: skip

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "h", "<", ">", "p")
"""Shapes of points that go with colours, so that these are not alone in telling what a point is."""

EIGHT = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#332288", "#999933")
"""Colours of categories that are no sets, cell types say."""

_SETTINGS: Any = {
    # DejaVu Sans comes with matplotlib, so that every machine sets the same letters.
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "mathtext.fontset": "dejavusans",
    "font.size": 6,
    "axes.titlesize": 7,
    "axes.labelsize": 6,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "legend.fontsize": 6,
    "legend.title_fontsize": 6,
    "figure.titlesize": 7,
    "figure.labelsize": 6,
    "axes.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "xtick.major.pad": 2,
    "ytick.major.pad": 2,
    "axes.labelpad": 2.5,
    "axes.titlepad": 4,
    "lines.linewidth": 1,
    "lines.markersize": 3,
    "patch.linewidth": 0.5,
    "legend.frameon": False,
    "legend.handlelength": 1.2,
    "figure.facecolor": "white",
    "figure.dpi": 120,
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "datamix",
    "pdf.fonttype": 42,
}


def apply() -> None:
    """Set matplotlib's defaults to those of the book; call it once, before drawing."""
    mpl.rcParams.update(_SETTINGS)


def figure(*, width: float = WIDE, height: float = 60, **subplots: Any) -> tuple[Figure, Any]:
    """Make a figure with axes in the style of the book.

    Parameters
    ----------
    width, height
        In mm; a panel is `NARROW` (89) or `WIDE` (183) wide.
    subplots
        Passed on to `matplotlib.pyplot.subplots`.

    Returns
    -------
    The figure, and its axes as `matplotlib.pyplot.subplots` returns them.
    """
    fig = empty_figure(width=width, height=height)
    return fig, fig.subplots(**subplots)


def empty_figure(*, width: float = WIDE, height: float = 60) -> Figure:
    """Make a figure in the style of the book, without axes; sizes in mm."""
    apply()
    return plt.figure(figsize=(width / 25.4, height / 25.4))


def show_text_as_it_is(fig: Figure) -> None:
    """Take no dollar sign for mathematics: labels and cell types may hold some, and no words of this package do.

    Before the first drawing: what an axis writes itself (powers of ten) is not there yet, and stays mathematics.
    """
    for text in fig.findobj(lambda one: isinstance(one, Text) and "$" in one.get_text()):
        text.set(parse_math=False)


def colours(profile: Profile) -> dict[str, str]:
    """Return the colour of each baseline, added set and evaluation set of a profile.

    Sets that the paper has keep their colour in every profile; the others take the free colours in the order of the
    profile, so that a set added at its end changes no other colour.

    Returns
    -------
    Names to colours, as `#RRGGBB`. A set has the same colour in training and in evaluation.
    """
    names = dict.fromkeys((*profile.baselines, *profile.added, *profile.evaluations))
    taken = {_KNOWN[name] for name in names if name in _KNOWN}
    free = [c for c in _PALETTE if c not in taken] or list(_PALETTE)
    unknown = [name for name in names if name not in _KNOWN]
    chosen = {name: free[i % len(free)] for i, name in enumerate(unknown)}
    return {name: _KNOWN.get(name) or chosen[name] for name in names}


def colour(name: str, *, profile: Profile) -> str:
    """Return the colour of a set or a mixture.

    Parameters
    ----------
    name
        A baseline, added set or evaluation set of the profile, or a mixture: `blood+blood_cancer` has the colour of
        `blood_cancer`, what was added.
    profile
        The profile that names it.

    Returns
    -------
    `#RRGGBB`.

    Raises
    ------
    DatamixError
        If the profile has no such set.
    """
    known = colours(profile)
    return look_up(read_name(name).last, known, profile)


def marker(name: str, *, profile: Profile) -> str:
    """Return the shape of the points of a set or a mixture, as `colour` returns their colour.

    A set has the same shape everywhere; so that it can be told apart in grey, and by those who see few colours.
    """
    names = list(colours(profile))
    free = [shape for shape in MARKERS if shape not in {_MARKERS[n] for n in names if n in _MARKERS}] or list(MARKERS)
    unknown = [n for n in names if n not in _MARKERS]
    known = {n: _MARKERS.get(n) or free[unknown.index(n) % len(free)] for n in names}
    return look_up(read_name(name).last, known, profile)


def look_up(name: str, known: dict[str, str], profile: Profile) -> str:
    """Return what a profile has under a name; a `DatamixError` lists the names that it has."""
    if name not in known:
        msg = f"profile '{profile.name}' has no set {name!r}; it has {_listed(known)}."
        raise DatamixError(msg, fix=f"correct the name, or add it to config/{profile.name}.yaml")
    return known[name]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
