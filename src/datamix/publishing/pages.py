"""Pieces of the book's pages: a figure with its source line and downloads, mathematics, the table of datasets."""

import re
from collections.abc import Collection
from html import escape
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert

from datamix.project.dataset import Dataset, File
from datamix.project.errors import DatamixError
from datamix.project.files import read_json
from datamix.project.manifest import Manifest
from datamix.project.profile import Profile
from datamix.publishing.citation import bibtex, cite, read_citation
from datamix.publishing.front_matter import FrontMatter, Needs
from datamix.publishing.run import wall_time

_DOWNLOADS = {
    "svg": "SVG",
    "pdf": "PDF",
    "png": "PNG",
    "csv": "source data (CSV)",
    "json": "provenance (JSON)",
    "ipynb": "notebook (IPYNB)",
}


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
    The panel's json, with `wall_time` of its notebook in seconds (None where papermill did not execute it), and
    `software`, the project's CITATION.cff (None where there is none).

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
    return {**described, "wall_time": seconds, "software": read_citation(folder.parent.parent)}


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
    image = f'<img src="{files["png"]}" alt="{escape(panel["alt"])}" width="{width}" height="{height}">'
    before = (
        f'<figure class="panel panel-{shape}" id="{anchor}">\n'
        f'<a class="panel-image" href="{files["svg"]}" title="{number}, full size">{image}</a>\n'
        f'<figcaption>\n<p class="panel-caption"><span class="panel-number">{number}.</span> '
    )
    after = f"</p>\n{_source_line(panel, to_root=to_root, page=page)}\n{_downloads(files)}"
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


def _citation(panel: dict[str, Any]) -> str:
    software = panel["software"]
    if software is None:
        return ""
    words, entry = escape(cite(panel, software)), escape(bibtex(panel, software))
    return (
        f'\n<details class="panel-cite"><summary>Cite this figure</summary>\n'
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
            f"**{_plain(dataset.title)}**<br>`{name}`",
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
    return [f"* **{_plain(part.replace('_', ' '))}**: {_plain(why)}" for part, why in profile.missing.items()]


def asked(profile: Profile) -> list[str]:
    """Say, as Markdown lines, what a profile of one's own cells asks and which pages have the answers; else nothing."""
    if not profile.own_datasets:
        return []
    added, tested, baselines = (
        _listed([_plain(one.label) for one in of.values()])
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
    return [
        f"**What this book was asked.** Is a model that is trained on {baselines} better on {tested} {question}?",
        "",
        *_came_out(profile),
        "",
        f"* [Figure 2](notebooks/fig2) answers: {answer}.",
        "* [Figure S1](notebooks/datasets) has the cells that were read and kept, [Figure S3](notebooks/training) the "
        "training.",
        "* [Figure 3](notebooks/fig3) and [Figure 4](notebooks/fig4) ask what is behind a gain, in latent spaces and "
        "in genes; [Figure 5](notebooks/claims) holds the paper's findings against these cells.",
        *(shares if _has_figure_7(profile) else []),
        "* A page that these cells, or this profile, give no data for says why.",
    ]


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
    if not profile.added:
        return [
            "**What came out.** Of the evaluation sets, the one that changes most with all cells in place of half of "
            "them is {val}`fig2.control.evaluation`: its median R² by {val}`fig2.control.gain:.3f` "
            "({val}`fig2.control.gain_low:.3f` to {val}`fig2.control.gain_high:.3f`)."
        ]
    lines = [
        "**What came out.** Pairs of an added set and an evaluation set: {val}`fig2.pairs`; above their control by "
        "more than their interval: {val}`fig2.clear.up`; below it: {val}`fig2.clear.down`. "
        "{val}`fig2.furthest.short`{val}`fig2.best.donors`"
    ]
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
    cited = _plain(dataset.citation.text)
    if dataset.citation.doi:
        cited = f"[{cited}](https://doi.org/{dataset.citation.doi})"
    return f"{cited}<br>{_plain(dataset.licence)}; access: {dataset.access}"


def _file(file: File) -> str:
    name = f"[{_plain(file.name)}]({file.url})" if file.url else _plain(file.name)
    size = "size not known" if file.bytes is None else f"{file.bytes:,} bytes"
    digest = "not pinned" if file.sha256 is None else f"sha256 `{file.sha256[:8]}`"
    return f"{name}, {size}, {digest}"


def _plain(text: str) -> str:
    """Keep text from the manifest out of the way of the table: one line, no bars, no Markdown."""
    return re.sub(r"([\\|*_`\[\]<>$#])", r"\\\1", " ".join(text.split()))
