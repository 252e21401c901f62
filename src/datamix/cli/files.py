"""The files of datasets: `datamix data check`, `fetch`, `verify`."""

from typing import Annotated

import typer

from datamix.cli import data
from datamix.cli.terminal import ProfileName, show
from datamix.project.errors import DatamixError


@data.command()
def check(profile: ProfileName = "demo") -> None:
    """Show the files that a profile needs, by figure, and the disk and memory to have; exits with 1 if one lacks."""
    from datamix.corpora.inventory import inspect
    from datamix.corpora.inventory_words import needs, require_all, size_of
    from datamix.corpora.planning import uses
    from datamix.project.manifest import read_manifest
    from datamix.project.profile_files import project_root, read_profile

    root = project_root()
    settings = read_profile(profile)
    manifest = read_manifest(root, settings)
    of = uses(settings, manifest)
    states = {dataset_id: inspect(dataset_id, manifest.dataset(dataset_id), root=root) for dataset_id in of}
    rows = []
    for dataset_id, found in states.items():
        figures = ", ".join(dict.fromkeys(figure for use in of[dataset_id] for figure in use.figures.split(", ")))
        roles = "; ".join(dict.fromkeys(use.role for use in of[dataset_id]))
        # The use of a dataset stands at its first file only.
        rows += [
            (figures, dataset_id, roles if number == 0 else "", state.file.name, size_of(state), state.state)
            for number, state in enumerate(found)
        ]
        if not found:
            rows.append((figures, dataset_id, roles, "(simulated, no file)", "0", "present"))
    # The figures of the paper in its order; what serves none of them comes last.
    rows.sort(key=lambda row: (not row[0], row[0]))
    show(("figures", "dataset", "use", "file", "bytes", "state"), rows)
    for line in needs(states, profile=settings, manifest=manifest, root=root):
        typer.echo(line, err=True)
    require_all(states, profile=settings)


@data.command()
def fetch(
    ids: Annotated[list[str] | None, typer.Argument(help="Datasets; without any, those of the profile.")] = None,
    profile: ProfileName = "demo",
) -> None:
    """Bring files to data/: from the folders of DATAMIX_MIRROR if they are there, otherwise by download."""
    from datamix.corpora.fetch import fetch as fetch_dataset
    from datamix.corpora.planning import uses
    from datamix.project.manifest import read_manifest
    from datamix.project.profile_files import project_root, read_profile

    root = project_root()
    settings = None if ids and profile == "demo" else read_profile(profile)  # `demo` has no dataset of its own
    manifest = read_manifest(root, settings)
    wanted = ids or list(uses(settings or read_profile(profile), manifest))
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
def verify(
    profile: Annotated[str | None, typer.Option("--profile", help="Whose own datasets are read, too.")] = None,
) -> None:
    """Read every file of every dataset again and compare its sha256; exits with 1 if one is another."""
    from datamix.corpora.inventory import describe, inspect
    from datamix.project.manifest import read_manifest
    from datamix.project.profile_files import project_root, read_profile

    root = project_root()
    manifest = read_manifest(root, None if profile is None else read_profile(profile))
    states = [
        state
        for dataset_id, dataset in manifest.datasets.items()
        for state in inspect(dataset_id, dataset, root=root, rehash=True)
        if state.state != "missing"
    ]
    show(("dataset", "file", "sha256", "state"), [(s.dataset, s.file.name, s.sha256 or "", s.state) for s in states])
    wrong = [state for state in states if not state.usable]
    if wrong:
        ids = " ".join(dict.fromkeys(state.dataset for state in wrong))
        raise DatamixError("\n".join(describe(state) for state in wrong), fix=f"datamix data fetch {ids}")
