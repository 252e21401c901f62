"""A small record of the demo profile: one heat map, a table of the claims, a few values."""

from pathlib import Path

import pandas as pd

from datamix.project.files import write_json

COMMIT = "1" * 40


def heat(**medians: float) -> pd.DataFrame:
    """Return the table of a heat map of two mixtures on two sets; `medians` are named `<evaluation>_<mixture>`."""
    rows = []
    for evaluation, label in (("blood", "Blood"), ("aml", "Cancer (AML)")):
        for mixture, group in (("blood", "baseline"), ("blood+tf_atlas", "added")):
            median = medians.get(f"{evaluation}_{mixture.replace('+', '_')}", 0.4)
            rows.append(
                {
                    "evaluation": evaluation,
                    "mixture": mixture,
                    "group": group,
                    "median": median,
                    "low": median - 0.05,
                    "high": median + 0.05,
                    "log2_fold_change": 0.0,
                    "cells": 20,
                    "mixture_label": "Blood" if group == "baseline" else "+ TF atlas",
                    "evaluation_label": label,
                }
            )
    return pd.DataFrame(rows)


def write_small_record(folder: Path, *, seconds: float = 3.0, verdict: str = "supported", **medians: float) -> Path:
    """Write the record."""
    (folder / "panels").mkdir(parents=True)
    table = heat(**medians)
    table.to_csv(folder / "panels" / "fig2a.csv", index=False, float_format="%.6g")
    pd.DataFrame({"dataset": ["a"], "read": [10]}).to_csv(folder / "panels" / "figS1a.csv", index=False)
    values = {
        f"fig2.{row.evaluation}.{row.mixture}": {"unit": "median R²", "value": row.median} for row in table.itertuples()
    }
    gain = medians.get("gain", 0.1)
    for key, value in {"gain": gain, "gain_low": gain - 0.02, "gain_high": gain + 0.02}.items():
        values[f"fig2.best.{key}"] = {"unit": "median R²", "value": value}
    write_json(folder / "values" / "fig2.json", values)
    write_json(folder / "values" / "training.json", {"training.minutes": {"unit": "minutes", "value": seconds / 60}})
    claim = {"claim": ["unseen"], "value": [0.5], "low": [0.4], "high": [0.6], "threshold": [0.1], "verdict": [verdict]}
    pd.DataFrame(claim).to_csv(folder / "claims.csv", index=False)
    pd.DataFrame({"baseline": ["blood"], "median": [0.4]}).to_csv(folder / "scores_by_type.csv", index=False)
    made = {"profile": "demo", "protocol": "corrected", "simulated": True, "commit": COMMIT, "seeds": [0]}
    write_json(
        folder / "provenance.json", made | {"command": "make record PROFILE=demo", "datasets": [], "versions": {}}
    )
    return folder
