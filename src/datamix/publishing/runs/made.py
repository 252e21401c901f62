"""What each job of a run made, noted with checksums when it ended: nothing that was damaged since is drawn from.

A job is a command of `datamix` that the Snakefile runs. Its note lies in `results/<profile>/.made/`; that of one under
way is empty. What differs from its note is made again by the next run, and a notebook or the book that would draw from
it stops.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

from datamix.geneformer import tables as geneformer
from datamix.project.checksums import Noted, differences, note, with_present_times, without_times
from datamix.project.errors import DatamixError
from datamix.project.files import files_in, read_json, write_json
from datamix.project.layout import Layout
from datamix.project.locks import is_free
from datamix.publishing.contents import list_notebooks
from datamix.publishing.front_matter import read_front_matter
from datamix.publishing.outputs import outputs_of


@dataclass(frozen=True)
class Made:
    """What a job makes: the files of its rule, and what lies beside them."""

    of_rule: tuple[Path, ...]
    beside: tuple[Path, ...] = ()
    """Files and folders, each of which is kept whole or made again: a model, say."""
    is_shown: bool = False
    """Whether pages are made from it: then a file that is gone is damage, too."""


def jobs_of(layout: Layout, notebooks: Iterable[str]) -> dict[str, Made]:
    """Return what the jobs of a profile make: the words of the command, without the profile → files."""
    profile, in_results = layout.profile, layout.folder
    jobs = {f"prepare {dataset}": Made((layout.corpus(dataset),)) for dataset in profile.datasets}
    jobs |= {"genes": Made((layout.genes,)), "gene-sets": Made((layout.gene_sets,))}
    for baseline in profile.baselines:
        for seed in profile.seeds:
            model_seed = profile.model_seed(seed)
            listed = layout.model_list(baseline, model_seed)
            jobs[f"train {baseline} --seed {model_seed}"] = Made((listed,), _entries(listed.with_suffix("")))
            where, of = f"{baseline} --seed {seed}", (baseline, seed)
            jobs[f"score {where}"] = Made((layout.scores_of(*of),))
            jobs[f"read-out {where}"] = Made((layout.latents_of(*of), layout.gene_scores_of(*of)))
            jobs[f"hold-out {where}"] = Made((layout.held_out_of(*of),))
            jobs[f"yardsticks {where}"] = Made((layout.yardsticks_of(*of),))
    jobs["collect-scores"] = Made((layout.scores,))
    if profile.composition is not None:
        for turn in ("first", "second"):
            for seed in profile.composition.seeds:
                listed, scores = layout.composition_models(turn, seed), layout.composition_scores_of(turn, seed)
                jobs[f"composition run {turn} --seed {seed}"] = Made((listed, scores), _entries(listed.with_suffix("")))
        jobs["composition plan"] = Made((layout.second_round,))
        jobs["composition collect"] = Made((layout.composition_scores, layout.mixtures_by_shares))
    if profile.geneformer is not None:
        for baseline, seed, mixture in geneformer.runs(profile):
            run = (layout, baseline, seed, mixture)
            beside = (geneformer.tokens_of(*run), geneformer.model_of(*run), geneformer.embeddings_of(*run))
            jobs[f"geneformer run {baseline} {mixture} --seed {seed}"] = Made((geneformer.scores_of(*run),), beside)
        jobs["geneformer collect"] = Made((geneformer.table_of(layout),))
    tables = {"claims": (in_results / "claims.csv",), "ledger": (in_results / "ledger.csv",)}
    for name in notebooks:
        of_rule = (in_results / "notebooks" / f"{name}.ipynb", outputs_of(in_results, name))
        beside = (in_results / "values" / f"{name}.json", *_panels(layout, name), *tables.get(name, ()))
        jobs[f"notebook {name}"] = Made(of_rule, beside, is_shown=True)
    jobs["site"] = Made((in_results / "site" / "index.html",), (in_results / "site",), is_shown=True)
    return jobs


def _entries(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder.iterdir())) if folder.is_dir() else ()


def _panels(layout: Layout, notebook: str) -> list[Path]:
    """List the files of the panels that a notebook made when it ran last; none where that is not known."""
    try:
        names = read_json(outputs_of(layout.folder, notebook))["panels"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return sorted(path for name in names for path in (layout.folder / "panels").glob(f"fig{name}.*"))


@contextlib.contextmanager
def noted(words: Sequence[str], *, say: Callable[[str], None]) -> Iterator[None]:
    """Run a job: nothing is drawn from damaged files, none is kept, and what it makes is noted when it ends well.

    Parameters
    ----------
    words
        The command line of `datamix`.
    say
        Called with a line for each thing that has been damaged, and is removed.
    """
    job, profile = job_of(words)
    layout = Layout.of(profile)
    has_book = (layout.root / "book" / "_toc.yml").is_file()  # corpora can be made without
    notebooks = list_notebooks(layout.root) if has_book else []
    jobs = jobs_of(layout, notebooks)
    if job not in jobs or not is_first_process():
        yield
        return
    require_whole(layout, job, jobs)
    for line in begin(layout, job, jobs[job]):
        say(line)
    yield
    end(layout, job, jobs_of(layout, notebooks)[job])


def begin(layout: Layout, job: str, made: Made) -> list[str]:
    """Forget what was noted of a job that starts, and remove what it made and would keep though it has been damaged.

    Returns
    -------
    What was removed, a line each.
    """
    found = {} if made.is_shown else differences(_read(layout, job), root=layout.folder)  # what is shown is all redrawn
    kept = {path: [name for name in found if (layout.folder / name).is_relative_to(path)] for path in made.beside}
    removed = []
    for path, names in kept.items():
        if names:
            removed.append(f"{_shown(layout, names[0])} has been damaged: {found[names[0]]}. It is made again.")
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if _file(layout, job).is_file():
        _write(layout, job, {})  # nothing is known of its files, but that there were some: see `lost`
    return removed


def end(layout: Layout, job: str, made: Made) -> None:
    """Note what a job that ended well has made."""
    paths = [path for place in (*made.of_rule, *made.beside) if place.exists() for path in files_in(place)]
    whole = dict.fromkeys(path for path in paths if not path.name.startswith("."))
    _write(layout, job, note(whole, root=layout.folder))  # the job is done; without it, its files are taken as they are


def damaged(layout: Layout, notebooks: Iterable[str]) -> dict[Path, dict[str, str]]:
    """Find what has been damaged since it was made; of what was only touched, as Snakemake does, the time is noted.

    Returns
    -------
    A file of the rule that has to run again → name of each damaged file → how it differs.
    """
    found: dict[Path, dict[str, str]] = {}
    for job, made in jobs_of(layout, notebooks).items():
        notes = _read(layout, job)
        differ = differences(notes, root=layout.folder, missing=made.is_shown)
        if differ:
            found[made.of_rule[0]] = {_shown(layout, name): how for name, how in differ.items()}
        elif (touched := with_present_times(notes, root=layout.folder)) != notes:
            _write(layout, job, touched)  # or each run would look at its content
    return found


def lost(layout: Layout, notebooks: Iterable[str]) -> list[Path]:
    """List the first file of each rule that was made once and is gone: Snakemake makes none that nothing asks for."""
    jobs = jobs_of(layout, notebooks).items()
    return [
        made.of_rule[0]
        for job, made in jobs
        if job != "site" and not made.of_rule[0].exists() and _file(layout, job).is_file()
    ]


_ONLY_LOOKS = re.compile(
    r"-[a-zA-Z]*[nStD][a-zA-Z]*|--(dry-?run|touch|unlock|summary|detailed-summary|lint|report|dag|d3dag|rulegraph|"
    r"filegraph|jobs-status|list.*|cleanup.*|delete.*|archive|print.*|version|help)"
)
"""Options of Snakemake with which it makes nothing."""


def only_looks(asked: Sequence[str]) -> bool:
    """Whether Snakemake, so asked, makes nothing."""
    return any(_ONLY_LOOKS.fullmatch(word) for word in asked[1:])


def once_lost(layout: Layout, notebooks: Iterable[str], *, asked: Sequence[str]) -> list[Path]:
    """List what the book asks for beside its pages: what is `lost`, and what was so in an earlier run.

    That stays asked for when it is there again: with another set of files, the book would be made once more.

    Parameters
    ----------
    layout, notebooks, asked
        As in `remove_damaged`.
    """
    kept = layout.folder / ".made" / ".lost.json"
    try:
        before = set(read_json(kept)) if kept.is_file() else set()
    except (ValueError, TypeError):
        before = set()
    notebooks = list(notebooks)
    gone = {path.relative_to(layout.folder).as_posix() for path in lost(layout, notebooks)}
    if gone - before and not only_looks(asked):
        write_json(kept, sorted(gone | before))
    rules = [made.of_rule[0] for job, made in jobs_of(layout, notebooks).items() if job != "site"]
    return [path for path in rules if path.relative_to(layout.folder).as_posix() in gone | before]


def remove_damaged(
    layout: Layout, notebooks: Iterable[str], *, asked: Sequence[str], say: Callable[[str], None]
) -> None:
    """Before a run: remove a file of each rule that made what has been damaged since, so that it runs again.

    Where Snakemake is only asked what it would do, or another run has the profile, nothing is removed.

    Parameters
    ----------
    layout, notebooks
        The profile and its folders, and the notebooks of the book.
    asked
        The command line of Snakemake.
    say
        Called with a line a damaged file.
    """
    if not is_free(layout.lock("run")):
        return
    looks = only_looks(asked)
    for result, files in damaged(layout, notebooks).items():
        for file, how in files.items():
            say(f"{file} has been damaged: {how}. {'The next run makes it again.' if looks else 'It is made again.'}")
        if not looks:
            result.unlink(missing_ok=True)


def require_whole(layout: Layout, job: str, jobs: Mapping[str, Made]) -> None:
    """Stop a notebook, or the book, that would draw from a damaged file; each of them is hashed.

    Raises
    ------
    DatamixError
        If one is not what its job made.
    """
    word, _, name = job.partition(" ")
    if word == "notebook":
        script = layout.root / "notebooks" / f"{name}.py"
        reads = set(read_front_matter(script).files(layout)) if script.is_file() else set()
        sources = {source: made for source, made in jobs.items() if reads & set(made.of_rule)}
    elif word == "site":
        sources = {source: made for source, made in jobs.items() if source.startswith("notebook ")}
        reads = {path for made in sources.values() for path in (*made.of_rule, *made.beside)}
    else:
        return
    hashed = {path.relative_to(layout.folder).as_posix() for path in reads if path.is_relative_to(layout.folder)}
    for source, made in sources.items():
        for file, how in differences(
            _read(layout, source), root=layout.folder, hashed=hashed, missing=made.is_shown
        ).items():
            _write(layout, source, without_times(_read(layout, source)))  # the next run sees it, too
            msg = f"{_shown(layout, file)} is not what `datamix {source}` made: {how}. Nothing is drawn from it."
            raise DatamixError(msg, fix=f"make book PROFILE={layout.profile.name} makes it again")


def job_of(words: Sequence[str]) -> tuple[str, str]:
    """Return the job that a command line of `datamix` stands for, as `jobs_of` names it, and its profile."""
    given = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    options = {key: value for key, value in pairwise(given) if key in {"--profile", "--seed"}}
    plain = []
    for at, word in enumerate(given):
        if not word.startswith("--") and (at == 0 or given[at - 1] not in options):
            plain.append(word)
    seed = [f"--seed {options['--seed']}"] if "--seed" in options else []
    return " ".join([*plain, *seed]), options.get("--profile", "demo")


def _shown(layout: Layout, name: str) -> str:
    return f"results/{layout.profile.name}/{name}"


def is_first_process() -> bool:
    """Whether this process is the only one of its job, or the first of several (torchrun)."""
    return os.environ.get("RANK", "0") == "0"


def _file(layout: Layout, job: str) -> Path:
    return layout.folder / ".made" / f"{job.replace(' --', ' ').replace(' ', '.')}.json"


def _write(layout: Layout, job: str, notes: Mapping[str, Noted]) -> None:
    with contextlib.suppress(OSError):  # of a folder that cannot be written
        write_json(_file(layout, job), notes)


def _read(layout: Layout, job: str) -> dict[str, Noted]:
    """Read a job's note; where there is none, or none that can be read, nothing is known of its files."""
    try:
        found = read_json(_file(layout, job))
        whole = all({"bytes", "time", "sha256"} <= set(noted) for noted in found.values())
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
    return cast(dict[str, Noted], found) if whole else {}
