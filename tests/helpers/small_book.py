"""A whole book that takes a minute: one baseline, one added set, every kind of job, two pages with a panel each."""

import shutil
from pathlib import Path

from project_copy import SMALL, Project, copy_project

PROFILE = SMALL.format(name="tiny") + "seeds: [0]\ntraining: {max_epochs: 3}\n"
SITE = "results/tiny/site/index.html"
PAGE = """# ---
# jupyter:
#   datamix:
#     reads: [{reads}]
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The page {name}

# %% tags=["parameters"]
profile: str = "tiny"

# %%
import pandas as pd
from datamix.figures import style
from datamix.publishing.panels import save_panel
from datamix.publishing.results import Results
from datamix.publishing.values import record

results = Results(profile, notebook="{name}")
table = pd.concat([pd.read_parquet(results.folder / path) for path in {tables}])
drawn = table.select_dtypes("number").describe().iloc[1:3, :6].reset_index()

# %%
figure, axes = style.figure(width=89, height=40)
axes.plot(drawn["mean" if "mean" in drawn else drawn.columns[1]])
caption = "**Numbers.** Of {name}, {{val}}`{name}.rows`."
save_panel(figure, "{panel}", data=drawn, alt="A line.", caption=caption, results=results)
record("{name}.rows", len(table), unit="rows", results=results)

# %% [markdown]
# There are {{val}}`{name}.rows` rows.
#
# ```{{panel}} {panel}
# ```
"""
PAGES = {
    "one": ("S2a", "scores, models, corpora, genes", ["scores/reconstruction.parquet"]),
    "two": (
        "S2b",
        "latents, gene_scores, held_out, yardsticks, gene_sets",
        ["latents/blood-seed0.parquet", "scores/held_out/blood-seed0.parquet", "scores/yardsticks/blood-seed0.parquet"],
    ),
}


def small_book(folder: Path) -> Project:
    """Lay out the project; `results/tiny/site/index.html` is its book."""
    project = copy_project(folder, profile="tiny")
    (folder / "config" / "tiny.yaml").write_text(PROFILE)
    shutil.rmtree(folder / "notebooks")
    (folder / "notebooks").mkdir()
    for name, (panel, reads, tables) in PAGES.items():
        text = PAGE.format(name=name, panel=panel, reads=reads, tables=tables)
        (folder / "notebooks" / f"{name}.py").write_text(text)
    for page in (folder / "book").glob("*.md"):
        page.unlink()
    (folder / "book" / "index.md").write_text("# A book\n\nOf {val}`one.rows` rows, and {val}`two.rows`.\n")
    chapters = "".join(f"  - file: notebooks/{name}\n" for name in PAGES)
    (folder / "book" / "_toc.yml").write_text(f"format: jb-book\nroot: index\nchapters:\n{chapters}")
    return project
