"""The command `datamix`. Each command imports what it needs when it runs, so that help is quick."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from datamix.errors import DatamixError

if TYPE_CHECKING:
    from datamix.inventory import FileState


class _Group(TyperGroup):
    """Shows problems that the user can mend as a message, without traceback, and exits with 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DatamixError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From the data of the paper to its models, scores, figures and book.",
)
data = typer.Typer(no_args_is_help=True, help="The files of the datasets: check, fetch, verify.")
app.add_typer(data, name="data")

ProfileName = Annotated[str, typer.Option("--profile", help="demo, mini, paper, or another file of config/.")]
Seed = Annotated[int, typer.Option("--seed", help="Seeds the draws, the training and the posterior sample.")]


def main() -> None:
    """Run the command."""
    app(prog_name="datamix")


@data.command()
def check(profile: ProfileName = "demo") -> None:
    """Show the files that a profile needs, and what each is for; exits with 1 if one is missing or not whole."""
    from datamix.inventory import inspect, roles
    from datamix.manifest import read_manifest
    from datamix.profile import project_root, read_profile

    root = project_root()
    manifest = read_manifest(root)
    rows, states = [], []
    for dataset_id, uses in roles(read_profile(profile), manifest).items():
        dataset = manifest.dataset(dataset_id)
        found = inspect(dataset_id, dataset, root=root)
        states += found
        # The uses of a dataset stand at its first file only.
        for number, state in enumerate(found):
            size = "unknown" if state.bytes is None else f"{state.bytes:,}"
            rows.append((dataset_id, state.file.name, "; ".join(uses) if number == 0 else "", size, state.state))
        if not found:
            rows.append((dataset_id, "(simulated, no file)", "; ".join(uses), "0", "present"))
    _show(("dataset", "file", "figures and use", "bytes", "state"), rows)
    _sum_up(states, profile)


@data.command()
def fetch(
    ids: Annotated[list[str] | None, typer.Argument(help="Datasets; without any, those of the profile.")] = None,
    profile: ProfileName = "demo",
) -> None:
    """Bring files to data/: from the folders of DATAMIX_MIRROR if they are there, otherwise by download."""
    from datamix.fetch import fetch as fetch_dataset
    from datamix.inventory import roles
    from datamix.manifest import read_manifest
    from datamix.profile import project_root, read_profile

    root = project_root()
    manifest = read_manifest(root)
    wanted = ids or list(roles(read_profile(profile), manifest))
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
def verify() -> None:
    """Read every file of every dataset again and compare its sha256; exits with 1 if one is not as published."""
    from datamix.inventory import describe, inspect
    from datamix.manifest import read_manifest
    from datamix.profile import project_root

    root = project_root()
    states = [
        state
        for dataset_id, dataset in read_manifest(root).datasets.items()
        for state in inspect(dataset_id, dataset, root=root, rehash=True)
        if state.state != "missing"
    ]
    _show(("dataset", "file", "sha256", "state"), [(s.dataset, s.file.name, s.sha256 or "", s.state) for s in states])
    wrong = [state for state in states if not state.usable]
    if wrong:
        ids = " ".join(dict.fromkeys(state.dataset for state in wrong))
        raise DatamixError("\n".join(describe(state) for state in wrong), fix=f"datamix data fetch {ids}")


@app.command()
def prepare(dataset: str, profile: ProfileName = "demo") -> None:
    """Make the corpus of a dataset: fetch, read, QC, gene names."""
    from datamix.fetch import fetch as fetch_dataset
    from datamix.manifest import read_manifest
    from datamix.preparation import prepare as prepare_corpus
    from datamix.profile import project_root, read_profile

    root = project_root()
    manifest = read_manifest(root)
    settings = read_profile(profile)
    table = manifest.dataset(dataset).gene_table
    for dataset_id in [dataset, *([table] if table else [])]:
        fetch_dataset(dataset_id, manifest.dataset(dataset_id), root=root, say=typer.echo)
    path = prepare_corpus(dataset, profile=settings, manifest=manifest, root=root)
    typer.echo(f"{path.relative_to(root)}")


@app.command()
def genes(profile: ProfileName = "demo") -> None:
    """Write the genes that all training corpora share."""
    from datamix.corpus import shared_genes
    from datamix.files import replacing
    from datamix.layout import Layout

    layout = Layout.of(profile)
    paths = [layout.corpus(dataset_id) for dataset_id in layout.profile.training_datasets]
    table = shared_genes(paths, most_variable=layout.profile.most_variable_genes)
    with replacing(layout.genes) as beside:
        table.to_csv(beside, index=False)
    typer.echo(f"{layout.genes.relative_to(layout.root)}: {len(table):,} genes")


@app.command()
def train(baseline: str, seed: Seed, profile: ProfileName = "demo") -> None:
    """Train every mixture on a baseline with one seed; models that are finished are kept."""
    from datamix.grid import train_baseline
    from datamix.layout import Layout

    train_baseline(Layout.of(profile), baseline, seed=seed, say=typer.echo)


@app.command()
def score(baseline: str, seed: Seed, profile: ProfileName = "demo") -> None:
    """Score every model of a baseline and seed on every evaluation set."""
    from datamix.grid import score_baseline
    from datamix.layout import Layout

    score_baseline(Layout.of(profile), baseline, seed=seed, say=typer.echo)


@app.command()
def collect_scores(profile: ProfileName = "demo") -> None:
    """Put the scores of all baselines and seeds into one table."""
    from datamix.layout import Layout
    from datamix.scores import collect_scores as collect

    layout = Layout.of(profile)
    typer.echo(f"{collect(layout).relative_to(layout.root)}")


@app.command()
def notebook(name: str, profile: ProfileName = "demo") -> None:
    """Run a notebook headless."""
    from datamix.layout import Layout
    from datamix.notebook import run_notebook

    layout = Layout.of(profile)
    typer.echo(f"{run_notebook(layout, name).relative_to(layout.root)}")


@app.command()
def site(profile: ProfileName = "demo") -> None:
    """Build the book of a profile from its executed notebooks."""
    from datamix.profile import project_root
    from datamix.site import build_site

    typer.echo(f"{build_site(profile).relative_to(project_root())}")


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


def _sum_up(states: "list[FileState]", profile: str) -> None:
    """Say what is lacking and how much is to come; fail if anything is."""
    import shutil

    from datamix.profile import project_root

    lacking = [s for s in states if not s.usable]
    unpinned = [s for s in states if s.state == "unpinned" or (s.state == "missing" and s.file.sha256 is None)]
    if unpinned:
        names = ", ".join(f"{s.dataset}/{s.file.name}" for s in unpinned)
        typer.echo(f"Not pinned (no sha256 in the manifest; pinned when fetched): {names}", err=True)
    if lacking:
        size = sum(s.file.bytes or 0 for s in lacking)
        unknown = sum(s.file.bytes is None for s in lacking)
        more = f" and {unknown} of unknown size" if unknown else ""
        msg = f"{len(lacking)} of {len(states)} files are missing or not whole: {_readable(size)}{more} to fetch; "
        msg += f"{_readable(shutil.disk_usage(project_root()).free)} are free on this disk."
        raise DatamixError(msg, fix=f"datamix data fetch --profile {profile}")


def _readable(size: float) -> str:
    """Write a number of bytes in a unit that people read."""
    for unit, of in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= of:
            return f"{size / of:.1f} {unit}"
    return f"{size:.0f} bytes"
