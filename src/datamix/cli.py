"""The command `datamix`. Each command imports what it needs when it runs, so that help is quick."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from datamix.project.errors import DatamixError

TRACEBACK = "DATAMIX_TRACEBACK"
"""The environment variable that shows where an error that nobody foresaw happened; for developers, and for reports."""


class _Group(TyperGroup):
    """Shows every problem as a message, without traceback, and exits with 1."""

    def invoke(self, ctx: Any) -> Any:
        if named := os.environ.get("DATAMIX_ROOT"):  # absolute, since notebooks run in the project's folder
            os.environ["DATAMIX_ROOT"] = str(Path(named).absolute())
        try:
            return super().invoke(ctx)
        except DatamixError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from error
        except (TyperException, typer.Exit, typer.Abort):  # help, and words that it does not take
            raise
        except Exception as error:
            if os.environ.get(TRACEBACK):
                raise
            typer.echo(f"Error: {_unexpected(error)}", err=True)
            raise typer.Exit(1) from error


def _unexpected(error: Exception) -> DatamixError:
    """Say of an error that nobody foresaw what it is, what was being worked on, and how to report it."""
    what = " ".join(str(error).split())
    at = "".join(f" It happened with {note}." for note in getattr(error, "__notes__", ()))
    msg = f"Something went wrong that datamix does not know: {type(error).__name__}{f': {what}' if what else ''}.{at}"
    command = " ".join(["datamix", *sys.argv[1:]])
    fix = "this is a fault of datamix, not yours: report it with these lines, and with what this prints: "
    return DatamixError(msg, fix=f"{fix}{TRACEBACK}=1 {command}")


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From the data of the paper to its models, scores, figures and book.",
)
data = typer.Typer(no_args_is_help=True, help="The files of the datasets: check, fetch, verify.")
app.add_typer(data, name="data")
geneformer = typer.Typer(no_args_is_help=True, help="The second model family: one mixture at a time.")
app.add_typer(geneformer, name="geneformer")
composition = typer.Typer(no_args_is_help=True, help="Mixtures by shares: what each training set is worth.")
app.add_typer(composition, name="composition")

ProfileName = Annotated[str, typer.Option("--profile", help="demo, mini, paper, or another file of config/.")]
Seed = Annotated[int, typer.Option("--seed", help="Seeds the draws, the training and the posterior sample.")]
Round = Annotated[Literal["first", "second"], typer.Argument(metavar="first|second")]


def main() -> None:
    """Run the command."""
    app(prog_name="datamix")


@data.command()
def check(profile: ProfileName = "demo") -> None:
    """Show the files that a profile needs, by figure, and the disk and memory to have; exits with 1 if one lacks."""
    from datamix.corpora.inventory import inspect
    from datamix.corpora.inventory_words import needs, require_all, size_of
    from datamix.corpora.planning import uses
    from datamix.project.manifest import read_manifest
    from datamix.project.profile import project_root, read_profile

    root = project_root()
    settings = read_profile(profile)
    manifest = read_manifest(root, settings)
    of = uses(settings, manifest)
    states = {dataset_id: inspect(dataset_id, manifest.dataset(dataset_id), root=root) for dataset_id in of}
    rows = []
    for dataset_id, found in states.items():
        figures = ", ".join(dict.fromkeys(figure for use in of[dataset_id] for figure in use.figures.split(", ")))
        roles = "; ".join(dict.fromkeys(use.role for use in of[dataset_id]))
        # The use of a dataset stands at its first file only.
        rows += [
            (figures, dataset_id, roles if number == 0 else "", state.file.name, size_of(state), state.state)
            for number, state in enumerate(found)
        ]
        if not found:
            rows.append((figures, dataset_id, roles, "(simulated, no file)", "0", "present"))
    # The figures of the paper in its order; what serves none of them comes last.
    rows.sort(key=lambda row: (not row[0], row[0]))
    _show(("figures", "dataset", "use", "file", "bytes", "state"), rows)
    for line in needs(states, profile=settings, manifest=manifest, root=root):
        typer.echo(line, err=True)
    require_all(states, profile=settings)


@data.command()
def fetch(
    ids: Annotated[list[str] | None, typer.Argument(help="Datasets; without any, those of the profile.")] = None,
    profile: ProfileName = "demo",
) -> None:
    """Bring files to data/: from the folders of DATAMIX_MIRROR if they are there, otherwise by download."""
    from datamix.corpora.fetch import fetch as fetch_dataset
    from datamix.corpora.planning import uses
    from datamix.project.manifest import read_manifest
    from datamix.project.profile import project_root, read_profile

    root = project_root()
    settings = None if ids and profile == "demo" else read_profile(profile)  # `demo` has no dataset of its own
    manifest = read_manifest(root, settings)
    wanted = ids or list(uses(settings or read_profile(profile), manifest))
    datasets = {dataset_id: manifest.dataset(dataset_id) for dataset_id in wanted}
    failed: list[DatamixError] = []
    for dataset_id, dataset in datasets.items():
        try:
            fetch_dataset(dataset_id, dataset, root=root, say=typer.echo)
        except DatamixError as error:  # the others are fetched all the same
            failed.append(error)
    if failed:
        raise DatamixError("\n".join(str(error) for error in failed))
    typer.echo(f"{len(datasets)} datasets are complete.")


@data.command()
def verify(
    profile: Annotated[str | None, typer.Option("--profile", help="Whose own datasets are read, too.")] = None,
) -> None:
    """Read every file of every dataset again and compare its sha256; exits with 1 if one is another."""
    from datamix.corpora.inventory import describe, inspect
    from datamix.project.manifest import read_manifest
    from datamix.project.profile import project_root, read_profile

    root = project_root()
    manifest = read_manifest(root, None if profile is None else read_profile(profile))
    states = [
        state
        for dataset_id, dataset in manifest.datasets.items()
        for state in inspect(dataset_id, dataset, root=root, rehash=True)
        if state.state != "missing"
    ]
    _show(("dataset", "file", "sha256", "state"), [(s.dataset, s.file.name, s.sha256 or "", s.state) for s in states])
    wrong = [state for state in states if not state.usable]
    if wrong:
        ids = " ".join(dict.fromkeys(state.dataset for state in wrong))
        raise DatamixError("\n".join(describe(state) for state in wrong), fix=f"datamix data fetch {ids}")


@app.command(name="inspect")
def inspect_files(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files of cells, or folders of them.")],
) -> None:
    """Say what is in files of cells: format, raw counts, genes, types, donors, depth; exits with 1 if one fails."""
    from datamix.corpora.gene_tables import gene_table_if_any
    from datamix.corpora.inspection import files_of, inspect_cells
    from datamix.corpora.inspection_words import describe
    from datamix.corpora.labels_beside import tables_beside
    from datamix.project.profile import QC

    failed = 0
    for path in paths:
        typer.echo(f"{path}")
        try:
            files = files_of(path)
            found = inspect_cells(files, gene_table=gene_table_if_any, beside=tables_beside(path), say=typer.echo)
        except DatamixError as error:
            failed += 1
            typer.echo(f"  Error: {error}", err=True)
            continue
        typer.echo("\n".join(describe(found, qc=QC())))
        failed += found.problem is not None
    if failed:
        msg = f"{failed} of {len(paths)} cannot be used as they are."
        raise DatamixError(msg, fix="read what is said of each")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Of the profile: config/NAME.yaml.")],
    baseline: Annotated[str, typer.Option(metavar="FILE", help="The cells to which others are added; or name=FILE.")],
    on: Annotated[list[str], typer.Option(metavar="FILE", help="Cells to score models on, again for each set.")],
    add: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Cells to add, again for each set; or name=FILE.")
    ] = None,
) -> None:
    """Write a profile for your own cells: look into the files, choose, and say what was found and chosen, and why."""
    from datamix.corpora.own_profile import new_profile
    from datamix.project.profile import project_root

    root = project_root()
    path = new_profile(name, baseline=baseline, added=add or [], evaluations=on, root=root, say=typer.echo)
    typer.echo(f"{path.relative_to(root)} is written. Next: make book PROFILE={name}")


@app.command()
def plan(
    profile: ProfileName = "demo",
    on: Annotated[
        Literal["gpu", "cpu"] | None,
        typer.Option("--on", help="With a GPU, or without; nothing: as a cluster is asked."),
    ] = None,
) -> None:
    """Say what a run costs before it is run: jobs, hours, memory and disk of each rule, and of whole machines."""
    from datamix.project.layout import Layout
    from datamix.publishing.cost import cost_of
    from datamix.publishing.cost_words import COLUMNS, rows_of, told

    cost = cost_of(Layout.of(profile), on=on)
    _show(COLUMNS, rows_of(cost))
    typer.echo("\n".join(told(cost, on=on)))


@app.command()
def slurm(profile: ProfileName = "demo") -> None:
    """Ask a Slurm cluster what it has, and write the profile with which Snakemake sends a run's jobs to it."""
    from datamix.project.layout import Layout
    from datamix.publishing.cluster import write_slurm_profile

    for line in write_slurm_profile(Layout.of(profile)):
        typer.echo(line)


