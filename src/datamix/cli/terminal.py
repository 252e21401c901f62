"""What commands share: the options that many take, and tables for a person or a pipe."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

ProfileName = Annotated[str, typer.Option("--profile", help="demo, mini, paper, or another file of config/.")]
Seed = Annotated[int, typer.Option("--seed", help="Seeds the draws, the training and the posterior sample.")]


def show(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
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
