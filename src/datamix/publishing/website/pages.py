"""Pieces of the book's pages: a figure with its source line and downloads, mathematics, the table of datasets."""

from collections.abc import Collection
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from latex2mathml.converter import convert

from datamix.project.dataset import Dataset, File
from datamix.project.errors import DatamixError
from datamix.project.files import read_json
from datamix.project.manifest import Manifest
from datamix.project.profile import Profile
from datamix.project.spreadsheets import read_table
from datamix.publishing.front_matter import FrontMatter, Needs
from datamix.publishing.run import wall_time
from datamix.publishing.website import swhid
from datamix.publishing.website.alt_text import in_numbers
from datamix.publishing.website.citation import bibtex, cite, read_citation
from datamix.publishing.website.numbers import numbers_html
from datamix.publishing.website.places import can_be_pointed_at
from datamix.publishing.website.text import link, plain
from datamix.publishing.words import interval_in_words

_DOWNLOADS = {
    "svg": "SVG",
    "pdf": "PDF",
    "png": "PNG",
    "csv": "source data (CSV)",
    "json": "provenance (JSON)",
    "ipynb": "notebook (IPYNB)",
}

PLACES = "_static/places"
"""Where, below the site's root, the scripts lie that say what stands at each place of a picture."""

_READS = (
    '<p class="panel-reads pst-js-only" role="status">Point at the picture, or step through it with the keys ← and →: '
    "what stands there is told here.</p>\n"
)


def read_panel(folder: Path, name: str, *, made: Collection[str]) -> dict[str, Any]:
    """Read what is known of a saved panel.

    Parameters
    ----------
    folder
        `results/<profile>`.
    name
        As in the paper, such as `2a`.
    made
        The panels that the notebooks of the book made, as `datamix.publishing.outputs.panels_made` returns them.

    Returns
    -------
    The panel's json, with `wall_time` of its notebook in seconds (None where papermill did not execute it),
    `software`, the project's CITATION.cff (None where there is none), and of its table the identifier, `swhid`, what it
    shows `in_numbers`, these `numbers` as HTML, and whether its places can be `pointed_at`.

    Raises
    ------
    DatamixError
        If none of these notebooks made the panel, or one of its files is missing.
    """
    path = folder / "panels" / f"fig{name}.json"
    if name not in made or not path.is_file():
        msg = f"no notebook of the book made panel {name}; they made: {', '.join(sorted(made)) or 'none'}."
        raise DatamixError(msg, fix="correct the name, or run the notebook that saves it")
    described = read_json(path)
    missing = [file for file in described["files"].values() if not (path.parent / file).is_file()]
    if missing:
        msg = f"panel {name} lacks {', '.join(missing)} in {path.parent}."
        raise DatamixError(msg, fix=described["command"])
    seconds = wall_time(folder / "notebooks" / f"{described['notebook']}.ipynb")
    source = path.parent / described["files"]["csv"]
    table = read_table(source)
    return {
        **described,
        "wall_time": seconds,
        "software": read_citation(folder.parent.parent),
        "swhid": swhid.of_content(source.read_bytes()),
        "in_numbers": in_numbers(name, table),
        "numbers": numbers_html(name, table),
        "pointed_at": can_be_pointed_at(name, table),
    }


def figure_html(panel: dict[str, Any], *, anchor: str, to_root: str, page: str) -> tuple[str, str]:
    """Return the HTML before and after the caption of a panel.

    Parameters
    ----------
    panel
        As `read_panel` returns it.
    anchor
        Its id on the page.
    to_root
        The relative way from the page to the site's root: `""` or `"../"`.
    page
        The page it stands on, such as `notebooks/fig2`.
    """
    files = {suffix: f"{to_root}panels/{name}" for suffix, name in panel["files"].items()}
    files["ipynb"] = f"{to_root}notebooks/{panel['notebook']}.ipynb"
    width, height = (round(mm / 25.4 * 96) for mm in panel["size_mm"])
    shape = "wide" if width > 400 else "narrow"
    number = f"Figure {escape(panel['panel'])}"
    alt = escape(f"{panel['alt']} {panel['in_numbers']}".strip())
    image = f'<img src="{files["png"]}" alt="{alt}" width="{width}" height="{height}">'
    places = f' data-places="{to_root}{PLACES}/fig{escape(panel["panel"])}.js"' if panel["pointed_at"] else ""
    before = (
        f'<figure class="panel panel-{shape}" id="{anchor}"{places}>\n'
        f'<a class="panel-image" href="{files["svg"]}" title="{number}, full size">{image}</a>\n'
        f"{_READS if places else ''}"
        f'<figcaption>\n<p class="panel-caption"><span class="panel-number">{number}.</span> '
    )
    after = f"</p>\n{panel['numbers']}{_source_line(panel, to_root=to_root, page=page)}\n{_downloads(files)}"
    after += f"{_citation(panel)}\n</figcaption>\n</figure>\n"
    return before, after