@app.command()
def prepare(dataset: str, profile: ProfileName = "demo") -> None:
    """Make the corpus of a dataset: fetch, read, QC, gene names."""
    from datamix.corpora.fetch import fetch as fetch_dataset
    from datamix.corpora.prepare import prepare as prepare_corpus
    from datamix.project.manifest import read_manifest
    from datamix.project.profile import project_root, read_profile

    root = project_root()
    settings = read_profile(profile)
    manifest = read_manifest(root, settings)
    table = manifest.dataset(dataset).gene_table
    for dataset_id in [dataset, *([table] if table else [])]:
        fetch_dataset(dataset_id, manifest.dataset(dataset_id), root=root, say=typer.echo)
    path = prepare_corpus(dataset, profile=settings, manifest=manifest, root=root, say=typer.echo)
    typer.echo(f"{path.relative_to(root)}")


@app.command()
def genes(profile: ProfileName = "demo") -> None:
    """Write the genes that all training corpora share."""
    from datamix.corpora.genes import shared_genes
    from datamix.project.files import replacing
    from datamix.project.layout import Layout

    layout = Layout.of(profile)
    paths = [layout.corpus(dataset_id) for dataset_id in layout.profile.training_datasets]
    table = shared_genes(paths, most_variable=layout.profile.most_variable_genes)
    with replacing(layout.genes) as beside:
        table.to_csv(beside, index=False)
    typer.echo(f"{layout.genes.relative_to(layout.root)}: {len(table):,} genes")


