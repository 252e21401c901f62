"""datamix: what training-data composition does to deep generative models of single cells."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datamix.publishing.reuse.book import Book

try:
    __version__ = version("datamix")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"


def open(source: str | Path) -> "Book":
    """Open a book's results, to take tables, figures, numbers and models from it.

    Parameters
    ----------
    source
        A folder of results (`results/demo`), a record (`recorded/mini`), a site or its address (`https://…`), or an
        archive (zip).

    Returns
    -------
    The book; its tables and figures load neither torch nor scanpy.

    Raises
    ------
    DatamixError
        If there is nothing of the kind.
    """
    from datamix.publishing.reuse.book import Book

    return Book.open(source)