def _source_line(panel: dict[str, Any], *, to_root: str, page: str) -> str:
    notebook = panel["notebook"]
    words = f"{escape(notebook)} notebook"
    # On its own page, a link to the page leads nowhere.
    link = words if page == f"notebooks/{notebook}" else f'<a href="{to_root}notebooks/{notebook}.html">{words}</a>'
    head, _, dirty = panel["commit"].partition(" ")
    seeds = panel["seeds"]
    parts = [
        f"Source: {link}",
        f'commit <code title="{escape(head)}">{escape(head[:8])}</code>' + (f" {escape(dirty)}" if dirty else ""),
        f"profile {escape(panel['profile'])}" + (" (simulated cells)" if panel["simulated"] else ""),
        f"{escape(panel['protocol'])} protocol",
        ("seed " if len(seeds) == 1 else "seeds ") + ", ".join(map(str, seeds)),
    ]
    if panel["wall_time"] is not None:
        parts.append(f"{panel['wall_time']:.0f} s for the notebook")
    data = "".join(f"<li>{escape(d['id'])} <code>{escape(d['hash'])}</code></li>" for d in panel["datasets"])
    count = len(panel["datasets"])
    listed = (
        f" <details><summary>{count} dataset{'s' * (count != 1)}</summary><ul>{data}</ul></details>" if data else ""
    )
    command = f'Redraw: <code class="command">{escape(panel["command"])}</code>'
    return f'<div class="panel-source"><div>{" · ".join(parts)}{listed}</div><div>{command}</div></div>'


def _downloads(files: dict[str, str]) -> str:
    links = [f'<a href="{files[suffix]}" download>{words}</a>' for suffix, words in _DOWNLOADS.items()]
    return f'<div class="panel-downloads">Download: {" · ".join(links)}</div>'


def claims_html(panel: dict[str, Any], claims: pd.DataFrame) -> str:
    """Return a list of claims, each a place that can be linked, with its verdict and how it is cited.

    Parameters
    ----------
    panel
        The panel that shows them, as `read_panel` returns it.
    claims
        `claims.csv`: `claim`, `finding`, `verdict`, `value`, `low`, `high`.
    """
    items = []
    row: Any
    for row in claims.itertuples():
        number = interval_in_words(row.value, row.low, row.high, spec=".3f")
        words = f"{escape(row.finding)} <strong>{escape(row.verdict)}</strong>"
        words += f", {number}" if row.value == row.value else ""
        here = f'<a class="headerlink" href="#claim-{row.claim}" title="Link to this claim">#</a>'
        cited = _citation({**panel, "claim": row.claim}, what="claim")
        items.append(f'<li id="claim-{row.claim}">{words}{here}{cited}</li>')
    # Folded: the page says all of it in other words, and a link to a place within unfolds it.
    told = "Each finding as it was tested, to link and to cite"
    return f'<details class="claims"><summary>{told}</summary><ul>{"".join(items)}</ul></details>\n'


def _citation(panel: dict[str, Any], *, what: str = "figure") -> str:
    software = panel["software"]
    if software is None:
        return ""
    words, entry = escape(cite(panel, software)), escape(bibtex(panel, software))
    return (
        f'\n<details class="panel-cite"><summary>Cite this {what}</summary>\n'
        f"<p>{words}</p>\n<pre>{entry}</pre></details>"
    )


def mathml(latex: str, *, display: str) -> str:
    """Turn LaTeX into MathML, which browsers set without a script.

    Parameters
    ----------
    latex
        The formula, without dollar signs.
    display
        `inline` or `block`.

    Raises
    ------
    DatamixError
        If it is malformed, or holds a command that has no MathML.
    """
    try:
        converted = convert(latex, display=display)
    except Exception as error:  # the converter has a dozen unrelated ones
        msg = f"{latex!r} cannot be converted to MathML: {type(error).__name__} {error}"
        raise DatamixError(msg, fix="correct the formula") from error
    if "\\" in converted:
        unknown = converted[converted.index("\\") :].split("<")[0]
        msg = f"{latex!r}: command {unknown} has no MathML."
        raise DatamixError(msg, fix="write the formula with another command")
    # The converter takes \\sim for an identifier, which browsers set without space around it.
    return converted.replace("<mi>&#x0007E;</mi>", "<mo>&#x0223C;</mo>")


def datasets_table(profile: Profile, manifest: Manifest) -> list[str]:
    """Return the datasets of a profile as the lines of a Markdown table.

    A row a dataset, in the order training, evaluation, others (gene tables and gene sets): what it is, what for, whose
    it is and under which terms, and its files with size and the first digits of their sha256.

    Raises
    ------
    DatamixError
        If the manifest lacks one.
    """
    cells = dict.fromkeys(profile.datasets)
    tables = [manifest.dataset(name).gene_table for name in cells]
    others = [name for name in (*tables, profile.gene_sets) if name is not None and name not in cells]
    lines = ["| Dataset | Use | Source and terms | Files |", "|---|---|---|---|"]
    for name in (*cells, *dict.fromkeys(others)):
        dataset = manifest.dataset(name)
        use = [
            word
            for word, found in (("training", profile.training_datasets), ("evaluation", _evaluated(profile)))
            if name in found
        ]
        columns = (
            f"**{plain(dataset.title)}**<br>`{name}`",
            ", ".join(use) or "genes",
            _terms(dataset),
            "<br>".join(_file(file) for file in dataset.files) or "made by `datamix prepare`",
        )
        lines.append(f"| {' | '.join(columns)} |")
    return lines


