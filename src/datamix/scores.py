"""The table of scores: the parts of all baselines and seeds put together."""

from pathlib import Path

import pandas as pd

from datamix.files import replacing
from datamix.layout import Layout


def collect_scores(layout: Layout) -> Path:
    """Put the scores of all baselines and seeds into one table, `scores/reconstruction.parquet`."""
    profile = layout.profile
    paths = [layout.scores_of(b, s) for b in profile.baselines for s in profile.seeds]
    scores = pd.concat([pd.read_parquet(p).astype({"seed": "int64"}) for p in paths], ignore_index=True)
    with replacing(layout.scores) as beside:
        as_categories(scores).to_parquet(beside, index=False)
    return layout.scores


def as_categories(scores: pd.DataFrame) -> pd.DataFrame:
    """Store text that repeats (all but the names of cells) once."""
    text = [c for c in scores.columns if scores[c].dtype == object and c != "cell"]
    return scores.astype(dict.fromkeys(text, "category"))
