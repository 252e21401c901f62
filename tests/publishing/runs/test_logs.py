"""Logs of runs."""

from datamix.publishing.runs.logs import KEPT, forget_old_logs


def test_the_last_logs_stay(tmp_path):
    logs = tmp_path / ".snakemake" / "log"
    logs.mkdir(parents=True)
    names = [f"2026-01-{day:02}T101010.1.snakemake.log" for day in range(1, KEPT + 5)]
    for name in names:
        (logs / name).touch()
    forget_old_logs(tmp_path)
    assert sorted(path.name for path in logs.iterdir()) == names[-KEPT:]
    forget_old_logs(tmp_path / "none")
