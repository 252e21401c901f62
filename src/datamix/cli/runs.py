"""A run before it is run: what it costs, and how it goes to a cluster."""

from typing import Annotated, Literal

import typer

from datamix.cli import app
from datamix.cli.terminal import ProfileName, show


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
    from datamix.publishing.runs.cost import cost_of
    from datamix.publishing.runs.cost_words import COLUMNS, rows_of, told

    cost = cost_of(Layout.of(profile), on=on)
    show(COLUMNS, rows_of(cost))
    typer.echo("\n".join(told(cost, on=on)))


@app.command()
def slurm(profile: ProfileName = "demo") -> None:
    """Ask a Slurm cluster what it has, and write the profile with which Snakemake sends a run's jobs to it."""
    from datamix.project.layout import Layout
    from datamix.publishing.runs.cluster import write_slurm_profile

    for line in write_slurm_profile(Layout.of(profile)):
        typer.echo(line)
