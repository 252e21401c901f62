"""One's own cells: what is in their files, a profile for them, and which data to add."""

from pathlib import Path
from typing import Annotated

import typer

from datamix.cli import app
from datamix.cli.terminal import ProfileName
from datamix.project.errors import DatamixError


@app.command(name="inspect")
def inspect_files(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files of cells, or folders of them.")],
) -> None:
    """Say what is in files of cells: format, raw counts, genes, types, donors, depth; exits with 1 if one fails."""
    from datamix.corpora.cell_folders import files_of
    from datamix.corpora.gene_tables import gene_table_if_any
    from datamix.corpora.inspection import inspect_cells
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
    from datamix.project.profile_files import project_root

    root = project_root()
    path = new_profile(name, baseline=baseline, added=add or [], evaluations=on, root=root, say=typer.echo)
    typer.echo(f"{path.relative_to(root)} is written. Next: make book PROFILE={name}")


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