@app.command()
def gene_sets(profile: ProfileName = "demo") -> None:
    """Write the gene sets that Figure 4 looks for: the profile's, or the simulator's programmes."""
    from datamix.corpora.gene_sets import write_gene_sets
    from datamix.project.layout import Layout

    layout = Layout.of(profile)
    table = write_gene_sets(layout, say=typer.echo)
    typer.echo(f"{layout.gene_sets.relative_to(layout.root)}: {table['source'].nunique()} gene sets")


@app.command()
def train(baseline: str, seed: Seed, profile: ProfileName = "demo") -> None:
    """Train every mixture on a baseline with one seed; models that are finished are kept."""
    from datamix.ldvae.grid import train_baseline
    from datamix.project.layout import Layout
    from datamix.project.locks import one_at_a_time

    layout = Layout.of(profile)
    with one_at_a_time(layout.lock(f"train-{baseline}-seed{seed}"), say=typer.echo):
        train_baseline(layout, baseline, seed=seed, say=typer.echo)


@app.command()
def score(baseline: str, seed: Seed, profile: ProfileName = "demo") -> None:
    """Score every model of a baseline and seed on every evaluation set."""
    from datamix.project.layout import Layout
    from datamix.scoring.score import score_baseline

    score_baseline(Layout.of(profile), baseline, seed=seed, say=typer.echo)


@app.command()
def read_out(baseline: str, seed: Seed, profile: ProfileName = "demo") -> None:
    """Write where each evaluation cell lies in every model of a baseline and seed, and how each gene is predicted."""
    from datamix.project.layout import Layout
    from datamix.scoring.read_out import read_out as read

    read(Layout.of(profile), baseline, seed=seed, say=typer.echo)


@app.command()
def hold_out(baseline: str, seed: Seed, profile: ProfileName = "demo") -> None:
    """Train a baseline without one cell type, for several types, and score the cells of that type."""
    from datamix.project.layout import Layout
    from datamix.scoring.hold_out import hold_out as leave_out

    leave_out(Layout.of(profile), baseline, seed=seed, say=typer.echo)


