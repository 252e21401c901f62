"""Put on record how long the rules of finished runs took, for `datamix plan`: `make record-rules`.

Snakemake notes when each job began and ended. A run that had the machine for itself gives the best rates.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.training import about
from datamix.project.errors import DatamixError
from datamix.project.files import write_json
from datamix.project.layout import Layout
from datamix.project.profile_files import project_root
from datamix.publishing.runs.cost import check, recorded_rows


def main(profiles: list[str]) -> None:
    """Write `recorded/bench/rules.json`, and print the times that its rates give back, and those of the other run."""
    root = project_root()
    rows: list[dict[str, Any]] = []
    for profile in profiles:
        times = times_of(root / ".snakemake" / "metadata", profile)
        if not times:
            msg = f"No run of profile {profile} has been finished here."
            raise DatamixError(msg, fix=f"make book PROFILE={profile}")
        rows += recorded_rows(times, Layout.of(profile, root))
    what = "Seconds of a job of each rule, in runs of the profiles on all cores, and what it had to do."
    write_json(root / "recorded" / "bench" / "rules.json", about() | {"what": what, "rows": rows})
    print(check(root).to_string(index=False, float_format="%.1f"))


def times_of(metadata: Path, profile: str) -> list[tuple[str, int, float]]:
    """Read rule, number of jobs and their seconds from what Snakemake notes; a job of several files counts once.

    Jobs that began before the run's first corpus was made are of an earlier run.
    """
    jobs: dict[tuple[str, str], tuple[float, float]] = {}
    for path in metadata.rglob("*"):
        if path.is_file():
            noted = json.loads(path.read_text(encoding="utf-8"))
            command = noted.get("shellcmd") or ""
            if command.endswith(f" --profile {profile}") and noted.get("starttime"):
                jobs[noted["rule"], command] = noted["starttime"], noted["endtime"]
    first = min((start for (rule, _), (start, _) in jobs.items() if rule == "corpus"), default=0.0)
    of = defaultdict(list)
    for (rule, _), (start, end) in sorted(jobs.items()):
        if start >= first - 1:
            of[rule].append(end - start)
    return [(rule, len(seconds), sum(seconds)) for rule, seconds in of.items()]


if __name__ == "__main__":
    main(sys.argv[1:] or ["demo", "mini"])
