"""Finished books: kept on record, put into one file, held against each other."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from datamix.cli import app
from datamix.cli.terminal import ProfileName
from datamix.project.errors import DatamixError


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