@app.command()
def record(profile: ProfileName = "mini") -> None:
    """Keep the small tables of a profile's results in recorded/, for the books of other profiles."""
    from datamix.project.profile import project_root
    from datamix.publishing.recorded import write_record
    from datamix.publishing.work import count_jobs

    left = count_jobs(project_root(), profile, finished=False)
    if left:
        jobs = ", ".join(f"{n} of {rule}" for rule, n in left.items())
        msg = f"The results of profile {profile} are not those of this code and these settings: still to run {jobs}."
        raise DatamixError(msg, fix=f"make record PROFILE={profile}")
    typer.echo(f"{write_record(profile).relative_to(project_root())}")


@app.command()
def renew_ledger(profile: ProfileName = "demo") -> None:
    """Put the verdicts of the fidelity ledger on record, on purpose; says which change."""
    import pandas as pd

    from datamix.analysis.published_numbers import renew_record
    from datamix.project.layout import Layout

    layout = Layout.of(profile)
    path = layout.folder / "ledger.csv"
    if not path.is_file():
        msg = f"{path} does not exist."
        raise DatamixError(msg, fix=f"make figure FIG=ledger PROFILE={profile}")
    target = layout.root / "recorded" / f"ledger-{profile}.json"
    renew_record(pd.read_csv(path), target, say=typer.echo)
    typer.echo(f"{target.relative_to(layout.root)}")


@app.command()
def collect_scores(profile: ProfileName = "demo") -> None:
    """Put the scores of all baselines and seeds into one table."""
    from datamix.project.layout import Layout
    from datamix.scoring.score import collect_scores as collect

    layout = Layout.of(profile)
    typer.echo(f"{collect(layout).relative_to(layout.root)}")


@app.command()
def yardsticks(baseline: str, seed: Seed, profile: ProfileName = "demo") -> None:
    """Score simple models beside each model of a baseline and seed, and everything on held-out molecules."""
    from datamix.project.layout import Layout
    from datamix.scoring.yardsticks import measure_yardsticks

    measure_yardsticks(Layout.of(profile), baseline, seed=seed, say=typer.echo)


@composition.command(name="run")
def run_composition(turn: Round, seed: Seed, profile: ProfileName = "demo") -> None:
    """Train the mixtures by shares of a round with one seed, and score them; models that are finished are kept."""
    from datamix.ldvae.composition import train_turn
    from datamix.project.layout import Layout
    from datamix.project.locks import one_at_a_time
    from datamix.scoring.composition import score_turn

    layout = Layout.of(profile)
    with one_at_a_time(layout.lock(f"composition-{turn}-seed{seed}"), say=typer.echo):
        train_turn(layout, turn, seed=seed, say=typer.echo)
        score_turn(layout, turn, seed=seed, say=typer.echo)


@composition.command(name="plan")
def plan_composition(profile: ProfileName = "demo") -> None:
    """Choose the mixtures of the second round: what the law of mixtures recommends, and blocks in doses."""
    from datamix.analysis.second_round import plan_second_round
    from datamix.project.layout import Layout

    layout = Layout.of(profile)
    typer.echo(f"{plan_second_round(layout).relative_to(layout.root)}")


@composition.command(name="collect")
def collect_composition(profile: ProfileName = "demo") -> None:
    """Put the scores of all mixtures by shares into one table, and shares and medians into another."""
    from datamix.analysis.share_tables import write_mixtures
    from datamix.project.layout import Layout
    from datamix.scoring.composition import collect_composition as collect

    layout = Layout.of(profile)
    for path in (collect(layout), write_mixtures(layout)):
        typer.echo(f"{path.relative_to(layout.root)}")


@app.command(name="advise")
def advise_data(
    profile: ProfileName = "demo",
    on: Annotated[str | None, typer.Option("--on", help="An evaluation set of the profile; nothing: all.")] = None,
) -> None:
    """Say which training sets are worth most, and what to mix, as the mixtures by shares have it."""
    import pandas as pd

    from datamix.analysis.advice import advise
    from datamix.corpora.shares import composition_of, read_second_round
    from datamix.project.layout import Layout

    layout = Layout.of(profile)
    composition_of(layout.profile)
    if not layout.composition_scores.is_file():
        msg = f"{layout.composition_scores} does not exist."
        raise DatamixError(msg, fix=f"make figure FIG=fig7 PROFILE={profile}")
    scores = pd.read_parquet(layout.composition_scores)
    typer.echo("\n".join(advise(scores, read_second_round(layout), layout.profile, on=on)))


