"""What a site carries beside its pages, so that `datamix.open` reads it from its address: tables, numbers, labels."""

import shutil
from pathlib import Path

import pandas as pd
import yaml

from datamix.analysis.summary import by_cell_type
from datamix.project.files import files_in, sha256, write_json
from datamix.project.layout import Layout
from datamix.project.profile import Profile
from datamix.project.spreadsheets import for_spreadsheets
from datamix.publishing.results import Results
from datamix.publishing.website.citation import FILE
from datamix.publishing.website.site_index import INDEX, SCORES, Index, Listed, provenance_of_panels

_CARRIED = ("panels", "values", "config", "claims.csv", "ledger.csv", SCORES, FILE)


def write_scores_by_type(results: Results, folder: Path) -> None:
    """Write quartiles of the cells' R², a row a (baseline, evaluation, cell type, mixture), to `SCORES` in a folder."""
    types = [by_cell_type(results.scores(b)).assign(baseline=b) for b in results.profile.baselines]
    table = for_spreadsheets(pd.concat(types))
    table.to_csv(folder / SCORES, index=False, float_format="%.5g", lineterminator="\n")


def carry(layout: Layout, site: Path, *, notebooks: list[str]) -> None:
    """Put what `datamix.open` reads beside the pages of a site, and list it in `INDEX`.

    Parameters
    ----------
    layout
        The profile and its folders.
    site
        The site, which has its panels.
    notebooks
        Those of the book, whose values count.
    """
    if not any((site / "panels").glob("*.json")):
        return
    (site / "values").mkdir()
    for name in notebooks:
        values = layout.folder / "values" / f"{name}.json"
        if values.is_file():
            shutil.copyfile(values, site / "values" / values.name)
    for path in (layout.folder / "claims.csv", layout.folder / "ledger.csv", layout.root / FILE):
        if path.is_file():
            shutil.copyfile(path, site / path.name)
    if layout.scores.is_file():
        write_scores_by_type(Results(layout.profile.name, notebook="site", root=layout.root), site)
    (site / "config").mkdir()
    (site / "config" / f"{layout.profile.name}.yaml").write_text(for_readers(layout.profile), encoding="utf-8")
    files = [file for name in _CARRIED if (site / name).exists() for file in files_in(site / name)]
    listed = {
        file.relative_to(site).as_posix(): Listed(bytes=file.stat().st_size, sha256=sha256(file)) for file in files
    }
    write_json(site / INDEX, Index(provenance=provenance_of_panels(site), files=listed).model_dump(mode="json"))


def for_readers(profile: Profile) -> str:
    """Return a profile as YAML without its own datasets, which name files of the machine where they lie."""
    content = profile.model_dump(mode="json", exclude={"own_datasets"}, exclude_defaults=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
