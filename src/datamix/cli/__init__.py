"""The command `datamix`; here, what the jobs of a run call.

Each command imports what it needs when it runs, so that help is quick.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from datamix.cli.terminal import ProfileName, Seed
from datamix.project.ending import end_at_once, ends_with
from datamix.project.errors import TRACEBACK, DatamixError
from datamix.project.shortages import said_once, shortage

JOBS = {
    "prepare", "genes", "gene-sets", "train", "score", "read-out", "hold-out", "collect-scores", "yardsticks",
    "composition", "geneformer", "notebook", "site",
}  # fmt: skip
"""The commands that the Snakefile runs."""


class _Group(TyperGroup):
    """Shows every problem as a message, without traceback, and exits with 1."""

    def invoke(self, ctx: Any) -> Any:
        if named := os.environ.get("DATAMIX_ROOT"):  # absolute, since notebooks run in the project's folder
            os.environ["DATAMIX_ROOT"] = str(Path(named).absolute())
        with said_once():
            return self._explained(ctx)

    def _explained(self, ctx: Any) -> Any:
        """Run a command; what stops it is said in a sentence."""
        try:
            return self._noted(ctx)
        except DatamixError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from error
        except (TyperException, typer.Exit, typer.Abort):  # help, and words that it does not take
            raise
        except Exception as error:
            if os.environ.get(TRACEBACK):
                raise
            typer.echo(f"Error: {shortage(error) or _unexpected(error)}", err=True)
            raise typer.Exit(1) from error

    def _noted(self, ctx: Any) -> Any:
        """Run a command; where it is a job of a run, with a note of what it made (`publishing.runs.made`)."""
        words = [*ctx._protected_args, *ctx.args]
        if not words or words[0] not in JOBS or {"--help", "-h"} & set(words):
            return super().invoke(ctx)
        from datamix.publishing.runs import made

        with made.noted(words, say=lambda line: typer.echo(line, err=True)):
            return super().invoke(ctx)


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

Round = Annotated[Literal["first", "second"], typer.Argument(metavar="first|second")]


def main() -> None:
    """Run the command."""
    end_at_once()
    try:
        app(prog_name="datamix")
    except SystemExit as end:
        if isinstance(end.code, int):
            ends_with(end.code)
        raise


@app.command()
def prepare(dataset: str, profile: ProfileName = "demo") -> None:
    """Make the corpus of a dataset: fetch, read, QC, gene names."""
    from datamix.corpora.fetch import fetch as fetch_dataset
    from datamix.corpora.fetch import pin_read
    from datamix.corpora.prepare import forget_blocks
    from datamix.corpora.prepare import prepare as prepare_corpus
    from datamix.project.manifest import read_manifest
    from datamix.project.profile_files import project_root, read_profile

    root = project_root()
    settings = read_profile(profile)
    manifest = read_manifest(root, settings)
    table = manifest.dataset(dataset).gene_table
    for dataset_id in [dataset, *([table] if table else [])]:
        fetch_dataset(dataset_id, manifest.dataset(dataset_id), root=root, say=typer.echo)
    try:
        path = prepare_corpus(dataset, profile=settings, manifest=manifest, root=root, say=typer.echo)
    except DatamixError:
        # The blocks would be of no use: whatever mends this changes what they are made from.
        forget_blocks(dataset, profile=settings, root=root)
        raise
    for dataset_id in [dataset, *([table] if table else [])]:
        pin_read(dataset_id, manifest.dataset(dataset_id), root=root)
    typer.echo(f"{path.relative_to(root)}")


@app.command()
def genes(profile: ProfileName = "demo") -> None:
    """Write the genes that all training corpora share."""
    from datamix.corpora.genes import shared_genes, write_genes
    from datamix.project.layout import Layout

    layout = Layout.of(profile)
    paths = [layout.corpus(dataset_id) for dataset_id in layout.profile.training_datasets]
    table = shared_genes(paths, most_variable=layout.profile.most_variable_genes)
    write_genes(layout, table)
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
    from datamix.publishing.website.site import build_site

    layout = Layout.of(profile)
    with one_at_a_time(layout.lock("site"), say=typer.echo):
        typer.echo(f"{build_site(profile).relative_to(layout.root)}")


# They put their commands on `app` and `data`, which stand above.
from datamix.cli import books, files, own_cells, runs  # noqa: E402, F401
