# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Speed
#
# How fast is training, how fast is scoring, and how much of that is the machine's limit?
# The fast trainer computes the objective of scvi-tools' `LinearSCVI` with the same optimiser; only the arithmetic is reorganised, exactly.
# All times below are of simulated counts, on the machine named at the end, taken in turn within one run.
#
# **Input:** `results/bench/*.json`, which `make bench` writes.
# **Output:** panels S8a and S8b, and the values that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # only names where the panels are filed: the benchmark is the same for all profiles

# %%
import pandas as pd

from datamix import plots_benchmark
from datamix.measurement import read_benchmark
from datamix.panels import save_panel
from datamix.results import Results
from datamix.values import record

results = Results(profile, notebook="speed", reads=[])
training, together = (read_benchmark(results.root, part) for part in ("training", "together"))
scoring, optimum = (read_benchmark(results.root, part) for part in ("scoring", "optimum"))

# %% [markdown]
# ## Training

# %%
rows = training.assign(
    size=[f"{c:,} cells × {g:,} genes" for c, g in zip(training["cells"], training["genes"], strict=True)]
)
rates = pd.concat(
    [
        rows[["size"]].assign(trainer=name, cells_per_second=rows["cells"] * 0.9 / rows[column])
        for name, column in (
            ("stock", "stock s/epoch"),
            ("ours", "ours s/epoch"),
            ("matrix products alone", "products s/epoch"),
        )
    ]
)
save_panel(
    plots_benchmark.training_rate(rates),
    "S8a",
    data=rates,
    alt="Bars of the cells trained in a second by stock scvi-tools, by the fast trainer and by the matrix products alone.",
    caption="**Training rate of one model on one thread.** Matrix products alone: the limit that any trainer of this model has here.",
    results=results,
)

# %% [markdown]
# ```{panel} S8a
# ```
#
# One model on one thread trains {val}`speed.times_stock_min:.1f` to {val}`speed.times_stock_max:.1f` times as fast as scvi-tools, and reaches {val}`speed.share_min:.0%` to {val}`speed.share_max:.0%` of the rate of its matrix products alone.
# The ten models of a baseline, side by side on {val}`speed.cores` cores, take {val}`speed.ten:.1f` seconds an epoch; the best that stock does on the same cores takes {val}`speed.ten_times_best:.1f` times, and stock at its default threads {val}`speed.ten_times_default:.1f` times as long.
# Both end in the same place: over five seeds each, the held-out bound differs by {val}`speed.optimum:.2f` standard errors.

# %% tags=["remove-cell"]
record("speed.times_stock_min", training["times stock"].min(), unit="× stock", results=results)
record("speed.times_stock_max", training["times stock"].max(), unit="× stock", results=results)
record("speed.share_min", training["share of products"].min(), unit="of the products' rate", results=results)
record("speed.share_max", training["share of products"].max(), unit="of the products' rate", results=results)
stock = together[together["trainer"] == "stock"]
ours = together[together["trainer"] == "ours"]["ten models s/epoch"].min()
record("speed.cores", training.attrs["hardware"]["cores"], unit="cores", results=results)
record("speed.ten", ours, unit="s an epoch", results=results)
record("speed.ten_times_best", stock["ten models s/epoch"].min() / ours, unit="× ours", results=results)
defaults = stock[stock["threads"] > 1]["ten models s/epoch"].max()
record("speed.ten_times_default", defaults / ours, unit="× ours", results=results)
record("speed.optimum", optimum["in standard errors"].iloc[0], unit="standard errors", results=results)

# %% [markdown]
# ## Scoring

# %%
ways = pd.concat(
    [
        scoring[["cells"]].assign(way=way, seconds=scoring[f"{way} seconds"], peak_mb=scoring[f"{way} peak MB"])
        for way in ("published", "ours")
    ]
)
save_panel(
    plots_benchmark.scoring_cost(ways),
    "S8b",
    data=ways,
    alt="Time and memory of scoring against the number of cells, the published way and ours.",
    caption="**Scoring one model**: the published way normalises, reconstructs and compares whole dense matrices; ours reads cells in chunks.",
    results=results,
)

# %% [markdown]
# ```{panel} S8b
# ```
#
# On {val}`speed.scoring_cells:,d` cells scoring takes {val}`speed.scoring_times:.1f` times less time and {val}`speed.scoring_memory:.1%` of the memory.

# %% tags=["remove-cell"]
largest = scoring.sort_values("cells").iloc[-1]
record("speed.scoring_cells", int(largest["cells"]), unit="cells", results=results)
record("speed.scoring_times", largest["times published"], unit="× faster", results=results)
record("speed.scoring_memory", largest["share of memory"], unit="of the published way's memory", results=results)

# %% [markdown]
# ## Use it on your own machine
#
# `make bench` measures again, then `make figure FIG=speed` redraws this page.

# %% tags=["hide-input"]
training.attrs["hardware"] | training.attrs["versions"]
