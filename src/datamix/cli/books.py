"""Finished books: kept on record, put into one file, held against each other."""

import os
from typing import Annotated, Literal

import typer

from datamix.cli import app
from datamix.cli.terminal import ProfileName
from datamix.project.errors import DatamixError


@app.command()
def record(profile: ProfileName = "mini") -> None:
    """Keep the small tables of a profile's results in recorded/, for the books of other profiles."""
    from datamix.project.profile_files import project_root
    from datamix.publishing.recorded import write_record
    from datamix.publishing.runs.work import count_jobs

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

    from datamix.publishing.reuse.archive import write_archive

    path = write_archive(profile, date=date or datetime.now(UTC).date().isoformat())
    typer.echo(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


@app.command("deposit")
def deposit_archive(
    profile: ProfileName = "demo",
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Zenodo's own place for trials.")] = False,  # noqa: FBT002
    to: Annotated[str | None, typer.Option(help="Another server with Zenodo's API.")] = None,
    draft: Annotated[int | None, typer.Option(help="Go on with this draft.")] = None,
    publish: Annotated[bool, typer.Option("--publish", help="Make it public; cannot be undone.")] = False,  # noqa: FBT002
) -> None:
    """Put the archive of a book on Zenodo, as a draft; needs a token in ZENODO_TOKEN."""
    from datamix.project.layout import Layout
    from datamix.publishing.reuse.deposit import SANDBOX, TOKEN, ZENODO, deposit

    token = os.environ.get(TOKEN)
    if not token:
        msg = f"There is no token in the environment variable {TOKEN}."
        raise DatamixError(msg, fix="make one on Zenodo, Applications, with the scopes deposit:write, deposit:actions")
    layout = Layout.of(profile)
    server = to or (SANDBOX if sandbox else ZENODO)
    done = deposit(layout.folder / f"datamix-{profile}.zip", token=token, to=server, draft=draft, publish=publish)
    state = "public" if done.published else "a draft; look at it, and publish it there, or with --publish"
    typer.echo(f"{done.address}: {state}. DOI: {done.doi or 'none so far'}")


@app.command()
def pdf(profile: ProfileName = "demo") -> None:
    """Print a book, typeset, with a Chromium: results/<profile>/datamix-<profile>.pdf."""
    from datamix.publishing.reuse.pdf import write_pdf

    path = write_pdf(profile)
    typer.echo(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


@app.command("diff")
def differences(
    before: Annotated[str, typer.Argument(help="Results, a record, an archive, or a site's address.")],
    after: Annotated[str, typer.Argument(help="The other.")],
    form: Annotated[Literal["text", "markdown"], typer.Option("--format", help="How to tell it.")] = "text",
    tolerance: Annotated[float, typer.Option(help="Relative; smaller differences are none.")] = 1e-5,
    most: Annotated[int, typer.Option(help="Lines of each kind.")] = 20,
) -> None:
    """Compare two books: what left its interval first; exits as diff does: 0 the same, 1 different, 2 trouble."""
    from datamix.publishing.reuse.book import Book
    from datamix.publishing.reuse.compare import compare, differ, report

    try:
        found = compare(Book.open(before), Book.open(after), tolerance=tolerance)
    except DatamixError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error
    names = (before, after)
    typer.echo("\n".join(report(found, names=names, markdown=form == "markdown", most=most)))
    raise typer.Exit(int(differ(found)))