def missing_list(profile: Profile) -> list[str]:
    """Return, as Markdown lines, the parts of the paper for which a profile has no data, and why."""
    if not profile.missing:
        return ["Nothing: every part of the paper has a counterpart in this profile."]
    return [f"* **{plain(part.replace('_', ' '))}**: {plain(why)}" for part, why in profile.missing.items()]


def asked(profile: Profile) -> list[str]:
    """Say, as Markdown lines, what a profile of one's own cells asks and which pages have the answers; else nothing."""
    if not profile.own_datasets:
        return []
    added, tested, baselines = (
        _listed([plain(one.label) for one in of.values()])
        for of in (profile.added, profile.evaluations, profile.baselines)
    )
    question = f"with twice the cells of {baselines}"
    answer = "half of the cells, and all of them, on each evaluation set"
    if profile.added:
        question = f"where {added} {'is' if len(profile.added) == 1 else 'are'} added to its training"
        answer = "each addition on each evaluation set, against a control of its size"
    shares = [
        "* [Figure 7](notebooks/fig7) asks what each set is worth and what to mix, [Figure 8](notebooks/fig8) how much "
        "of it."
    ]
    behind = [
        "* [Figure 3](notebooks/fig3) and [Figure 4](notebooks/fig4) ask what is behind a gain, in latent spaces and "
        "in genes."
    ]
    return [
        f"**What this book was asked.** Is a model that is trained on {baselines} better on {tested} {question}?",
        "",
        *_came_out(profile),
        "",
        f"* [Figure 2](notebooks/fig2) answers: {answer}.",
        "* [Figure S1](notebooks/datasets) has the cells that were read and kept, [Figure S3](notebooks/training) the "
        "training.",
        *(behind if profile.added and len(profile.seeds) > 1 else []),
        "* [Figure 5](notebooks/claims) holds the paper's findings against these cells.",
        *(shares if _has_figure_7(profile) else []),
        "* A page that these cells, or this profile, give no data for says why.",
    ]


def control(profile: Profile) -> list[str]:
    """Say, as Markdown lines of a list of definitions, what the run of a profile says."""
    head, cells = "What this run says", "Its cells are real, those that the banner names."
    if profile.simulated:
        head = "What the simulated control says"
        cells = "The cells of this run hold what was put there, and show whether it is found."
    if profile.own_datasets:  # the answer stands above, beside the question
        return [head, f": {cells} The {{val}}`fig2.baseline` Baseline {{val}}`fig2.describes`."]
    names = "“+ X” adds X to the baseline, {val}`fig2.baseline`; its control adds as many of its own cells. "
    answer = "{val}`fig2.answer`{val}`fig2.best.donors`"
    return [head, f": {cells} {names if profile.added else ''}{answer}"]


def front_maps(profile: Profile) -> list[str]:
    """Show, as Markdown lines, the maps of the first page: real cells before simulated ones, their control."""
    own = ["```{panel} 2a", "```"]
    if not profile.simulated:
        return ["What stands beside the map in grey says how good its numbers are.", "", *own]
    return [
        "What stands beside a map in grey says how good its numbers are.",
        "",
        "```{panel} 6a",
        "```",
        "",
        "**The control.** The cells of this run are simulated. What each set holds was put there, so that it shows "
        "whether what is there is found, and no more.",
        "",
        *own,
    ]


def _has_figure_7(profile: Profile) -> bool:
    """Tell whether a profile has the mixtures by shares that Figure 7 needs; its header says so, too."""
    return FrontMatter(needs=Needs(composition=True)).unmet(profile) is None


def _came_out(profile: Profile) -> list[str]:
    """Say what came out, in the words of the notebooks."""
    lines = ["**What came out.** {val}`fig2.answer`{val}`fig2.best.donors`"]
    if _has_figure_7(profile):
        lines += ["", f"{{val}}`fig7.best` `datamix advise --profile {profile.name}` says more."]
    return lines


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "nothing"


def _evaluated(profile: Profile) -> list[str]:
    return [evaluation.dataset for evaluation in profile.evaluations.values()]


def _terms(dataset: Dataset) -> str:
    if dataset.citation is None:
        return "one's own"
    cited = plain(dataset.citation.text)
    if dataset.citation.doi:
        cited = link(dataset.citation.text, f"https://doi.org/{dataset.citation.doi}")
    return f"{cited}<br>{plain(dataset.licence)}; access: {dataset.access}"


def _file(file: File) -> str:
    name = link(file.name, file.url or "")
    size = "size not known" if file.bytes is None else f"{file.bytes:,} bytes"
    digest = "not pinned" if file.sha256 is None else f"sha256 `{file.sha256[:8]}`"
    return f"{name}, {size}, {digest}"
