"""A run on a cluster: the profile of Snakemake for it, from what its jobs cost and what the cluster has."""

from collections.abc import Iterator

import yaml

from datamix.corpora.planning import rule_resources
from datamix.project.files import replacing
from datamix.project.layout import Layout
from datamix.project.slurm import ask_cluster, read_slurm_settings
from datamix.project.slurm_profile import Needs, slurm_profile
from datamix.publishing.runs.cost import cost_of
from datamix.publishing.runs.cost_words import duration

_APART = {"composition"}
"""The second round waits for what is planned after the first: such jobs cannot go together."""


def write_slurm_profile(layout: Layout) -> Iterator[str]:
    """Write `results/<profile>/slurm/config.yaml`, with which Snakemake sends the jobs of a run to Slurm.

    Parameters
    ----------
    layout
        The profile and its folders.

    Yields
    ------
    What was found out and where things are, a line each.

    Raises
    ------
    DatamixError
        If there is no Slurm, or it does not have what the jobs need.
    """
    profile, folder = layout.profile, layout.folder / "slurm"
    settings, cluster = read_slurm_settings(layout.root), ask_cluster()
    rules = cost_of(layout).rules
    needs = {
        str(rule): Needs(row["jobs"], row["seconds"], rule_resources(profile, str(rule)), apart=rule in _APART)
        for rule, row in rules.iterrows()
    }
    logs = (folder / "logs").relative_to(layout.root).as_posix()
    options = slurm_profile(needs, profile=profile.name, settings=settings, cluster=cluster, logs=logs)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "config.yaml") as beside:
        beside.write_text("# Made by `datamix slurm` from config/slurm.yaml and what the cluster says.\n"
                          + yaml.safe_dump(options, sort_keys=False), encoding="utf-8")  # fmt: skip
    used = dict.fromkeys(of["slurm_partition"] for of in options["set-resources"].values())
    accounting = "with" if cluster.accounting else "without"
    yield f"Slurm {cluster.version}, {accounting} accounting; jobs go to {' and '.join(used)}."
    grouped = ", ".join(f"{number} of {rule}" for rule, number in options.get("group-components", {}).items())
    if grouped:
        yield f"Short jobs go together: {grouped}."
    for rule, of in options["set-resources"].items():
        if needs[rule].seconds > 60 * of["runtime"]:
            lasts = duration(needs[rule].seconds / 3600)
            yield (
                f"A job of {rule} lasts about {lasts}, and has {of['runtime']} min: it will reach its limit. The same "
                "command then goes on with what is left; a partition with a longer limit is better."
            )
    yield f"Logs of the jobs: {logs}/. Settings: config/slurm.yaml."