@geneformer.command(name="tokenize")
def tokenize_cells(baseline: str, mixture: str, seed: Seed, profile: ProfileName = "demo") -> None:
    """Encode the cells of one mixture by rank, as `run` does first; it needs no GPU."""
    from datamix.geneformer.run import Run, tokenize_mixture
    from datamix.project.layout import Layout

    run = Run(Layout.of(profile), baseline, mixture, seed=seed)
    cells, vocabulary = tokenize_mixture(run)
    typer.echo(f"{run.where()}: {len(cells):,} cells, {len(vocabulary.genes):,} genes")


@geneformer.command(name="run")
def run_mixture(baseline: str, mixture: str, seed: Seed, profile: ProfileName = "demo") -> None:
    """Tokenise, pretrain and evaluate one mixture. On several GPUs: torchrun --nproc-per-node 8 -m datamix …."""
    from datamix.geneformer.run import run_mixture as run
    from datamix.project.layout import Layout

    run(Layout.of(profile), baseline, mixture, seed=seed, say=typer.echo)


@geneformer.command(name="collect")
def collect_geneformer(profile: ProfileName = "demo") -> None:
    """Put the scores of all Geneformer models into one table."""
    from datamix.geneformer.tables import collect
    from datamix.project.layout import Layout

    layout = Layout.of(profile)
    typer.echo(f"{collect(layout).relative_to(layout.root)}")


@app.command()
def notebook(name: str, profile: ProfileName = "demo") -> None:
    """Run a notebook headless."""
    from datamix.project.layout import Layout
    from datamix.project.locks import one_at_a_time
    from datamix.publishing.notebook import run_notebook

    layout = Layout.of(profile)
    with one_at_a_time(layout.lock(f"notebook-{name}"), say=typer.echo):
        typer.echo(f"{run_notebook(layout, name).relative_to(layout.root)}")


@app.command()
def site(profile: ProfileName = "demo") -> None:
    """Build the book of a profile from its executed notebooks."""
    from datamix.project.layout import Layout
    from datamix.project.locks import one_at_a_time
    from datamix.publishing.site import build_site

    layout = Layout.of(profile)
    with one_at_a_time(layout.lock("site"), say=typer.echo):
        typer.echo(f"{build_site(profile).relative_to(layout.root)}")


@app.command()
def archive(
    profile: ProfileName = "demo",
    date: Annotated[str | None, typer.Option(help="The day of publication, 2026-01-31; nothing: today.")] = None,
) -> None:
    """Put a book and its code into one self-describing zip (RO-Crate): results/<profile>/datamix-<profile>.zip."""
    from datetime import UTC, datetime

    from datamix.publishing.archive import write_archive

    path = write_archive(profile, date=date or datetime.now(UTC).date().isoformat())
    typer.echo(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


@app.command("diff")
def differences(
    before: Annotated[Path, typer.Argument(help="Results, a record, or an archive.")],
    after: Annotated[Path, typer.Argument(help="The other.")],
    form: Annotated[Literal["text", "markdown"], typer.Option("--format", help="How to tell it.")] = "text",
    tolerance: Annotated[float, typer.Option(help="Relative; smaller differences are none.")] = 1e-5,
    most: Annotated[int, typer.Option(help="Lines of each kind.")] = 20,
) -> None:
    """Compare two books: what left its interval first; exits as diff does: 0 the same, 1 different, 2 trouble."""
    from datamix.publishing.book import Book
    from datamix.publishing.compare import compare, differ, report

    try:
        found = compare(Book.open(before), Book.open(after), tolerance=tolerance)
    except DatamixError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error
    names = (str(before), str(after))
    typer.echo("\n".join(report(found, names=names, markdown=form == "markdown", most=most)))
    raise typer.Exit(int(differ(found)))


def _show(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table: drawn on a terminal, tab-separated where it is piped."""
    if not sys.stdout.isatty():
        typer.echo("\n".join("\t".join(row) for row in (header, *rows)))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in header:
        table.add_column(column, justify="right" if column == "bytes" else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
