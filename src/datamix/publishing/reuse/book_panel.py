"""A panel of the book as an object: to be read, drawn again, and set beside results of one's own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from datamix.project.errors import DatamixError
from datamix.project.profile import Profile
from datamix.project.spreadsheets import read_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class BookPanel:
    """A panel of the book, to be read, drawn again, and set beside results of one's own."""

    name: str
    """As in the paper: `2a`, `S4b`."""
    folder: Path
    """Where its files lie."""
    provenance: Mapping[str, Any]
    """What made it: commit, profile, protocol, seeds, datasets with hashes, versions, command; caption and alt text."""
    profile: Callable[[str], Profile] = field(repr=False)
    """From a profile's name to the profile."""
    software: Callable[[], Mapping[str, Any] | None] = field(repr=False)
    """What CITATION.cff says of the software, where there is one."""
    fetch: Callable[[str], Path] | None = field(default=None, repr=False)
    """From the name of one of its files to where it lies, where the book comes from a server."""
    added: pd.DataFrame | None = field(default=None, repr=False)
    """Rows of models of one's own, where `with_results` gave them."""

    def path(self, suffix: str) -> Path:
        """Return one of its files: svg, pdf, png, csv or json (a record keeps the csv only)."""
        name = f"fig{self.name}.{suffix}"
        found = self.folder / name if self.fetch is None else self.fetch(name)
        if not found.is_file():
            msg = f"Panel {self.name} has no {suffix} in {self.folder}."
            raise DatamixError(msg, fix=str(self.provenance.get("command", "open the whole results")))
        return found

    def table(self) -> pd.DataFrame:
        """Return its source data, a tidy table; results of one's own come last."""
        own = read_table(self.path("csv"))
        return own if self.added is None else pd.concat([own, self.added], ignore_index=True)

    def figure(self) -> "Figure":
        """Draw it from its table, as the book does; `savefig` writes it.

        Raises
        ------
        DatamixError
            If this panel cannot be drawn from its table alone; `path("svg")` is the saved picture.
        """
        from datamix.publishing.drawings import redraw

        return redraw(self.name, self.table(), self.profile(str(self.provenance["profile"])))

    def cite(self) -> str:
        """Return an entry of BibTeX for it: the software with its version, commit, panel, profile, its data's SWHID.

        Raises
        ------
        DatamixError
            If there is no CITATION.cff where the book was opened.
        """
        from datamix.publishing.website import swhid
        from datamix.publishing.website.citation import bibtex

        software = self.software()
        if software is None:
            msg = "There is no CITATION.cff beside the data_manifest.yaml of this book."
            raise DatamixError(msg, fix="open the results in the project's folder, or an archive")
        data = swhid.of_content(self.path("csv").read_bytes())
        return bibtex({**self.provenance, "panel": self.name, "swhid": data}, software)

    def with_results(self, table: pd.DataFrame, *, name: str = "Mine") -> "BookPanel":
        """Set the results of a model of one's own beside the book's; for the heat maps of R²: 2a, 6a, S4a.

        Parameters
        ----------
        table
            A row a cell, `evaluation` and `r2` (0 to 1), as `Book.score` returns them, or a row an evaluation set,
            `evaluation` and `median`. Sets are named as in the panel's table. A column `model` names several models, a
            column `seed` several trainings, over which medians are averaged, as the book does.
        name
            Of the model, where there is no column `model`.

        Returns
        -------
        The panel with a group of columns “Yours”: medians, and log2 fold changes over the panel's baseline. It has no
        intervals and no control: it shows where a model stands, not whether a difference is more than chance.

        Raises
        ------
        DatamixError
            If the panel is no heat map of R², the table lacks a column, or names an evaluation set that is not here.
        """
        from datamix.publishing.drawings import HEAT_MAPS

        if self.name not in HEAT_MAPS:
            msg = f"Panel {self.name} does not take results of one's own; these do: {', '.join(HEAT_MAPS)}."
            raise DatamixError(msg, fix='take the book\'s panel("2a")')
        rows = _own_rows(self.table(), table, name=name)
        return replace(self, added=rows if self.added is None else pd.concat([self.added, rows], ignore_index=True))


def _own_rows(panel: pd.DataFrame, table: pd.DataFrame, *, name: str) -> pd.DataFrame:
    """Bring one's own results to rows of a heat map's table."""
    measure = next((column for column in ("r2", "median") if column in table), None)
    if measure is None or "evaluation" not in table:
        msg = f"The results have columns {', '.join(map(str, table))}; expected evaluation, and r2 or median."
        raise DatamixError(msg, fix="name the columns so, or take what the book's score() returns")
    known = panel.drop_duplicates("evaluation").set_index("evaluation")["evaluation_label"]
    unknown = set(table["evaluation"].astype(str)) - set(known.index)
    if unknown:
        msg = f"There is no evaluation set {', '.join(sorted(unknown))} here; there are {', '.join(known.index)}."
        raise DatamixError(msg, fix="name the sets as the panel's table does, in its column evaluation")
    if not pd.api.types.is_numeric_dtype(table[measure]) or not table[measure].dropna().between(-1, 1).all():
        msg = f"Column {measure} of the results has values other than R², which lie from 0 to 1."
        raise DatamixError(msg, fix="give squared correlations of cells, or their median")
    models = table.get("model", pd.Series(name, index=table.index)).astype(str)
    seeds = table.get("seed", pd.Series(0, index=table.index))
    keys = [table["evaluation"].astype(str).rename("evaluation"), models.rename("mixture")]
    medians = table[measure].groupby([*keys, seeds.rename("seed")], sort=False).median()
    median = medians.groupby(["evaluation", "mixture"], sort=False).mean().rename("median").reset_index()
    base = panel[panel["group"] == "baseline"].set_index("evaluation")["median"]
    against = median["evaluation"].map(base)
    positive = (median["median"] > 0) & (against > 0)
    change = np.log2(median["median"].where(positive) / against.where(positive))
    median = median.assign(
        group="own",
        log2_fold_change=change,
        mixture_label=median["mixture"],
        evaluation_label=median["evaluation"].map(known),
    )
    # Rows of the figure keep the panel's order.
    order = median["evaluation"].map({evaluation: i for i, evaluation in enumerate(known.index)})
    return median.iloc[np.argsort(order.to_numpy(), kind="stable")].reset_index(drop=True)
