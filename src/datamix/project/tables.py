"""Tables as files: text that repeats is stored once."""

import pandas as pd


def as_categories(scores: pd.DataFrame) -> pd.DataFrame:
    """Store text that repeats (all but the names of cells) once."""
    text = [c for c in scores.columns if scores[c].dtype == object and c != "cell"]
    return scores.astype(dict.fromkeys(text, "category"))
